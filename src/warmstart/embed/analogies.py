"""Analogies: a is to b as c is to ?, answered by the nearest word to b - a + c (Mikolov et al. 2013) or by 3CosMul.

The words of the question are no answers. What counts is the rank of the right word among all others, so one answer gives
every metric: P@k, the mean reciprocal rank, MAP@10 (one right answer: the reciprocal rank, 0 beyond 10).

Cost: a question is a sum of three rows of cosines, so the products are those of the distinct words of the questions with
the vocabulary, in tiles; a set of 19,544 questions has 905 distinct words.

Shapes: Q questions, T their distinct terms, V words of the space, D their width.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import BadInput
from warmstart.embed.space import Space, Terms, find_terms, to_unit
from warmstart.readers.text_io import read_lines

Method = Literal["3cosadd", "3cosmul"]
EPSILON = 1e-3
"""Added to what 3CosMul divides by (Levy and Goldberg 2014, section 6)."""
_TILE, _QUESTIONS = 1024, 1024
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
    covered = [number for number, one in enumerate(asked) if one is not None]
    ranks = np.zeros(len(questions), np.int64)
    if covered:
        ranks[covered] = _ranks(space, terms, np.array([one for one in asked if one is not None], np.int64), method)
    return ranks


def _indices(question: Analogy, terms: Terms) -> tuple[int, int, int, int] | None:
    """Rows of the four terms; nothing where one has no vector, or where the answer is not a word of the space."""
    a, b, c, answer = (terms.rows.get(word, -1) for word in (question.a, question.b, question.c, question.answer))
    return (a, b, c, answer) if min(a, b, c, answer) >= 0 and terms.places_T[answer] >= 0 else None


def _ranks(space: Space, terms: Terms, asked_Q4: Ints, method: Method) -> Ints:
    units_TD, table_of = to_unit(terms.vectors_TD), _TABLES[method]
    places_Q4 = terms.places_T[asked_Q4]
    answers_Q = places_Q4[:, 3]
    blocks = [slice(start, start + _QUESTIONS) for start in range(0, len(asked_Q4), _QUESTIONS)]
    sums = [_coefficients(asked_Q4[block], len(units_TD), method) for block in blocks]
    own = [
        np.asarray(sum_QT.multiply(table_of(units_TD @ space.unit_VD[answers_Q[block]].T).T).sum(axis=1)).ravel()
        for block, sum_QT in zip(blocks, sums, strict=True)
    ]
    better_Q = np.zeros(len(asked_Q4), np.int64)
    for start in range(0, len(space.words), _TILE):
        table_TN = table_of(units_TD @ space.unit_VD[start : start + _TILE].T)
        for block, sum_QT, own_Q in zip(blocks, sums, own, strict=True):
            higher_QN = sum_QT @ table_TN > own_Q[:, None]
            places = places_Q4[block] - start
            questions, columns = np.nonzero((places >= 0) & (places < table_TN.shape[1]))
            higher_QN[questions, places[questions, columns]] = False  # the question's words, and the answer itself
            better_Q[block] += np.count_nonzero(higher_QN, axis=1)
    is_own_word = (places_Q4[:, :3] == answers_Q[:, None]).any(axis=1)
    return np.where(is_own_word, len(space.words), better_Q + 1)


def _coefficients(asked_Q4: Ints, num_terms: int, method: Method) -> csr_array:
    """[Q, T or 2T] how often each row of a table counts for a question: b and c are added, a is subtracted."""
    count, divides = len(asked_Q4), method == "3cosmul"
    rows = asked_Q4[:, [1, 2, 0]] + [0, 0, num_terms * divides]
    signs = np.tile(np.array([1, 1, -1], np.float32), count)
    bounds = np.arange(0, 3 * count + 1, 3)
    return csr_array((signs, rows.ravel(), bounds), shape=(count, num_terms * (1 + divides)))


def _logarithms(cosines_TN: Floats) -> Floats:
    """[2T, N] of what 3CosMul multiplies, cosines that are moved to 0 … 1, and of what it divides by."""
    shifted = np.maximum((cosines_TN + 1) / 2, 1e-12)
    return np.concatenate([np.log(shifted), np.log(shifted + EPSILON)])


_TABLES: dict[Method, Callable[[Floats], Floats]] = {"3cosadd": lambda cosines: cosines, "3cosmul": _logarithms}
"""Method → what is added up, of the cosines [T, N] of terms and words."""


def precision_at(ranks: Ints | Floats, k: int) -> Floats:
    """[Q] 1 where the answer is among the first k."""
    return ((ranks >= 1) & (ranks <= k)).astype(np.float32)


def reciprocal_ranks(ranks: Ints | Floats, limit: int | None = None) -> Floats:
    """[Q] 1 / rank; 0 without a rank, and beyond ``limit``."""
    found = np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0.0)
    return (found if limit is None else np.where(ranks <= limit, found, 0.0)).astype(np.float32)
