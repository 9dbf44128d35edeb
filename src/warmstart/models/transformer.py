"""The Transformer backbone: tokens and positions in, one state per token out.

One class is GPT-1, GPT-2, BERT and Llama: :class:`~warmstart.models.settings.TransformerSettings` says which, and
:mod:`~warmstart.models.blocks` holds the layers. It knows no device, dtype or rank: it computes in whatever its
parameters are. What a token sees is in the Batch, not here.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.example.batch import Batch
from warmstart.models.attention import plan_attention
from warmstart.models.backbone import Backbone, Tables, embed_tokens
from warmstart.models.beam_cache import BeamCache
from warmstart.models.blocks import ACTIVATIONS, Block, RotaryTable, make_norm, rotary_table
from warmstart.models.cache import LayerCache
from warmstart.models.dropout import Dropout
from warmstart.models.relative import RelativeBias
from warmstart.models.settings import PoolerActivation, TransformerSettings

POOLED: dict[PoolerActivation, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "relu": F.relu,
}


class LMTransform(nn.Module):
    """BERT's way from a state to the softmax over the vocabulary: linear, activation, norm, and a bias per token.

    It ends in the width of the table, which in ELECTRA is not that of the states.
    """

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.linear = nn.Linear(settings.width, settings.table_width)
        self.norm = make_norm(settings, settings.table_width)
        self.bias = nn.Parameter(torch.zeros(settings.vocab_size))
        self.activation = ACTIVATIONS[settings.activation]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """[…, D] → […, E]."""
        return self.norm(self.activation(self.linear(states)))  # type: ignore[no-any-return]


class Transformer(Backbone):
    """Tokens and positions in, one state per token out."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.settings = settings
        learned, post = settings.positions == "learned", settings.norm == "post"
        width = settings.table_width
        self.tokens = nn.Embedding(settings.vocab_size, width)
        self.positions = nn.Embedding(settings.context, width) if learned else None
        self.segments = nn.Embedding(settings.segments, width) if settings.segments else None
        self.embedding_norm = make_norm(settings, width) if settings.embedding_norm else None
        self.widening = nn.Linear(width, settings.width) if settings.embedding_width else None
        self.relative = RelativeBias(settings) if settings.relative_bins else None
        self.drop = Dropout(settings.embedding_dropout)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.layers))
        self.final_norm = None if post else make_norm(settings)
        self.output = None if settings.tied else nn.Linear(settings.width, settings.vocab_size, bias=False)
        self.lm_transform = LMTransform(settings) if settings.lm_transform else None
        self.pooler = nn.Linear(settings.width, settings.width) if settings.pooler else None

    def tables(self) -> Tables:
        """The tables for one pass; one joint matrix has its dropout drawn here, for embedding and softmax alike."""
        tokens, positions = self.tokens.weight, None if self.positions is None else self.positions.weight
        if self.settings.joint_table:
            assert positions is not None
            whole = self.drop(torch.cat([tokens, positions]))
            return Tables(whole[: len(tokens)], whole[len(tokens) :], whole)
        return Tables(tokens, positions, tokens if self.output is None else self.output.weight)

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The states [N, D] of a flat Batch, or those [M, D] of the tokens ``reads_M``.

        What only serves the states of other tokens is left out: after its attention the last layer works on M tokens.
        """
        plan = plan_attention(batch, self.tokens.weight.dtype, self.kernels, self.relative)
        tables = tables or self.tables()
        x = self._embed(batch.ids, batch.positions, batch.segments, tables)
        turns, last = self._turns(batch.positions), len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            x = block(x, plan, turns, reads_M if number == last else None)
        return x if self.final_norm is None else self.final_norm(x)

    def pool(self, states_MD: torch.Tensor) -> torch.Tensor:
        """The states [M, D] through the pooler, where there is one."""
        if self.pooler is None:
            return states_MD
        return POOLED[self.settings.pooler_activation](self.pooler(states_MD))

    def padded(self, ids_BT: torch.Tensor, segments_BT: torch.Tensor | None, layer: LayerCache) -> torch.Tensor:
        """States [B, T, D] of padded rows, for export; ``layer`` says, for all layers alike, who sees whom."""
        positions = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        x_BTD = self._embed(ids_BT, positions, segments_BT, self.tables())
        layer.bias = self._with_distances(layer.bias, positions[None], positions[None])
        turns = self._turns(positions)
        for block in self.blocks:
            x_BTD = block(x_BTD, layer, turns)
        return x_BTD if self.final_norm is None else self.final_norm(x_BTD)

    def new_cache(self, sources: int, columns: int) -> BeamCache:
        """Room for the keys and values of ``sources`` sources and their branches, ``columns`` tokens each."""
        table = self.tokens.weight
        shape = (sources, self.settings.key_heads, columns, self.settings.per_head)
        return BeamCache(len(self.blocks), shape, table.dtype, table.device)

    def forward_cached(self, ids_BT: torch.Tensor, segment: int, branches: BeamCache, answers: int) -> torch.Tensor:
        """States [B, A, D] of the last A of the tokens that ``branches`` has been opened for, all of one segment.

        Of the others the last layer only takes keys and values.
        """
        segments = None if self.segments is None else torch.full_like(ids_BT, segment)
        x_BTD = self._embed(ids_BT, branches.positions, segments, self.tables())
        turns = self._turns(branches.positions)
        bias = self._with_distances(branches.bias, branches.positions, branches.places)
        bias = bias.expand(-1, self.settings.heads, -1, -1)
        shown = branches.layers[0].shown
        whole = shown(bias)  # once for all layers
        others, last = ids_BT.shape[1] - answers, len(self.blocks) - 1
        for number, (block, layer) in enumerate(zip(self.blocks, branches.layers, strict=True)):
            left_out = others if number == last else 0
            layer.bias = shown(bias[:, :, left_out:]) if left_out else whole
            x_BTD = block(x_BTD, layer, turns, left_out=left_out)
        return x_BTD if self.final_norm is None else self.final_norm(x_BTD)

    def _embed(
        self, ids: torch.Tensor, positions: torch.Tensor, segments: torch.Tensor | None, tables: Tables
    ) -> torch.Tensor:
        """The sum of the tables' rows, […, D]."""
        x = embed_tokens(ids, tables.tokens)
        if tables.positions is not None:
            x = x + F.embedding(positions, tables.positions)
        if self.segments is not None:
            x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        x = x if self.settings.joint_table else self.drop(x)
        return x if self.widening is None else self.widening(x)

    def _with_distances(self, bias: torch.Tensor, readers_BT: torch.Tensor, read_BS: torch.Tensor) -> torch.Tensor:
        """A bias [B, T, S] or [B, 1, T, S] of tokens at some positions, with that of their distances added, [B, H, T, S]."""
        if self.relative is None:
            return bias
        added: torch.Tensor = self.relative(readers_BT, read_BS)
        return added + (bias if bias.dim() == 4 else bias.unsqueeze(1))

    def _turns(self, positions: torch.Tensor) -> RotaryTable | None:
        return None if self.positions is not None else rotary_table(positions, self.settings, self.tokens.weight.dtype)
