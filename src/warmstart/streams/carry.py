"""Lanes: rows of a corpus in the order of its text, so that what was read of a document can go on in the next row.

A batch of b rows is b lanes. Each lane runs through a stretch of the corpus of its own, one row a step, and an Example says
in which lane it goes on from the step before: nowhere at the beginning of a document, of an epoch, or behind a row that is
held out. Where the stretches begin follows from (seed, epoch); what is kept of a lane is the model's.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.base.seeds import named_seed
from warmstart.example.example import Example
from warmstart.streams.sources import Rows, Tokens


class CarriedRows(Rows):
    """Unit i is the row that lane i mod b reads at step i div b of an epoch; its T tokens and the one after them.

    Args:
        tokens: the corpus.
        width: T.
        frame: makes one Example of each piece.
        held_out: rows that are left out.
        lanes: b. Where it does not divide the rows, the first lanes have one more.
        seed: names where the lanes begin.
        backward: from the last row to the first, for a frame that reads from the end.
    """

    def __init__(
        self,
        tokens: Tokens,
        width: int,
        frame: Callable[[Ints], list[Example]],
        held_out: int,
        carry_rows: int,
        *,
        seed: int = 0,
        backward: bool = False,
    ) -> None:
        super().__init__(tokens, width, frame, held_out)
        self.carry_rows, self.seed, self.backward = carry_rows, seed, backward
        self.kept = np.sort(self.rows(np.arange(self.count)))

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The pieces of these rows, each framed by itself; the first may go on, the last is handed on."""
        found = []
        for unit in indices.tolist():
            step, lane = divmod(unit, self.carry_rows)
            row = self._row(epoch, lane, step)
            # In the order of reading: what is handed on must not be overwritten before it is read.
            pieces = self.pieces(row)[:: -1 if self.backward else 1]
            examples = [example for piece in pieces for example in self.frame(piece)]
            if not examples:
                continue
            if step > 0 and self._carries_in(self._row(epoch, lane, step - 1), row):
                examples[0] = replace(examples[0], carry_in=lane)
            examples[-1] = replace(examples[-1], carry_out=lane)
            found += [[example] for example in examples]
        return found

    def _row(self, epoch: int, lane: int, step: int) -> int:
        each, rest = divmod(self.count, self.carry_rows)
        place = lane * each + min(lane, rest) + step
        if self.backward:
            place = self.count - 1 - place
        return int(self.kept[(place + named_seed(self.seed, "lanes", epoch)) % self.count])

    def _carries_in(self, before: int, row: int) -> bool:
        """Whether the first thing that is read of a row stands in the document of the last thing read of another."""
        if row - before != (-1 if self.backward else 1):
            return False
        seam = max(before, row) * self.width  # a piece of one token is not read: a border behind it is one here too
        low, high = np.searchsorted(self.source.offsets, [seam, seam + 2])
        return bool(low == high)
