"""Word vectors as arrays: ``.npz``, ``.safetensors`` and Parquet; the words stand in the file or in one beside it.

``FILE,VOCABULARY`` names the file of words. Without it ``NAME.npz`` and ``NAME.safetensors`` look for ``NAME.vocab.txt``.
Parquet has a column ``word`` and a column ``vector``.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.readers.npz import read_npz_arrays
from warmstart.readers.text_io import RESTORE, open_binary, read_lines
from warmstart.readers.vector_table import Wanted, WordVectors, select, unique_words

VOCABULARY = ".vocab.txt"
_WORDS = ("words", "vocab", "vocabulary", "index_to_key")
Arrays = Mapping[str, NDArray[np.generic]]


def read_npz(path: str, vocabulary: str, is_wanted: Wanted | None = None) -> WordVectors:
    """Vectors of an ``.npz``: one matrix and, unless the vocabulary is a file of its own, one array of words.

    Raises:
        BadInput: a damaged file, no such arrays, or another number of words than rows.
    """
    return _words_of(path, vocabulary, read_npz_arrays(path), is_wanted)


def read_safetensors(path: str, vocabulary: str, is_wanted: Wanted | None = None) -> WordVectors:
    """Vectors of a safetensors file with one matrix, and its vocabulary.

    Raises:
        BadInput: no such file, a damaged one, several matrices, or another number of words than rows.
    """
    with open_binary(path):
        pass  # its errors say more than the library's
    try:
        return _words_of(path, vocabulary, load_file(path), is_wanted)
    except SafetensorError as error:
        raise BadInput(f"not a readable safetensors file ({error})", where=path, next_step=RESTORE) from None


def read_parquet_vectors(path: str, vocabulary: str, is_wanted: Wanted | None = None) -> WordVectors:
    """Vectors of a Parquet file.

    Raises:
        BadInput: pyarrow is missing, other columns, or vectors of several widths.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BadInput(
            "reading Parquet needs the pyarrow package", where=path, next_step="pip install 'warmstart[parquet]'"
        ) from None
    with open_binary(path) as stream:
        try:
            table = pyarrow.parquet.read_table(stream, columns=["word", "vector"])
            words, lists = table["word"].to_pylist(), table["vector"].combine_chunks()
            flat = np.asarray(lists.flatten(), np.float32)
        except (pyarrow.ArrowException, KeyError, OSError, ValueError) as error:
            raise BadInput(
                f"no word vectors in this Parquet file ({error})", where=path, allowed="columns word and vector",
                next_step=RESTORE,
            ) from None  # fmt: skip
    width = len(flat) // max(1, len(words))
    if width * len(words) != len(flat) or len({len(one) for one in lists[:1000]}) > 1:
        raise BadInput("the vectors are not all of one width", where=path, next_step=RESTORE)
    return select(unique_words(words, flat.reshape(len(words), width)), is_wanted)


def _words_of(path: str, vocabulary: str, arrays: Arrays, is_wanted: Wanted | None) -> WordVectors:
    matrices = {name: array for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind == "f"}
    if len(matrices) != 1:
        raise BadInput(
            "not one matrix of vectors", where=path, value=", ".join(matrices) or "none",
            allowed="one array of two axes of floats", next_step=RESTORE,
        )  # fmt: skip
    matrix: Floats = np.asarray(next(iter(matrices.values())), np.float32)
    words = _words(path, vocabulary, arrays)
    if len(words) != len(matrix):
        raise BadInput(
            "another number of words than vectors", where=vocabulary or path, value=f"{len(words):,} words",
            allowed=f"{len(matrix):,}", next_step="name the vocabulary that was written with these vectors",
        )  # fmt: skip
    return select(unique_words(words, matrix), is_wanted)


def _words(path: str, vocabulary: str, arrays: Arrays) -> list[str]:
    beside = str(Path(path).with_suffix("")) + VOCABULARY
    named = next((arrays[name] for name in _WORDS if name in arrays and arrays[name].dtype.kind in "US"), None)
    if vocabulary or (named is None and Path(beside).exists()):
        return [line.rstrip("\n") for line in read_lines(vocabulary or beside)]
    if named is None:
        raise BadInput(
            "vectors without their words", where=path, allowed=f"an array named {' or '.join(_WORDS)}, or a vocabulary",
            next_step=f"name the file of words, one a line: {path},VOCABULARY",
        )  # fmt: skip
    return [word.decode("utf-8") if isinstance(word, bytes) else str(word) for word in named.tolist()]
