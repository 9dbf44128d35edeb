"""The LSTM backbone: tokens in, one state per token out, each text read in the order of its turns.

Dai and Le 2015, Merity et al. 2017 and the LSTM of Radford et al. 2018 (table 5) are settings of the same layers. A text's
state begins at zero, is carried through the text however long it is, and ends with it: a text's result does not depend on
its neighbours. Only a training in lanes keeps something between its passes: where each lane stands, in a buffer that its
checkpoints hold and a model's file does not.

Shapes: N flat tokens, n tokens of a chunk in packed order, E embedding width, C cells, W width of the states.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from warmstart.base.arrays import Ints
from warmstart.example.batch import Batch, to_device
from warmstart.models.backbone import Backbone, Tables, embed_tokens
from warmstart.models.dropout import Dropout, drop
from warmstart.models.packing import Chunk, Packing, pack
from warmstart.models.recurrence import State, Weights, advance, recurrence, through
from warmstart.models.settings import LSTMSettings

Marks = NDArray[np.bool_]


class Cells(nn.Module):
    """The cells of one layer in one direction."""

    def __init__(self, settings: LSTMSettings, inputs: int) -> None:
        super().__init__()
        cells, width = settings.num_cells, settings.width
        self.input = nn.Linear(inputs, 4 * cells)
        self.recurrent = nn.Linear(width, 4 * cells, bias=False)
        self.project = nn.Linear(cells, width, bias=False) if cells != width else None
        self.weight_dropout = settings.weight_dropout

    def weights(self) -> Weights:
        """For one pass; dropout of recurrent weights is drawn here."""
        rate = self.weight_dropout if self.training else 0.0
        project = None if self.project is None else self.project.weight
        return Weights(self.input.weight, self.input.bias, drop(self.recurrent.weight, rate), project)


class Layer(nn.Module):
    """Cells for each direction, and the residual sum."""

    def __init__(self, settings: LSTMSettings, first: bool) -> None:
        super().__init__()
        inputs = settings.table_width if first else settings.width
        self.cells = nn.ModuleList(Cells(settings, inputs) for _ in range(settings.directions))
        self.residual = settings.residual and not first

    def of(self, direction: int) -> Cells:
        """The cells that read in a direction."""
        found: Cells = self.cells[direction]  # type: ignore[assignment]
        return found

    def forward(
        self, x: torch.Tensor, weights: Weights, start: State, sizes: Sequence[int], clip: float | None
    ) -> tuple[torch.Tensor, State]:
        """States [n, W] that are handed on, and where each sequence stands after its last token, without a gradient."""
        outputs, after = through(x, weights, start, sizes, clip)
        return self._handed_on(x, outputs), after

    def each(
        self, x: torch.Tensor, weights: Weights, start: State, sizes: Sequence[int], clip: float | None
    ) -> tuple[torch.Tensor, State]:
        """The same, and where each sequence stands after every token."""
        outputs, cells = recurrence(x, weights, start, sizes, clip)
        return self._handed_on(x, outputs), State(outputs.detach(), cells)

    def step(self, x: torch.Tensor, start: State, clip: float | None) -> tuple[torch.Tensor, State]:
        """The same for one more token of n sequences, left to right, by products that whoever decodes may have packed."""
        cells = self.of(0)
        after = advance(cells.input(x) + cells.recurrent(start.output), start.cells, cells.project, clip)
        return self._handed_on(x, after.output), after

    def _handed_on(self, x: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        return x + outputs if self.residual else outputs


class Piece(NamedTuple):
    """Some tokens [n] of a Batch, and the states [n, W] after them."""

    tokens: torch.Tensor
    states: torch.Tensor


class LSTM(Backbone):
    """Tokens in, one state per token out."""

    def __init__(self, settings: LSTMSettings) -> None:
        super().__init__()
        self.settings = settings
        self.tokens = nn.Embedding(settings.vocab_size, settings.table_width)
        self.blocks = nn.ModuleList(Layer(settings, number == 0) for number in range(settings.layers))
        self.between, self.last = Dropout(settings.layer_dropout), Dropout(settings.output_dropout)
        free = settings.softmax and not settings.tied
        self.output = nn.Linear(settings.width, settings.vocab_size, bias=False) if free else None
        self.carry: torch.Tensor | None
        self.register_buffer("carry", None, persistent=False)

    def begin_carry(self, rows: int) -> None:
        """[layers, lanes, W + C] float32 output and cells after the last text of each."""
        size = self.settings
        self.carry = self.tokens.weight.new_zeros(size.layers, rows, size.width + size.num_cells)

    def reset_parameters(self) -> None:
        """Embeddings have a spread of their own, and forget gates begin half open (Jozefowicz et al. 2015)."""
        spread = self.settings.embedding_std / self.settings.init_std
        self.tokens.weight *= spread / self.settings.vocab_size**0.5 if self.settings.vectors else spread
        cells = self.settings.num_cells
        for layer in self.layers:
            for direction in range(self.settings.directions):
                layer.of(direction).input.bias[cells : 2 * cells] = 1.0

    def tables(self) -> Tables:
        """The token table, and the rows of the softmax."""
        tokens = self.tokens.weight
        return Tables(tokens, None, tokens if self.output is None else self.output.weight)

    @property
    def layers(self) -> list[Layer]:
        """The blocks, as what they are."""
        found: Any = self.blocks
        return list(found)

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The states [N, W] of a flat Batch, or those [M, W] of the tokens ``reads_M``.

        A chunk of long texts in which nothing is read keeps nothing for the way back: no gradient reaches it.
        """
        tables = tables or self.tables()
        packings = pack(batch, self.settings.bptt, self.settings.directions)
        read = _read(batch, packings, reads_M)
        mask = self._mask(len(batch.lengths))
        pieces = [piece for packing in packings for piece in self._walk(packing, batch, tables, mask, read)]
        places = torch.cat([piece.tokens for piece in pieces])
        where = torch.empty(batch.num_tokens, dtype=torch.int64, device=batch.ids.device)
        where[places] = torch.arange(len(places), device=places.device)
        return torch.cat([piece.states for piece in pieces]).index_select(
            0, where if reads_M is None else where[reads_M]
        )

    def _walk(
        self, packing: Packing, batch: Batch, tables: Tables, mask: torch.Tensor | None, read: Marks | None
    ) -> list[Piece]:
        """Goes through the chunks of one direction; the pieces in which something is read."""
        weights = [layer.of(packing.direction).weights() for layer in self.layers]
        states = [State.zeros(own, 0) for own in weights]
        pieces: list[Piece] = []
        for chunk in packing.chunks:
            wanted = read is None or bool(read[chunk.tokens].any())
            new = self._begun(weights, batch.carry_in, chunk)
            begun = [state.first(chunk.carried).grown(other) for state, other in zip(states, new, strict=True)]
            tokens = to_device(torch.from_numpy(chunk.tokens), batch.ids.device)
            with torch.set_grad_enabled(torch.is_grad_enabled() and wanted):
                x = self._embed(batch.ids[tokens], chunk, tables, mask)
                x, states = self._through(x, weights, begun, chunk.sizes)
                if wanted:
                    pieces.append(Piece(tokens, x))
        self._carry_out(states, batch.carry_out, packing.chunks[-1])
        return pieces

    def _begun(self, weights: list[Weights], carry_in: Ints | None, chunk: Chunk) -> list[State]:
        """Where each layer stands before the texts that are new in a chunk: at zero, or where a lane stands."""
        texts = chunk.texts[chunk.carried : chunk.sizes[0]]
        states = [State.zeros(own, len(texts)) for own in weights]
        if carry_in is None or self.carry is None:
            return states
        rows = np.flatnonzero(carry_in[texts] >= 0)
        for state, table in zip(states, self.carry, strict=True):
            width = state.output.shape[1]
            kept = table[carry_in[texts[rows]]]
            state.output[rows], state.cells[rows] = kept[:, :width].to(state.output.dtype), kept[:, width:]
        return states

    @torch.no_grad()
    def _carry_out(self, states: list[State], carry_out: Ints | None, last: Chunk) -> None:
        """Keeps where the texts of lanes have ended, all of them in the last chunk."""
        if carry_out is None or self.carry is None:
            return
        texts = last.texts[: last.sizes[0]]
        rows = np.flatnonzero(carry_out[texts] >= 0)
        for state, table in zip(states, self.carry, strict=True):
            table[carry_out[texts[rows]]] = torch.cat([state.output[rows], state.cells[rows]], 1).to(table.dtype)

    def _through(
        self, x: torch.Tensor, weights: list[Weights], begun: list[State], sizes: list[int]
    ) -> tuple[torch.Tensor, list[State]]:
        """All layers over one chunk, and where each stands after each text's last token."""
        states: list[State] = []
        for number, (layer, own, start) in enumerate(zip(self.layers, weights, begun, strict=True)):
            x, after = layer(self.between(x) if number else x, own, start, sizes, self.settings.cell_clip)
            states.append(after)
        return x, states

    def _mask(self, texts: int) -> torch.Tensor | None:
        """[texts, E] factors of the dimensions of each text's embeddings, or none."""
        rate = self.settings.embedding_dropout
        if not self.training or rate == 0:
            return None
        return drop(self.tokens.weight.new_ones(texts, self.settings.table_width), rate)

    def _embed(self, ids: torch.Tensor, chunk: Chunk, tables: Tables, mask: torch.Tensor | None) -> torch.Tensor:
        """[n, E]; whole dimensions of a text and whole tokens may drop out."""
        x = embed_tokens(ids, tables.tokens)
        if mask is not None:
            x = x * mask[to_device(torch.from_numpy(chunk.texts), ids.device)]
        if self.training and self.settings.word_dropout > 0:
            x = x * drop(x.new_ones(len(x), 1), self.settings.word_dropout)
        return x

    def new_cache(self, sources: int, columns: int) -> "RecurrentCache":
        """The states of ``sources`` sources that have read nothing; they take no more room however much is read."""
        return RecurrentCache([State.zeros(layer.of(0).weights(), sources) for layer in self.layers])

    @torch.no_grad()
    def forward_cached(
        self, ids_BT: torch.Tensor, segment: int, branches: "RecurrentCache", answers: int
    ) -> torch.Tensor:
        """States [B, A, W] of the last of T more tokens of each source, or of one for each of its T branches."""
        count, steps = ids_BT.shape
        clip, states = self.settings.cell_clip, []
        if branches.real is None:
            x = embed_tokens(ids_BT.reshape(-1), self.tokens.weight)
            for layer, start in zip(self.layers, branches.states, strict=True):
                x, after = layer.step(x, start, clip)
                states.append(after)
            branches.states = states
            return x.view(count, steps, -1)[:, steps - answers :]
        x = embed_tokens(ids_BT.T.reshape(-1), self.tokens.weight)
        for layer, start in zip(self.layers, branches.states, strict=True):
            x, after = layer.each(x, layer.of(0).weights(), start, [count] * steps, clip)
            states.append(branches.at_end(start, after))
        branches.states = states
        return x.view(steps, count, -1)[steps - answers :].transpose(0, 1)


