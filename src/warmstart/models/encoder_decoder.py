"""The encoder-decoder backbone: an encoder reads the source, a decoder writes the target and reads what the encoder made.

Vaswani et al. 2017; T5 (Raffel et al. 2020) and BART (Lewis et al. 2020) are choices of
:class:`~warmstart.models.encoder_decoder_settings.EncoderDecoderSettings`. Both stacks are Transformers as
:mod:`~warmstart.models.transformer` has them, so a language model may start either. An Example is that of a model with one
stack: source of turn 0, target behind it; positions are counted anew in the target. A source without a target is read by
the encoder; a target without a source by the decoder less what reads a source: by the language model that it is then.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example
from warmstart.models.backbone import COLUMNS, Backbone, DepthLayer, SoftmaxTable, Tables, TokenInputs
from warmstart.models.beam_cache import BeamCache
from warmstart.models.blocks import Block, DecoderBlock
from warmstart.models.cross_attention import plan_cross_attention
from warmstart.models.encoder_decoder_settings import EncoderDecoderSettings
from warmstart.models.kv_cache import InputsCache, KVCache, SourcesRead
from warmstart.models.sides import Sides, split_sides, take_documents
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

    def softmax(self, tables: Tables) -> SoftmaxTable | None:
        """The rows of the token table behind BERT's head for words, where the encoder has one."""
        if self.lm_transform is None:
            return None
        return SoftmaxTable(tables.tokens if self.tokens is None else self.tokens.weight, self.lm_transform)

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

    VOCABULARY: ClassVar = (
        "encoder.tokens.weight",
        "encoder.lm_transform.bias",
        *(f"decoder.{name}" for name in Backbone.VOCABULARY),
    )
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

    @property
    def pooling_parts(self) -> tuple[nn.Module | None, ...]:
        """The decoder's."""
        return self.decoder.pooling_parts

    def pool(self, states_MD: torch.Tensor) -> torch.Tensor:
        """The decoder's."""
        return self.decoder.pool(states_MD)

    def stacks(self) -> dict[str, Backbone]:
        """Encoder and decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def search_parts(self) -> list[nn.Module]:
        """The layers, and what makes the inputs of the decoder."""
        return [self.blocks, *self.decoder.search_parts()[1:]]

    def tables(self) -> Tables:
        """The decoder's tables, and that of the encoder's softmax."""
        tables = self.decoder.tables()
        return tables._replace(encoder_softmax=self.encoder.softmax(tables))

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states [N, D] of a flat Batch, or those [M, D] of the tokens ``reads_M``.

        A source's are those of the encoder.
        """
        sides, tables = split_sides(batch), tables or self.tables()
        nothing = tables.tokens.new_zeros(0, self.settings.width)
        read = self.encoder(sides.source, self.encoder.reading(tables)) if sides.source.num_tokens else nothing
        written = nothing
        for states in self._each_written(sides, tables, read):
            written = states
        return sides.join(read, written, reads_M)

    def layer_states(self, batch: Batch, tables: Tables | None = None) -> list[torch.Tensor]:
        """L + 1 tensors [N, D] of the L layers of the deeper stack; of the other one the last states stand again."""
        sides, tables = split_sides(batch), tables or self.tables()
        nothing = [tables.tokens.new_zeros(0, self.settings.width)]
        read = nothing
        if sides.source.num_tokens:
            read = self.encoder.layer_states(sides.source, self.encoder.reading(tables))
        written = list(self._each_written(sides, tables, read[-1])) or nothing
        count = max(len(read), len(written))
        return [sides.join(read[min(n, len(read) - 1)], written[min(n, len(written) - 1)]) for n in range(count)]

    def _each_written(self, sides: Sides, tables: Tables, read_MD: torch.Tensor) -> Iterator[torch.Tensor]:
        """The embeddings of the targets, then their states after each layer; of no target nothing."""
        sources, targets = sides.pairs
        if sides.in_pairs:
            source = self._source(sides.target, sides.source, read_MD)
            yield from self.decoder.each_layer(sides.target, tables, source=source)
            return
        paired, rows = take_documents(sides.target, targets)
        others, other_rows = take_documents(sides.target, np.setdiff1d(np.arange(len(sides.target.lengths)), targets))
        passes = []
        if paired.num_tokens:
            read, read_rows = take_documents(sides.source, sources)
            states = self._source(paired, read, read_MD.index_select(0, read_rows))
            passes.append(self.decoder.each_layer(paired, tables, source=states))
        if others.num_tokens:
            passes.append(self.decoder.each_layer(others, tables))
        back = torch.argsort(torch.cat([rows, other_rows]))
        for parts in zip(*passes, strict=True):
            yield torch.cat(parts).index_select(0, back)

    def _source(self, target: Batch, source: Batch, read_MD: torch.Tensor) -> SourceStates:
        return SourceStates(read_MD, plan_cross_attention(target, source, read_MD.dtype, self.kernels))

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
