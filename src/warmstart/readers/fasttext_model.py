"""fastText's models (``.bin``, version 12): the vectors of words, and of parts of words for those that it has not seen.

A word's vector is the mean of its own row and of the rows of its character n-grams, ``<`` and ``>`` around it; that of an
unseen word the mean of its n-grams (Bojanowski et al. 2017, section 3.2). An n-gram's row is a hash of its bytes (FNV-1a).
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.readers.text_io import RESTORE
from warmstart.readers.vector_table import Wanted, WordVectors

MAGIC = struct.pack("<i", 793712314)
_VERSION = 12
_END = "</s>"


class _Arguments(NamedTuple):
    """What a model was trained with, as the file has it."""

    dim: int
    window: int
    epoch: int
    min_count: int
    negatives: int
    word_ngrams: int
    loss: int
    model: int
    bucket: int
    min_n: int
    max_n: int
    update_rate: int


@dataclass(frozen=True, slots=True)
class _Parts:
    """The rows of words and n-grams."""

    matrix: Floats
    num_words: int
    arguments: _Arguments

    def ngrams(self, word: str) -> list[int]:
        """Rows of a word's n-grams."""
        found = character_ngrams(word, self.arguments.min_n, self.arguments.max_n)
        return [self.num_words + ngram_hash(ngram) % self.arguments.bucket for ngram in found]

    def vector(self, row: int, word: str) -> Floats:
        """[D] of a word that the model has seen."""
        rows = [row] if word == _END or not self.arguments.max_n else [row, *self.ngrams(word)]
        return np.asarray(self.matrix[rows].mean(axis=0, dtype=np.float32))

    def compose(self, word: str) -> Floats | None:
        """[D] of a word that it has not seen."""
        rows = self.ngrams(word)
        return np.asarray(self.matrix[rows].mean(axis=0, dtype=np.float32)) if rows else None


def character_ngrams(word: str, shortest: int, longest: int) -> Iterator[bytes]:
    """The character n-grams of a word in ``<`` and ``>``, as UTF-8; a boundary alone is none."""
    text = f"<{word}>"
    for start in range(len(text)):
        for size in range(shortest, min(longest, len(text) - start) + 1):
            if not (size == 1 and start in (0, len(text) - 1)):
                yield text[start : start + size].encode("utf-8")


def ngram_hash(data: bytes) -> int:
    """FNV-1a of 32 bits over signed bytes, as fastText has it.

    >>> ngram_hash(b""), ngram_hash(b"a")
    (2166136261, 3826002220)
    """
    value = 2166136261
    for byte in data:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return value


def read_fasttext_model(path: str, data: mmap.mmap | bytes, is_wanted: Wanted | None = None) -> WordVectors:
    """The vectors of the words of a model; ``compose`` makes those of others.

    Raises:
        BadInput: another version, a quantised model, or a file that is cut short.
    """
    try:
        words, parts = _read(path, data)
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise BadInput(f"a damaged fastText model ({error})", where=path, next_step=RESTORE) from None
    kept = [(row, word) for row, word in enumerate(words) if is_wanted is None or is_wanted(word)]
    matrix = np.empty((len(kept), parts.arguments.dim), np.float32)
    for out, (row, word) in zip(matrix, kept, strict=True):
        out[:] = parts.vector(row, word)
    return WordVectors([word for _, word in kept], matrix, compose=parts.compose if parts.arguments.max_n else None)


def _read(path: str, data: mmap.mmap | bytes) -> tuple[list[str], _Parts]:
    version, *numbers = struct.unpack_from("<13i", data, 4)
    arguments = _Arguments(*numbers)
    if version != _VERSION:
        raise _not_read(path, f"version {version}")
    place = 4 + 13 * 4 + 8  # behind the numbers and one double
    size, num_words, _, _, num_pruned = struct.unpack_from("<iiiqq", data, place)
    place += struct.calcsize("<iiiqq")
    words = []
    for _ in range(size):
        end = data.find(b"\0", place)
        if end < 0:
            raise ValueError("its list of words is cut short")
        words.append(data[place:end].decode("utf-8"))
        place = end + 1 + 9  # a count and a kind
    place += 8 * max(0, num_pruned)
    if num_pruned > 0 or data[place]:
        raise _not_read(path, "a quantised model")
    rows, width = struct.unpack_from("<qq", data, place + 1)
    matrix = np.frombuffer(data, "<f4", rows * width, place + 17).reshape(rows, width)
    return words[:num_words], _Parts(matrix, num_words, arguments)


def _not_read(path: str, value: str) -> BadInput:
    return BadInput(
        "this fastText model cannot be read", where=path, value=value, allowed=f"version {_VERSION}, not quantised",
        next_step="use the file .bin, not .ftz, or the vectors as text, .vec",
    )  # fmt: skip
