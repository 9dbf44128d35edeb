"""A Bloom filter of 64-bit numbers (Bloom 1970) whose bits for one number lie in one line of the cache.

The filter is a row of blocks of 512 bits; a number names a block and two bits in each of its eight words. So an insertion
or a question touches one place in memory, not dozens, at the price of about 65 bits a number for a rate of 1e-8, where bits
all over the filter take 38 (Putze et al. 2007, blocked Bloom filters).

The rate of false positives follows from the numbers in the filter: those in a block are Poisson, and a question is
answered wrongly where all 16 bits are set.
"""

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from warmstart.zeroshot.ngrams import Hashes, mix

WORDS, BITS = 8, 2
"""64-bit words of a block; bits of each that a number sets."""
STEP = 1 << 12
"""Numbers handled together."""
_SALT = np.uint64(0xA0761D6478BD642F)
_PAIR = 4096  # pairs of places in a word
_MASKS = (np.uint64(1) << np.arange(64, dtype=np.uint64))[np.arange(_PAIR) % 64] | (
    np.uint64(1) << np.arange(64, dtype=np.uint64)
)[np.arange(_PAIR) // 64]
"""[4096] the word in which two places, 6 bits each, are set."""
_ALL = np.uint64(0x0101010101010101)  # eight true values


class BloomFilter:
    """Numbers that were added are in it; others are with a known small probability.

    Attributes:
        table: [blocks, 8] the bits.
        added: numbers that were added and were not in it before; one that comes twice in a call may count twice.
    """

    def __init__(self, table: NDArray[np.uint64], added: int = 0) -> None:
        self.table, self.added = table, added

    @classmethod
    def for_size(cls, size: int, rate: float) -> Self:
        """An empty filter that keeps the rate while it holds at most ``size`` numbers."""
        return cls(np.zeros((blocks_for(size, rate), WORDS), np.uint64))

    @property
    def rate(self) -> float:
        """The probability that a number which was not added is found all the same."""
        return false_positive_rate(self.added, len(self.table))

    def add(self, numbers: Hashes) -> None:
        """Adds some numbers."""
        for part in _split(numbers):
            blocks, bits = self._places(part)
            rows = np.take(self.table, blocks, 0)
            self.added += len(part) - int(np.count_nonzero(_has(rows, bits)))
            while len(blocks):  # of several numbers with one block the last one's bits stay; the others come again
                self.table[blocks] = rows | bits
                missing = ~_has(np.take(self.table, blocks, 0), bits)
                blocks, bits = blocks[missing], bits[missing]
                rows = np.take(self.table, blocks, 0)

    def contains(self, numbers: Hashes) -> NDArray[np.bool_]:
        """Whether each number is in it."""
        found = [_has(np.take(self.table, blocks, 0), bits) for blocks, bits in map(self._places, _split(numbers))]
        return np.concatenate(found) if found else np.zeros(0, bool)

    def _places(self, numbers: Hashes) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """[G] the block of each number, [G, 8] its bits there."""
        with np.errstate(over="ignore"):
            blocks = (numbers >> np.uint64(32)) * np.uint64(len(self.table)) >> np.uint64(32)
            more = np.stack([mix(numbers + _SALT * np.uint64(turn)) for turn in (1, 2)], 1)
        bits = np.take(_MASKS, more.view(np.uint16) & np.uint16(_PAIR - 1))
        return blocks.astype(np.int64), bits


def _split(numbers: Hashes) -> list[Hashes]:
    return [numbers[start : start + STEP] for start in range(0, len(numbers), STEP)]


def _has(rows_G8: NDArray[np.uint64], bits_G8: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """[G] whether all bits are set."""
    same = np.equal(rows_G8 & bits_G8, bits_G8).view(np.uint64)[:, 0]
    return np.asarray(same == _ALL)


def false_positive_rate(size: int, blocks: int) -> float:
    """The probability that a number which is not among ``size`` others in so many blocks is found all the same."""
    mean = size / blocks
    chance, total = math.exp(-mean), 0.0
    for count in range(1, int(mean + 40 * math.sqrt(mean) + 40)):
        chance *= mean / count
        total += chance * (1 - (1 - 1 / 64) ** (BITS * count)) ** (BITS * WORDS)
    return total


def blocks_for(size: int, rate: float) -> int:
    """The fewest blocks that keep the rate."""
    low, high = 1, max(2, size * 64)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if false_positive_rate(size, middle) <= rate else (middle + 1, high)
    return low


class GrowingFilter:
    """A filter for numbers of which nobody knows how many will come: when it is full a second one, twice as large, begins.

    The first keeps half of the rate, each further one half of what is left, so their sum stays below (Almeida et al. 2007).

    Args:
        rate: of false positives, at most.
        size: numbers that are expected.
        filters: those that there are already.
    """

    def __init__(self, rate: float, size: int, filters: Sequence[BloomFilter] = ()) -> None:
        self.wanted, self.size = rate, max(1 << 15, size)
        self.filters = list(filters) or [BloomFilter.for_size(self.size, rate / 2)]

    @property
    def rate(self) -> float:
        """The probability that a number which was not added is found all the same."""
        return sum(one.rate for one in self.filters)

    @property
    def added(self) -> int:
        """Numbers that were added, about as many as distinct ones."""
        return sum(one.added for one in self.filters)

    def add(self, numbers: Hashes) -> None:
        """Adds some numbers."""
        for part in _split(numbers):
            count = len(self.filters)
            if self.filters[-1].added + len(part) > self.size << (count - 1):
                self.filters.append(BloomFilter.for_size(self.size << count, self.wanted / 2 ** (count + 1)))
            for full in self.filters[:-1]:
                part = part[~full.contains(part)]
            self.filters[-1].add(part)

    def contains(self, numbers: Hashes) -> NDArray[np.bool_]:
        """Whether each number is in it."""
        found: NDArray[np.bool_] = np.any([one.contains(numbers) for one in self.filters], axis=0)
        return found
