"""What a backbone is to the rest of the house: a Batch in, one state per token out, and a few named parts.

Nobody outside this room asks which kind a backbone is. What a kind does not have is ``None`` here.
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import nn

from warmstart.example.batch import Batch
from warmstart.models.attention import Kernels


class Tables(NamedTuple):
    """The tables of one forward pass: tokens [V, D], positions [C, D] if learned, and the rows of the softmax."""

    tokens: torch.Tensor
    positions: torch.Tensor | None
    softmax: torch.Tensor


class Past(Protocol):
    """What some sequences have read so far, for decoding: keys and values, or the states of a recurrence."""

    def close(self, real: torch.Tensor | int) -> None:
        """Counts the tokens of the last advance that were real, [B] or one number for all rows."""
        ...

    def keep(self, rows: torch.Tensor) -> Any:
        """The past of some of the rows, in the given order."""
        ...


class Backbone(nn.Module):
    """The parts that other rooms name, and what they may ask for.

    Attributes:
        kernels: how attention is computed, for those that have it; whoever knows the machine may choose others.
        tokens: the token table.
        blocks: the layers, from the first; transfer and schemes count them.
        final_norm: after the last layer.
        output: the softmax table where it is not the token table.
        lm_transform: between a state and the softmax.
        pooler: between a state and a head that asks for it.
    """

    tokens: nn.Embedding
    blocks: nn.ModuleList

    def __init__(self) -> None:
        super().__init__()
        self.kernels = Kernels()
        self.final_norm: nn.Module | None = None
        self.output: nn.Linear | None = None
        self.lm_transform: Any = None
        self.pooler: nn.Linear | None = None

    def tables(self) -> Tables:
        """The tables for one pass."""
        raise NotImplementedError

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The states [N, D] of a flat Batch, or those [M, D] of the tokens ``reads_M``."""
        raise NotImplementedError

    def new_cache(self, rows: int, length: int) -> Past:
        """Room for the past of ``rows`` sequences of up to ``length`` tokens."""
        raise NotImplementedError

    def advance(self, ids_BT: torch.Tensor, cache: Any) -> torch.Tensor:
        """States [B, T, D] of the next T tokens of each sequence."""
        raise NotImplementedError

    def settle(self) -> None:
        """What differs from the table of :func:`initialise` in freshly drawn weights."""


def initialise(module: nn.Module, std: float, generator: torch.Generator) -> None:
    """Draws all weights anew, in the order of their names.

    ========================= =====================
    weight                    from
    ========================= =====================
    linear and embedding      N(0, std²)
    bias, norm bias           0
    norm gain                 1
    an LSTM's embeddings      N(0, embedding_std²)
    bias of its forget gates  1
    ========================= =====================
    """
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Embedding):
                part.weight.normal_(0.0, std, generator=generator)
            if isinstance(part, nn.LayerNorm | nn.RMSNorm):
                part.weight.fill_(1.0)
            bias = getattr(part, "bias", None)
            if isinstance(bias, nn.Parameter):
                bias.zero_()
        for part in module.modules():
            if isinstance(part, Backbone):
                part.settle()
