"""Vectors to a file, in the form that its ending names; :mod:`warmstart.readers.word_vectors` reads all of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors.numpy import save

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.files import write_atomic, write_bytes, write_text
from warmstart.readers.vector_arrays import VOCABULARY

_ROWS = 1024


def check_ending(path: str) -> None:
    """Refuses a file whose ending names no form.

    Raises:
        BadInput: such an ending.
    """
    ending = Path(path).suffix.lower()
    if ending not in WRITERS:
        raise unknown_name_error("ending", ending, WRITERS, "--out")


def write_vectors(path: str, words: Sequence[str], vectors_TD: Floats) -> None:
    """Writes words or texts with their vectors.

    Raises:
        BadInput: a disk that takes none, or words with blanks or line ends in a form that cannot hold them.
    """
    WRITERS[Path(path).suffix.lower()](Path(path), words, vectors_TD)


def _text(path: Path, words: Sequence[str], vectors_TD: Floats) -> None:
    _check_words(path, words, " \t\r\n")

    def write(file: BinaryIO) -> None:
        file.write(f"{len(words)} {vectors_TD.shape[1]}\n".encode())
        for start in range(0, len(words), _ROWS):
            numbers = vectors_TD[start : start + _ROWS].astype(
                str
            )  # the shortest form that is read as the same float32
            for word, row in zip(words[start : start + _ROWS], numbers, strict=True):
                file.write(f"{word} {' '.join(row)}\n".encode())

    write_atomic(path, write)


def _binary(path: Path, words: Sequence[str], vectors_TD: Floats) -> None:
    _check_words(path, words, " \n")

    def write(file: BinaryIO) -> None:
        file.write(f"{len(words)} {vectors_TD.shape[1]}\n".encode())
        for word, row in zip(words, vectors_TD.astype("<f4"), strict=True):
            file.write(word.encode() + b" " + row.tobytes() + b"\n")

    write_atomic(path, write)


def _npz(path: Path, words: Sequence[str], vectors_TD: Floats) -> None:
    write_atomic(path, lambda file: np.savez(file, words=np.array(words), vectors=vectors_TD))


def _safetensors(path: Path, words: Sequence[str], vectors_TD: Floats) -> None:
    _check_words(path, words, "\n")
    write_bytes(path, save({"vectors": np.ascontiguousarray(vectors_TD)}))
    write_text(Path(str(path.with_suffix("")) + VOCABULARY), "".join(f"{word}\n" for word in words))


def _parquet(path: Path, words: Sequence[str], vectors_TD: Floats) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BadInput(
            "writing Parquet needs the pyarrow package", where=str(path), next_step="pip install 'warmstart[parquet]'"
        ) from None
    lists = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors_TD.ravel()), vectors_TD.shape[1])
    table = pyarrow.table({"word": list(words), "vector": lists})
    write_atomic(path, lambda file: pyarrow.parquet.write_table(table, file))


def _check_words(path: Path, words: Sequence[str], marks: str) -> None:
    wrong = next((word for word in words if any(mark in word for mark in marks)), None)
    if wrong is not None:
        raise BadInput(
            "a word with a blank or a line end, which this form cannot hold", where=str(path), value=wrong,
            allowed=".npz and .parquet hold any text", next_step="choose another ending for --out",
        )  # fmt: skip


WRITERS: dict[str, Callable[[Path, Sequence[str], Floats], None]] = {
    ".vec": _text,
    ".txt": _text,
    ".bin": _binary,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".parquet": _parquet,
}
"""Ending → what writes this form."""
