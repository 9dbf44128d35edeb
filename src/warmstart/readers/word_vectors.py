"""Reads word vectors in text form: a word and its numbers per line, with or without word2vec's first line of counts."""

from collections.abc import Callable

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.readers.text_io import RESTORE, read_lines


def read_word_vectors(path: str, is_wanted: Callable[[str], bool]) -> dict[str, Floats]:
    """The vectors of the words for which ``is_wanted`` is true; of a word that comes twice, the first.

    Raises:
        BadInput: no such file, a line that is no vector, vectors of different widths, fewer lines than the first one
            says, or no wanted word.
    """
    vectors: dict[str, Floats] = {}
    width = num_vectors = number = 0
    for number, line in enumerate(read_lines(path), start=1):
        word, *numbers = line.rstrip().split(" ")
        if number == 1 and len(numbers) == 1 and word.isdigit() and numbers[0].isdigit():
            num_vectors, width = int(word), int(numbers[0])
            continue
        width = width or len(numbers)
        if len(numbers) != width or not numbers:
            raise BadInput(
                "this vector has another width than those before", where=f"{path}:{number}",
                value=f"{len(numbers)} numbers", allowed=f"a word and {max(1, width)} numbers", next_step=RESTORE,
            )  # fmt: skip
        if is_wanted(word) and word not in vectors:
            vectors[word] = _numbers(numbers, f"{path}:{number}")
    if num_vectors and number - 1 < num_vectors:
        raise BadInput(
            "the file has fewer vectors than its first line says", where=path, value=number - 1,
            allowed=str(num_vectors), next_step=RESTORE,
        )  # fmt: skip
    if not vectors:
        raise BadInput(
            "no word of the vocabulary has a vector here", where=path,
            next_step="use vectors for the language and the case of your text, and --vocabulary words",
        )  # fmt: skip
    return vectors


def _numbers(words: list[str], where: str) -> Floats:
    try:
        vector = np.array(words, np.float64)
    except ValueError:
        raise BadInput("not a vector", where=where, value=" ".join(words)[:60], allowed="numbers") from None
    if not (np.abs(vector) <= np.finfo(np.float32).max).all():
        raise BadInput("not a vector", where=where, value=" ".join(words)[:60], allowed="finite numbers of float32")
    return vector.astype(np.float32)
