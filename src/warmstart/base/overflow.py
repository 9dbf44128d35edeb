"""Lists that may be larger than memory: what is beyond a budget lies in a temporary file and is read when it is asked for.

The file has no name, so it is gone when the process ends, however it ends. It lies where the system keeps temporary files
(``TMPDIR`` names another place) and holds JSON: a value that JSON cannot hold stays in memory. Where each item ends stands
in a second such file, so that an item that is not in memory takes none at all.
"""

import json
import os
import struct
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.base.files import disk_errors

T = TypeVar("T")
MEMORY_BYTES = 1 << 26
"""About so much of a list is kept in memory."""
BLOCK = 1024
"""Items read together where all are read in order."""
DENSE = 4
"""Items that are read for one that is wanted, at most: where fewer are wanted, each is read by itself."""
_END = struct.Struct("<q")
_TUPLE = "()"  # the only key of an object that stands for a tuple


class Codec(NamedTuple):
    """How items of one type are written.

    Attributes:
        pack: an item as plain values (:func:`to_json` says which).
        unpack: the item of these values.
        size: about how many bytes an item takes in memory.
    """

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]
    size: Callable[[Any], int]


class Selection(Sequence[T]):
    """Some items of a list by their numbers, in this order; none of them is copied.

    Args:
        items: the whole.
        numbers: [n] which.
    """

    def __init__(self, items: "OverflowList[T]", numbers: Ints) -> None:
        self.items, self.numbers = items, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, number: int) -> T: ...
    @overload
    def __getitem__(self, number: slice) -> "Selection[T]": ...
    def __getitem__(self, number: int | slice) -> "T | Selection[T]":
        """An item, or fewer of them."""
        if isinstance(number, slice):
            return Selection(self.items, self.numbers[number])
        return self.items[int(self.numbers[number])]

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self), BLOCK):
            yield from self.items.take(self.numbers[start : start + BLOCK])


class OverflowList(Sequence[T]):
    """A list whose first items are in memory and the others in a file; it grows at its end and does not change otherwise.

    Args:
        codec: of its items.
        memory_bytes: of the items in memory.
    """

    def __init__(self, codec: Codec, memory_bytes: int | None = None) -> None:
        self._codec, self._room = codec, MEMORY_BYTES if memory_bytes is None else memory_bytes
        self._first: list[T] = []
        self._unwritable: dict[int, T] = {}
        self._num_written = self._size = 0
        self._file: Any = None
        self._ends: Any = None

    def append(self, item: T) -> None:
        """Adds an item.

        Raises:
            BadInput: no space for temporary files.
        """
        if self._room > 0:
            self._room -= self._codec.size(item)
            self._first.append(item)
            return
        line = to_json(self._codec.pack(item))
        if line is None:
            self._unwritable[len(self)] = item
            line = b""
        with disk_errors(Path(tempfile.gettempdir())):
            if self._file is None:
                self._file, self._ends = self._new_file(), self._new_file()
                self._ends.write(_END.pack(0))
            self._file.write(line)
            self._size += len(line)
            self._ends.write(_END.pack(self._size))
        self._num_written += 1

    def _new_file(self) -> Any:
        """A file without a name, which is closed with the list."""
        file = tempfile.TemporaryFile(prefix="warmstart-")  # noqa: SIM115
        weakref.finalize(self, file.close)
        return file

    def settled(self) -> Sequence[T]:
        """A plain list, where all of it is in memory; else itself."""
        if self._file is None:
            return self._first
        with disk_errors(Path(tempfile.gettempdir())):
            self._file.flush()
            self._ends.flush()
        return self

    def __len__(self) -> int:
        return len(self._first) + self._num_written

    @overload
    def __getitem__(self, number: int) -> T: ...
    @overload
    def __getitem__(self, number: slice) -> Selection[T]: ...
    def __getitem__(self, number: int | slice) -> T | Selection[T]:
        """An item, or some of them."""
        if isinstance(number, slice):
            return Selection(self, np.arange(*number.indices(len(self))))
        place = range(len(self))[number]
        return self._first[place] if place < len(self._first) else next(self._read(place, place + 1))

    def __iter__(self) -> Iterator[T]:
        yield from self._first
        for start in range(len(self._first), len(self), BLOCK):
            yield from self._read(start, min(start + BLOCK, len(self)))

    def take(self, numbers: Ints) -> Iterator[T]:
        """Some items by their numbers; those that lie close together in the file are read at once."""
        wanted = numbers.tolist()
        first, stop = max(min(wanted), len(self._first)), max(wanted) + 1
        found: dict[int, T] = {}
        if 1 < stop - first <= DENSE * len(wanted):
            found = dict(zip(range(first, stop), self._read(first, stop), strict=True))
        return (found[number] if number in found else self[number] for number in wanted)

    def _read(self, start: int, stop: int) -> Iterator[T]:
        """Items of the file, by their numbers in the list."""
        place, count = start - len(self._first), stop - start + 1
        ends = np.frombuffer(os.pread(self._ends.fileno(), count * _END.size, place * _END.size), "<i8").tolist()
        block = os.pread(self._file.fileno(), ends[-1] - ends[0], ends[0])
        for number, begin, end in zip(range(start, stop), ends, ends[1:], strict=False):
            line = block[begin - ends[0] : end - ends[0]]
            yield self._codec.unpack(from_json(line)) if line else self._unwritable[number]


def gather(items: Iterable[T], codec: Codec) -> Sequence[T]:
    """All ``items``: a list where they fit into memory.

    Raises:
        BadInput: no space for temporary files.
    """
    found: OverflowList[T] = OverflowList(codec)
    for item in items:
        found.append(item)
    return found.settled()


def select(items: Sequence[T], numbers: Ints) -> Sequence[T]:
    """Some items by their numbers: a list where all of them are in memory."""
    if isinstance(items, Selection):
        return Selection(items.items, items.numbers[numbers])
    return Selection(items, numbers) if isinstance(items, OverflowList) else [items[i] for i in numbers.tolist()]


def to_json(value: Any) -> bytes | None:
    """A value as JSON that :func:`from_json` reads back as it is, tuples too; ``None`` where that cannot be."""
    try:
        return json.dumps(_plain(value), ensure_ascii=False).encode("utf-8", "surrogatepass")
    except TypeError:
        return None


def from_json(line: bytes) -> Any:
    """The value that :func:`to_json` has written."""
    return json.loads(line.decode("utf-8", "surrogatepass"), object_hook=_with_tuple)


def _plain(value: Any) -> Any:
    """The same without tuples.

    Raises:
        TypeError: anything else than texts, numbers, truth values, nothing, and lists, tuples and objects of them.
    """
    if value is None or type(value) in (str, int, float, bool):
        return value
    if type(value) is list:
        return [_plain(inner) for inner in value]
    if type(value) is tuple:
        return {_TUPLE: [_plain(inner) for inner in value]}
    if type(value) is dict and _TUPLE not in value and all(type(key) is str for key in value):
        return {key: _plain(inner) for key, inner in value.items()}
    raise TypeError(f"not plain: {type(value)}")


def _with_tuple(found: dict[str, Any]) -> Any:
    return tuple(found[_TUPLE]) if _TUPLE in found else found
