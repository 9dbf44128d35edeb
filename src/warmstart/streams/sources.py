"""Sources: numbered groups of Examples. A Stream asks a Source for numbers; the Source knows where they come from."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints
from warmstart.base.seeds import generator
from warmstart.example.example import Example
from warmstart.streams.order import permute

Frame = Callable[[NDArray[Any]], list[Example]]
NoisyFrame = Callable[[NDArray[Any], np.random.Generator], list[Example]]


class Source(Protocol):
    """Gives n items by their numbers. An item is what a Stream shuffles and counts: a record, a row, a document."""

    def __len__(self) -> int: ...

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of these items, grouped by the Record they belong to."""
        ...

    def lengths(self, indices: Ints) -> Ints:
        """About how many tokens each of these items has: good enough to sort by."""
        ...


class TokenCorpus(Protocol):
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
    """Examples in memory: item i is Record i."""

    def __init__(self, records: Sequence[list[Example]]) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The same Examples in every epoch."""
        return [self.records[i] for i in indices.tolist()]

    def lengths(self, indices: Ints) -> Ints:
        """Of the longest Example of each."""
        return np.array([max_length(self.records[i]) for i in indices.tolist()], np.int64)


class AugmentedSource:
    """Items that are framed anew in every epoch, with noise that follows from (seed, epoch, number of the item).

    Args:
        count: of the items.
        frame: makes the Examples of an item, by its number, with the generator of its noise.
        seed: names the noise.
        same_length: the length of every item, where all have the same, as images do.
    """

    def __init__(
        self,
        count: int,
        frame: Callable[[int, np.random.Generator], list[Example]],
        seed: int,
        same_length: int | None = None,
    ) -> None:
        self.count, self.frame, self.seed = count, frame, seed
        self._lengths = np.full(count, -1 if same_length is None else same_length, np.int32)

    def __len__(self) -> int:
        return self.count

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of these items as this epoch has them."""
        return [self.frame(i, generator(self.seed, "noise", epoch, i)) for i in indices.tolist()]

    def lengths(self, indices: Ints) -> Ints:
        """Of the longest Example of each, as the first epoch has them; each item is framed for it once."""
        for i in indices[self._lengths[indices] < 0].tolist():
            self._lengths[i] = max_length(self.frame(i, generator(self.seed, "noise", 0, i)))
        return self._lengths[indices].astype(np.int64)


class RenamedSource:
    """A source whose Examples ask one of their goals, and its head, under other names.

    Args:
        source: of the items.
        goal: its name there.
        name: its name here.
        head: the head that it asks.
    """

    def __init__(self, source: Source, goal: str, name: str, head: str) -> None:
        self.source, self.goal, self.name, self.head = source, goal, name, head

    def __len__(self) -> int:
        return len(self.source)

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of these items."""
        items = self.source.take(epoch, indices)
        return [[example.rename_goal(self.goal, self.name, self.head) for example in item] for item in items]

    def lengths(self, indices: Ints) -> Ints:
        """As the source has them."""
        return self.source.lengths(indices)


class UnknownWordsSource:
    """A source of which some tokens are read as unknown, others in every epoch; what is learned stays as it is.

    Args:
        source: of the items.
        rate: chance of each token.
        unknown: what is read instead.
        kept: ids that always stay: special tokens.
        seed: names which.
    """

    def __init__(self, source: Source, rate: float, unknown: int, kept: Sequence[int], seed: int) -> None:
        self.source, self.rate, self.unknown, self.seed = source, rate, unknown, seed
        self.kept = np.array(sorted({unknown, *kept}), np.int64)

    def __len__(self) -> int:
        return len(self.source)

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of these items as this epoch has them."""
        found = []
        for i, item in zip(indices.tolist(), self.source.take(epoch, indices), strict=True):
            draw = generator(self.seed, "unknown words", epoch, i)
            found.append([self._with_unknown(example, draw) for example in item])
        return found

    def _with_unknown(self, example: Example, draw: np.random.Generator) -> Example:
        hidden = (draw.random(len(example)) < self.rate) & ~np.isin(example.ids, self.kept)
        return replace(example, ids=np.where(hidden, self.unknown, example.ids))

    def lengths(self, indices: Ints) -> Ints:
        """As the source has them."""
        return self.source.lengths(indices)


