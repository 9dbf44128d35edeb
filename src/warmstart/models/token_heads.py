"""Heads that predict what a model reads: the softmax over the rows of a table, and the linear to a vector.

The rows are the backbone's (its token table where they are tied), or the head's own.

Shapes: M reads, D width of the states, V rows of the table, E numbers of a vector.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from warmstart.example.batch import GoalBatch
from warmstart.models.backbone import SoftmaxTable, Tables
from warmstart.models.divergence import Distribution
from warmstart.models.head import Head, LossOptions
from warmstart.models.lm_transform import LMTransform
from warmstart.models.sampled import sample_candidates, sampled_token_loss
from warmstart.models.settings import BackboneSettings, TokenHeadSettings
from warmstart.models.softmax import LogitsGradFn, TokenScores, logits_grad, next_token_loss, score_tokens


class TableHead(Head):
    """A head whose answers are products with the rows of a table."""

    answers_per_read: ClassVar[bool] = True
    reads_table: ClassVar[bool] = True

    def __init__(self, settings: TokenHeadSettings, backbone: BackboneSettings) -> None:
        super().__init__()
        self.settings, self.vocab_size = settings, backbone.vocab_size
        own = settings.table == "own"
        self.table = nn.Linear(backbone.width, self.vocab_size, bias=False) if own else None
        self.transform = None
        if own and settings.transform:
            self.transform = LMTransform(backbone.width, self.vocab_size, nn.LayerNorm(backbone.width))

    def softmax_table(self, tables: Tables | None) -> SoftmaxTable:
        """The rows, and the transform between a state and them."""
        if self.table is not None:
            return SoftmaxTable(self.table.weight, self.transform)
        assert tables is not None
        found = tables.encoder_softmax if self.settings.table == "encoder" else tables.softmax
        assert found is not None, "the backbone keeps no table for this head"
        return found

    def score(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None) -> TokenScores:
        """[M] the loss of each target, and whether it is the first guess."""
        raise NotImplementedError

    def _loss_sum(
        self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None, options: LossOptions
    ) -> torch.Tensor:
        return self.losses[goal.answer](self, states_MD, goal, tables, options)


class TokenHead(TableHead):
    """A softmax over the vocabulary; learns from ids."""

    def __init__(self, settings: TokenHeadSettings, backbone: BackboneSettings) -> None:
        super().__init__(settings, backbone)
        self.logits_grad: LogitsGradFn = logits_grad  # or the same compiled

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """[M, V] float32 logits."""
        return self.logits(states_MD, tables)

    def logits(self, states: torch.Tensor, tables: Tables | None) -> torch.Tensor:
        """[…, V] float32 logits of the vocabulary after each state."""
        return self.softmax_table(tables).softmax(states).logits(slice(None))[..., : self.vocab_size]

    def distribution(self, answers: torch.Tensor, goal: GoalBatch) -> Distribution:
        """Over the vocabulary."""
        return Distribution(torch.log_softmax(answers, -1), goal.question)

    def score(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None) -> TokenScores:
        """[M] the loss of each target, and whether it is the first guess."""
        return score_tokens(self.softmax_table(tables).softmax(states_MD), goal.targets)

    def _loss_of_ids(
        self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None, options: LossOptions
    ) -> torch.Tensor:
        """By a sampled softmax only where something is learned."""
        softmax = self.softmax_table(tables).softmax(states_MD)
        if options.samples and torch.is_grad_enabled():
            candidates = sample_candidates(len(softmax.table), options.samples, options.seed)
            return sampled_token_loss(softmax, goal.targets, goal.weights, candidates, self.logits_grad)
        return next_token_loss(softmax, goal.targets, goal.weights, self.logits_grad, options.smoothing)

    losses = {"": _loss_of_ids}

    def compile_parts(self, compile_function: Callable[[Any], Any]) -> None:
        """Compiles the softmax."""
        self.logits_grad = compile_function(logits_grad)


class VectorHead(TableHead):
    """A linear, without bias, to the numbers of a vector; learns from vectors [Q, E] by their mean squared error."""

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """[M, E] float32 predictions."""
        return (states_MD @ self.softmax_table(tables).weight[: self.vocab_size].T).float()

    def score(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None) -> TokenScores:
        """[M] the mean squared error of each vector, which is never right."""
        errors = (self(states_MD, goal, tables) - goal.targets).square().mean(-1)
        return TokenScores(errors, torch.zeros_like(errors, dtype=torch.bool))

    def difference(self, first: torch.Tensor, second: torch.Tensor, goal: GoalBatch, kind: str) -> torch.Tensor:
        """[Q] mean squares."""
        return (first - second).square().mean(-1)

    def _loss_of_vectors(
        self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None, options: LossOptions
    ) -> torch.Tensor:
        return (self.score(states_MD, goal, tables).losses * goal.weights).sum()

    losses = {"": _loss_of_vectors}
