"""The head of a sentence encoder: the vectors themselves. It has no weights; what it learns, the backbone learns.

A question has two texts or more, each read by itself; the vector of a text is its state or the mean of its states.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch

from warmstart.base.errors import BadInput
from warmstart.example.batch import GoalBatch
from warmstart.models.backbone import Tables
from warmstart.models.embedding_losses import EMBEDDING_LOSSES, WHOLE_LOSSES, split_texts
from warmstart.models.head import Head, LossOptions
from warmstart.models.linear_heads import text_numbers
from warmstart.models.settings import BackboneSettings, EmbeddingHeadSettings


class EmbeddingHead(Head):
    """The vectors of texts; learns by comparing them (:mod:`~warmstart.models.embedding_losses`)."""

    answers_per_read: ClassVar[bool] = True
    has_weights: ClassVar[bool] = False
    losses: ClassVar[Mapping[str, Callable[..., torch.Tensor]]] = EMBEDDING_LOSSES
    whole_losses: ClassVar[frozenset[str]] = WHOLE_LOSSES

    def __init__(self, settings: EmbeddingHeadSettings, backbone: BackboneSettings) -> None:
        super().__init__()
        self.settings = settings
        if wrong := [size for size in settings.sizes if not 1 <= size <= backbone.width]:
            raise BadInput(
                "more numbers than a vector has, or none", where="--matryoshka", value=wrong[0],
                allowed=f"1 to {backbone.width}",
            )  # fmt: skip

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """[T, D] the vectors of the texts, as they are."""
        return states_MD

    def _loss_sum(
        self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None, options: LossOptions
    ) -> torch.Tensor:
        numbers, count = text_numbers(goal, self.settings.pair)
        question_T = goal.question.new_zeros(count).scatter_(0, numbers, goal.question)
        sizes = self.settings.sizes or (states_MD.shape[1],)
        parts = [split_texts(states_MD[:, :size], question_T) for size in sizes]
        losses: list[Any] = [self.losses[goal.answer](texts, goal, self.settings) for texts in parts]
        return torch.stack(losses).sum()
