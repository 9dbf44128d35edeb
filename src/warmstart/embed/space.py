"""A space: the vectors of one source, a row per word, and how a word that has no row of its own is found.

Shapes: V words of a source, D their width, T terms that are asked for.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import unknown_name_error
from warmstart.readers.vector_table import WordVectors

_WORD = re.compile(r"\w+|[^\w\s]+")
NUMBER, PUNCTUATION = "<number>", "<punct>"
"""Words that stand for all numbers and for all punctuation (ETNLP)."""


@dataclass(frozen=True, eq=False)
class Space:
    """The vectors of one source.

    Attributes:
        name: of the source, as people read it.
        vectors: its words and their rows.
        characters: vectors of single characters, for words that are not found otherwise.
        encoder: texts → their vectors [n, D], of a model; a file's words make those of a text by their mean.
    """

    name: str
    vectors: WordVectors
    characters: "Space | None" = None
    encoder: Callable[[Iterable[str]], Floats] | None = None

    def encode(self, texts: Sequence[str], steps: Sequence[str]) -> Floats:
        """[n, D] the vectors of texts: a model's, or the mean of the words that are found (zeros where none is)."""
        if self.encoder is not None:
            return self.encoder(texts)
        split = [split_words(text) for text in texts]
        terms = find_terms(self, (word for words in split for word in words), steps)
        vectors = np.zeros((len(texts), self.width), np.float32)
        for vector, words in zip(vectors, split, strict=True):
            rows = [terms.rows[word] for word in words if word in terms.rows]
            if rows:
                vector[:] = terms.vectors_TD[rows].mean(axis=0)
        return vectors

    @property
    def words(self) -> list[str]:
        """Its words, in the file's order."""
        return self.vectors.words

    @property
    def width(self) -> int:
        """D."""
        return self.vectors.width

    @cached_property
    def rows(self) -> dict[str, int]:
        """Word → row."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def unit_VD(self) -> Floats:
        """The vectors at length 1; a vector of zeros stays one."""
        return to_unit(self.vectors.matrix)

    def row(self, word: str) -> Floats | None:
        """The vector of a word that has one."""
        row = self.rows.get(word)
        return None if row is None else self.vectors.matrix[row]


def split_words(text: str) -> list[str]:
    """The words of a text: letters and digits, or other marks without a blank between them."""
    return _WORD.findall(text)


def to_unit(matrix_ND: Floats) -> Floats:
    """Vectors at length 1, as float32; a vector of zeros stays one."""
    lengths = np.sqrt(np.einsum("nd,nd->n", matrix_ND, matrix_ND, dtype=np.float64))
    return np.asarray(matrix_ND / np.maximum(lengths, 1e-30)[:, None].astype(np.float32), np.float32)


def _word(space: Space, term: str) -> Floats | None:
    return space.row(term)


def _lower(space: Space, term: str) -> Floats | None:
    return space.row(term.lower())


def _joined(space: Space, term: str) -> Floats | None:
    """A phrase whose words are joined by ``_``, as many files have it."""
    joined = term.replace(" ", "_")
    found = space.row(joined)
    return space.row(joined.lower()) if found is None else found


def _number(space: Space, term: str) -> Floats | None:
    return space.row(NUMBER) if any(map(str.isdigit, term)) and not any(map(str.isalpha, term)) else None


def _punctuation(space: Space, term: str) -> Floats | None:
    return None if any(map(str.isalnum, term)) else space.row(PUNCTUATION)


def _mean(space: Space, term: str) -> Floats | None:
    """The mean of the words of a phrase; words that have no vector do not count."""
    parts = term.split(" ") if " " in term else term.split("_")
    rows = [space.rows.get(part, space.rows.get(part.lower(), -1)) for part in parts]
    return _mean_of(space, [row for row in rows if row >= 0]) if len(parts) > 1 else None


def _mean_of(space: Space, rows: Sequence[int]) -> Floats | None:
    return np.asarray(space.vectors.matrix[rows].mean(axis=0, dtype=np.float32)) if len(rows) else None


def _subwords(space: Space, term: str) -> Floats | None:
    """Of the parts of words that the source has vectors of."""
    return None if space.vectors.compose is None else space.vectors.compose(term)


def _characters(space: Space, term: str) -> Floats | None:
    """The mean of the word's characters, in the first numbers of the vector where these are fewer (ETNLP)."""
    if space.characters is None:
        return None
    own = space.characters.rows
    mean = _mean_of(space.characters, [own[letter] for letter in term if letter in own])
    if mean is None:
        return None
    vector = np.zeros(space.width, np.float32)
    vector[: len(mean)] = mean[: space.width]
    return vector


STEPS: dict[str, Callable[[Space, str], Floats | None]] = {
    "word": _word,
    "lower": _lower,
    "joined": _joined,
    "number": _number,
    "punctuation": _punctuation,
    "mean": _mean,
    "subwords": _subwords,
    "characters": _characters,
}
"""Ways to find the vector of a term, in the order in which they are tried."""


def check_steps(steps: Sequence[str], where: str) -> None:
    """Refuses a name that is no step.

    Raises:
        BadInput: such a name.
    """
    for step in steps:
        if step not in STEPS:
            raise unknown_name_error("way to find a vector", step, STEPS, where)


class Terms(NamedTuple):
    """Terms of a task, looked up in one space.

    Attributes:
        rows: term → row of ``vectors_TD``, of the terms that were found.
        vectors_TD: their vectors, as the source has them.
        places_T: row in the space of a term that is one of its words, else -1.
        ways: term → the step that found it, of the terms that were found.
        counts: step → terms that were found by it; ``none`` → those that were not.
    """

    rows: dict[str, int]
    vectors_TD: Floats
    places_T: Ints
    ways: dict[str, str]
    counts: Counter[str]


def find_terms(space: Space, terms: Iterable[str], steps: Sequence[str]) -> Terms:
    """Looks up distinct ``terms``, each by the first step that finds it."""
    rows: dict[str, int] = {}
    vectors: list[NDArray[np.float32]] = []
    places: list[int] = []
    ways: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for term in dict.fromkeys(terms):
        found, how = _find(space, term, steps)
        counts[how] += 1
        if found is not None:
            rows[term], ways[term] = len(vectors), how
            vectors.append(found)
            places.append(_place(space, term, how))
    matrix = np.stack(vectors) if vectors else np.zeros((0, space.width), np.float32)
    return Terms(rows, matrix, np.array(places, np.int64), ways, counts)


def _find(space: Space, term: str, steps: Sequence[str]) -> tuple[Floats | None, str]:
    for step in steps:
        found = STEPS[step](space, term)
        if found is not None:
            return found, step
    return None, "none"


def _place(space: Space, term: str, how: str) -> int:
    """The row of the word that a term was found as."""
    forms = {
        "word": [term],
        "lower": [term.lower()],
        "joined": [term.replace(" ", "_"), term.replace(" ", "_").lower()],
    }
    return next((space.rows[form] for form in forms.get(how, []) if form in space.rows), -1)
