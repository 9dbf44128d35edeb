"""The LSTM encoder-decoder with attention: an encoder reads the source, a decoder writes the target and looks back at it.

Ramachandran et al. 2016 over Luong et al. 2015. The first layer of either stack reads tokens and nothing else, so that it
may begin as a language model's; the layers above it are new. Step t of the target, h₁ of the decoder's first layer::

    hₙ = LSTMₙ(… LSTM₂([h₁; c of step t - 1]))        input feeding, at the second layer
    c  = Σ αᵢ [s₁ᵢ; sₙᵢ],  α = softmax(hₙ · A · sₙ)     sₗᵢ: layer l of the encoder at token i of the source
    u  = tanh(M · [hₙ; c])                            Luong's attentional state (equation 5)
    y  = h₁ + u                                       what the softmax reads

M begins at zero, so at first the decoder is its language model, to the last bit. How a context reaches the softmax of its
own step is Luong's; the summary that this follows does not say how Ramachandran et al. have it.

Shapes: N tokens of the targets, in packed order step by step; B sources, R texts of all of them; W width, C width of a
context.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from warmstart.base.arrays import Ints
from warmstart.example.batch import Batch, collate, to_device
from warmstart.example.example import Example
from warmstart.models.attentive_recurrence import rows_of_texts, run_attentive_steps
from warmstart.models.backbone import COLUMNS, Backbone, DepthLayer, Tables
from warmstart.models.kv_cache import KVCache, SourcesRead
from warmstart.models.lstm import LSTM, Cells
from warmstart.models.lstm_encoder_decoder_settings import LSTMEncoderDecoderSettings
from warmstart.models.packing import Chunk, pack
from warmstart.models.recurrence import State, Steps, lstm_step
from warmstart.models.recurrent_cache import RecurrentCache
from warmstart.models.sides import Sides, split_sides
from warmstart.models.source_memory import SourceMemory, pad_sources

GATE_BIAS = 4.0
"""Of the gated residual at first: 98 % of the decoder's first layer, and 2 % of the last."""


class UpperLayer(nn.Module):
    """A layer of the decoder above its first; the second of all reads the last context too."""

    def __init__(self, settings: LSTMEncoderDecoderSettings, *, is_fed: bool) -> None:
        super().__init__()
        cells = settings.cells_of(1)
        self.cells = Cells(settings.width, cells, settings.width, settings.weight_dropout)
        self.feed = nn.Linear(settings.context_width, 4 * cells, bias=False) if is_fed else None


class Memory(NamedTuple):
    """What the upper layers know after a step: the state of each, [R, …], and the context [R, C]."""

    states: list[State]
    context: torch.Tensor


class AttentiveCache(RecurrentCache):
    """The states of all layers of a decoder, the last context of each text, and the sources that they read."""

    def __init__(self, states: list[State], context: torch.Tensor, source: SourceMemory) -> None:
        super().__init__(states)
        self.context, self.source = context, source

    def select(self, sources: torch.Tensor) -> None:
        """Only these sources go on."""
        super().select(sources)
        self.source = self.source.select(sources)

    def _keep(self, rows: torch.Tensor) -> None:
        super()._keep(rows)
        self.context = self.context[rows]


