"""Heads: the final states of a question's reads to an answer.

The states of a question's reads are summed before the linear, so one read per question is plain classification and two
reads are the paper's similarity (both orders, states added; section 3.3). A choice head scores every read by itself and
lets the softmax run across the reads of a question. Dropout's mask is drawn per question, so all choices of one question
share it (the released code's noise shape).
"""

from collections.abc import Callable

import torch
from torch import nn

from warmstart.example.batch import Questions
from warmstart.models.dropout import drop, keep_mask
from warmstart.models.losses import Loss, choice_loss, class_loss, marks_loss, score_loss
from warmstart.models.settings import HeadSettings

_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "class": class_loss,
    "multilabel": marks_loss,
    "score": score_loss,
}


class Head(nn.Module):
    """Dropout and one linear over the (summed) states of a question's reads."""

    def __init__(self, settings: HeadSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.linear = nn.Linear(width, settings.size, bias=settings.bias)

    def forward(self, states_MD: torch.Tensor, asked: Questions) -> torch.Tensor:
        """Answers: [Q, size] for class and multilabel, [Q] for score, [M] (one per read) for choice."""
        count = len(asked.weights)
        if self.training and self.settings.dropout > 0:
            keep = keep_mask(torch.Size((count, states_MD.shape[1])), self.settings.dropout, states_MD.device)
            states_MD = drop(states_MD, self.settings.dropout, keep[asked.question])
        if self.settings.kind != "choice" and len(states_MD) != count:
            states_MD = states_MD.new_zeros(count, states_MD.shape[1]).index_add(0, asked.question, states_MD)
        answers = self.linear(states_MD)
        return answers.squeeze(-1) if self.settings.kind in ("score", "choice") else answers  # type: ignore[no-any-return]

    def loss(self, states_MD: torch.Tensor, asked: Questions) -> Loss:
        """(sum, weight) of this head's goal."""
        answers = self(states_MD, asked)
        if self.settings.kind == "choice":
            return Loss(choice_loss(answers, asked.question, asked.targets, asked.weights), asked.total_weight)
        return Loss(_LOSSES[self.settings.kind](answers, asked.targets, asked.weights), asked.total_weight)
