"""The LSTM backbone: tokens in, one state per token out, each text read in the order of its turns.

Dai and Le 2015, Merity et al. 2017 and the LSTM of Radford et al. 2018 (table 5) are settings of the same layers. A text's
state begins at zero, is carried through the text however long it is, and ends with it: a text's result does not depend on
its neighbours. Only a training with carried rows keeps states between its passes, in a buffer that its checkpoints hold and
a model's file does not.

Shapes: N flat tokens, n tokens of a chunk in packed order, E embedding width, C cells, W width of the states.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from warmstart.base.arrays import Ints
from warmstart.example.batch import Batch, to_device
from warmstart.models.backbone import Backbone, SoftmaxTable, Tables, TokenInputs, embed_tokens
from warmstart.models.cache import LayerCache
from warmstart.models.characters import CharacterInputs
from warmstart.models.dropout import drop
from warmstart.models.kv_cache import KVCache
from warmstart.models.lstm_settings import LSTMSettings
from warmstart.models.packing import Chunk, Packing, pack
from warmstart.models.recurrence import State, Weights, lstm_step, run_layer, run_steps
from warmstart.models.recurrent_cache import RecurrentCache

Mask = NDArray[np.bool_]
Masks = list[torch.Tensor | None]
TokenReader = Callable[[torch.Tensor], torch.Tensor]
Layers = TypeVar("Layers")


class Cells(nn.Module):
    """The cells of one layer in one direction."""

    def __init__(self, inputs: int, cells: int, width: int, weight_dropout: float = 0.0) -> None:
        super().__init__()
        self.input = nn.Linear(inputs, 4 * cells)
        self.recurrent = nn.Linear(width, 4 * cells, bias=False)
        self.project = nn.Linear(cells, width, bias=False) if cells != width else None
        self.weight_dropout = weight_dropout

    def open_forget_gates(self) -> None:
        """Forget gates begin half open (Jozefowicz et al. 2015)."""
        cells = len(self.input.bias) // 4
        self.input.bias[cells : 2 * cells] = 1.0

    def weights(self) -> Weights:
        """For one pass; dropout of recurrent weights is drawn here."""
        rate = self.weight_dropout if self.training else 0.0
        project = None if self.project is None else self.project.weight
        return Weights(self.input.weight, self.input.bias, drop(self.recurrent.weight, rate), project)


class Layer(nn.Module):
    """Cells for each direction, and the residual sum."""

    def __init__(self, settings: LSTMSettings, number: int) -> None:
        super().__init__()
        inputs, cells = settings.width if number else settings.table_width, settings.cells_of(number)
        width, dropout = settings.width, settings.weight_dropout
        self.cells = nn.ModuleList(Cells(inputs, cells, width, dropout) for _ in range(settings.directions))
        self.residual = settings.residual and number > 0

    def direction(self, number: int) -> Cells:
        """The cells that read in a direction."""
        cells: Cells = self.cells[number]  # type: ignore[assignment]
        return cells

    def forward(
        self, x: torch.Tensor, weights: Weights, start: State, sizes: Sequence[int], clip: float | None
    ) -> tuple[torch.Tensor, State]:
        """The layer's states [n, W], and that of each sequence after its last token, without a gradient."""
        outputs, after = run_layer(x, weights, start, sizes, clip)
        return self._add_residual(x, outputs), after

    def forward_all(
        self, x: torch.Tensor, weights: Weights, start: State, sizes: Sequence[int], clip: float | None
    ) -> tuple[torch.Tensor, State]:
        """The same, and the state of each sequence after every token."""
        outputs, cells = run_steps(x, weights, start, sizes, clip)
        return self._add_residual(x, outputs), State(outputs.detach(), cells)

    def forward_padded(self, x_BTX: torch.Tensor, clip: float | None) -> torch.Tensor:
        """The layer's states [B, T, W] of padded rows, left to right, by torch's scan, which exporters know."""
        from torch._higher_order_ops.scan import scan

        cells = self.direction(0)
        recurrent = cells.recurrent.weight
        project = None if cells.project is None else cells.project.weight

        def step(
            before: tuple[torch.Tensor, ...], gates: torch.Tensor
        ) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
            to_width = None if project is None else lambda output: output @ project.T
            after = lstm_step(gates + before[0] @ recurrent.T, before[1], to_width, clip)
            return (after.output, after.cells), after.output.clone()

        start = x_BTX.new_zeros(len(x_BTX), recurrent.shape[1]), x_BTX.new_zeros(len(x_BTX), len(recurrent) // 4)
        _, outputs_TBW = scan(step, start, cells.input(x_BTX).transpose(0, 1), dim=0)
        return self._add_residual(x_BTX, outputs_TBW.transpose(0, 1))

    def step(self, x: torch.Tensor, start: State, clip: float | None) -> tuple[torch.Tensor, State]:
        """The same for one more token of n sequences, left to right, by modules that a decoder may have replaced."""
        cells = self.direction(0)
        after = lstm_step(cells.input(x) + cells.recurrent(start.output), start.cells, cells.project, clip)
        return self._add_residual(x, after.output), after

    def _add_residual(self, x: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        return x + outputs if self.residual else outputs


class Piece(NamedTuple):
    """Some tokens [n] of a Batch; their embeddings [n, E] and states [n, W] after each layer, or only the last states."""

    tokens: torch.Tensor
    layers: list[torch.Tensor]


class LSTM(Backbone):
    """Tokens in, one state per token out."""

    VOCABULARY = (*Backbone.VOCABULARY, "inputs.spelling")

    def __init__(self, settings: LSTMSettings) -> None:
        super().__init__()
        self.settings = settings
        self.tokens = nn.Embedding(settings.vocab_size, settings.table_width)
        self.blocks = nn.ModuleList(Layer(settings, number) for number in range(settings.layers))
        free = settings.softmax and not settings.tied
        self.output = nn.Linear(settings.width, settings.vocab_size, bias=False) if free else None
        self.carry: torch.Tensor | None
        self.register_buffer("carry", None, persistent=False)
        if settings.characters:
            size = settings.vocab_size, settings.characters
            self.take_inputs(CharacterInputs(*size, settings.filters, settings.table_width))

    def begin_carry(self, rows: int) -> None:
        """[layers, rows, W + C] float32 output and cells after the last text of each row."""
        size = self.settings
        cells = max(size.cells_of(number) for number in range(size.layers))
        self.carry = self.tokens.weight.new_zeros(size.layers, rows, size.width + cells)

    def reset_parameters(self) -> None:
        """Embeddings have a deviation of their own, and forget gates begin half open."""
        factor = self.settings.embedding_std / self.settings.init_std
        self.tokens.weight *= factor / self.settings.vocab_size**0.5 if self.settings.vectors else factor
        if self.inputs is not None:
            self.inputs.reset_parameters()
        for layer in self.layers:
            for number in range(self.settings.directions):
                layer.direction(number).open_forget_gates()

    def tables(self) -> Tables:
        """The token table, and the rows of the softmax."""
        tokens = self.tokens.weight
        softmax = tokens if self.output is None else self.output.weight
        return Tables(tokens, None, SoftmaxTable(softmax) if self.settings.softmax else None)

    @property
    def layers(self) -> list[Layer]:
        """The blocks, as what they are."""
        blocks: Any = self.blocks
        return list(blocks)

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states [N, W] of a flat Batch, or those [M, W] of the tokens ``reads_M``.

        A chunk of long texts in which nothing is read keeps nothing for the backward pass: no gradient reaches it.
        """
        [states] = self._states(batch, tables or self.tables(), reads_M)
        return states

    def layer_states(self, batch: Batch, tables: Tables | None = None) -> list[torch.Tensor]:
        """The embeddings [N, E], then the states [N, W] after each layer."""
        return self._states(batch, tables or self.tables(), every_layer=True)

    def _states(
        self, batch: Batch, tables: Tables, reads_M: torch.Tensor | None = None, *, every_layer: bool = False
    ) -> list[torch.Tensor]:
        """Of all tokens, or of those that are read; after the last layer, or the embeddings and after every layer."""
        packings = pack(batch, self.settings.bptt, self.settings.directions)
        is_read = _reads_to_mask(batch, packings, reads_M)
        masks, read = self._layer_masks(len(batch.lengths)), self._token_reader(batch, tables)
        pieces = [
            piece
            for packing in packings
            for piece in self._read_chunks(packing, batch, read, masks, is_read, every_layer)
        ]
        places = torch.cat([piece.tokens for piece in pieces])
        where = torch.empty(batch.num_tokens, dtype=torch.int64, device=batch.ids.device)
        where[places] = torch.arange(len(places), device=places.device)
        rows = where if reads_M is None else where[reads_M]
        layers = zip(*(piece.layers for piece in pieces), strict=True)
        return [torch.cat(states).index_select(0, rows) for states in layers]

    def _read_chunks(
        self, packing: Packing, batch: Batch, read: TokenReader, masks: Masks, is_read: Mask | None, every_layer: bool,
    ) -> list[Piece]:  # fmt: skip
        """Goes through the chunks of one direction; the pieces in which something is read."""
        weights = [layer.direction(packing.direction).weights() for layer in self.layers]
        states = [State.zeros(own, 0) for own in weights]
        pieces: list[Piece] = []
        for chunk in packing.chunks:
            wanted = is_read is None or bool(is_read[chunk.tokens].any())
            new = self._first_states(weights, batch.carry_in, chunk)
            starts = [state.first(chunk.num_carried).append(other) for state, other in zip(states, new, strict=True)]
            tokens = to_device(torch.from_numpy(chunk.tokens), batch.ids.device)
            with torch.set_grad_enabled(torch.is_grad_enabled() and wanted):
                x = self._drop_words(read(tokens))
                layers, states = self._run_layers(x, weights, starts, chunk, masks)
                if wanted:
                    pieces.append(Piece(tokens, layers if every_layer else layers[-1:]))
        self._carry_out(states, batch.carry_out, packing.chunks[-1])
        return pieces

    def _first_states(self, weights: list[Weights], carry_in: Ints | None, chunk: Chunk) -> list[State]:
        """The state of each layer before the texts that begin in a chunk: zero, or what a row has carried."""
        texts = chunk.texts[chunk.num_carried : chunk.sizes[0]]
        states = [State.zeros(own, len(texts)) for own in weights]
        if carry_in is None or self.carry is None:
            return states
        rows = np.flatnonzero(carry_in[texts] >= 0)
        for state, table in zip(states, self.carry, strict=True):
            width, cells = state.output.shape[1], state.cells.shape[1]
            carried = table[carry_in[texts[rows]], : width + cells]
            state.output[rows], state.cells[rows] = carried[:, :width].to(state.output.dtype), carried[:, width:]
        return states

    @torch.no_grad()
    def _carry_out(self, states: list[State], carry_out: Ints | None, last: Chunk) -> None:
        """Keeps the states after the texts that the next step continues; all of them end in the last chunk."""
        if carry_out is None or self.carry is None:
            return
        texts = last.texts[: last.sizes[0]]
        rows = np.flatnonzero(carry_out[texts] >= 0)
        for state, table in zip(states, self.carry, strict=True):
            carried = torch.cat([state.output[rows], state.cells[rows]], 1)
            table[carry_out[texts[rows]], : carried.shape[1]] = carried.to(table.dtype)

    def _run_layers(
        self, x: torch.Tensor, weights: list[Weights], starts: list[State], chunk: Chunk, masks: Masks
    ) -> tuple[list[torch.Tensor], list[State]]:
        """The embeddings and what each layer makes of one chunk, and the state of each after every text's last token."""
        is_masked = any(mask is not None for mask in masks)
        texts = to_device(torch.from_numpy(chunk.texts), x.device) if is_masked else None
        layers, states = [_mask_texts(x, masks[0], texts)], []
        for number, (layer, own, start) in enumerate(zip(self.layers, weights, starts, strict=True)):
            given = _mask_texts(layers[-1], masks[number] if number else None, texts)
            x, after = layer(given, own, start, chunk.sizes, self.settings.cell_clip)
            layers.append(x)
            states.append(after)
        return layers, states

    def _layer_masks(self, texts: int) -> Masks:
        """Factors [texts, E or W] of what each layer reads: the same at every token of a text (Merity et al. 2017, 4.2)."""
        size = self.settings
        rates = [size.embedding_dropout, *[size.layer_dropout] * (size.layers - 1)]
        widths = [size.table_width, *[size.width] * (size.layers - 1)]
        return [self._text_mask(rate, texts, width) for rate, width in zip(rates, widths, strict=True)]

    def _text_mask(self, rate: float, texts: int, width: int) -> torch.Tensor | None:
        """[texts, width] factors of the dimensions of each text's states, or none."""
        if not self.training or rate == 0:
            return None
        return drop(self.tokens.weight.new_ones(texts, width), rate)

    def apply_dropout(self, states: torch.Tensor, batch: Batch, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states with the same dimensions dropped at every token of a text."""
        mask = self._text_mask(self.settings.output_dropout, len(batch.lengths), states.shape[1])
        if mask is None:
            return states
        texts = torch.from_numpy(np.repeat(np.arange(len(batch.lengths)), batch.lengths))
        own = to_device(texts, states.device)
        return _mask_texts(states, mask, own if reads_M is None else own[reads_M])

    def _token_reader(self, batch: Batch, tables: Tables) -> TokenReader:
        """What some tokens [n] of a Batch are read as, [n, E]; inputs and noise are of whole texts at once."""
        if self.inputs is None and tables.noise is None:
            return lambda tokens: embed_tokens(batch.ids[tokens], tables.tokens)
        whole = self.read_tokens(batch, tables)
        return lambda tokens: whole.index_select(0, tokens)

    def _drop_words(self, x: torch.Tensor) -> torch.Tensor:
        """[n, E] what tokens are read as; whole tokens may drop out."""
        if self.training and self.settings.word_dropout > 0:
            x = x * drop(x.new_ones(len(x), 1), self.settings.word_dropout)
        return x

    @property
    def reads_padded(self) -> bool:
        """Where it reads from the beginning only, and its tokens are rows of its table."""
        return bool(self.settings.directions == 1) and self.inputs is None

    def forward_padded(self, ids_BT: torch.Tensor, segments_BT: torch.Tensor | None, layer: LayerCache) -> torch.Tensor:
        """States [B, T, W] of rows that are padded at their end."""
        x_BTD = embed_tokens(ids_BT, self.tokens.weight)
        for block in self.layers:
            x_BTD = block.forward_padded(x_BTD, self.settings.cell_clip)
        return x_BTD

    def new_cache(self, sources: int, columns: int) -> KVCache:
        """The states of ``sources`` sources that have read nothing; they take no more room however much is read."""
        own = RecurrentCache([State.zeros(layer.direction(0).weights(), sources) for layer in self.layers])
        return self.with_inputs(own, sources, columns)

    def forward_cached(self, ids_BT: torch.Tensor, segment: int, cache: KVCache, answers: int) -> torch.Tensor:
        """States [B, A, W] of the last of T more tokens of each source, or of one for each of its T texts."""
        return self._layers_cached(ids_BT, cache)[-1][:, ids_BT.shape[1] - answers :]

    @torch.no_grad()
    def _layers_cached(self, ids_BT: torch.Tensor, cache: KVCache) -> list[torch.Tensor]:
        """What the tokens are read as, [B, T, E], and the states [B, T, W] after each layer."""
        read, cache = self.read_tokens_cached(ids_BT, cache, self.tables())
        assert isinstance(cache, RecurrentCache)
        count, steps = ids_BT.shape
        x, states = (read if cache.real is None else read.transpose(0, 1)).flatten(0, 1), []
        layers = [read]
        for layer, start in zip(self.layers, cache.states, strict=True):
            if cache.real is None:
                x, after = layer.step(x, start, self.settings.cell_clip)
                layers.append(x.view(count, steps, -1))
            else:
                own = layer.direction(0).weights()
                x, every = layer.forward_all(x, own, start, [count] * steps, self.settings.cell_clip)
                after = cache.at_end(start, every)
                layers.append(x.view(steps, count, -1).transpose(0, 1))
            states.append(after)
        cache.states = states
        return layers

    def take_inputs(self, inputs: TokenInputs) -> None:
        """A table that nobody reads any more has no rows."""
        super().take_inputs(inputs)
        if inputs.replaces_table and not (self.settings.tied and self.settings.softmax):
            self.tokens = nn.Embedding(0, self.settings.table_width)

    @property
    def text_shape(self) -> tuple[int, int]:
        """The states of both directions stand beside each other; the embeddings take part where they are as wide."""
        return len(self._of_text([*range(1 + self.settings.layers)])), self.settings.width * self.settings.directions

    def text_states(self, batch: Batch) -> list[torch.Tensor]:
        """As of any language model; each direction reads the text from its own end (Peters et al. 2018, section 3.1)."""
        ways = [self.layer_states(batch.in_order())]
        if self.settings.directions == 2:
            ways.append(self.layer_states(batch.in_order(backward=True)))
        return self._of_text([torch.cat(layers, 1) for layers in zip(*ways, strict=True)])

    def text_states_cached(self, ids_BT: torch.Tensor, cache: KVCache) -> list[torch.Tensor]:
        """The same of one direction."""
        return self._of_text(self._layers_cached(ids_BT, cache))

    def _of_text(self, layers: list[Layers]) -> list[Layers]:
        """The layers that are all of one width."""
        return layers[self.settings.table_width != self.settings.width :]


def _mask_texts(x: torch.Tensor, mask: torch.Tensor | None, texts: torch.Tensor | None) -> torch.Tensor:
    """Rows [n, D] times the factors [B, D] of the texts [n] that they are of."""
    return x if mask is None or texts is None else x * mask.index_select(0, texts)


def _reads_to_mask(batch: Batch, packings: list[Packing], reads_M: torch.Tensor | None) -> Mask | None:
    """[N] whether a token is read, where there are chunks that may keep nothing; else ``None``."""
    if reads_M is None or all(len(packing.chunks) == 1 for packing in packings):
        return None
    mask = np.zeros(batch.num_tokens, bool)
    mask[reads_M.cpu().numpy()] = True
    return mask
