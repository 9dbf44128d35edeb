"""Terms of the loss that no goal asks for: large and fast changing states cost (Merity et al. 2017, section 4.7).

Both are over all tokens of a Batch, each a mean over the dimensions of a state. They are sums with weights that follow from
the data alone, like any goal (docs/architecture.md, law 2).
"""

import numpy as np
import torch

from warmstart.example.batch import Batch
from warmstart.models.model import Model, ModelOutput
from warmstart.models.terms import NO_SEEDS, LossTerm, StepSeeds


class StateNorm:
    """AR: the squares of the states that heads read, after dropout; one for each token."""

    needs_all_states = True

    def weight(self, batch: Batch) -> float:
        """The number of tokens."""
        return float(batch.num_tokens)

    def loss(self, model: Model, output: ModelOutput, batch: Batch, seeds: StepSeeds = NO_SEEDS) -> torch.Tensor:
        """The sum over all tokens."""
        return output.dropped_states.float().square().mean(-1).sum()


class StateChange:
    """TAR: the squared differences between the states of neighbours in a text, before dropout; one for each pair."""

    needs_all_states = True

    def weight(self, batch: Batch) -> float:
        """The number of pairs."""
        return float(batch.num_tokens - len(batch.lengths))

    def loss(self, model: Model, output: ModelOutput, batch: Batch, seeds: StepSeeds = NO_SEEDS) -> torch.Tensor:
        """The sum over all pairs."""
        states = output.states
        inside = np.ones(batch.num_tokens, np.float32)
        inside[np.cumsum(batch.lengths) - 1] = 0.0  # the last token of a text has no neighbour behind it
        pairs = torch.from_numpy(inside[:-1]).to(states.device)
        return ((states[1:].float() - states[:-1].float()).square().mean(-1) * pairs).sum()


ACTIVITY: dict[str, LossTerm] = {"ar": StateNorm(), "tar": StateChange()}
"""The terms under the names that coefficients and reports have for them."""