class LSTMDecoder(LSTM):
    """A language model of one layer, and the layers above it that read a source."""

    def __init__(self, settings: LSTMEncoderDecoderSettings) -> None:
        super().__init__(settings.decoder)
        width, context = settings.width, settings.context_width
        self.both, self.residual = settings.attended_layers == "first_and_last", settings.decoder_residual
        self.upper = nn.ModuleList(UpperLayer(settings, is_fed=number == 0) for number in range(settings.layers - 1))
        self.score = nn.Linear(width, width, bias=False) if settings.attention_score == "bilinear" else None
        self.mix = nn.Linear(width + context, width, bias=False)
        self.gate = nn.Linear(width, width) if self.residual == "gated" else None

    @property
    def upper_layers(self) -> list[UpperLayer]:
        """The layers above the first, as what they are."""
        upper: Any = self.upper
        return list(upper)

    def reset_parameters(self) -> None:
        """As an LSTM's; the residual sum begins as the first layer alone."""
        super().reset_parameters()
        for layer in self.upper_layers:
            layer.cells.open_forget_gates()
        if self.residual == "plain":
            self.mix.weight.zero_()
        if self.gate is not None:
            self.gate.bias.fill_(GATE_BIAS)

    def source_memory(self, layers: list[torch.Tensor], lengths: Ints, order: Ints) -> SourceMemory:
        """What the steps read of sources, from the states [M, W] after each layer of the encoder."""
        last = layers[-1]
        values = torch.cat([layers[1], last], 1) if self.both else last
        return pad_sources(last if self.score is None else self.score(last), values, lengths, order)

    def write(self, sides: Sides, tables: Tables, layers: list[torch.Tensor]) -> list[torch.Tensor]:
        """The embeddings [N, E] of targets and the states [N, W] after each layer; the last ones are what is read.

        A target without a source has the states of the first layer throughout.

        Args:
            sides: sources and targets.
            tables: of the pass.
            layers: the embeddings of the sources and their states after each layer of the encoder.
        """
        embedded, first = self.layer_states(sides.target, tables)
        if not sides.pairs.size:
            return [embedded, *[first] * (1 + len(self.upper))]
        chunk = pack_pairs(sides)
        tokens = to_device(torch.from_numpy(chunk.tokens), first.device)
        source = self.source_memory(layers, sides.source.lengths, chunk.texts[: chunk.sizes[0]])
        read = first.index_select(0, tokens)
        upper, contexts = self._run_steps(read, chunk.sizes, source)
        found = [*upper[:-1], self.join(read, upper[-1], contexts)]
        return [embedded, first, *(first.index_copy(0, tokens, states) for states in found)]

    def _run_steps(
        self, first_NW: torch.Tensor, sizes: list[int], source: SourceMemory
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """The outputs [N, W] of each upper layer, and the contexts [N, C]."""
        first = self.upper_layers[0]
        weights = [layer.cells.weights() for layer in self.upper_layers]
        rate = self.settings.layer_dropout
        mask, *masks = [self._text_mask(rate, sizes[0], first_NW.shape[1]) for _ in weights]
        assert first.feed is not None
        gates = first.cells.input(first_NW if mask is None else first_NW * rows_of_texts(mask, sizes))
        return run_attentive_steps(
            gates, first.feed.weight, weights, masks, source, Steps(sizes, self.settings.cell_clip)
        )

    def step(self, first_RW: torch.Tensor, past: Memory, source: SourceMemory) -> Memory:
        """One step of the upper layers over the outputs of the first, and the context that they choose; in a search."""
        x, states = first_RW, []
        for layer, state in zip(self.upper_layers, past.states, strict=True):
            cells = layer.cells
            gates = cells.input(x) + cells.recurrent(state.output)
            if layer.feed is not None:
                gates = gates + layer.feed(past.context)
            states.append(lstm_step(gates, state.cells, cells.project, self.settings.cell_clip))
            x = states[-1].output
        return Memory(states, source.read(x))

    def join(self, first: torch.Tensor, last: torch.Tensor, contexts: torch.Tensor) -> torch.Tensor:
        """What the softmax reads, […, W]: of the first layer, of the last one, and of the contexts."""
        mixed: torch.Tensor = self.mix(torch.cat([last, contexts], -1)).tanh()
        if self.gate is not None:
            return torch.lerp(mixed, first, self.gate(first).sigmoid())
        return mixed if self.residual == "none" else first + mixed


class LSTMEncoderDecoder(Backbone):
    """Source and target in, one state per token of both out."""

    VOCABULARY: ClassVar = tuple(
        f"{side}.{name}" for side in ("encoder", "decoder") for name in ("tokens.weight", "output.weight")
    )
    OUTPUT: ClassVar = "decoder.output.weight"

    def __init__(self, settings: LSTMEncoderDecoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = LSTM(settings.encoder)
        self.decoder = LSTMDecoder(settings)

    @property
    def tokens(self) -> nn.Embedding:  # type: ignore[override]
        """The decoder's token table."""
        return self.decoder.tokens

    @property
    def blocks(self) -> nn.ModuleList:  # type: ignore[override]
        """The layers of the encoder, then those of the decoder."""
        return nn.ModuleList([*self.encoder.blocks, *self.decoder.blocks, *self.decoder.upper])

    def stacks(self) -> dict[str, Backbone]:
        """Encoder and decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def search_parts(self) -> list[nn.Module]:
        """The layers, and what makes the inputs of the decoder."""
        return [self.blocks, *self.decoder.search_parts()[1:]]

    def tables(self) -> Tables:
        """The decoder's tables, and that of the encoder's softmax."""
        return self.decoder.tables()._replace(encoder_softmax=self.encoder.tables().softmax)

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states [N, W] of a flat Batch, or those [M, W] of the tokens ``reads_M``.

        A source's are those of the encoder.
        """
        sides, read, written = self._run(batch, tables)
        return sides.join(read[-1], written[-1], reads_M)

    def layer_states(self, batch: Batch, tables: Tables | None = None) -> list[torch.Tensor]:
        """The embeddings [N, E], then the states [N, W] after each layer of both stacks."""
        sides, read, written = self._run(batch, tables)
        return [sides.join(source, target) for source, target in zip(read, written, strict=True)]

    def _run(self, batch: Batch, tables: Tables | None) -> tuple[Sides, list[torch.Tensor], list[torch.Tensor]]:
        sides = split_sides(batch)
        empty = [self.tokens.weight[:0], *[self.tokens.weight.new_zeros(0, self.settings.width)] * self.settings.layers]
        read = self.encoder.layer_states(sides.source.in_order()) if sides.source.num_tokens else empty
        written = self.decoder.write(sides, tables or self.tables(), read) if sides.target.num_tokens else empty
        return sides, [*read[:2], *(with_first(sides, read[1], states) for states in read[2:])], written

    def apply_dropout(self, states: torch.Tensor, batch: Batch, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """As an LSTM's."""
        return self.decoder.apply_dropout(states, batch, reads_M)

    def layers_with_depth(self) -> list[DepthLayer]:
        """All parts that have weights: the tables of both, the encoder's layers, the decoder's."""
        decoder, total = self.decoder, len(self.blocks)
        layers = {f"encoder.blocks.{number}": block for number, block in enumerate(self.encoder.blocks)}
        layers |= {f"decoder.blocks.{number}": block for number, block in enumerate(decoder.blocks)}
        layers |= {f"decoder.upper.{number}": block for number, block in enumerate(decoder.upper)}
        below: dict[str, nn.Module] = {f"{name}.tokens": stack.tokens for name, stack in self.stacks().items()}
        below |= {f"{name}.inputs": stack.inputs for name, stack in self.stacks().items() if stack.inputs is not None}
        named = {"encoder.output": self.encoder.output}
        named |= {f"decoder.{name}": getattr(decoder, name) for name in ("output", "score", "mix", "gate")}
        above: dict[str, nn.Module] = {name: part for name, part in named.items() if part is not None}
        between = [DepthLayer(total - number, {name: part}) for number, (name, part) in enumerate(layers.items())]
        return [DepthLayer(total + 1, below), *between, DepthLayer(0, above)]

    @torch.no_grad()
    def read_sources(self, sources: Sequence[Sequence[int] | NDArray[np.int64]], segment: int) -> SourcesRead:
        """Reads the sources of a search once; the texts of each begin at place 0."""
        batch = collate([[Example.left_to_right(np.asarray(ids, np.int64), {})] for ids in sources])
        decoder, device = self.decoder, self.tokens.weight.device
        layers = self.encoder.layer_states(batch.to(device))
        source = decoder.source_memory(layers, batch.lengths, np.arange(len(sources)))
        cells = [*(layer.direction(0) for layer in decoder.layers), *(layer.cells for layer in decoder.upper_layers)]
        states = [State.zeros(own.weights(), len(sources)) for own in cells]
        context = layers[-1].new_zeros(len(sources), self.settings.context_width)
        places = torch.zeros(len(sources), dtype=torch.int64, device=device)
        cache = decoder.with_inputs(AttentiveCache(states, context, source), len(sources), COLUMNS)
        return SourcesRead(cache, places)

    @torch.no_grad()
    def forward_cached(self, ids_BT: torch.Tensor, segment: int, cache: KVCache, answers: int) -> torch.Tensor:
        """States [B, T, W] of one more token of each of the T texts of every source."""
        decoder = self.decoder
        read, cache = decoder.read_tokens_cached(ids_BT, cache, decoder.tables())
        assert isinstance(cache, AttentiveCache)
        first, state = decoder.layers[0].step(read.flatten(0, 1), cache.states[0], self.settings.cell_clip)
        after = decoder.step(first, Memory(cache.states[1:], cache.context), cache.source)
        cache.states, cache.context = [state, *after.states], after.context
        return decoder.join(first, after.states[-1].output, after.context).view(*ids_BT.shape, -1)


def with_first(sides: Sides, first_MW: torch.Tensor, states_MW: torch.Tensor) -> torch.Tensor:
    """The states of sources, but of those without a target the states after the first layer."""
    if len(sides.pairs[0]) == len(sides.source.lengths):
        return states_MW
    is_paired = np.zeros(len(sides.source.lengths), bool)
    is_paired[sides.pairs[0]] = True
    tokens = torch.from_numpy(np.repeat(is_paired, sides.source.lengths))[:, None]
    return torch.where(to_device(tokens, states_MW.device), states_MW, first_MW)


def pack_pairs(sides: Sides) -> Chunk:
    """How the upper layers go through the targets that have a source: tokens of the targets, texts of the sources.

    No text is cut.
    """
    target, (sources, targets) = sides.target, sides.pairs
    starts = np.cumsum(target.lengths) - target.lengths
    kept = np.concatenate([np.arange(starts[n], starts[n] + target.lengths[n]) for n in targets])
    own = replace(target, turns=target.turns[torch.from_numpy(kept)], lengths=target.lengths[targets])
    [packing] = pack(own, target.num_tokens, 1)
    [chunk] = packing.chunks
    return replace(chunk, tokens=kept[chunk.tokens], texts=sources[chunk.texts])
