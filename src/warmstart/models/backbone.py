"""What a backbone is to the rest of the house: a Batch in, one state per token out, and a few named parts.

The kinds of backbones are listed in :mod:`~warmstart.models.backbones`; nobody else asks which kind one is. What a kind does
not have is ``None`` here.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from warmstart.example.batch import Batch
from warmstart.models.attention import Kernels
from warmstart.models.cache import LayerCache
from warmstart.models.kv_cache import InputsCache, KVCache, SourcesRead
from warmstart.models.lm_transform import LMTransform
from warmstart.models.softmax import Softmax

COLUMNS = 32  # of the cache of an encoder-decoder's search at first: room for so many tokens of all texts of a source
CHUNK = 512  # tokens of a left-to-right source read at one time: bounds its attention weights


class SoftmaxTable(NamedTuple):
    """The rows [V, E] of a softmax, and what stands between a state and them.

    Attributes:
        weight: the rows.
        transform: of the states, if there is one: BERT's, which has a bias for each row, or a linear without one.
        own_bias: [V] of each row where BERT's transform is not there.
        cap: bound of the logits.
        scale: factor on the states.
    """

    weight: torch.Tensor
    transform: LMTransform | nn.Linear | None = None
    own_bias: torch.Tensor | None = None
    cap: float | None = None
    scale: float = 1.0

    @property
    def bias(self) -> torch.Tensor | None:
        """[V] of each row, if there is one."""
        return self.transform.bias if isinstance(self.transform, LMTransform) else self.own_bias

    def softmax(self, states: torch.Tensor) -> Softmax:
        """The softmax after each state […, D]."""
        return Softmax(self.prepare(states), self.weight, self.bias, self.cap)

    def prepare(self, states: torch.Tensor) -> torch.Tensor:
        """States […, D] as the rows meet them."""
        states = states if self.transform is None else self.transform(states)
        return states if self.scale == 1 else states * self.scale


class Tables(NamedTuple):
    """The tables of one pass: tokens [V, E], positions [C, E] if learned, and that of the softmax if there is one.

    ``encoder_softmax`` is that of an encoder which is a language model itself. ``noise`` [N, E] is added to what
    the tokens of a Batch are read as.
    """

    tokens: torch.Tensor
    positions: torch.Tensor | None
    softmax: SoftmaxTable | None
    encoder_softmax: SoftmaxTable | None = None
    noise: torch.Tensor | None = None


class DepthLayer(NamedTuple):
    """Parts of a backbone, by name, and how many layers they stand below the heads.

    ``depth`` is 0 for what follows the last layer, 1 for the last of L layers, L for the first, L + 1 for the embeddings.
    """

    depth: int
    modules: dict[str, nn.Module]


class TokenInputs(nn.Module):
    """What tokens are read as where that is more than their row of a backbone's table.

    Attributes:
        replaces_table: whether that row takes no part.
    """

    replaces_table: bool

    def reset_parameters(self) -> None:
        """Changes freshly drawn weights where they differ from the table of ``initialise``."""

    def forward(self, batch: Batch, table: torch.Tensor) -> torch.Tensor:
        """[N, E] of the tokens of a Batch, beside the table [V, E]."""
        raise NotImplementedError

    def add_above(self, states: torch.Tensor, batch: Batch, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states [N, D] of a Batch, or those [M, D] of ``reads_M``, with what heads read beside them."""
        return states

    def new_cache(self, sources: int, columns: int) -> KVCache:
        """Room for what it has to remember of texts that grow; as :meth:`Backbone.new_cache`."""
        raise NotImplementedError

    def read_cached(self, ids_BT: torch.Tensor, cache: KVCache, table: torch.Tensor) -> torch.Tensor:
        """[B, T, E] of the tokens that ``cache`` has been prepared for."""
        raise NotImplementedError


