"""What a term of the loss is that no goal asks for: a value that the training step is given."""

from typing import NamedTuple, Protocol

import torch

from warmstart.example.batch import Batch
from warmstart.models.model import Model, ModelOutput


class StepSeeds(NamedTuple):
    """What is random in a step: ``step`` names what is drawn for each text, ``masks`` the dropout of a micro-batch."""

    step: int
    masks: int


NO_SEEDS = StepSeeds(0, 0)


class LossTerm(Protocol):
    """A further term of the loss, such as those of :mod:`~warmstart.models.activity`.

    It is a sum with a weight, like the loss of a goal; the step divides by the weight of all micro-batches together.

    Attributes:
        needs_all_states: whether it reads the states of all tokens, not only of those that heads read.
    """

    @property
    def needs_all_states(self) -> bool:
        """Whether it reads the states of all tokens."""
        ...

    def weight(self, batch: Batch) -> float:
        """What the sum is divided by; follows from the data alone."""
        ...

    def loss(self, model: Model, output: ModelOutput, batch: Batch, seeds: StepSeeds = NO_SEEDS) -> torch.Tensor:
        """The sum, a differentiable scalar; ``output`` is what ``model`` has computed of ``batch`` under ``seeds``."""
        ...
