"""Terms of the loss that ask nothing of a text: large and fast changing states cost (Merity et al. 2017, section 4.7).

Both are over all tokens of a Batch, each a mean over the dimensions of a state: ``ar`` the squares of what is read, after
dropout; ``tar`` the squared differences between the states of neighbours in a text, before dropout. They are sums with
weights that follow from the data alone, like any goal (DESIGN, law 2).
"""

import numpy as np
import torch

from warmstart.example.batch import Batch
from warmstart.models.losses import Loss

AR, TAR = "ar", "tar"


def activity_weights(batch: Batch) -> dict[str, float]:
    """How many squares each term sums up: one per token, one per pair of neighbours."""
    return {AR: float(batch.num_tokens), TAR: float(batch.num_tokens - len(batch.lengths))}


def activity_losses(states_ND: torch.Tensor, dropped_ND: torch.Tensor, batch: Batch) -> dict[str, Loss]:
    """Both terms, from the states of all tokens before and after dropout."""
    inside = np.ones(batch.num_tokens, np.float32)
    inside[np.cumsum(batch.lengths) - 1] = 0.0  # a text's last token has no neighbour behind it
    pairs = torch.from_numpy(inside[:-1]).to(states_ND.device)
    rates = (states_ND[1:].float() - states_ND[:-1].float()).square().mean(-1)
    sums = {AR: dropped_ND.float().square().mean(-1).sum(), TAR: (rates * pairs).sum()}
    return {name: Loss(sums[name], weight) for name, weight in activity_weights(batch).items()}
