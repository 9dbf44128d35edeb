"""Heads: the final states of a question's reads to an answer.

The states of a question's reads are summed before the linear, so one read per question is plain classification and two
reads are the paper's similarity (both orders, states added; section 3.3). A choice head scores every read by itself and
lets the softmax run across the reads of a question; a span head does so twice, for the start and the end of an answer.
Dropout's mask is drawn per question, so all choices of one question share it (the released code's noise shape).
"""

from collections.abc import Callable

import torch
from torch import nn

from warmstart.example.batch import Questions
from warmstart.models.dropout import drop
from warmstart.models.losses import Loss, choice_loss, class_loss, marks_loss, score_loss, span_loss
from warmstart.models.settings import HeadSettings

_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "class": class_loss,
    "multilabel": marks_loss,
    "score": score_loss,
}
_ACROSS: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "choice": choice_loss,
    "span": span_loss,
}
"""The losses of heads that answer at every read, by a softmax across the reads of a question."""


class Head(nn.Module):
    """Dropout and one linear over the pooled states of a question's reads, with a hidden layer before where one is asked."""

    def __init__(self, settings: HeadSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        if settings.pool == "concat":
            width *= 3
        self.hidden = nn.Linear(width, settings.hidden) if settings.hidden else None
        self.linear = nn.Linear(settings.hidden or width, settings.size, bias=settings.bias)

    def forward(self, states_MD: torch.Tensor, asked: Questions) -> torch.Tensor:
        """Answers: [Q, size] for class and multilabel, [Q] for score, [M] (one per read) for choice, [M, 2] for span."""
        count = len(asked.weights)
        each = self.settings.kind in _ACROSS
        if self.settings.pool == "concat":
            states_MD = concat_pool(states_MD, asked.question, count)
        elif self.hidden is not None and not each:
            states_MD = _summed(states_MD, asked.question, count)
        if self.hidden is not None:
            states_MD = torch.relu(self.hidden(states_MD))
        if self.training and self.settings.dropout > 0:
            shared = drop(states_MD.new_ones(count, states_MD.shape[1]), self.settings.dropout)
            states_MD = states_MD * (shared[asked.question] if len(states_MD) == len(asked.question) else shared)
        if not each:
            states_MD = _summed(states_MD, asked.question, count)
        answers = self.linear(states_MD)
        return answers.squeeze(-1) if self.settings.kind in ("score", "choice") else answers  # type: ignore[no-any-return]

    def loss(self, states_MD: torch.Tensor, asked: Questions) -> Loss:
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
