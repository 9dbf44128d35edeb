"""Losses as (sum, weight): nothing here divides. The training step divides once, over everything (DESIGN, law 2).

The softmax over the vocabulary is fused with its linear and done in chunks of tokens, gradients included, so that the
logits of a whole batch never exist: memory is chunk x V instead of M x V. On a CPU the softmax itself goes a few tokens at
a time, which stay in the cache, and leaves its grad where the logits were.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.nn import functional as F

CHUNK = 1024  # tokens whose logits exist at one time
CACHED = 64  # tokens whose float32 softmax exists at one time on a CPU


class Loss(NamedTuple):
    """Weighted sum of the losses of all questions of one goal, and the sum of their weights."""

    sum: torch.Tensor
    weight: float


class Softmax(NamedTuple):
    """States […, D] before the softmax over the rows of a table [V, D], with a bias [V] or none."""

    states: torch.Tensor
    table: torch.Tensor
    bias: torch.Tensor | None = None

    def logits(self, part: slice) -> torch.Tensor:
        """Float32 logits of some of the states."""
        found = (self.states[part] @ self.table.T).float()
        return found if self.bias is None else found + self.bias.float()


class LogitsGrad(NamedTuple):
    """Weighted sum of the losses of some tokens, and its derivative [M, V] by their logits, both float32."""

    loss: torch.Tensor
    by_logits: torch.Tensor


class Smoothing(NamedTuple):
    """Labels of which the true token has only a part (Szegedy et al. 2016, section 7).

    Attributes:
        share: what all other tokens have together.
        classes: rows of the softmax that are tokens, from the first.
        left_out: a token that is never a label, and so has no share (padding); ``None`` where there is none.
    """

    share: float
    classes: int
    left_out: int | None = None

    def others(self, like_V: torch.Tensor) -> torch.Tensor:
        """[V] float32 share of each token that is not the true one."""
        count = self.classes - 1 - (self.left_out is not None)
        found = torch.zeros(len(like_V), device=like_V.device)
        found[: self.classes] = self.share / max(1, count)
        if self.left_out is not None:
            found[self.left_out] = 0.0
        return found


def logits_grad(
    products_MV: torch.Tensor,
    targets_M1: torch.Tensor,
    weights_M1: torch.Tensor,
    bias_V: torch.Tensor | None,
    others_V: torch.Tensor | None = None,
) -> LogitsGrad:
    """Cross-entropy of products of states and table, and its derivative, from one softmax.

    ``others_V`` is the share of the label of every token that is not the true one, which has the rest.
    """
    scores = products_MV.float() if bias_V is None else products_MV.float() + bias_V.float()
    shares = scores.softmax(-1)
    # The log of the sum, by way of the largest share: that is 1/V at least, so its log is safe where others are not.
    total = scores.amax(-1, keepdim=True) - shares.amax(-1, keepdim=True).log()
    true = scores.gather(1, targets_M1)
    if others_V is None:
        loss = ((total - true) * weights_M1).sum()
        shares.scatter_add_(1, targets_M1, torch.full_like(weights_M1, -1.0))
    else:
        rest = 1 - others_V.sum()  # the true token's, beyond what it has as one among all
        loss = ((total - rest * true - (scores @ others_V)[:, None]) * weights_M1).sum()
        shares.sub_(others_V).scatter_add_(1, targets_M1, -rest.expand_as(weights_M1))
    return LogitsGrad(loss, shares.mul_(weights_M1))


LogitsGradFn = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None], LogitsGrad
]  # fmt: skip


class _LinearCrossEntropy(torch.autograd.Function):
    """Σ weights · -log softmax(states·tableᵀ + bias)[targets]; gradients are made chunk by chunk on the way forward.

    A table that does not move (a scheme that freezes it) costs no gradient.
    """

    @staticmethod
    def forward(ctx, states_MD, table_VD, bias_V, targets_M, weights_M, logits_grad, others_V):  # type: ignore[no-untyped-def]
        total = torch.zeros((), dtype=torch.float32, device=states_MD.device)
        grad_states = torch.empty_like(states_MD)
        _, to_table, to_bias, *_ = ctx.needs_input_grad
        grad_bias = torch.zeros(len(bias_V), device=table_VD.device) if to_bias else None
        grad_table = None
        few = CACHED if states_MD.device.type == "cpu" else CHUNK
        for start in range(0, max(1, len(states_MD)), CHUNK):  # no reads at all are one chunk of none
            part = slice(start, start + CHUNK)
            aligned = _aligned(states_MD[part], len(table_VD))
            products = aligned[:, : len(table_VD)]
            torch.mm(states_MD[part], table_VD.T, out=products)
            given = (x.split(few) for x in (products, targets_M[part, None], weights_M[part, None]))
            for some, targets, weights in zip(*given, strict=True):
                grad = logits_grad(some, targets, weights, bias_V, others_V)
                total += grad.loss
                if grad_bias is not None:
                    grad_bias += grad.by_logits.sum(0)
                some.copy_(grad.by_logits)
            torch.mm(products, table_VD, out=grad_states[part])
            if to_table:
                more = (aligned.T @ states_MD[part])[: len(table_VD)]
                grad_table = more if grad_table is None else grad_table.float().add_(more)
        ctx.save_for_backward(grad_states, grad_table, grad_bias)
        ctx.dtype = table_VD.dtype
        return total

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        grad_states, grad_table, grad_bias = ctx.saved_tensors
        to_table = None if grad_table is None else (grad_table * grad).to(ctx.dtype)
        to_bias = None if grad_bias is None else (grad_bias * grad).to(ctx.dtype)
        return grad_states * grad, to_table, to_bias, None, None, None, None


def _aligned(states_MD: torch.Tensor, columns: int) -> torch.Tensor:
    """Room for [M, columns] products, with columns of 0 up to a multiple of 64: products of other widths are slow."""
    found = states_MD.new_empty(len(states_MD), -(-columns // 64) * 64)
    found[:, columns:] = 0
    return found


def next_token_loss(
    softmax: Softmax,
    targets_M: torch.Tensor,
    weights_M: torch.Tensor,
    logits_grad: LogitsGradFn = logits_grad,
    smoothing: Smoothing | None = None,
) -> torch.Tensor:
    """Weighted sum of next-token losses of [M, D] states; differentiable in states, table and bias.

    Args:
        softmax: states and table.
        targets_M: ids.
        weights_M: float32.
        logits_grad: :func:`logits_grad`, or the same compiled.
        smoothing: of the labels, where something is learned; what is judged is judged by the true tokens.
    """
    if torch.is_grad_enabled():
        others = None if smoothing is None else smoothing.others(softmax.table[:, 0])
        return _LinearCrossEntropy.apply(*softmax, targets_M, weights_M, logits_grad, others)  # type: ignore[no-untyped-call,no-any-return]
    return (token_losses(softmax, targets_M) * weights_M).sum()


class TokenScores(NamedTuple):
    """[M] float32 negative log-probability of each target, and whether it is the first guess."""

    losses: torch.Tensor
    right: torch.Tensor


@torch.no_grad()
def score_tokens(softmax: Softmax, targets_M: torch.Tensor) -> TokenScores:
    """How each target fares, one chunk of logits at a time."""
    losses, right = [softmax.states.new_zeros(0, dtype=torch.float32)], [targets_M.new_zeros(0, dtype=torch.bool)]
    for start, targets in zip(range(0, len(targets_M), CHUNK), torch.split(targets_M, CHUNK), strict=False):
        logits = softmax.logits(slice(start, start + CHUNK))
        losses.append(F.cross_entropy(logits, targets, reduction="none"))
        right.append(logits.argmax(-1) == targets)
    return TokenScores(torch.cat(losses), torch.cat(right))


def token_losses(softmax: Softmax, targets_M: torch.Tensor) -> torch.Tensor:
    """[M] float32 negative log-probability of each target."""
    return score_tokens(softmax, targets_M).losses


def class_loss(logits_QC: torch.Tensor, targets_Q: torch.Tensor, weights_Q: torch.Tensor) -> torch.Tensor:
    """Weighted sum of cross-entropies."""
    return (F.cross_entropy(logits_QC.float(), targets_Q, reduction="none") * weights_Q).sum()


def multilabel_loss(logits_QK: torch.Tensor, targets_QK: torch.Tensor, weights_Q: torch.Tensor) -> torch.Tensor:
    """Weighted sum over questions of the mean over labels of binary cross-entropies."""
    each = F.binary_cross_entropy_with_logits(logits_QK.float(), targets_QK, reduction="none")
    return (each.mean(-1) * weights_Q).sum()


def score_loss(scores_Q: torch.Tensor, targets_Q: torch.Tensor, weights_Q: torch.Tensor) -> torch.Tensor:
    """Weighted sum of squared errors."""
    return ((scores_Q.float() - targets_Q).square() * weights_Q).sum()


def vector_losses(states_MD: torch.Tensor, table_ED: torch.Tensor, targets_ME: torch.Tensor) -> torch.Tensor:
    """[M] float32 mean squared error of each vector that is guessed from a state, by a linear without bias."""
    return ((states_MD @ table_ED.T).float() - targets_ME).square().mean(-1)


def choice_loss(
    logits_M: torch.Tensor, question_M: torch.Tensor, targets_Q: torch.Tensor, weights_Q: torch.Tensor
) -> torch.Tensor:
    """Weighted sum of cross-entropies of a softmax across the reads of each question, however many they are."""
    logits = logits_M.float()
    count = len(targets_Q)
    top = logits.new_full((count,), float("-inf")).scatter_reduce(0, question_M, logits.detach(), "amax")
    mass = logits.new_zeros(count).index_add(0, question_M, (logits - top[question_M]).exp())
    reads = torch.bincount(question_M, minlength=count)
    first = reads.cumsum(0) - reads  # reads of one question stand together, so its first read is known
    return ((mass.log() + top - logits[first + targets_Q]) * weights_Q).sum()


def span_loss(
    logits_M2: torch.Tensor, question_M: torch.Tensor, targets_Q2: torch.Tensor, weights_Q: torch.Tensor
) -> torch.Tensor:
    """Weighted sum of the mean of two :func:`choice_loss`: one for the read that starts the answer, one for its end."""
    start, end = (choice_loss(logits_M2[:, i], question_M, targets_Q2[:, i], weights_Q) for i in range(2))
    return (start + end) / 2
