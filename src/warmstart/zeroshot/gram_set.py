"""A set of 64-bit numbers: one row, sorted, each number once.

It takes 64 bits a number, as a Bloom filter for a rate of false positives of 1e-8 does whose bits lie in one line of the
cache (65), errs only where two n-grams have one number, and is made faster, since sorting reads memory in order where a
filter jumps. While it is made it takes up to 24 bytes a number.

G numbers that are asked for.
"""

from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from warmstart.zeroshot.ngrams import Hashes

LEAST = 1 << 22
"""Numbers that wait to be sorted in, at least; of a large set half as many as it has."""


class GramSet:
    """Distinct numbers.

    Attributes:
        numbers: in rising order.
    """

    def __init__(self, numbers: Hashes) -> None:
        self.numbers = numbers

    @classmethod
    def collect(cls, parts: Iterable[Hashes]) -> Self:
        """The set of all numbers of some arrays, which may come in any order."""
        found, waiting, count = cls(np.zeros(0, np.uint64)), list[Hashes](), 0
        for part in parts:
            waiting.append(part)
            count += len(part)
            if count > max(LEAST, len(found.numbers) // 2):
                found._take(waiting)
                waiting, count = [], 0
        found._take(waiting)
        return found

    def _take(self, parts: list[Hashes]) -> None:
        row = np.concatenate([self.numbers, *parts])
        parts.clear()
        self.numbers = row[:0]  # so that only one row is in memory
        row.sort()
        first = np.ones(len(row), bool)
        np.not_equal(row[1:], row[:-1], out=first[1:])
        self.numbers = row[first]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def rate(self) -> float:
        """The probability that a random number which was not added is found all the same."""
        return len(self) / 2**64

    def contains(self, numbers: Hashes) -> NDArray[np.bool_]:
        """[G] whether each number is in it."""
        found = np.zeros(len(numbers), bool)
        if len(self):
            order = np.argsort(numbers)  # numbers in order are near each other in the set
            asked = numbers[order]
            places = np.searchsorted(self.numbers, asked)
            found[order] = self.numbers[np.minimum(places, len(self) - 1)] == asked
        return found
