"""The Transformer backbone: tokens and positions in, one state per token out.

One class is GPT-1, GPT-2, BERT and Llama: :class:`~warmstart.models.transformer_settings.TransformerSettings` says which,
and :mod:`~warmstart.models.blocks` holds the layers. It knows no device, dtype or rank: it computes in whatever its
parameters are. What a token sees is in the Batch, not here.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.example.batch import Batch
from warmstart.models.attention import Plan, SourceReader, plan_attention, with_distances, with_window, with_window_bias
from warmstart.models.backbone import Backbone, SoftmaxTable, Tables, TokenInputs, embed_tokens
from warmstart.models.beam_cache import BeamCache
from warmstart.models.blocks import ACTIVATIONS, Block, finish, make_norm
from warmstart.models.cache import LayerCache
from warmstart.models.disentangled import DistanceTable
from warmstart.models.dropout import Dropout
from warmstart.models.global_attention import first_tokens
from warmstart.models.kernels import Texts
from warmstart.models.kv_cache import KVCache
from warmstart.models.lm_transform import LMTransform
from warmstart.models.positions import SinusoidalPositions
from warmstart.models.relative import make_relative
from warmstart.models.rotary import RotaryTable, rotary_table
from warmstart.models.text_attention import filled_up, plan_texts
from warmstart.models.transformer_settings import PoolerActivation, TransformerSettings

POOLER_ACTIVATIONS: dict[PoolerActivation, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "relu": F.relu,
}


def _lm_transform(settings: TransformerSettings) -> LMTransform:
    width, activation = settings.table_width, ACTIVATIONS[settings.activation]
    norm = make_norm(settings, width)
    return LMTransform(settings.width, settings.vocab_size, norm, width, activation, bias=settings.bias)


def _position_table(settings: TransformerSettings, width: int) -> nn.Embedding | SinusoidalPositions | None:
    if settings.positions == "sinusoidal":
        return SinusoidalPositions(settings.context, width)
    return nn.Embedding(settings.context, width) if settings.positions == "learned" else None


def _distance_table(settings: TransformerSettings) -> DistanceTable:
    return DistanceTable(settings, make_norm(settings) if settings.distance_norm else None)


class Transformer(Backbone):
    """Tokens and positions in, one state per token out."""

    BLOCK: ClassVar[type[Block]] = Block
    POSITIONS: ClassVar = ("positions.weight",)
    EMBEDDING_PARTS: ClassVar = (
        "tokens",
        "inputs",
        "token_in",
        "positions",
        "segments",
        "embedding_norm",
        "widening",
        "relative",
        "distances",
    )

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.settings = settings
        post = settings.norm == "post"
        width, narrow = settings.embedding_width or settings.width, settings.token_width
        self.tokens = nn.Embedding(settings.vocab_size, settings.table_width)
        self.token_in = nn.Linear(narrow, settings.width, bias=False) if narrow else None
        self.token_out = nn.Linear(settings.width, narrow, bias=False) if narrow else None
        self.positions = _position_table(settings, width)
        self.segments = nn.Embedding(settings.segments, width) if settings.segments else None
        self.embedding_norm = make_norm(settings, width) if settings.embedding_norm else None
        self.widening = nn.Linear(width, settings.width) if settings.embedding_width else None
        self.relative = make_relative(settings)
        self.distances = _distance_table(settings) if settings.disentangled else None
        self.drop = Dropout(settings.embedding_dropout)
        self.blocks = nn.ModuleList(self.BLOCK(settings, first=number == 0) for number in range(settings.num_blocks))
        self.final_norm = None if post else make_norm(settings)
        own = (
            None
            if settings.tied
            else nn.Linear(narrow or settings.width, settings.vocab_size, bias=settings.output_bias)
        )
        self.output = own
        tied_bias = settings.tied and settings.output_bias
        self.output_bias = nn.Parameter(torch.zeros(settings.vocab_size)) if tied_bias else None
        self.lm_transform = _lm_transform(settings) if settings.lm_transform else None
        self.pooler = nn.Linear(settings.width, settings.width, bias=settings.bias) if settings.pooler else None
        self.pooler_norm = make_norm(settings) if settings.pooler and settings.pooler_norm else None
        self.windows = tuple(map(settings.window_of, range(settings.layers)))  # of each layer

    def tables(self) -> Tables:
        """The tables for one pass; one joint matrix has its dropout drawn here, for embedding and softmax alike."""
        tokens = self.tokens.weight
        positions = self.position_rows(tokens.dtype)
        if self.settings.joint_table:
            assert positions is not None
            whole = self.drop(torch.cat([tokens, positions]))
            return Tables(whole[: len(tokens)], whole[len(tokens) :], SoftmaxTable(whole, self.lm_transform))
        rows, bias = (tokens, self.output_bias) if self.output is None else (self.output.weight, self.output.bias)
        size, transform = self.settings, self.lm_transform or self.token_out
        return Tables(tokens, positions, SoftmaxTable(rows, transform, bias, size.logit_cap, size.logit_scale))

    def position_rows(self, dtype: torch.dtype) -> torch.Tensor | None:
        """[C, E] the rows of positions that are added to the tokens', if any are."""
        return None if self.positions is None else self.positions.weight.to(dtype)

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states [N, D] of a flat Batch, or those [M, D] of the tokens ``reads_M``.

        What only serves the states of other tokens is left out: after its attention the last layer works on M tokens.
        """
        for states in self.each_layer(batch, tables or self.tables(), reads_M):
            last = states
        return last

    def layer_states(self, batch: Batch, tables: Tables | None = None) -> list[torch.Tensor]:
        """L + 1 tensors [N, D]: the embeddings, then the states after each layer, the last after the final norm."""
        return list(self.each_layer(batch, tables or self.tables()))

    def each_layer(
        self, batch: Batch, tables: Tables, reads_M: torch.Tensor | None = None, source: SourceReader | None = None
    ) -> Iterator[torch.Tensor]:
        """The embeddings, then the states after each layer; the last ones of the tokens ``reads_M`` only.

        ``source`` is what the layers of a decoder read beside the tokens.
        """
        dtype, count = tables.tokens.dtype, batch.num_tokens
        plans = self._plans(batch, dtype, source)
        x = self._embed(self.read_tokens(batch, tables), batch.positions, batch.segments, tables)
        yield x
        positions, last = batch.positions, len(self.windows) - 1
        if source is None and plans[self.windows[0]].texts is not None:
            x, positions = filled_up(x), filled_up(positions)
        rotary = self._rotary(positions, dtype)
        for number, (block, window) in enumerate(zip(self.layer_blocks(), self.windows, strict=True)):
            x = block(x, plans[window], rotary[window], reads_M if number == last else None)
            states = x if number < last or self.final_norm is None else self.final_norm(x)
            yield states[:count]

    def _plans(self, batch: Batch, dtype: torch.dtype, source: SourceReader | None) -> dict[int | None, Plan]:
        """How the layers of each window attend."""
        if texts := self._plan_texts(batch, dtype):
            return dict.fromkeys(self.windows, Plan((), None, self.kernels, source=source, texts=texts))
        firsts = first_tokens(batch) if self.settings.global_first else None
        plan = replace(plan_attention(batch, dtype, self.kernels, self.relative), source=source, firsts=firsts)
        plan = plan if self.distances is None else with_distances(plan, self.distances)
        return {window: with_window(plan, window, dtype) for window in {*self.windows}}

    def _plan_texts(self, batch: Batch, dtype: torch.dtype) -> Texts | None:
        """The texts of ``batch`` as a kernel reads them, where its attention is nothing but softmax(q·kᵀ/√K)·v."""
        size = self.settings
        narrowest = min((window for window in self.windows if window is not None), default=None)
        if self.relative is not None or self.distances is not None or size.attention_cap is not None:
            return None
        if size.global_first or (
            narrowest is not None and (not batch.sequential_positions or batch.lengths.max() > narrowest)
        ):
            return None
        return plan_texts(batch, dtype, size.per_head, size.attention_dropout if self.training else 0.0)

    def layer_blocks(self) -> list[Any]:
        """The weights of each layer, which several may share."""
        return [self.blocks[self.settings.block_of(number)] for number in range(self.settings.layers)]

    def units(self) -> list[nn.Module]:
        """Its layers, unless several share their weights."""
        return [] if self.settings.num_blocks < self.settings.layers else list(self.blocks)

    def pool(self, states_MD: torch.Tensor) -> torch.Tensor:
        """The states [M, D] through the pooler, where there is one."""
        if self.pooler is None:
            return states_MD
        found = POOLER_ACTIVATIONS[self.settings.pooler_activation](self.pooler(states_MD))
        return found if self.pooler_norm is None else self.pooler_norm(found)

    @property
    def reads_branches(self) -> bool:
        """Where its tokens are rows of its table."""
        return self.inputs is None

    @property
    def reads_padded(self) -> bool:
        """Where its tokens are rows of its table, and no first token sees its whole text beside windows."""
        return self.inputs is None and not self.settings.global_first

    def forward_padded(self, ids_BT: torch.Tensor, segments_BT: torch.Tensor | None, layer: LayerCache) -> torch.Tensor:
        """States [B, T, D] of padded rows, for export; ``layer`` says, for all layers alike, who sees whom."""
        positions = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        tables = self.tables()
        x_BTD = self._embed(embed_tokens(ids_BT, tables.tokens), positions, segments_BT, tables)
        bias = self._with_distances(layer.bias, positions[None], positions[None])
        biases = {
            window: with_window_bias(bias, positions[None], positions[None], window) for window in {*self.windows}
        }
        rotary, layer.cap = self._rotary(positions, x_BTD.dtype), self.settings.attention_cap
        layer.distances, layer.distance_table = self._distances(positions[None], positions[None])
        for block, window in zip(self.layer_blocks(), self.windows, strict=True):
            layer.bias = biases[window]
            x_BTD = block(x_BTD, layer, rotary[window])
        return x_BTD if self.final_norm is None else self.final_norm(x_BTD)

    def take_inputs(self, inputs: TokenInputs) -> None:
        """Inputs that stand in the place of the table know of positions already; none are added."""
        super().take_inputs(inputs)
        if inputs.replaces_table:
            self.positions = None

    @property
    def text_shape(self) -> tuple[int, int]:
        """The embeddings, and each layer, also where several share their weights."""
        return 1 + self.settings.layers, self.settings.width

    def text_states_cached(self, ids_BT: torch.Tensor, cache: KVCache) -> list[torch.Tensor]:
        """The embeddings [B, T, D], and the states after each layer."""
        return list(self.each_layer_cached(ids_BT, 0, cache, ids_BT.shape[1]))

    def new_cache(self, sources: int, columns: int) -> KVCache:
        """Room for the keys and values of ``sources`` sources and their texts, ``columns`` tokens each."""
        table = self.tokens.weight
        shape = (sources, self.settings.key_heads, columns, self.settings.per_head)
        cap, readable = self.settings.attention_cap, self.distances is not None
        own = BeamCache(len(self.windows), shape, table.dtype, table.device, cap, readable=readable)
        return self.with_inputs(own, sources, columns)

    def forward_cached(self, ids_BT: torch.Tensor, segment: int, cache: KVCache, answers: int) -> torch.Tensor:
        """States [B, A, D] of the last A of the tokens that ``cache`` has been prepared for, all of one segment.

        Of the others the last layer only computes keys and values.
        """
        for states in self.each_layer_cached(ids_BT, segment, cache, answers):
            last = states
        return last

    def each_layer_cached(
        self, ids_BT: torch.Tensor, segment: int, cache: KVCache, answers: int
    ) -> Iterator[torch.Tensor]:
        """The embeddings [B, T, D], then the states after each layer; the last ones of the last A tokens."""
        segments, tables = None if self.segments is None else torch.full_like(ids_BT, segment), self.tables()
        read, cache = self.read_tokens_cached(ids_BT, cache, tables)
        assert isinstance(cache, BeamCache)
        x_BTD = self._embed(read, cache.positions, segments, tables)
        yield x_BTD
        rotary = self._rotary(cache.positions, self.tokens.weight.dtype)
        bias = self._with_distances(cache.bias, cache.positions, cache.places)
        biases = {
            window: with_window_bias(bias, cache.positions, cache.places, window).expand(
                -1, self.settings.heads, -1, -1
            )
            for window in {*self.windows}
        }
        distances, table = self._distances(cache.positions, cache.places)
        prepare = cache.layers[0].prepare_bias
        whole = {window: prepare(bias) for window, bias in biases.items()}  # once for all layers
        others, last = ids_BT.shape[1] - answers, len(self.windows) - 1
        every = zip(self.layer_blocks(), self.windows, cache.layers, strict=True)
        for number, (block, window, layer) in enumerate(every):
            skip = others if number == last else 0
            layer.bias = prepare(biases[window][:, :, skip:]) if skip else whole[window]
            layer.distances, layer.distance_table = (None if distances is None else distances[:, skip:]), table
            x_BTD = block(x_BTD, layer, rotary[window], skip=skip)
            yield x_BTD if number < last or self.final_norm is None else self.final_norm(x_BTD)

    def compile_layers(self, compile_function: Any) -> None:
        """Compiles the part of a layer after attention, once for all layers."""
        compiled = compile_function(finish)
        for block in self.blocks:
            block.finish = compiled

    def _embed(
        self, x: torch.Tensor, positions: torch.Tensor, segments: torch.Tensor | None, tables: Tables
    ) -> torch.Tensor:
        """What tokens are read as […, E], with the rows of the other tables, […, D]."""
        x = x if self.token_in is None else self.token_in(x)
        if self.settings.embedding_scale != 1:
            x = x * float(torch.tensor(self.settings.embedding_scale, dtype=x.dtype))  # rounded as Gemma's is
        if tables.positions is not None:
            x = x + F.embedding(positions, tables.positions)
        if self.segments is not None:
            x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        x = x if self.settings.joint_table else self.drop(x)
        return x if self.widening is None else self.widening(x)

    def _with_distances(self, bias: torch.Tensor, readers_BT: torch.Tensor, read_BS: torch.Tensor) -> torch.Tensor:
        """A bias [B, T, S] or [B, 1, T, S] of tokens at some positions, plus that of their distances, [B, H, T, S]."""
        if self.relative is None:
            return bias
        added: torch.Tensor = self.relative(readers_BT, read_BS).to(bias.dtype)
        return added + (bias if bias.dim() == 4 else bias.unsqueeze(1))

    def _distances(
        self, readers_BT: torch.Tensor, read_BS: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """The rows of distances [B, T, S] between tokens at some positions, and the table of these."""
        if self.distances is None:
            return None, None
        rows = slice(0, 2 * self.distances.span)
        return self.distances.between(readers_BT, read_BS, rows), self.distances(rows)

    def _rotary(self, positions: torch.Tensor, dtype: torch.dtype) -> dict[int | None, RotaryTable | None]:
        """The table of each window's layers."""
        if self.settings.positions != "rotary":
            return dict.fromkeys(self.windows)
        return {window: rotary_table(positions, self.settings, dtype, window) for window in {*self.windows}}
