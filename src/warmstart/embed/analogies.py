"""Analogies: a is to b as c is to ?, answered by the nearest word to b - a + c (Mikolov et al. 2013) or by 3CosMul.

The words of the question are no answers. What counts is the rank of the right word among all others, so one answer gives
every metric: P@k, the mean reciprocal rank, MAP@10 (one right answer: the reciprocal rank, 0 beyond 10).

Cost: a question is a sum of three rows of cosines, so the products are those of the distinct words of the questions with
the vocabulary, in tiles; a set of 19,544 questions has 905 distinct words.

Shapes: Q questions, T their distinct terms, V words of the space, D their width.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import BadInput
from warmstart.embed.space import Space, Terms, find_terms, to_unit
from warmstart.readers.text_io import read_lines

Method = Literal["3cosadd", "3cosmul"]
EPSILON = 1e-3
"""Added to what 3CosMul divides by (Levy and Goldberg 2014, section 6)."""
_TILE, _QUESTIONS = 2048, 4096
_SEPARATOR = " | "


@dataclass(frozen=True, slots=True)
class Analogy:
    """One question: ``a`` is to ``b`` as ``c`` is to ``answer``."""

    section: str
    a: str
    b: str
    c: str
    answer: str


def read_analogies(path: str, encoding: str = "utf-8") -> list[Analogy]:
    """Questions: four words a line, separated by blanks (word2vec's) or by `` | `` (ETNLP's, for phrases).

    A line ``: name`` begins a section.

    Raises:
        BadInput: a line of other than four words, or no question.
    """
    section, found = "", []
    for number, line in enumerate(read_lines(path, encoding), start=1):
        text = line.strip()
        if text.startswith(":"):
            section = text.removeprefix(":").strip().removeprefix("|").strip()
        elif text:
            words = [word.strip() for word in text.split(_SEPARATOR)] if _SEPARATOR in text else text.split()
            if len(words) != 4 or not all(words):
                raise BadInput(
                    "not an analogy", where=f"{path}:{number}", value=text,
                    allowed="four words, separated by blanks, or by | where words have blanks",
                    next_step="correct this line",
                )  # fmt: skip
            found.append(Analogy(section, *words))
    if not found:
        raise BadInput("a file without analogies", where=path, allowed="lines of four words")
    return found


def rank_answers(space: Space, questions: list[Analogy], steps: tuple[str, ...], method: Method = "3cosadd") -> Ints:
    """[Q] the rank of each right answer, from 1; 0 where a word of the question has no vector or the answer is no word.

    A question whose answer is one of its own words has the last rank: these are left out of the answers.
    """
    terms = find_terms(space, (word for q in questions for word in (q.a, q.b, q.c, q.answer)), steps)
    asked = [_indices(question, terms) for question in questions]
    covered = np.array([number for number, one in enumerate(asked) if one is not None], np.int64)
    ranks = np.zeros(len(questions), np.int64)
    if len(covered):
        indices = np.array([one for one in asked if one is not None], np.int64)
        for start in range(0, len(covered), _QUESTIONS):
            part = slice(start, start + _QUESTIONS)
            ranks[covered[part]] = _ranks(space, terms, indices[part], method)
    return ranks


def _indices(question: Analogy, terms: Terms) -> tuple[int, int, int, int] | None:
    """Rows of the four terms; nothing where one has no vector, or where the answer is not a word of the space."""
    a, b, c, answer = (terms.rows.get(word, -1) for word in (question.a, question.b, question.c, question.answer))
    return (a, b, c, answer) if min(a, b, c, answer) >= 0 and terms.places_T[answer] >= 0 else None


def _ranks(space: Space, terms: Terms, asked_Q4: Ints, method: Method) -> Ints:
    units_TD = to_unit(terms.vectors_TD)
    places_Q4 = terms.places_T[asked_Q4]
    plus, minus = _coefficients(asked_Q4[:, 1:3], len(units_TD)), _coefficients(asked_Q4[:, :1], len(units_TD))
    answers_Q = places_Q4[:, 3]
    own_Q = _scores(units_TD, space.unit_VD[answers_Q], plus, minus, method, paired=True)
    better_Q = np.zeros(len(asked_Q4), np.int64)
    for start, scores_QN in _tiles(space, units_TD, plus, minus, method):
        higher_QN = scores_QN > own_Q[:, None]
        places = places_Q4 - start
        questions, columns = np.nonzero((places >= 0) & (places < scores_QN.shape[1]))
        higher_QN[questions, places[questions, columns]] = False  # the question's words, and the answer itself
        better_Q += np.count_nonzero(higher_QN, axis=1)
    is_own_word = (places_Q4[:, :3] == answers_Q[:, None]).any(axis=1)
    return np.where(is_own_word, len(space.words), better_Q + 1)


def _tiles(
    space: Space, units_TD: Floats, plus: csr_array, minus: csr_array, method: Method
) -> Iterator[tuple[int, Floats]]:
    """Scores [Q, N] of N words of the space at a time, and where these begin."""
    for start in range(0, len(space.words), _TILE):
        yield start, _scores(units_TD, space.unit_VD[start : start + _TILE], plus, minus, method)


def _scores(
    units_TD: Floats, words_ND: Floats, plus: csr_array, minus: csr_array, method: Method, *, paired: bool = False
) -> Floats:
    """[Q, N] of every word for every question; ``paired``: [Q] of word q for question q."""
    cosines_TN = units_TD @ words_ND.T
    if method == "3cosadd":
        added, taken = cosines_TN, cosines_TN
    else:  # the logarithm of the product of cosines that are moved to 0 … 1
        shifted = np.clip((cosines_TN + 1) / 2, 1e-12, None)
        added, taken = np.log(shifted), np.log(shifted + EPSILON)
    if paired:
        return np.asarray(plus.multiply(added.T).sum(axis=1) - minus.multiply(taken.T).sum(axis=1)).ravel()
    return np.asarray(plus @ added - minus @ taken)


def _coefficients(terms_QK: Ints, num_terms: int) -> csr_array:
    """[Q, T] how often each term is added."""
    count, each = terms_QK.shape
    ones: NDArray[np.float32] = np.ones(count * each, np.float32)
    return csr_array((ones, terms_QK.ravel(), np.arange(0, count * each + 1, each)), shape=(count, num_terms))


def precision_at(ranks: Ints | Floats, k: int) -> Floats:
    """[Q] 1 where the answer is among the first k."""
    return ((ranks >= 1) & (ranks <= k)).astype(np.float32)


def reciprocal_ranks(ranks: Ints | Floats, limit: int | None = None) -> Floats:
    """[Q] 1 / rank; 0 without a rank, and beyond ``limit``."""
    found = np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0.0)
    return (found if limit is None else np.where(ranks <= limit, found, 0.0)).astype(np.float32)
