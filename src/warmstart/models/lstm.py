"""The LSTM backbone: tokens in, one state per token out, each text read in the order of its turns.

Dai and Le 2015, Merity et al. 2017 and the LSTM of Radford et al. 2018 (table 5) are settings of the same layers. Nothing
outlives a pass: a text's state begins at zero, is carried through the text however long it is, and ends with it. So a
text's result does not depend on its neighbours, and the order of a run follows from the step alone.

Shapes: N flat tokens, n tokens of a chunk in packed order, E embedding width, C cells, W width of the states.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from warmstart.example.batch import Batch, sent
from warmstart.models.backbone import Backbone, Tables
from warmstart.models.dropout import Dropout, drop
from warmstart.models.packing import Chunk, Packing, pack
from warmstart.models.recurrence import State, Weights, ends, recurrence
from warmstart.models.settings import LSTMSettings

Marks = NDArray[np.bool_]


class Cells(nn.Module):
    """The cells of one layer in one direction."""

    def __init__(self, settings: LSTMSettings, given: int) -> None:
        super().__init__()
        cells, width = settings.num_cells, settings.width
        self.given = nn.Linear(given, 4 * cells)
        self.recurrent = nn.Linear(width, 4 * cells, bias=False)
        self.project = nn.Linear(cells, width, bias=False) if cells != width else None
        self.weight_dropout = settings.weight_dropout

    def weights(self) -> Weights:
        """For one pass; dropout of recurrent weights is drawn here."""
        rate = self.weight_dropout if self.training else 0.0
        project = None if self.project is None else self.project.weight
        return Weights(self.given.weight, self.given.bias, drop(self.recurrent.weight, rate), project)


class Layer(nn.Module):
    """Cells for each direction, and the residual sum."""

    def __init__(self, settings: LSTMSettings, first: bool) -> None:
        super().__init__()
        given = settings.embedded if first else settings.width
        self.cells = nn.ModuleList(Cells(settings, given) for _ in range(settings.directions))
        self.residual = settings.residual and not first

    def of(self, direction: int) -> Cells:
        """The cells that read in a direction."""
        found: Cells = self.cells[direction]  # type: ignore[assignment]
        return found

    def forward(
        self, x: torch.Tensor, weights: Weights, start: State, sizes: Sequence[int], clip: float | None
    ) -> tuple[torch.Tensor, State]:
        """States [n, W] that are handed on, and the layer's own outputs and cells after each token, without a gradient."""
        outputs, cells = recurrence(x, weights, start, sizes, clip)
        return x + outputs if self.residual else outputs, State(outputs.detach(), cells)


class Piece(NamedTuple):
    """Some tokens [n] of a Batch, and the states [n, W] after them."""

    tokens: torch.Tensor
    states: torch.Tensor


