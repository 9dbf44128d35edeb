"""Types of arrays that several rooms name, their fingerprint, equal values, and arrays that thousands of Examples share."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
"""[H, W, 3] red, green and blue of each pixel."""
MIN_SHARED = 4096
SOME_VALUES = 1 << 19
"""Values that are sorted together, about."""

_counting, _ones, _zeros = np.arange(0), np.ones(0, np.float32), np.zeros(0, np.int64)


def count_up(count: int) -> Ints:
    """[count] 0 1 2 …: a part of one array that all callers share, so it cannot be written to."""
    global _counting
    if count > len(_counting):
        _counting = _read_only(np.arange(max(count, 2 * len(_counting), MIN_SHARED)))
    return _counting[:count]


def shared_ones(count: int) -> Floats:
    """[count] ones, shared likewise."""
    global _ones
    if count > len(_ones):
        _ones = _read_only(np.ones(max(count, 2 * len(_ones), MIN_SHARED), np.float32))
    return _ones[:count]


def shared_zeros(count: int) -> Ints:
    """[count] zeros, shared likewise."""
    global _zeros
    if count > len(_zeros):
        _zeros = _read_only(np.zeros(max(count, 2 * len(_zeros), MIN_SHARED), np.int64))
    return _zeros[:count]


def _read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


class Repeats(NamedTuple):
    """Which values of a row stand further up too.

    Attributes:
        numbers: [r] their numbers, ascending.
        first: [r] for each the number of the first equal value.
    """

    numbers: Ints
    first: Ints

    def distinct(self, count: int) -> Ints:
        """The numbers of all others among ``count`` values: the first of each."""
        is_first = np.ones(count, bool)
        is_first[self.numbers] = False
        return np.flatnonzero(is_first)


def find_repeats(values: Ints) -> Repeats:
    """Equal values of a row; beside what is found memory is taken for a part of them at a time, by their last bits."""
    parts = 1 << min(8, (len(values) // SOME_VALUES).bit_length())
    own_part = values.astype(np.uint8) & (parts - 1)
    numbers, first = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for part in range(parts):
        places = np.flatnonzero(own_part == part)
        _, begin, same = np.unique(values[places], return_index=True, return_inverse=True)
        earlier = places[begin[same]]
        is_repeat = earlier != places
        numbers.append(places[is_repeat])
        first.append(earlier[is_repeat])
    found = np.concatenate(numbers)
    order = np.argsort(found)
    return Repeats(found[order], np.concatenate(first)[order])


def find_in(values: Ints, table: Ints) -> Ints:
    """[n] the number of the first value of ``table`` that each is equal to; -1 where none is."""
    wanted, same = np.unique(values, return_inverse=True)
    found = np.full(len(wanted), -1)
    for start in reversed(range(0, len(table) if len(wanted) else 0, SOME_VALUES)):
        some = table[start : start + SOME_VALUES]
        places = np.minimum(np.searchsorted(wanted, some), len(wanted) - 1)
        hits = np.flatnonzero(wanted[places] == some)[::-1]  # what is assigned last stays
        found[places[hits]] = start + hits
    return found[same]


def digest_arrays(arrays: Mapping[int, NDArray[Any]]) -> str:
    """SHA-256 of numbered arrays, in whatever order they are."""
    digest = hashlib.sha256()
    for number in sorted(arrays):
        digest.update(f"{number} {arrays[number].dtype} {arrays[number].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[number]).data)
    return digest.hexdigest()
