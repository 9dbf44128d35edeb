"""word2vec's binary form (``.bin``): a line of two counts; then each word, a blank and its float32 numbers.

The file is mapped into memory: only the vectors that are kept are copied. fastText's models have the same ending and begin
with a number of their own (:mod:`warmstart.readers.fasttext_model`).
"""

import contextlib
import mmap
from collections.abc import Iterator

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.readers.fasttext_model import MAGIC, read_fasttext_model
from warmstart.readers.text_io import RESTORE, open_binary, split_extensions
from warmstart.readers.vector_table import VectorTable, Wanted, WordVectors

_BLOCK, _LONGEST_WORD = 4096, 1 << 12


def read_binary_vectors(path: str, vocabulary: str, is_wanted: Wanted | None = None) -> WordVectors:
    """The vectors of a ``.bin`` file of word2vec's or fastText's.

    Raises:
        BadInput: a first line without counts, a file that is cut short, or a word that is no UTF-8.
    """
    with _bytes_of(path) as data:
        if data[:4] == MAGIC:
            return read_fasttext_model(path, data, is_wanted)
        return _read_word2vec(path, data, is_wanted)


@contextlib.contextmanager
def _bytes_of(path: str) -> Iterator[mmap.mmap | bytes]:
    """The bytes of a file: mapped, or decompressed into memory."""
    with open_binary(path) as stream:
        if split_extensions(path)[1]:
            yield stream.read()
        else:
            try:
                yield mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:  # an empty file
                yield b""


def _read_word2vec(path: str, data: mmap.mmap | bytes, is_wanted: Wanted | None) -> WordVectors:
    expected, width, place = _counts(path, data)
    table, size = VectorTable(width, expected), 4 * width
    words: list[str] = []
    vectors = np.empty((_BLOCK, width), np.float32)
    for number in range(expected):
        blank = data.find(b" ", place, place + _LONGEST_WORD)
        if blank < 0 or blank + 1 + size > len(data):
            raise _cut_short(path, number, expected)
        word = _decode(path, number, data[place:blank])
        place = blank + 1 + size
        if is_wanted is None or is_wanted(word):
            vectors[len(words)] = np.frombuffer(data, "<f4", width, blank + 1)
            words.append(word)
        if len(words) == _BLOCK:
            table.add(words, vectors)
            words = []
    table.add(words, vectors[: len(words)])
    if data[place:].strip(b"\n"):
        raise BadInput(
            "the file has more vectors than its first line says", where=path, value=f"{len(data) - place:,} bytes more",
            allowed=f"{expected:,} vectors", next_step=RESTORE,
        )  # fmt: skip
    return table.finish()


def _counts(path: str, data: mmap.mmap | bytes) -> tuple[int, int, int]:
    """Vectors, numbers in each, and where the first word begins."""
    end = data.find(b"\n", 0, 64)
    parts = data[: max(end, 0)].split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) < 1:
        raise BadInput(
            "no binary vectors", where=path, value=data[:20], next_step=RESTORE,
            allowed="word2vec's binary form, which begins with the number of vectors and their width, or fastText's",
        )  # fmt: skip
    return int(parts[0]), int(parts[1]), end + 1


def _cut_short(path: str, number: int, expected: int) -> BadInput:
    return BadInput(
        "the file has fewer vectors than its first line says", where=path, value=number, allowed=str(expected),
        next_step=RESTORE,
    )  # fmt: skip


def _decode(path: str, number: int, word: bytes) -> str:
    try:
        return word.lstrip(b"\n").decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"a word that is not utf-8 text ({error.reason})", where=f"{path}, vector {number + 1}", value=word,
            next_step=RESTORE,
        ) from None  # fmt: skip
