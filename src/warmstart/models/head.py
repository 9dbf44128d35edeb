"""What a head is to a model: from the states of a goal's reads to answers, and to the loss of each kind of answer.

The kinds of heads are listed in :mod:`~warmstart.models.heads`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

from warmstart.example.batch import GoalBatch
from warmstart.example.example import Goal
from warmstart.models.backbone import Tables
from warmstart.models.divergence import Distribution, divergence
from warmstart.models.losses import Loss
from warmstart.models.softmax import Smoothing


class LossOptions(NamedTuple):
    """How a training softmax learns; a head that has none ignores this.

    Attributes:
        smoothing: of the labels.
        samples: tokens that the softmax learns from at a time; 0: all.
        seed: names the tokens that it samples.
        temperature: of a teacher's probabilities.
    """

    smoothing: Smoothing | None = None
    samples: int = 0
    seed: int = 0
    temperature: float = 1.0


DEFAULT_OPTIONS = LossOptions()


class Head(nn.Module):
    """From states [M, D] to answers.

    Attributes:
        answers_per_read: whether there is one answer for every read, not one for every question.
        fixed_size: numbers for each read, where that follows from the kind of head.
        reads_table: whether its answers are products with the rows of a table.
        compares_reads: whether the numbers of a question's reads are compared with each other, as those of its choices.
        reads_chains: whether the answers of one text depend on each other.
        noun: what it is called where only this library has such a head; empty: others have it too.
        has_weights: whether it learns anything itself.
        whole_losses: kinds of answers whose loss compares all questions of a step with each other.
        by_output: names of its tensors that have a row for each of its outputs.
        by_two_outputs: those of them that have a column for each as well.
        losses: kind of answer (:attr:`~warmstart.example.example.Goal.answer`) → how a head of this class learns it.
        settings: of the head.
    """

    answers_per_read: ClassVar[bool] = False
    fixed_size: ClassVar[int | None] = None
    reads_table: ClassVar[bool] = False
    compares_reads: ClassVar[bool] = False
    reads_chains: ClassVar[bool] = False
    noun: ClassVar[str] = ""
    has_weights: ClassVar[bool] = True
    whole_losses: ClassVar[frozenset[str]] = frozenset()
    by_output: ClassVar[tuple[str, ...]] = ()
    by_two_outputs: ClassVar[tuple[str, ...]] = ()
    losses: ClassVar[Mapping[str, Callable[..., torch.Tensor]]] = {}
    settings: Any

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """The answers, [Q, …] or, where there is one for each read, [M, …]; ``tables`` are those of the pass."""
        raise NotImplementedError

    def loss(
        self,
        states_MD: torch.Tensor,
        goal: GoalBatch,
        tables: Tables | None = None,
        options: LossOptions = DEFAULT_OPTIONS,
    ) -> Loss:
        """The sum and the weight of the losses of a goal.

        Raises:
            ValueError: the goal wants a kind of answer that this head does not learn.
        """
        if goal.answer not in self.losses:
            known = ", ".join(repr(name) for name in self.losses)
            raise ValueError(f"{type(self).__name__} learns answers of kind {known}, not {goal.answer!r}")
        return Loss(self._loss_sum(states_MD, goal, tables, options), goal.total_weight)

    def _loss_sum(
        self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None, options: LossOptions
    ) -> torch.Tensor:
        """The weighted sum of the losses of the goal's kind of answer."""
        raise NotImplementedError

    def difference(self, first: torch.Tensor, second: torch.Tensor, goal: GoalBatch, kind: str) -> torch.Tensor:
        """[Q] how far two answers are from each other, by a divergence of this kind; of scores by their squares."""
        return divergence(
            kind, self.distribution(first, goal), self.distribution(second, goal), len(goal.weights)
        )  # fmt: skip

    def distribution(self, answers: torch.Tensor, goal: GoalBatch) -> Distribution:
        """What answers say of the outcomes of each question.

        Raises:
            ValueError: they are no distribution.
        """
        raise ValueError(f"{type(self).__name__} answers with no distribution")

    def begin_at(self, output: float) -> None:
        """Sets the bias of freshly drawn weights so that answers begin around ``output``, where the head has a bias."""

    def begin_from(self, goals: Iterable[Goal]) -> None:
        """Sets freshly drawn weights that follow from the targets alone; most heads have none."""

    def reset_parameters(self) -> None:
        """Changes freshly drawn weights where they differ from the table of ``initialise``."""

    def compile_parts(self, compile_function: Callable[[Any], Any]) -> None:
        """Compiles what is the same graph for every batch; most heads have nothing that is worth it."""
