"""What the steps of a recurrent decoder read of their sources: attention over padded states.

Luong et al. 2015, section 3.1. The weights come from one layer of the encoder; what they average may be the states of
several (Ramachandran et al. 2016).

Shapes: B sources of S states at most, T queries of each, W width, C width of a context.
"""

from typing import NamedTuple

import numpy as np
import torch

from warmstart.base.arrays import Ints
from warmstart.example.batch import to_device
from warmstart.models.padding import document_rows


class SourceMemory(NamedTuple):
    """Keys [B, S, W], values [B, S, C] and a bias [B, 1, S] that is -inf where a source has ended."""

    keys: torch.Tensor
    values: torch.Tensor
    bias: torch.Tensor

    def read(self, q_RW: torch.Tensor) -> torch.Tensor:
        """The contexts [B·T, C] of queries [B·T, W], source by source."""
        q_BTW = q_RW.view(len(self.keys), -1, q_RW.shape[1])
        scores = torch.baddbmm(self.bias, q_BTW, self.keys.transpose(1, 2))
        return torch.bmm(scores.softmax(-1), self.values).flatten(0, 1)

    def select(self, sources: torch.Tensor) -> "SourceMemory":
        """Of some sources."""
        return SourceMemory(*(part[sources] for part in self))


def pad_sources(keys_MW: torch.Tensor, values_MC: torch.Tensor, lengths: Ints, order: Ints) -> SourceMemory:
    """From the flat states of sources to padded ones: of those that ``order`` [B] names, in this order."""
    width = int(lengths[order].max())
    rows = document_rows(order, np.cumsum(lengths) - lengths, lengths, width)
    flat = to_device(torch.from_numpy(rows.ravel()), keys_MW.device)
    ends = torch.from_numpy(np.arange(width) >= lengths[order][:, None])[:, None, :]
    bias = torch.zeros(ends.shape, dtype=keys_MW.dtype).masked_fill_(ends, -torch.inf)
    keys, values = (x.index_select(0, flat).view(len(order), width, -1) for x in (keys_MW, values_MC))
    return SourceMemory(keys, values, to_device(bias, keys_MW.device))
