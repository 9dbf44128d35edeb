"""The two sides of a Batch as an encoder-decoder reads them: the sources, and the texts that are written of them.

Of each document the tokens of turn 0 are the source, and all others, which stand behind them, the target. Both sides are
Batches again, flat and packed: document i of one belongs to document i of the other.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from warmstart.base.arrays import Ints
from warmstart.example.batch import Batch, to_device
from warmstart.example.sight import Pattern, pattern_of


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """A Batch in two.

    Attributes:
        source: positions as they stand.
        target: positions less the tokens of the source, behind which a frame counts them on; turns from 0 on, unless
            pseudo tokens need theirs.
        places: [N] where each token of the Batch stands in the sources followed by the targets.
        pairs: [2, P] the numbers of each pair's documents in both; others stand alone.
    """

    source: Batch
    target: Batch
    places: torch.Tensor
    pairs: Ints

    @property
    def in_pairs(self) -> bool:
        """Whether every document has both a source and a target."""
        return len(self.pairs[0]) == len(self.source.lengths) == len(self.target.lengths)

    def join(
        self, read_SD: torch.Tensor, written_TD: torch.Tensor, reads_M: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The states [N, D] of all tokens of the Batch, or those [M, D] of its tokens ``reads_M``, from both sides'."""
        places = self.places if reads_M is None else self.places.index_select(0, reads_M)
        return torch.cat([read_SD, written_TD]).index_select(0, places)


def split_sides(batch: Batch) -> Sides:
    """Source and target of every document, which may have one of the two alone; asks the device nothing.

    Raises:
        ValueError: a document with a target that begins before its source ends.
    """
    turns, starts = batch.turns.numpy(), np.cumsum(batch.lengths) - batch.lengths
    behind = turns != 0
    written = np.add.reduceat(behind.astype(np.int64), starts)
    read = batch.lengths - written
    first = np.repeat(starts + read, batch.lengths)  # of each token's target
    if not np.array_equal(behind, np.arange(len(turns)) >= first):
        raise ValueError("an encoder-decoder reads a source (turn 0) and behind it a target")
    sources, targets = np.flatnonzero(~behind), np.flatnonzero(behind)
    places = np.empty(len(turns), np.int64)
    places[np.concatenate([sources, targets])] = np.arange(len(turns))
    device = batch.ids.device
    counted = to_device(torch.from_numpy(np.repeat(read, written)), device)  # tokens of each target's source
    target = _part(batch, targets, written[written > 0])
    own = turns[targets] - (turns.min() >= 0)
    target = replace(
        target,
        positions=target.positions - counted,
        turns=torch.from_numpy(own),
        pattern=pattern_of(own, np.repeat(np.cumsum(written) - written, written)),
    )
    numbers = np.stack([np.cumsum(read > 0), np.cumsum(written > 0)])[:, (read > 0) & (written > 0)] - 1
    return Sides(_part(batch, sources, read[read > 0]), target, to_device(torch.from_numpy(places), device), numbers)


def take_documents(batch: Batch, documents: Ints) -> tuple[Batch, torch.Tensor]:
    """Some documents of a Batch, without goals, and which of its tokens they are; of no document an empty Batch."""
    starts = np.cumsum(batch.lengths) - batch.lengths
    spans = [np.arange(starts[n], starts[n] + batch.lengths[n]) for n in documents]
    rows = np.concatenate([np.zeros(0, np.int64), *spans])
    part = replace(_part(batch, rows, batch.lengths[documents]), pattern=batch.pattern)
    return part, to_device(torch.from_numpy(rows), batch.ids.device)


def _part(batch: Batch, rows: Ints, lengths: Ints) -> Batch:
    """Some tokens of each document, without goals."""
    here = to_device(torch.from_numpy(rows), batch.ids.device)
    return replace(
        batch,
        ids=batch.ids.index_select(0, here),
        positions=batch.positions.index_select(0, here),
        turns=batch.turns[torch.from_numpy(rows)],
        lengths=lengths,
        pattern=Pattern.FULL,
        goals={},
        segments=None if batch.segments is None else batch.segments.index_select(0, here),
    )
