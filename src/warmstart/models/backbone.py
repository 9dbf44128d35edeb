"""What a backbone is to the rest of the house: a Batch in, one state per token out, and a few named parts.

Nobody outside this room asks which kind a backbone is. What a kind does not have is ``None`` here.
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.example.batch import Batch
from warmstart.models.attention import Kernels
from warmstart.models.dropout import Dropout


class Tables(NamedTuple):
    """The tables of one forward pass: tokens [V, D], positions [C, D] if learned, and the rows of the softmax."""

    tokens: torch.Tensor
    positions: torch.Tensor | None
    softmax: torch.Tensor


class KVCache(Protocol):
    """What sources and the branches that grow from each have read: keys and values, or the states of a recurrence.

    B sources, R branches of a source.
    """

    def begin_source(self, lengths_B: torch.Tensor, start: int, stop: int, *, full: bool) -> None:
        """Makes ready for places ``start`` to ``stop`` of the sources, padded at their end; ``full``: a token sees all."""
        ...

    def begin_step(self, positions_B: torch.Tensor, tokens: int, masks: int) -> None:
        """Makes ready for the next token of each branch, R or 0, and for as many masks that only ask.

        Args:
            positions_B: of the token that each branch of a source reads next; its mask stands one further.
            tokens: branches that have a token to read: R, or 0 before the first.
            masks: branches that ask with a mask: R or 0.
        """
        ...

    def reorder(self, parents_BR: torch.Tensor) -> None:
        """Branch r of each source goes on from what branch ``parents[r]`` has read."""
        ...

    def select(self, sources: torch.Tensor) -> None:
        """Only some of the sources go on."""
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
        last: what drops out of the states before anybody reads them.
    """

    settings: Any
    tokens: nn.Embedding
    blocks: nn.ModuleList

    def __init__(self) -> None:
        super().__init__()
        self.kernels = Kernels()
        self.final_norm: nn.Module | None = None
        self.output: nn.Linear | None = None
        self.lm_transform: Any = None
        self.pooler: nn.Linear | None = None
        self.last: Dropout | None = None

    def tables(self) -> Tables:
        """The tables for one pass."""
        raise NotImplementedError

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The states [N, D] of a flat Batch, or those [M, D] of the tokens ``reads_M``, before :meth:`dropped`."""
        raise NotImplementedError

    def new_cache(self, sources: int, columns: int) -> KVCache:
        """Room for what ``sources`` sources and their branches read, ``columns`` tokens each."""
        raise NotImplementedError

    def forward_cached(self, ids_BT: torch.Tensor, segment: int, branches: Any, answers: int) -> torch.Tensor:
        """States [B, A, D] of the last A of the T tokens that ``branches`` has been opened for, all of one segment.

        ``answers`` is A, from 0 to T. All T are read; work that serves no answer is left out.
        """
        raise NotImplementedError

    def begin_carry(self, rows: int) -> None:
        """Room for what texts of a Batch hand on to those that continue them at the next step of a training."""
        raise NotImplementedError

    def dropped(self, states: torch.Tensor) -> torch.Tensor:
        """The states as they are read."""
        return states if self.last is None else self.last(states)

    def pool(self, states_MD: torch.Tensor) -> torch.Tensor:
        """The states as a head reads them that asks for the pooler."""
        return states_MD

    def reset_parameters(self) -> None:
        """What differs from the table of :func:`initialise` in freshly drawn weights."""


def embed_tokens(ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """[…, E] the row of a table [V, E] that each id names, or the mixture of its rows that each vector […, V] is."""
    return ids.to(table.dtype) @ table if ids.is_floating_point() else F.embedding(ids, table)


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
                part.reset_parameters()
