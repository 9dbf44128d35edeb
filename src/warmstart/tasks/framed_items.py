"""What a training reads of its Records, item by item: kept in memory as far as it fits, and made again when it is read.

An item is what may be batched by itself: the Examples of a Record, or of one of its windows. What is made of a Record is a
function of the Record and its frame alone, so nobody can tell an item that was kept from one that is made again.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar, overload

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.parts import Account, FramedRecords, Lengths, Parts

T = TypeVar("T")
MEMORY_BYTES = 1 << 27
"""About so much of the items is kept."""
CHUNK = 1024
"""Records framed together: enough to keep all cores busy, few enough to stay small."""
OBJECT_BYTES, TOKEN_BYTES = 1200, 16
"""What an Example takes in memory, and each of its tokens."""

Make = Callable[[Sequence[Record]], FramedRecords]


class FramedItems(Sequence[T]):
    """Items of Records by their numbers.

    Args:
        records: of the training; each is framed once here, so that one that cannot be framed is refused.
        make: frames some Records.

    Attributes:
        account: of all Records.
        record_lengths: of all Records, in tokens.
    """

    def __init__(self, records: Sequence[Record], make: Make) -> None:
        self._records, self._make = records, make
        self._kept: list[T] = []
        self.account, room = Account(), MEMORY_BYTES
        ends, tokens, lengths = array("q", [0]), array("i"), Lengths()
        remaining = iter(records)
        while chunk := list(islice(remaining, CHUNK)):
            framed = make(chunk)
            for own in self.split(framed):
                ends.append(ends[-1] + len(own))
                tokens.extend(map(self.longest, own))
                if room > 0:
                    self._kept += own
                    room -= sum(map(self.size, own))
            self.account += framed.account
            lengths = Lengths.join([lengths, framed.lengths])
        self._tokens, self._ends = np.asarray(tokens), _item_ends(np.asarray(ends))
        self.record_lengths = lengths

    def split(self, framed: FramedRecords) -> list[list[T]]:
        """The items of each Record."""
        raise NotImplementedError

    def longest(self, item: T) -> int:
        """About how many tokens an item has: good enough to sort by."""
        raise NotImplementedError

    def size(self, item: T) -> int:
        """About how many bytes an item takes in memory."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._tokens)

    @overload
    def __getitem__(self, number: int) -> T: ...
    @overload
    def __getitem__(self, number: slice) -> list[T]: ...
    def __getitem__(self, number: int | slice) -> T | list[T]:
        """An item, or some, which are then all in memory."""
        if isinstance(number, slice):
            return self.take(0, np.arange(*number.indices(len(self))))
        return self.take(0, np.array([range(len(self))[number]]))[0]

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self), CHUNK):
            yield from self.take(0, np.arange(start, min(start + CHUNK, len(self))))

    def take(self, epoch: int, indices: Ints) -> list[T]:
        """Some items, the same in every epoch."""
        if len(self._kept) == len(self):
            return [self._kept[i] for i in indices.tolist()]
        found = self._made_again(indices[indices >= len(self._kept)])
        return [self._kept[i] if i < len(self._kept) else found[i] for i in indices.tolist()]

    def _made_again(self, indices: Ints) -> dict[int, T]:
        """Number of an item that is not kept → the item, with all others of its Record."""
        numbers, starts = self._records_of(indices)
        items = self.split(self._make([self._records[n] for n in numbers.tolist()])) if len(numbers) else []
        return {
            start + k: item for start, own in zip(starts.tolist(), items, strict=True) for k, item in enumerate(own)
        }

    def _records_of(self, indices: Ints) -> tuple[Ints, Ints]:
        """The numbers of the Records that some items are of, and that of the first item of each Record."""
        if self._ends is None:
            numbers = np.unique(indices)
            return numbers, numbers
        numbers = np.unique(np.searchsorted(self._ends, indices, side="right") - 1)
        return numbers, self._ends[numbers]

    def lengths(self, indices: Ints) -> Ints:
        """[n] tokens of the longest Example of each."""
        return self._tokens[indices].astype(np.int64)


def _item_ends(ends: Ints) -> Ints | None:
    """[records + 1] where the items of each Record end; ``None`` where each is one item, since it says nothing then."""
    return None if np.array_equal(ends, np.arange(len(ends))) else ends


class ExampleItems(FramedItems[list[Example]]):
    """Examples that are batched together, a list for each item.

    Args:
        records: as in :class:`FramedItems`.
        make: likewise.
        divide: the items of one Record, from its Examples and the number of windows that it is read in.
    """

    def __init__(
        self, records: Sequence[Record], make: Make, divide: Callable[[list[Example], int], list[list[Example]]]
    ) -> None:
        self._divide = divide
        super().__init__(records, make)

    def split(self, framed: FramedRecords) -> list[list[list[Example]]]:
        """As the kind of task divides them."""
        return [self._divide(own, count) for own, count in zip(framed.examples, framed.windows, strict=True)]

    def longest(self, item: list[Example]) -> int:
        """Tokens of the longest Example."""
        return max(map(len, item), default=0)

    def size(self, item: list[Example]) -> int:
        """Of its Examples."""
        return sum(OBJECT_BYTES + TOKEN_BYTES * len(example) for example in item)


NO_ITEMS = ExampleItems([], lambda records: FramedRecords([], [], Account()), lambda examples, count: [examples])


class PartsItems(FramedItems[Parts]):
    """The cut texts of each Record as ids, for Examples that are made anew in every epoch."""

    def split(self, framed: FramedRecords) -> list[list[Parts]]:
        """One of each Record."""
        return [[parts] for parts in framed.parts]

    def longest(self, item: Parts) -> int:
        """Tokens of all texts."""
        return len(item)

    def size(self, item: Parts) -> int:
        """Of its arrays."""
        return OBJECT_BYTES // 2 + TOKEN_BYTES * len(item)


Redraw = Callable[[int, np.random.Generator], list[Example]]
"""Number of a Record and a generator → its Examples in one epoch."""


class TrainingData(NamedTuple):
    """What a training reads.

    Attributes:
        items: Examples that are batched together; none where they are drawn anew.
        redraw: how a Record is framed anew in every epoch, or ``None``.
        account: of the Records.
        lengths: of the Records in tokens.
    """

    items: ExampleItems
    redraw: Redraw | None
    account: Account
    lengths: Lengths = Lengths()

    @staticmethod
    def of(items: ExampleItems) -> "TrainingData":
        """The same Examples in every epoch."""
        return TrainingData(items, None, items.account, items.record_lengths)

    @staticmethod
    def drawn(redraw: Redraw, account: Account, lengths: Lengths = Lengths()) -> "TrainingData":  # noqa: B008
        """Others in every epoch."""
        return TrainingData(NO_ITEMS, redraw, account, lengths)
