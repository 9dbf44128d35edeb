"""The encoder-decoder backbone: an encoder reads the source, a decoder writes the target and reads what the encoder made.

Vaswani et al. 2017; T5 (Raffel et al. 2020) and BART (Lewis et al. 2020) are choices of
:class:`~warmstart.models.encoder_decoder_settings.EncoderDecoderSettings`. Both stacks are Transformers as
:mod:`~warmstart.models.transformer` has them, so a language model may start either. An Example is that of a model with one
stack: source of turn 0, target behind it; positions are counted anew in the target.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example
from warmstart.models.backbone import (
    COLUMNS,
    Backbone,
    DepthLayer,
    InputsCache,
    KVCache,
    SourcesRead,
    Tables,
    TokenInputs,
)
from warmstart.models.beam_cache import BeamCache
from warmstart.models.blocks import Block, DecoderBlock
from warmstart.models.cross_attention import plan_cross_attention
from warmstart.models.encoder_decoder_settings import EncoderDecoderSettings
from warmstart.models.sides import Sides, split_sides
from warmstart.models.source_states import SourcePadding, SourceStates
from warmstart.models.transformer import Transformer


class Encoder(Transformer):
    """A stack that sees whole sources; it may read the decoder's token table."""

    def __init__(self, settings: EncoderDecoderSettings) -> None:
        super().__init__(settings.encoder)
        if settings.shared_tokens:
            self.tokens = None  # type: ignore[assignment]

    def reading(self, tables: Tables) -> Tables:
        """The tables of a pass in which the decoder has ``tables``."""
        if self.tokens is not None:
            return self.tables()
        return tables._replace(positions=self.position_rows(tables.tokens.dtype))

    def take_inputs(self, inputs: TokenInputs) -> None:
        """A table that nobody reads any more is not there."""
        super().take_inputs(inputs)
        if inputs.replaces_table:
            self.tokens = None  # type: ignore[assignment]


class Decoder(Transformer):
    """A stack that sees what came before, and the source."""

    BLOCK: ClassVar[type[Block]] = DecoderBlock


class EncoderDecoder(Backbone):
    """Source and target in, one state per token of both out."""

    VOCABULARY: ClassVar = ("encoder.tokens.weight", *(f"decoder.{name}" for name in Backbone.VOCABULARY))
    POSITIONS: ClassVar = ("encoder.positions.weight", "decoder.positions.weight")
    OUTPUT: ClassVar = "decoder.output.weight"

    def __init__(self, settings: EncoderDecoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Encoder(settings)
        self.decoder = Decoder(settings.decoder)

    @property
    def tokens(self) -> nn.Embedding:  # type: ignore[override]
        """The decoder's token table, which may be the encoder's too."""
        return self.decoder.tokens

    @property
    def blocks(self) -> nn.ModuleList:  # type: ignore[override]
        """The layers of the encoder, then those of the decoder."""
        return nn.ModuleList([*self.encoder.blocks, *self.decoder.blocks])

    @property
    def last_norm(self) -> nn.Module | None:
        """The decoder's."""
        return self.decoder.final_norm

    def stacks(self) -> dict[str, Backbone]:
        """Encoder and decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def search_parts(self) -> list[nn.Module]:
        """The layers, and what makes the inputs of the decoder."""
        return [self.blocks, *self.decoder.search_parts()[1:]]

    def tables(self) -> Tables:
        """The decoder's tables."""
        return self.decoder.tables()

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states [N, D] of a flat Batch, or those [M, D] of the tokens ``reads_M``.

        A source's are those of the encoder.
        """
        sides, tables = split_sides(batch), tables or self.tables()
        read = self.encoder(sides.source, self.encoder.reading(tables))
        for states in self.decoder.each_layer(sides.target, tables, source=self._source(sides, read)):
            written = states
        return sides.join(read, written, reads_M)

    def layer_states(self, batch: Batch, tables: Tables | None = None) -> list[torch.Tensor]:
        """L + 1 tensors [N, D] of the L layers of the deeper stack; of the other one the last states stand again."""
        sides, tables = split_sides(batch), tables or self.tables()
        read = self.encoder.layer_states(sides.source, self.encoder.reading(tables))
        written = list(self.decoder.each_layer(sides.target, tables, source=self._source(sides, read[-1])))
        count = max(len(read), len(written))
        return [sides.join(read[min(n, len(read) - 1)], written[min(n, len(written) - 1)]) for n in range(count)]

    def _source(self, sides: Sides, read_MD: torch.Tensor) -> SourceStates:
        return SourceStates(read_MD, plan_cross_attention(sides.target, sides.source, read_MD.dtype, self.kernels))

    def layers_with_depth(self) -> list[DepthLayer]:
        """All parts that have weights: the embeddings of both, the encoder's layers, the decoder's."""
        encoder, decoder = (
            [DepthLayer(depth, {f"{side}.{name}": part for name, part in modules.items()}) for depth, modules in layers]
            for side, layers in (
                ("encoder", self.encoder.layers_with_depth()), ("decoder", self.decoder.layers_with_depth()),
            )
        )  # fmt: skip
        above = len(self.decoder.blocks)
        below = DepthLayer(len(self.blocks) + 1, encoder[0].modules | decoder[0].modules)
        lifted = [DepthLayer(depth + above, modules) for depth, modules in encoder[1:-1]]
        lifted[-1].modules.update(encoder[-1].modules)  # the encoder's last norm
        return [below, *lifted, *decoder[1:]]

    def read_sources(self, sources: Sequence[Sequence[int] | NDArray[np.int64]], segment: int) -> SourcesRead:
        """Reads the sources of a search once; the texts of each begin at place 0."""
        batch = collate([[Example.full_sight(np.asarray(ids, np.int64), {})] for ids in sources])
        table = self.tokens.weight
        read_MD = self.encoder(batch.to(table.device), self.encoder.reading(self.tables()))
        padding = SourcePadding(batch.lengths, self.decoder.settings.heads, table.dtype, table.device)
        cache = self.new_cache(len(sources), COLUMNS)
        own = cache.own if isinstance(cache, InputsCache) else cache
        assert isinstance(own, BeamCache)
        for block, layer in zip(self.decoder.layer_blocks(), own.layers, strict=True):
            layer.source = padding.keys(read_MD, block.cross.kv)
        return SourcesRead(cache, torch.zeros(len(sources), dtype=torch.int64, device=table.device))

    def new_cache(self, sources: int, columns: int) -> KVCache:
        """Room for the keys and values of the texts of ``sources`` sources, ``columns`` tokens each."""
        return self.decoder.new_cache(sources, columns)

    def forward_cached(self, ids_BT: torch.Tensor, segment: int, cache: KVCache, answers: int) -> torch.Tensor:
        """States [B, A, D] of the last A of the texts' tokens that ``cache`` has been prepared for."""
        return self.decoder.forward_cached(ids_BT, segment, cache, answers)

    def compile_layers(self, compile_function: Any) -> None:
        """Compiles the part of a layer after attention, once for each stack."""
        self.encoder.compile_layers(compile_function)
        self.decoder.compile_layers(compile_function)
