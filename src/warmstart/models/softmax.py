"""The softmax over the rows of a table, fused with its linear and its cross-entropy; nothing here divides.

It is done in chunks of tokens, gradients included, so that the logits of a whole batch never exist: memory is chunk x V
instead of M x V. On a CPU the softmax itself goes a few tokens at a time, which stay in the cache, and leaves its gradient
where the logits were.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch

CHUNK = 1024  # tokens whose logits exist at one time
CACHED = 64  # tokens whose float32 softmax exists at one time on a CPU
SCORED = 512  # tokens whose products exist at one time where nothing is learned
CACHED_LOGITS = 1 << 18  # float32 logits that exist at one time there on a CPU


class Softmax(NamedTuple):
    """States […, D] before the softmax over the rows of a table [V, D], with a bias [V] or none.

    With a ``cap`` no logit is further from 0 than that (:func:`soft_cap`).
    """

    states: torch.Tensor
    table: torch.Tensor
    bias: torch.Tensor | None = None
    cap: float | None = None

    def logits(self, part: slice) -> torch.Tensor:
        """Float32 logits of some of the states."""
        return self.logits_of(self.states[part] @ self.table.T)

    def logits_of(self, products: torch.Tensor) -> torch.Tensor:
        """Float32 logits from products of states and table."""
        logits = products.float()
        logits = logits if self.bias is None else logits + self.bias.float()
        return logits if self.cap is None else soft_cap(logits, self.cap)


def soft_cap(scores: torch.Tensor, cap: float) -> torch.Tensor:
    """Scores as cap · tanh(scores / cap): as they are near 0, never beyond the cap (Gemma 2, section 2)."""
    return (scores / cap).tanh() * cap


class LogitsGrad(NamedTuple):
    """Weighted sum of the losses of some tokens, and its derivative [M, V] by their logits, both float32."""

    loss: torch.Tensor
    by_logits: torch.Tensor


class Smoothing(NamedTuple):
    """Label smoothing: the true token has only a part of the label (Szegedy et al. 2016, section 7).

    Attributes:
        share: what all other tokens have together.
        classes: rows of the softmax that are tokens, from the first.
        excluded: a token that is never a label, and so has no share (padding); ``None`` where there is none.
    """

    share: float
    classes: int
    excluded: int | None = None

    def others(self, rows: int, device: torch.device) -> torch.Tensor:
        """[V] float32 share of each of ``rows`` tokens where it is not the true one."""
        count = self.classes - 1 - (self.excluded is not None)
        shares = torch.zeros(rows, device=device)
        shares[: self.classes] = self.share / max(1, count)
        if self.excluded is not None:
            shares[self.excluded] = 0.0
        return shares


def logits_grad(
    products_MV: torch.Tensor,
    targets_M1: torch.Tensor,
    weights_M1: torch.Tensor,
    bias_V: torch.Tensor | None,
    others_V: torch.Tensor | None = None,
) -> LogitsGrad:
    """Cross-entropy of products of states and table, and its derivative, from one softmax.

    ``others_V`` is the share of the label that every token has but the true one, which has the rest.
    """
    scores = products_MV.float() if bias_V is None else products_MV.float() + bias_V.float()
    shares = scores.softmax(-1)
    # The log of the sum, from the largest share: that is 1/V at least, so its log is safe where others are not.
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


def _capped_grad(
    cap: float, inner: LogitsGradFn, products_MV: torch.Tensor, targets_M1: torch.Tensor, weights_M1: torch.Tensor,
    bias_V: torch.Tensor | None, others_V: torch.Tensor | None,
) -> LogitsGrad:  # fmt: skip
    """The derivative by scores that are capped before the softmax."""
    scores = products_MV.float() if bias_V is None else products_MV.float() + bias_V.float()
    capped = soft_cap(scores, cap)
    found = inner(capped, targets_M1, weights_M1, None, others_V)
    return LogitsGrad(found.loss, found.by_logits.mul_(1 - (capped / cap).square()))


class _LinearCrossEntropy(torch.autograd.Function):
    """Σ weights · -log softmax(states·tableᵀ + bias)[targets]; the forward pass makes the gradients, chunk by chunk.

    A frozen table costs no gradient.
    """

    @staticmethod
    def forward(ctx, states_MD, table_VD, bias_V, targets_M, weights_M, logits_grad, others_V):  # type: ignore[no-untyped-def]
        total = torch.zeros((), dtype=torch.float32, device=states_MD.device)
        grad_states = torch.empty_like(states_MD)
        _, needs_table, needs_bias, *_ = ctx.needs_input_grad
        grad_bias = torch.zeros(len(bias_V), device=table_VD.device) if needs_bias else None
        grad_table = None
        rows = CACHED if states_MD.device.type == "cpu" else CHUNK
        for start in range(0, max(1, len(states_MD)), CHUNK):  # no reads at all are one chunk of none
            part = slice(start, start + CHUNK)
            aligned = _aligned_buffer(states_MD[part], len(table_VD))
            products = aligned[:, : len(table_VD)]
            torch.mm(states_MD[part], table_VD.T, out=products)
            pieces = (x.split(rows) for x in (products, targets_M[part, None], weights_M[part, None]))
            for piece, targets, weights in zip(*pieces, strict=True):
                piece_loss, by_logits = logits_grad(piece, targets, weights, bias_V, others_V)
                total += piece_loss
                if grad_bias is not None:
                    grad_bias += by_logits.sum(0)
                piece.copy_(by_logits)
            torch.mm(products, table_VD, out=grad_states[part])
            if needs_table:
                more = (aligned.T @ states_MD[part])[: len(table_VD)]
                grad_table = more if grad_table is None else grad_table.float().add_(more)
        ctx.save_for_backward(grad_states, grad_table, grad_bias)
        ctx.dtype = table_VD.dtype
        return total

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        grad_states, grad_table, grad_bias = ctx.saved_tensors
        by_table = None if grad_table is None else (grad_table * grad).to(ctx.dtype)
        by_bias = None if grad_bias is None else (grad_bias * grad).to(ctx.dtype)
        return grad_states * grad, by_table, by_bias, None, None, None, None


def _aligned_buffer(states_MD: torch.Tensor, columns: int) -> torch.Tensor:
    """Room for [M, columns] products, with columns of 0 up to a multiple of 64: products of other widths are slow."""
    products = states_MD.new_empty(len(states_MD), -(-columns // 64) * 64)
    products[:, columns:] = 0
    return products


def _fused(
    softmax: Softmax, targets: torch.Tensor, weights_M: torch.Tensor, logits_grad: LogitsGradFn,
    others_V: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    """The weighted sum of what ``logits_grad`` finds of all tokens, whatever ``targets`` [M, …] are to it."""
    if softmax.cap is not None:
        logits_grad = functools.partial(_capped_grad, softmax.cap, logits_grad)
    states, table, bias, _ = softmax
    return _LinearCrossEntropy.apply(states, table, bias, targets, weights_M, logits_grad, others_V)  # type: ignore[no-untyped-call,no-any-return]


def soft_token_loss(student: Softmax, teacher: Softmax, weights_M: torch.Tensor, temperature: float) -> torch.Tensor:
    """Weighted sum of T² · KL(teacher ‖ student) of [M, D] states, both softened by T; differentiable by the student alone.

    The tables may have spare rows: a token that only one of them has is no outcome of the teacher's.
    """

    def divergence(
        products_MV: torch.Tensor, states_M1D: torch.Tensor, weights_M1: torch.Tensor, bias_V: torch.Tensor | None,
        others_V: torch.Tensor | None,
    ) -> LogitsGrad:  # fmt: skip
        scores = products_MV.float() if bias_V is None else products_MV.float() + bias_V.float()
        own = (scores / temperature).log_softmax(-1)
        taught = teacher._replace(states=states_M1D[:, 0]).logits(slice(None))[:, : own.shape[1]] / temperature
        shares = taught.softmax(-1)
        apart = shares * taught.log_softmax(-1)
        count = shares.shape[1]
        loss = temperature**2 * ((apart - shares * own[:, :count]) * weights_M1).sum()
        by_logits = own.exp()
        by_logits[:, :count] -= shares
        return LogitsGrad(loss, by_logits.mul_(temperature * weights_M1))

    return _fused(student, teacher.states, weights_M, divergence)


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
        smoothing: of the labels, in training; evaluation uses the true tokens alone.
    """
    if torch.is_grad_enabled():
        others = None if smoothing is None else smoothing.others(len(softmax.table), softmax.table.device)
        return _fused(softmax, targets_M, weights_M, logits_grad, others)
    return (score_tokens(softmax, targets_M).losses * weights_M).sum()


