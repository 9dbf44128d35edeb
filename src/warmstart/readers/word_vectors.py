"""Word vectors in files: the table of their forms by ending. Any other ending is text."""

from collections.abc import Callable

from warmstart.base.errors import BadInput
from warmstart.readers.text_io import RESTORE, split_extensions
from warmstart.readers.vector_arrays import read_npz, read_parquet_vectors, read_safetensors
from warmstart.readers.vector_binary import read_binary_vectors
from warmstart.readers.vector_table import Wanted, WordVectors
from warmstart.readers.vector_text import read_text_vectors

READERS: dict[str, Callable[[str, str, Wanted | None], WordVectors]] = {
    ".bin": read_binary_vectors,
    ".npz": read_npz,
    ".safetensors": read_safetensors,
    ".parquet": read_parquet_vectors,
}
"""Ending → the reader of (file, vocabulary, which words)."""


def read_word_vectors(path: str, is_wanted: Wanted | None = None, encoding: str = "utf-8") -> WordVectors:
    """The vectors of a file; of the words for which ``is_wanted`` is true, where it is given.

    Args:
        path: of the file; ``FILE,VOCABULARY`` where the words stand in a file of their own, one a line.
        is_wanted: which words are kept. The numbers of others are counted, not read.
        encoding: of text.

    Raises:
        BadInput: no such file, a line that is no vector, vectors of different widths, counts in a first line that are
            not those of the file, or no (wanted) word.
    """
    file, _, vocabulary = path.partition(",")
    reader = READERS.get(split_extensions(file)[0])
    found = reader(file, vocabulary, is_wanted) if reader else read_text_vectors(file, is_wanted, encoding)
    if not found.words:
        step = "use vectors for the language and the case of your text, and --vocabulary words"
        raise BadInput(
            "no word of the vocabulary has a vector here" if is_wanted else "a file without vectors", where=path,
            next_step=step if is_wanted else RESTORE,
        )  # fmt: skip
    return found
