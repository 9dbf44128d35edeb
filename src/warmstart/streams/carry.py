"""Rows of a corpus in the order of its text, so that a model can carry its state from one row of a document to the next.

The carried states have b slots, one for each row of a batch (truncated back-propagation through time). A slot reads a
stretch of the corpus of its own, one row a step. An Example names the slot whose state it begins with: none at the beginning
of a document, of an epoch, or after a row that is held out. Where the stretches begin follows from (seed, epoch); the model
keeps the states.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.base.seeds import derive_seed
from warmstart.example.example import Example
from warmstart.streams.sources import RowSource, TokenCorpus


class CarriedRowSource(RowSource):
    """Item i is the row that slot i mod b reads at step i div b of an epoch.

    Args:
        corpus: the text.
        width: tokens of a row.
        frame: makes one Example of each piece of a row.
        held_out: rows that are left out.
        carry_rows: b. Where it does not divide the rows, the first slots have one more.
        seed: names where the slots begin.
        lookahead: tokens after a row that the frame gets too, as targets.
        backward: from the last row to the first, for a frame that reads from the end.
    """

    def __init__(
        self, corpus: TokenCorpus, width: int, frame: Callable[..., list[Example]], held_out: int, carry_rows: int,
        *, seed: int = 0, lookahead: int = 1, backward: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(corpus, width, frame, held_out, lookahead=lookahead)
        self.carry_rows, self.seed, self.backward = carry_rows, seed, backward
        self.kept = np.sort(self.rows(np.arange(self.count)))

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of these rows; the first of a row may begin with its slot's state, the last leaves one there."""
        items = []
        for number in indices.tolist():
            step, slot = divmod(number, self.carry_rows)
            row = self._row(epoch, slot, step)
            # In the order of reading: the model must read a slot's state before it overwrites it.
            pieces = self.split_row(row)[:: -1 if self.backward else 1]
            examples = [example for piece in pieces for example in self.frame(piece)]
            if not examples:
                continue
            if step > 0 and self._continues(self._row(epoch, slot, step - 1), row):
                examples[0] = replace(examples[0], carry_in=slot)
            examples[-1] = replace(examples[-1], carry_out=slot)
            items += [[example] for example in examples]
        return items

    def _row(self, epoch: int, slot: int, step: int) -> int:
        each, rest = divmod(self.count, self.carry_rows)
        place = slot * each + min(slot, rest) + step
        if self.backward:
            place = self.count - 1 - place
        return int(self.kept[(place + derive_seed(self.seed, "lanes", epoch)) % self.count])

    def _continues(self, before: int, row: int) -> bool:
        """Whether the first token that is read of a row stands in the document of the last one read of the row before."""
        if row - before != (-1 if self.backward else 1):
            return False
        seam = (
            max(before, row) * self.width
        )  # no Example reads a piece of one token: a border behind it is one here too
        low, high = np.searchsorted(self.corpus.offsets, [seam, seam + 2])
        return bool(low == high)
