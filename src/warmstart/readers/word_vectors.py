"""Word vectors as text: a word and its numbers on each line, blanks between, with word2vec's line of counts or without."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.readers.text_io import read_lines


def read_word_vectors(path: str, wanted: Callable[[str], bool]) -> dict[str, NDArray[np.float32]]:
    """The vectors of the words that are ``wanted``, all of one width; of a word that comes twice the first.

    Raises:
        BadInput: no such file, a line that is no vector or is shorter or longer than those before, fewer lines than the
            first one says, or nothing wanted.
    """
    found: dict[str, NDArray[np.float32]] = {}
    width = announced = number = 0
    for number, line in enumerate(read_lines(path), start=1):
        word, *numbers = line.rstrip().split(" ")
        if number == 1 and len(numbers) == 1 and word.isdigit() and numbers[0].isdigit():
            announced, width = int(word), int(numbers[0])
            continue
        width = width or len(numbers)
        if len(numbers) != width or not numbers:
            raise BadInput(
                "a line of another length than those before", where=f"{path}:{number}", value=f"{len(numbers)} numbers",
                allowed=f"a word and {max(1, width)} numbers", next_step="restore the file from a copy",
            )  # fmt: skip
        if wanted(word) and word not in found:
            found[word] = _numbers(numbers, f"{path}:{number}")
    if announced and number - 1 < announced:
        raise BadInput(
            "fewer vectors than the first line says", where=path, value=number - 1, allowed=str(announced),
            next_step="restore the file from a copy",
        )  # fmt: skip
    if not found:
        raise BadInput(
            "no word of the vocabulary has a vector here", where=path,
            next_step="give vectors of the text's language and case, and --vocabulary words",
        )  # fmt: skip
    return found


def _numbers(given: list[str], where: str) -> NDArray[np.float32]:
    try:
        vector = np.array(given, np.float64)
    except ValueError:
        raise BadInput("not a vector", where=where, value=" ".join(given)[:60], allowed="numbers") from None
    if not (np.abs(vector) <= np.finfo(np.float32).max).all():
        raise BadInput("not a vector", where=where, value=" ".join(given)[:60], allowed="finite numbers of float32")
    return vector.astype(np.float32)
