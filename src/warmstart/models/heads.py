"""Heads: the final states of a question's reads to an answer.

The states of a question's reads are summed before the linear, so one read per question is plain classification and two
reads are the paper's similarity (both orders, states added; section 3.3). A choice head scores every read by itself and
lets the softmax run across the reads of a question; a span head does so twice, for the start and the end of an answer.
Dropout's mask is drawn per question, so all choices of one question share it (the released code's noise shape).
"""

from collections.abc import Callable

import torch
from torch import nn

from warmstart.example.batch import GoalBatch
from warmstart.models.dropout import drop
from warmstart.models.losses import Loss, choice_loss, class_loss, multilabel_loss, score_loss, span_loss
from warmstart.models.settings import HeadSettings

MOMENTUM, EPS = 0.1, 1e-5  # of batch norm, as torch has them
_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "class": class_loss,
    "multilabel": multilabel_loss,
    "score": score_loss,
}
_ACROSS: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "choice": choice_loss,
    "span": span_loss,
}
"""The losses of heads that answer at every read, by a softmax across the reads of a question."""


class BatchNorm(nn.Module):
    """Each dimension with mean 0 and variance 1 over the rows at hand, then gain and bias (Ioffe and Szegedy 2015).

    In training they are those of the micro-batch, so this is the one part of a model whose result depends on how
    examples are split. Running averages, which are saved with the weights, serve evaluation, and a row that is alone.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, rows_ND: torch.Tensor) -> torch.Tensor:
        """[N, D], the same out."""
        rows, count = rows_ND.float(), len(rows_ND)
        mean, variance = self.get_buffer("mean").float(), self.get_buffer("variance").float()
        if self.training and count > 1:
            variance, mean = torch.var_mean(rows, 0, correction=0)
            with torch.no_grad():
                self.get_buffer("mean").lerp_(mean, MOMENTUM)
                self.get_buffer("variance").lerp_(variance * (count / (count - 1)), MOMENTUM)
        rows = (rows - mean) * torch.rsqrt(variance + EPS)
        return (rows * self.weight + self.bias).to(rows_ND.dtype)


class Head(nn.Module):
    """Dropout and one linear over the pooled states of a question's reads, with a hidden layer before where one is asked.

    With batch norm it is a block of norm, dropout and linear for each linear.
    """

    def __init__(self, settings: HeadSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        if settings.pool == "concat":
            width *= 3
        self.hidden = nn.Linear(width, settings.hidden) if settings.hidden else None
        self.linear = nn.Linear(settings.hidden or width, settings.size, bias=settings.bias)
        widths = ([width] if settings.hidden else []) + [settings.hidden or width]
        self.norms = nn.ModuleList(BatchNorm(each) for each in widths if settings.norm == "batch")

    def forward(self, states_MD: torch.Tensor, asked: GoalBatch) -> torch.Tensor:
        """Answers: [Q, size] for class and multilabel, [Q] for score, [M] (one per read) for choice, [M, 2] for span."""
        count = len(asked.weights)
        each = self.settings.kind in _ACROSS
        if self.settings.pool == "concat":
            states_MD = concat_pool(states_MD, asked.question, count)
        elif not self.settings.plain and not each:
            states_MD = _summed(states_MD, asked.question, count)
        if self.hidden is not None:
            if self.norms:
                states_MD = self._dropped(self.norms[0](states_MD), asked)
            states_MD = torch.relu(self.hidden(states_MD))
        if self.norms:
            states_MD = self.norms[-1](states_MD)
        states_MD = self._dropped(states_MD, asked)
        if not each:
            states_MD = _summed(states_MD, asked.question, count)
        answers = self.linear(states_MD)
        return answers.squeeze(-1) if self.settings.kind in ("score", "choice") else answers  # type: ignore[no-any-return]

    def _dropped(self, states_MD: torch.Tensor, asked: GoalBatch) -> torch.Tensor:
        """Dropout whose mask the reads of a question share."""
        if not self.training or self.settings.dropout == 0:
            return states_MD
        shared = drop(states_MD.new_ones(len(asked.weights), states_MD.shape[1]), self.settings.dropout)
        return states_MD * (shared[asked.question] if len(states_MD) == len(asked.question) else shared)

    def loss(self, states_MD: torch.Tensor, asked: GoalBatch) -> Loss:
        """(sum, weight) of this head's goal."""
        answers = self(states_MD, asked)
        kind = self.settings.kind
        if kind in _ACROSS:
            return Loss(_ACROSS[kind](answers, asked.question, asked.targets, asked.weights), asked.total_weight)
        return Loss(_LOSSES[kind](answers, asked.targets, asked.weights), asked.total_weight)


def _summed(states_MD: torch.Tensor, question_M: torch.Tensor, count: int) -> torch.Tensor:
    """[Q, D] the sum over each question's reads; as they are where each question has one."""
    if len(states_MD) == count:
        return states_MD
    return states_MD.new_zeros(count, states_MD.shape[1]).index_add(0, question_M, states_MD)


def concat_pool(states_MD: torch.Tensor, question_M: torch.Tensor, count: int) -> torch.Tensor:
    """[Q, 3·D] the last state, the greatest of each dimension and the mean over each question's reads."""
    reads = torch.bincount(question_M, minlength=count)
    last = states_MD.index_select(0, reads.cumsum(0) - 1)
    index = question_M[:, None].expand_as(states_MD)
    top = torch.full_like(last, -torch.inf).scatter_reduce(0, index, states_MD, "amax")
    total = torch.zeros_like(last, dtype=torch.float32).index_add(0, question_M, states_MD.float())
    return torch.cat([last, top, (total / reads[:, None]).to(last.dtype)], 1)
