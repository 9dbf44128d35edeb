"""What an encoder has made of the sources, as the layers of a decoder read it: in training, and in a search.

In training sources and targets are flat and packed, and each layer projects the states to keys and values. In a search a
layer's keys and values are computed once, and all texts of a source read the same.

Shapes: N tokens of the targets, M of the sources, B sources of S tokens at most, T texts of each, H heads, K head width,
D = H·K.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from warmstart.base.arrays import Ints
from warmstart.example.batch import to_device
from warmstart.models.attention import add_products
from warmstart.models.cross_attention import CrossPlan, cross_attend
from warmstart.models.padding import document_rows

Projection = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class SourceStates:
    """The states [M, D] of the sources of a Batch, and how its targets read them."""

    states_MD: torch.Tensor
    plan: CrossPlan

    def read(self, q: torch.Tensor, keys_and_values: Projection, heads: int, dropout: float) -> torch.Tensor:
        """What the queries [N, D] of the targets read, [N, D]."""
        return cross_attend(q, keys_and_values(self.states_MD), self.plan, heads, dropout)


@dataclass(frozen=True, slots=True, eq=False)
class SourceKeys:
    """One layer's keys and values [2, B, H, S, K] of padded sources; ``bias`` [B, H, 1, S] is -inf where they end."""

    pair: torch.Tensor
    bias: torch.Tensor

    def read(self, q: torch.Tensor, keys_and_values: Projection, heads: int, dropout: float) -> torch.Tensor:
        """What the queries [B, T, D] of the sources' texts read, [B, T, D]."""
        count, texts, width = q.shape
        q_FTK = q.view(count, texts, heads, -1).transpose(1, 2).reshape(count * heads, texts, -1)
        keys, values = self.pair.flatten(1, 2).unbind()
        scores = add_products(self.bias.flatten(0, 1), q_FTK, keys)
        mixed = torch.bmm(scores.softmax(-1), values)
        return mixed.view(count, heads, texts, -1).transpose(1, 2).reshape(count, texts, width)

    def select(self, sources: torch.Tensor) -> "SourceKeys":
        """Those of some sources."""
        return SourceKeys(self.pair[:, sources], self.bias[sources])


class SourcePadding:
    """How the flat states of sources become padded ones, the same in all layers."""

    def __init__(self, lengths: Ints, heads: int, dtype: torch.dtype, device: torch.device) -> None:
        starts, width = np.cumsum(lengths) - lengths, int(lengths.max())
        rows = document_rows(np.arange(len(lengths)), starts, lengths, width)
        ends = np.arange(width) >= lengths[:, None]
        bias = torch.zeros(ends.shape, dtype=dtype).masked_fill_(torch.from_numpy(ends), -torch.inf)
        self.rows_BS = to_device(torch.from_numpy(rows), device)
        self.bias = to_device(bias, device)[:, None, None, :].expand(-1, heads, -1, -1)
        self.heads = heads

    def keys(self, states_MD: torch.Tensor, keys_and_values: Projection) -> SourceKeys:
        """A layer's keys and values."""
        flat = keys_and_values(states_MD).view(len(states_MD), 2, self.heads, -1)
        return SourceKeys(flat[self.rows_BS].permute(2, 0, 3, 1, 4).contiguous(), self.bias)