class Backbone(nn.Module):
    """The parts that other rooms name, and what they may ask for.

    Attributes:
        kernels: how attention is computed, for those that have it; whoever knows the machine may choose others.
        tokens: the token table.
        inputs: what tokens are read as instead of their rows of that table, or beside them.
        blocks: the layers, from the first.
        final_norm: after the last layer.
        output: the softmax table where it is not the token table.
        lm_transform: between a state and the softmax.
        pooler: between a state and a head that asks for it.
        pooler_norm: after the pooler.
        EMBEDDING_PARTS: names of the parts below the first layer.
        VOCABULARY: names of the tensors with one row per token.
        POSITIONS: names of the tensors with one row per position.
        OUTPUT: name of the softmax table where it is not the token table.
    """

    EMBEDDING_PARTS: ClassVar[tuple[str, ...]] = ("tokens", "inputs")
    VOCABULARY: ClassVar[tuple[str, ...]] = (
        "tokens.weight", "output.weight", "output.bias", "output_bias", "lm_transform.bias",
    )  # fmt: skip
    POSITIONS: ClassVar[tuple[str, ...]] = ()
    OUTPUT: ClassVar[str] = "output.weight"
    settings: Any
    tokens: nn.Embedding
    blocks: nn.ModuleList

    def __init__(self) -> None:
        super().__init__()
        self.kernels = Kernels()
        self.inputs: TokenInputs | None = None
        self.final_norm: nn.Module | None = None
        self.output: nn.Linear | None = None
        self.lm_transform: LMTransform | None = None
        self.pooler: nn.Linear | None = None
        self.pooler_norm: nn.Module | None = None

    def tables(self) -> Tables:
        """The tables for one pass."""
        raise NotImplementedError

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states [N, D] of a flat Batch, or those [M, D] of ``reads_M``, before :meth:`apply_dropout`."""
        raise NotImplementedError

    def layer_states(self, batch: Batch, tables: Tables | None = None) -> list[torch.Tensor]:
        """L + 1 tensors [N, D] (the first [N, E]): the embeddings, then the states after each layer.

        The last ones are those of :meth:`forward`.
        """
        raise NotImplementedError

    def stacks(self) -> dict[str, "Backbone"]:
        """The parts that read tokens, by the names that settings of inputs have for them."""
        return {"text": self}

    def take_inputs(self, inputs: TokenInputs) -> None:
        """From now on its tokens are read as ``inputs`` says."""
        self.inputs = inputs

    def units(self) -> list[nn.Module]:
        """The layers that a pass calls once each, as modules; none where it reads their weights itself or shares them."""
        return []

    def search_parts(self) -> list[nn.Module]:
        """The parts whose products a search computes again for every token: the layers, and what makes the inputs."""
        return [self.blocks] if self.inputs is None else [self.blocks, self.inputs]

    def last_states(
        self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None
    ) -> torch.Tensor:
        """What heads read, before dropout: the states of :meth:`forward`, and what inputs add to them."""
        return self.with_above(self(batch, tables, reads_M), batch, reads_M)

    def with_above(self, states: torch.Tensor, batch: Batch, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states with what inputs add to them, if there are any."""
        return states if self.inputs is None else self.inputs.add_above(states, batch, reads_M)

    def read_tokens(self, batch: Batch, tables: Tables) -> torch.Tensor:
        """[N, E] what the tokens of a Batch are read as."""
        table, own = tables.tokens, self.tokens
        by_rows = isinstance(own, nn.Embedding) and own.sparse and table is own.weight and table.requires_grad
        x = embed_tokens(batch.ids, table, by_rows=by_rows) if self.inputs is None else self.inputs(batch, table)
        return x if tables.noise is None else x + tables.noise

    def read_tokens_cached(self, ids_BT: torch.Tensor, cache: KVCache, tables: Tables) -> tuple[torch.Tensor, KVCache]:
        """[B, T, E] what the tokens are read as that ``cache`` has been prepared for, and the backbone's own cache."""
        if self.inputs is None:
            return embed_tokens(ids_BT, tables.tokens), cache
        assert isinstance(cache, InputsCache)
        return self.inputs.read_cached(ids_BT, cache.inputs, tables.tokens), cache.own

    def with_inputs(self, own: KVCache, sources: int, columns: int) -> KVCache:
        """The backbone's own cache with that of its inputs, if there are any."""
        return own if self.inputs is None else InputsCache(own, self.inputs.new_cache(sources, columns))

    @property
    def text_shape(self) -> tuple[int, int]:
        """How many tensors :meth:`text_states` gives, and their width."""
        return 1 + len(self.blocks), self.settings.width

    def text_states(self, batch: Batch) -> list[torch.Tensor]:
        """What it makes of plain texts as the language model that it is: the embeddings and the states after each layer.

        [N, W] each. Texts are read in its own way, whatever the turns of the Batch say.
        """
        return self.layer_states(batch.in_order(full=self.settings.sight == "full"))

    def text_states_cached(self, ids_BT: torch.Tensor, cache: KVCache) -> list[torch.Tensor]:
        """The same [B, T, W] of the tokens that ``cache`` has been prepared for; from left to right only."""
        raise NotImplementedError

    def layers_with_depth(self) -> list[DepthLayer]:
        """All parts that have weights, the lowest first."""
        parts = {name: part for name, part in self.named_children() if name != "blocks" and list(part.parameters())}
        below = {name: parts.pop(name) for name in self.EMBEDDING_PARTS if name in parts}
        total = len(self.blocks)
        layers = [DepthLayer(total - n, {f"blocks.{n}": block}) for n, block in enumerate(self.blocks)]
        return [DepthLayer(total + 1, below), *layers, DepthLayer(0, parts)]

    def parameter_depths(self) -> dict[str, int]:
        """Name of each tensor of its state → its depth (:meth:`layers_with_depth`)."""
        return dict.fromkeys(self.state_dict(), 0) | {
            f"{part}.{name}": layer.depth
            for layer in self.layers_with_depth()
            for part, module in layer.modules.items()
            for name in module.state_dict()
        }

    @property
    def last_norm(self) -> nn.Module | None:
        """The norm after the last layer, which is trained with it."""
        return self.final_norm

    @property
    def pooling_parts(self) -> tuple[nn.Module | None, ...]:
        """What stands between a state and a head that asks for the pooler, and is trained with it."""
        return self.pooler, self.pooler_norm

    def read_sources(self, sources: Sequence[Sequence[int] | NDArray[np.int64]], segment: int) -> SourcesRead:
        """Reads the sources of a search, ids of any lengths, all of one segment."""
        lengths = [len(ids) for ids in sources]
        width, device = max(lengths), self.tokens.weight.device
        cache, lengths_B = self.new_cache(len(sources), width), torch.tensor(lengths, device=device)
        padded = torch.zeros(len(sources), width, dtype=torch.int64)
        for row, ids in enumerate(sources):
            padded[row, : lengths[row]] = torch.as_tensor(ids)
        full, padded = self.settings.sight == "full", padded.to(device)
        step = max(1, width) if full else CHUNK
        for start in range(0, width, step):
            stop = min(width, start + step)
            cache.begin_source(lengths_B, start, stop, full=full)
            self.forward_cached(padded[:, start:stop], segment, cache, answers=0)
        return SourcesRead(cache, lengths_B)

    def new_cache(self, sources: int, columns: int) -> KVCache:
        """Room for what ``sources`` sources and their texts read, ``columns`` tokens each."""
        raise NotImplementedError

    def forward_cached(self, ids_BT: torch.Tensor, segment: int, cache: Any, answers: int) -> torch.Tensor:
        """States [B, A, D] of the last A of the T tokens that ``cache`` has been prepared for, all of one segment.

        ``answers`` is A, from 0 to T. All T are read; work that serves no answer is left out.
        """
        raise NotImplementedError

    @property
    def reads_branches(self) -> bool:
        """Whether Examples may have branches: continuations that grow from one beginning."""
        return False

    @property
    def reads_padded(self) -> bool:
        """Whether it has :meth:`forward_padded`."""
        return False

    def forward_padded(self, ids_BT: torch.Tensor, segments_BT: torch.Tensor | None, layer: LayerCache) -> torch.Tensor:
        """States [B, T, D] of padded rows, for export; ``layer`` says, for all layers alike, who sees whom."""
        raise NotImplementedError

    def begin_carry(self, rows: int) -> None:
        """Room for the states that texts of a Batch pass on to those that continue them at the next step of a training."""
        raise NotImplementedError

    def apply_dropout(self, states: torch.Tensor, batch: Batch, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states of a Batch, or of its tokens ``reads_M``, as heads read them: after dropout, in training."""
        return states

    def pool(self, states_MD: torch.Tensor) -> torch.Tensor:
        """The states as a head reads them that asks for the pooler."""
        return states_MD

    def reset_parameters(self) -> None:
        """Changes freshly drawn weights where they differ from the table of ``initialise``."""

    def compile_layers(self, compile_function: Any) -> None:
        """Compiles what is the same graph for every batch, if there is anything."""


def embed_tokens(ids: torch.Tensor, table: torch.Tensor, *, by_rows: bool = False) -> torch.Tensor:
    """[…, E] the row of a table [V, E] that each id names, or the mixture of its rows that each vector […, V] is.

    ``by_rows``: the gradient of the table is sparse, of these rows.
    """
    return ids.to(table.dtype) @ table if ids.is_floating_point() else F.embedding(ids, table, sparse=by_rows)