class LSTM(Backbone):
    """Tokens in, one state per token out."""

    def __init__(self, settings: LSTMSettings) -> None:
        super().__init__()
        self.settings = settings
        self.tokens = nn.Embedding(settings.vocab_size, settings.embedded)
        self.blocks = nn.ModuleList(Layer(settings, number == 0) for number in range(settings.layers))
        self.between, self.last = Dropout(settings.layer_dropout), Dropout(settings.output_dropout)
        self.output = None if settings.tied else nn.Linear(settings.width, settings.vocab_size, bias=False)

    def settle(self) -> None:
        """Embeddings have a spread of their own, and forget gates begin half open (Jozefowicz et al. 2015)."""
        self.tokens.weight *= self.settings.embedding_std / self.settings.init_std
        cells = self.settings.num_cells
        for layer in self.layers:
            for direction in range(self.settings.directions):
                layer.of(direction).given.bias[cells : 2 * cells] = 1.0

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
        pieces = [piece for packing in packings for piece in self._walk(packing, batch.ids, tables, mask, read)]
        places = torch.cat([piece.tokens for piece in pieces])
        where = torch.empty_like(batch.ids)
        where[places] = torch.arange(len(places), device=places.device)
        return torch.cat([piece.states for piece in pieces]).index_select(
            0, where if reads_M is None else where[reads_M]
        )

    def _walk(
        self, packing: Packing, ids: torch.Tensor, tables: Tables, mask: torch.Tensor | None, read: Marks | None
    ) -> list[Piece]:
        """Goes through the chunks of one direction; the pieces in which something is read."""
        weights = [layer.of(packing.direction).weights() for layer in self.layers]
        states = [State.zeros(own, 0) for own in weights]
        pieces: list[Piece] = []
        for number, chunk in enumerate(packing.chunks, start=1):
            wanted = read is None or bool(read[chunk.tokens].any())
            new = chunk.sizes[0] - chunk.carried
            begun = [
                s.first(chunk.carried).grown(State.zeros(own, new)) for s, own in zip(states, weights, strict=True)
            ]
            tokens = sent(torch.from_numpy(chunk.tokens), ids.device)
            with torch.set_grad_enabled(torch.is_grad_enabled() and wanted):
                x = self._embed(ids[tokens], chunk, tables, mask)
                x, states = self._through(x, weights, begun, chunk.sizes, carry=number < len(packing.chunks))
                if wanted:
                    pieces.append(Piece(tokens, self.last(x)))
        return pieces

    def _through(
        self, x: torch.Tensor, weights: list[Weights], begun: list[State], sizes: list[int], *, carry: bool
    ) -> tuple[torch.Tensor, list[State]]:
        """All layers over one chunk, and, to be carried on, where each stands after each text's last token."""
        states: list[State] = []
        for number, (layer, own, start) in enumerate(zip(self.layers, weights, begun, strict=True)):
            x, after = layer(self.between(x) if number else x, own, start, sizes, self.settings.cell_clip)
            if carry:
                states.append(State(ends(after.output, sizes), ends(after.cells, sizes)))
        return x, states

    def _mask(self, texts: int) -> torch.Tensor | None:
        """[texts, E] factors of the dimensions of each text's embeddings, or none."""
        rate = self.settings.embedding_dropout
        if not self.training or rate == 0:
            return None
        return drop(self.tokens.weight.new_ones(texts, self.settings.embedded), rate)

    def _embed(self, ids: torch.Tensor, chunk: Chunk, tables: Tables, mask: torch.Tensor | None) -> torch.Tensor:
        """[n, E]; whole dimensions of a text and whole tokens may drop out."""
        x = F.embedding(ids, tables.tokens)
        if mask is not None:
            x = x * mask[sent(torch.from_numpy(chunk.texts), ids.device)]
        if self.training and self.settings.word_dropout > 0:
            x = x * drop(x.new_ones(len(x), 1), self.settings.word_dropout)
        return x

    def new_cache(self, rows: int, length: int) -> "Carried":
        """The states of ``rows`` sequences that have read nothing."""
        return Carried([State.zeros(layer.of(0).weights(), rows) for layer in self.layers])

    @torch.no_grad()
    def advance(self, ids_BT: torch.Tensor, cache: "Carried") -> torch.Tensor:
        """States [B, T, W] of the next T tokens of each sequence, left to right."""
        rows, steps = ids_BT.shape
        x = F.embedding(ids_BT.T.reshape(-1), self.tokens.weight)
        cache.steps = []
        for layer, start in zip(self.layers, cache.states, strict=True):
            x, after = layer(x, layer.of(0).weights(), start, [rows] * steps, self.settings.cell_clip)
            cache.steps.append(State(*(part.view(steps, rows, -1) for part in after)))
        return x.view(steps, rows, -1).transpose(0, 1)


def _read(batch: Batch, packings: list[Packing], reads: torch.Tensor | None) -> Marks | None:
    """[N] whether a token is read, where there are chunks that may keep nothing; else ``None``."""
    if reads is None or all(len(packing.chunks) == 1 for packing in packings):
        return None
    read = np.zeros(batch.num_tokens, bool)
    read[reads.cpu().numpy()] = True
    return read


class Carried:
    """What some sequences have read so far: a state per layer, and those [T, B, …] after each token of the last advance."""

    def __init__(self, states: list[State]) -> None:
        self.states = states
        self.steps: list[State] = []

    def close(self, real: torch.Tensor | int) -> None:
        """Counts the tokens of the last advance that were real, [B] or one number for all rows."""
        rows = torch.arange(len(self.states[0].cells), device=self.states[0].cells.device)
        counts = torch.as_tensor(real, device=rows.device).expand(len(rows))
        last, moved = (counts - 1).clamp(min=0), (counts > 0)[:, None]
        self.states = [
            State(*(torch.where(moved, new[last, rows], old) for new, old in zip(after, state, strict=True)))
            for state, after in zip(self.states, self.steps, strict=True)
        ]

    def keep(self, rows: torch.Tensor) -> "Carried":
        """The past of some of the rows, in the given order."""
        return Carried([State(state.output[rows], state.cells[rows]) for state in self.states])