class TokenScores(NamedTuple):
    """[M] float32 loss of each target (negative log-probability), and whether it is the first guess."""

    losses: torch.Tensor
    right: torch.Tensor


@torch.no_grad()
def score_tokens(softmax: Softmax, targets_M: torch.Tensor) -> TokenScores:
    """The scores of each target; products exist of a chunk of tokens at a time."""
    return score_products(
        lambda part: softmax.states[part] @ softmax.table.T, softmax.logits_of, targets_M, len(softmax.table)
    )


def score_products(
    products: Callable[[slice], torch.Tensor], logits_of: Callable[[torch.Tensor], torch.Tensor], targets_M: torch.Tensor,
    vocab_size: int,
) -> TokenScores:  # fmt: skip
    """The scores of each target, from products that are made a chunk at a time.

    On a CPU so few float32 logits exist at a time that they stay in the cache.

    Args:
        products: of some of the states with a table of V rows, [m, V].
        logits_of: products → float32 logits.
        targets_M: ids.
        vocab_size: V.
    """
    losses, right = [torch.zeros(0, device=targets_M.device)], [targets_M.new_zeros(0, dtype=torch.bool)]
    rows = max(1, CACHED_LOGITS // vocab_size) if targets_M.device.type == "cpu" else SCORED
    for start in range(0, len(targets_M), SCORED):
        part = slice(start, start + SCORED)
        pieces = (torch.split(x, rows) for x in (products(part), targets_M[part, None]))
        for piece, targets in zip(*pieces, strict=True):
            found = _score_logits(logits_of(piece), targets)
            losses.append(found.losses)
            right.append(found.right)
    return TokenScores(torch.cat(losses), torch.cat(right))


def _score_logits(logits_MV: torch.Tensor, targets_M1: torch.Tensor) -> TokenScores:
    """The scores of each target; what is in ``logits_MV`` is lost.

    Of equal logits the first is the guess; so only where the target's is the greatest somebody has to look for it.
    """
    best, true = logits_MV.amax(-1, keepdim=True), logits_MV.gather(1, targets_M1)
    right = true == best
    if bool(right.any()):
        rows = right.nonzero()[:, 0]
        right[rows] = logits_MV[rows].argmax(-1, keepdim=True) == targets_M1[rows]
    losses = logits_MV.sub_(best).exp_().sum(-1, keepdim=True).log_() - (true - best)
    return TokenScores(losses[:, 0], right[:, 0])