def _read(batch: Batch, packings: list[Packing], reads: torch.Tensor | None) -> Marks | None:
    """[N] whether a token is read, where there are chunks that may keep nothing; else ``None``."""
    if reads is None or all(len(packing.chunks) == 1 for packing in packings):
        return None
    read = np.zeros(batch.num_tokens, bool)
    read[reads.cpu().numpy()] = True
    return read


class RecurrentCache:
    """What sources and their branches have read: after each layer a state, its rows [B·R] source by source.

    ``real`` [B] counts the tokens of the next pass that are no padding, while sources are read; then it is ``None``.
    """

    def __init__(self, states: list[State]) -> None:
        self.states = states
        self.count = len(states[0].cells)
        self.real: torch.Tensor | None = None

    def begin_source(self, lengths_B: torch.Tensor, start: int, stop: int, *, full: bool) -> None:
        """Makes ready for tokens ``start`` to ``stop`` of the sources, padded at their end."""
        self.real = (lengths_B - start).clamp(0, stop - start)

    def begin_step(self, positions_B: torch.Tensor, tokens: int, masks: int) -> None:
        """Makes ready for the next token of each branch; there are no masks."""
        self.real = None

    def at_end(self, before: State, after: State) -> State:
        """The state after each source's last real token: of those [T·B] after every token, or ``before`` if it had none."""
        assert self.real is not None
        rows = torch.arange(self.count, device=self.real.device)
        last, moved = (self.real - 1).clamp(min=0) * self.count + rows, (self.real > 0)[:, None]
        return State(*(torch.where(moved, new[last], old) for new, old in zip(after, before, strict=True)))

    def reorder(self, parents_BR: torch.Tensor) -> None:
        """Branch r of each source goes on from the state of branch ``parents[r]``."""
        branches = len(self.states[0].cells) // self.count
        rows = (torch.arange(self.count, device=parents_BR.device)[:, None] * branches + parents_BR).flatten()
        self.states = [state.at(rows) for state in self.states]

    def select(self, sources: torch.Tensor) -> None:
        """Only some of the sources go on."""
        branches = len(self.states[0].cells) // self.count
        rows = (sources[:, None] * branches + torch.arange(branches, device=sources.device)).flatten()
        self.states, self.count = [state.at(rows) for state in self.states], len(sources)