class RowSource:
    """Rows of a corpus, cut where documents end; nothing is padded. Item i holds the T tokens of one row.

    With one token of ``lookahead`` each token of a document after its first is the target of exactly one read per epoch.

    Args:
        corpus: the text.
        width: T.
        frame: makes Examples of each piece of a row.
        held_out: rows for evaluation. The corpus alone decides which, so that runs with different seeds have the same.
        dev: take these rows; else all others.
        lookahead: tokens after a row that the frame gets too, as targets.
    """

    def __init__(
        self, corpus: TokenCorpus, width: int, frame: Callable[..., list[Example]], held_out: int = 0, dev: bool = False,
        lookahead: int = 1,
    ) -> None:  # fmt: skip
        self.corpus, self.width, self.frame, self.lookahead = corpus, width, frame, lookahead
        self.num_rows = max(0, -(-(corpus.num_tokens - lookahead) // width))
        self.first, self.count = (0, held_out) if dev else (held_out, self.num_rows - held_out)

    def __len__(self) -> int:
        return self.count

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of each piece of these rows."""
        return [self.frame(piece) for row in self.rows(indices) for piece in self.split_row(row)]

    def lengths(self, indices: Ints) -> Ints:
        """All rows have the same length."""
        return np.full(len(indices), self.width)

    def rows(self, indices: Ints) -> list[int]:
        """The rows that these items are."""
        return permute(indices + self.first, self.num_rows, 0, "held out").tolist()  # type: ignore[no-any-return]

    def split_row(self, row: int) -> list[Ints]:
        """The ids of a row, and of its lookahead, document by document; a piece of one token is left out."""
        start = row * self.width
        stop = min(start + self.width + self.lookahead, self.corpus.num_tokens)
        offsets = self.corpus.offsets
        low, high = np.searchsorted(offsets, [start, stop], side="right")
        cuts = [start, *offsets[low:high].tolist(), stop]
        ids = self.corpus.tokens(start, stop)
        return [ids[a - start : b - start] for a, b in pairwise(cuts) if b - a >= 2]


class NoisyRowSource(RowSource):
    """Rows whose frame needs random numbers, for example to choose which tokens it masks.

    The frame gets a generator that follows from (seed, epoch, row): other noise in each epoch, the same at each call.
    """

    def __init__(
        self, corpus: TokenCorpus, width: int, frame: NoisyFrame, held_out: int = 0, dev: bool = False, lookahead: int = 0,
        *, seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(corpus, width, frame, held_out, dev, lookahead)
        self.seed = seed

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of each piece of these rows as this epoch has them."""
        examples = []
        for row in self.rows(indices):
            rng = generator(self.seed, "noise", epoch, row)
            examples += [self.frame(piece, rng) for piece in self.split_row(row)]
        return examples


class DocumentSource:
    """Whole documents: item i is document i, in pieces of at most ``max_ids`` ids.

    The corpus alone decides what is held out, as in :class:`RowSource`.
    """

    def __init__(self, corpus: TokenCorpus, max_ids: int, frame: Frame, held_out: int = 0, dev: bool = False) -> None:
        self.corpus, self.max_ids, self.frame = corpus, max_ids, frame
        self.num_documents = len(corpus.offsets) - 1
        self.first, self.count = (0, held_out) if dev else (held_out, self.num_documents - held_out)

    def __len__(self) -> int:
        return self.count

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of each piece of these documents."""
        return [
            self.frame(self.corpus.tokens(cut, min(cut + self.max_ids, stop)))
            for start, stop in self._bounds(indices).tolist()
            for cut in range(start, stop, self.max_ids)
        ]

    def lengths(self, indices: Ints) -> Ints:
        """Of the longest piece of each."""
        lengths: Ints = np.diff(self._bounds(indices), axis=1)[:, 0]
        return np.minimum(lengths, self.max_ids)

    def _bounds(self, indices: Ints) -> Ints:
        """[n, 2] where these documents start and stop."""
        documents = permute(indices + self.first, self.num_documents, 0, "held out")
        return np.stack([self.corpus.offsets[documents], self.corpus.offsets[documents + 1]], 1)


def max_length(examples: Sequence[Example]) -> int:
    """Tokens of the longest Example; 0 where there is none."""
    return max(map(len, examples), default=0)
