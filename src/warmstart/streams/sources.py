"""Sources: numbered groups of Examples. A Stream asks a source for numbers; the source knows where they come from."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.base.seeds import generator
from warmstart.example.example import Example
from warmstart.streams.order import permuted


class Source(Protocol):
    """Anything that can hand out its n units by number. Units are what is shuffled and counted: records or rows."""

    def __len__(self) -> int: ...

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of these units, grouped by the Record they belong to."""
        ...

    def lengths(self, indices: Ints) -> Ints:
        """About how many tokens each of these units has: what is sorted by, not what is counted."""
        ...


class Tokens(Protocol):
    """A flat row of ids with document offsets, such as a corpus on disk."""

    @property
    def num_tokens(self) -> int:
        """Length of the row."""
        ...

    @property
    def offsets(self) -> Ints:
        """[documents + 1] where documents start, and the end."""
        ...

    def tokens(self, start: int, stop: int) -> Ints:
        """Ids from ``start`` to ``stop``."""
        ...


class ListSource:
    """Labelled Records that were framed before: unit i is Record i."""

    def __init__(self, records: Sequence[list[Example]]) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The same Examples in every epoch."""
        return [self.records[i] for i in indices.tolist()]

    def lengths(self, indices: Ints) -> Ints:
        """Of the longest Example of each."""
        return np.array([longest(self.records[i]) for i in indices.tolist()], np.int64)


class AugmentedSource:
    """Units that are framed anew in every epoch, with noise that follows from (seed, epoch, number of the unit).

    ``alike``: the length of all units, where they have one, as images do.
    """

    def __init__(
        self,
        count: int,
        frame: Callable[[int, np.random.Generator], list[Example]],
        seed: int,
        alike: int | None = None,
    ) -> None:
        self.count, self.frame, self.seed = count, frame, seed
        self.known = np.full(count, -1 if alike is None else alike)

    def __len__(self) -> int:
        return self.count

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of these units as this epoch has them."""
        return [self.frame(i, generator(self.seed, "noise", epoch, i)) for i in indices.tolist()]

    def lengths(self, indices: Ints) -> Ints:
        """Of the longest Example of each, as the first epoch has them; each unit is framed for it once."""
        for i in indices[self.known[indices] < 0].tolist():
            self.known[i] = longest(self.frame(i, generator(self.seed, "noise", 0, i)))
        return self.known[indices]


class RowSource:
    """A flat corpus cut into rows of T tokens, and these where documents end; nothing is padded.

    A share of the rows can be held out; which ones is decided by the corpus alone, so runs with different seeds are judged
    on the same rows.
    """

    ahead = 0
    """Tokens behind a row that belong to it too."""

    def __init__(self, tokens: Tokens, width: int, held_out: int = 0, dev: bool = False) -> None:
        self.source, self.width = tokens, width
        self.num_rows = num_rows(tokens.num_tokens, width, self.ahead)
        self.first, self.count = (0, held_out) if dev else (held_out, self.num_rows - held_out)

    def __len__(self) -> int:
        return self.count

    def lengths(self, indices: Ints) -> Ints:
        """All rows have the same length."""
        return np.full(len(indices), self.width)

    def rows(self, indices: Ints) -> list[int]:
        """The rows that these units are."""
        return permuted(indices + self.first, self.num_rows, 0, "held out").tolist()  # type: ignore[no-any-return]

    def pieces(self, row: int) -> list[Ints]:
        """Row ``row`` with what is ahead of it, cut at document borders; at least 2 tokens each."""
        start = row * self.width
        stop = min(start + self.width + self.ahead, self.source.num_tokens)
        offsets = self.source.offsets
        low, high = np.searchsorted(offsets, [start, stop], side="right")
        cuts = [start, *offsets[low:high].tolist(), stop]
        ids = self.source.tokens(start, stop)
        return [ids[a - start : b - start] for a, b in pairwise(cuts) if b - a >= 2]


class Rows(RowSource):
    """Pre-training rows for guessing what comes next: unit i holds the T tokens from i·T on and the one after them.

    Each token of a document after its first is the target of exactly one read per epoch.
    """

    ahead = 1

    def __init__(
        self,
        tokens: Tokens,
        width: int,
        frame: Callable[[Ints], list[Example]],
        held_out: int = 0,
        dev: bool = False,
    ) -> None:
        super().__init__(tokens, width, held_out, dev)
        self.frame = frame

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The pieces of these rows, each framed by itself."""
        return [self.frame(piece) for row in self.rows(indices) for piece in self.pieces(row)]


class DrawnRows(RowSource):
    """Rows whose frame draws something: which tokens it masks, say. Unit i holds the T tokens from i·T on.

    The frame is handed a generator that follows from (seed, epoch, row): it draws anew in each epoch, and the same whenever
    it is asked again.
    """

    def __init__(
        self,
        tokens: Tokens,
        width: int,
        frame: Callable[[Ints, np.random.Generator], list[Example]],
        held_out: int = 0,
        *,
        dev: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(tokens, width, held_out, dev)
        self.frame, self.seed = frame, seed

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The pieces of these rows, each framed by itself."""
        found = []
        for row in self.rows(indices):
            draw = generator(self.seed, "noise", epoch, row)
            found += [self.frame(piece, draw) for piece in self.pieces(row)]
        return found


class Documents:
    """Whole documents: unit i is document i, in pieces of at most ``longest`` tokens where a model can read no more.

    What is held out follows from the corpus alone, as with :class:`RowSource`.
    """

    def __init__(
        self,
        tokens: Tokens,
        longest: int,
        frame: Callable[[Ints], list[Example]],
        held_out: int = 0,
        dev: bool = False,
    ) -> None:
        self.source, self.longest, self.frame = tokens, longest, frame
        self.total = len(tokens.offsets) - 1
        self.first, self.count = (0, held_out) if dev else (held_out, self.total - held_out)

    def __len__(self) -> int:
        return self.count

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """These documents, each piece framed by itself."""
        found = []
        for start, stop in self._borders(indices).tolist():
            for cut in range(start, stop, self.longest):
                found.append(self.frame(self.source.tokens(cut, min(cut + self.longest, stop))))
        return found

    def lengths(self, indices: Ints) -> Ints:
        """Of the longest piece of each."""
        lengths: Ints = np.diff(self._borders(indices), axis=1)[:, 0]
        return np.minimum(lengths, self.longest)

    def _borders(self, indices: Ints) -> Ints:
        """[n, 2] where these documents start and stop."""
        documents = permuted(indices + self.first, self.total, 0, "held out")
        return np.stack([self.source.offsets[documents], self.source.offsets[documents + 1]], 1)


def longest(examples: Sequence[Example]) -> int:
    """Tokens of the longest Example; 0 where there is none."""
    return max(map(len, examples), default=0)


def num_rows(num_tokens: int, width: int, ahead: int = 1) -> int:
    """Rows of ``width`` tokens in a corpus, whose last ``ahead`` only stand behind another; the last row may be shorter."""
    return max(0, -(-(num_tokens - ahead) // width))
