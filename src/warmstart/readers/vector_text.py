"""Word vectors in text form (word2vec's, GloVe's, fastText's ``.vec``): a word and its numbers per line.

A first line of counts may stand before them; empty lines are skipped. Words are cut off by Python, and the numbers of a
block of lines are read by one call of NumPy's reader, which rounds as Python's ``float`` does. Only a block that it refuses
is read line by line: to name the line, or because a word has blanks in it (GloVe of 840 B tokens).
"""

import re
from collections.abc import Iterator

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.readers.text_io import RESTORE, read_text_blocks
from warmstart.readers.vector_table import VectorTable, Wanted, WordVectors

_BLANKS = " \t\r"
Lines = list[tuple[int, str]]
"""Numbered from 1; none is empty."""


def read_text_vectors(path: str, is_wanted: Wanted | None = None, encoding: str = "utf-8") -> WordVectors:
    """The vectors of a text file.

    Raises:
        BadInput: a line that is no word with numbers, another number of these than before, or a first line of counts that
            are not those of the file.
    """
    blocks = _blocks(path, encoding)
    block: Lines = next(blocks, [])
    counts = _counts(block[0][1]) if block else None
    if counts:
        block = block[1:] or next(blocks, [])
    expected, width = counts or (0, len(_fields(block[0][1])) - 1 if block else 1)
    reader = _Reader(path, width, is_wanted, VectorTable(max(1, width), expected))
    while block:
        reader.read(block)
        block = next(blocks, [])
    reader.check_count(expected)
    return reader.table.finish()


def _counts(line: str) -> tuple[int, int] | None:
    """Vectors and their width, as a first line says; of a line that is none, nothing."""
    parts = line.split()
    is_counts = len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts)
    return (int(parts[0]), int(parts[1])) if is_counts else None


def _fields(line: str) -> list[str]:
    return re.split("[ \t]+", line.rstrip(_BLANKS))


def _blocks(path: str, encoding: str) -> Iterator[Lines]:
    """The lines that are not empty, some at a time."""
    number, rest = 1, ""
    for text in read_text_blocks(path, encoding):
        *lines, rest = (rest + text).split("\n")
        numbered = [(n, line) for n, line in enumerate(lines, start=number) if line.strip(_BLANKS)]
        number += len(lines)
        if numbered:
            yield numbered
    if rest.strip(_BLANKS):
        yield [(number, rest)]


class _Reader:
    """Lines → words and rows of one table."""

    def __init__(self, path: str, width: int, is_wanted: Wanted | None, table: VectorTable) -> None:
        self.path, self.width, self.is_wanted, self.table = path, width, is_wanted, table
        self.num_lines = 0

    def read(self, lines: Lines) -> None:
        """Adds the vectors of some lines."""
        self.num_lines += len(lines)
        kept = lines if self.is_wanted is None else [one for one in lines if self._is_kept(*one, self.is_wanted)]
        split = [_split_word(line) for _, line in kept]
        words = [word for word, _ in split]
        vectors = _parse([numbers for _, numbers in split])
        if vectors.shape != (len(words), self.width) or not all(words) or not np.isfinite(vectors).all():
            words = []
            vectors = np.empty((len(kept), self.width), np.float32)
            for row, (number, line) in zip(vectors, kept, strict=True):
                word, row[:] = self._read_line(number, line)
                words.append(word)
        self.table.add(words, vectors)

    def _is_kept(self, number: int, line: str, is_wanted: Wanted) -> bool:
        """Whether the word of a line is wanted; also the line of another word must not be short."""
        word, numbers = _split_word(line)
        count = numbers.count(" ") + numbers.count("\t") + 1
        if count < self.width:
            raise self._wrong_width(number, len(_fields(line)) - 1)
        return count > self.width or is_wanted(word)

    def _read_line(self, number: int, line: str) -> tuple[str, Floats]:
        """The word of one line, which may have blanks in it, and its vector."""
        fields = _fields(line)
        parts, numbers = fields[: -self.width or None], fields[-self.width :]
        where, shown = f"{self.path}:{number}", " ".join(numbers)[:60]
        if not 0 < self.width < len(fields) or not parts[0] or any(map(_is_number, parts[1:])):
            raise self._wrong_width(number, len(fields) - 1)
        if not all(map(_is_number, numbers)):
            raise BadInput("not a vector", where=where, value=shown, allowed="numbers", next_step=RESTORE)
        vector = np.array(numbers, np.float64)
        if not (np.abs(vector) <= np.finfo(np.float32).max).all():
            raise BadInput("not a vector", where=where, value=shown, allowed="finite numbers of float32")
        return " ".join(parts), vector.astype(np.float32)

    def _wrong_width(self, number: int, count: int) -> BadInput:
        return BadInput(
            "this vector has another width than those before", where=f"{self.path}:{number}", value=f"{count} numbers",
            allowed=f"a word and {max(1, self.width)} numbers", next_step=RESTORE,
        )  # fmt: skip

    def check_count(self, expected: int) -> None:
        """Refuses another number of lines than the first one says."""
        if expected and self.num_lines != expected:
            what = "fewer" if self.num_lines < expected else "more"
            raise BadInput(
                f"the file has {what} vectors than its first line says", where=self.path, value=self.num_lines,
                allowed=str(expected), next_step=RESTORE,
            )  # fmt: skip


def _split_word(line: str) -> tuple[str, str]:
    word, _, numbers = line.partition("\t" if "\t" in line else " ")
    return word, numbers.rstrip(_BLANKS)


def _parse(lines: list[str]) -> Floats:
    """[n, D] the numbers of some lines; [0, 0] where these are not the same number of numbers in each."""
    try:
        with np.errstate(over="ignore"):
            return np.loadtxt(lines, np.float32, comments=None, ndmin=2) if all(lines) else np.empty((0, 0), np.float32)
    except ValueError:
        return np.empty((0, 0), np.float32)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word
