"""What readers of word vectors make: words, and a matrix with a row for each. The first vector of a word counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from warmstart.base.arrays import Floats

Wanted = Callable[[str], bool]
_FIRST_ROWS, _MOST_NUMBERS = 1 << 14, 1 << 31


@dataclass(frozen=True, slots=True, eq=False)
class WordVectors:
    """Words and their vectors.

    Attributes:
        words: none twice.
        matrix: [V, D] a vector for each.
        num_duplicates: how often the file has a word again; its first vector counts.
        compose: a word that is not among them → its vector [D], or ``None`` where no part of it is known; only of files
            that hold the vectors of parts of words.
    """

    words: list[str]
    matrix: Floats
    num_duplicates: int = 0
    compose: Callable[[str], Floats | None] | None = None

    @property
    def width(self) -> int:
        """D."""
        return int(self.matrix.shape[1])


class VectorTable:
    """Words and rows as they are read; the matrix grows in place."""

    def __init__(self, width: int, expected: int = 0) -> None:
        """Empty.

        Args:
            width: D.
            expected: vectors that the file says it has. Memory that nobody writes to costs nothing, so a wrong number is
                harmless.
        """
        self._rows: dict[str, int] = {}
        self._num_duplicates = 0
        self._matrix = np.empty((min(expected or _FIRST_ROWS, max(1, _MOST_NUMBERS // width)), width), np.float32)

    def add(self, words: Sequence[str], vectors_ND: Floats) -> None:
        """Adds words with their vectors."""
        start, rows, first = len(self._rows), self._rows, []
        for number, word in enumerate(words):
            if word not in rows:
                rows[word] = len(rows)
                first.append(number)
        self._make_room(len(rows))
        self._matrix[start : len(rows)] = vectors_ND if len(first) == len(words) else vectors_ND[first]
        self._num_duplicates += len(words) - len(first)

    def finish(self) -> WordVectors:
        """What was read."""
        return WordVectors(list(self._rows), self._matrix[: len(self._rows)], self._num_duplicates)

    def _make_room(self, count: int) -> None:
        if count > len(self._matrix):
            larger = np.empty((max(count, 2 * len(self._matrix)), self._matrix.shape[1]), np.float32)
            larger[: len(self._matrix)] = self._matrix
            self._matrix = larger


def unique_words(words: Sequence[str], matrix_VD: Floats) -> WordVectors:
    """Words with a matrix that is there already; it is copied only where a word comes twice."""
    rows: dict[str, int] = {}
    for row, word in enumerate(words):
        rows.setdefault(word, row)
    if len(rows) == len(words):
        return WordVectors(list(words), matrix_VD)
    return WordVectors(list(rows), matrix_VD[list(rows.values())], len(words) - len(rows))


def select(found: WordVectors, is_wanted: Wanted | None) -> WordVectors:
    """The same without the words that are not wanted."""
    if is_wanted is None:
        return found
    rows = [row for row, word in enumerate(found.words) if is_wanted(word)]
    return WordVectors([found.words[row] for row in rows], found.matrix[rows], found.num_duplicates, found.compose)
