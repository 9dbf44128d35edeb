"""The analogy figures of ETNLP, as that tool computes them (vietnlp/etnlp, version 0.1.3), for comparison with its tables.

It differs from :mod:`warmstart.embed.analogies` in this, all of which is kept here and nowhere else:

- the answer is the *third* of a line's four words, and the ten words nearest to a - b + d are its candidates, the words of
  the question among them;
- a candidate counts as right where it is a part of the answer's first ten characters ("Lan" for "Thai_Lan"), several may
  be right, and the precision is averaged over those;
- lines whose answer is a phrase or whose words have no vector count as 0 in the mean over all lines;
- two sources are compared by a paired t-test over the lines.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.embed.space import Space
from warmstart.readers.text_io import read_lines

_TOP, _BLOCK = 10, 1024
Doubles = NDArray[np.float64]


class EtnlpResult(NamedTuple):
    """One source's figures.

    Attributes:
        map_at_10: mean of the lines' average precisions.
        precisions: [Q] of each line.
        num_unknown: lines with a word that has no vector.
        num_phrases: lines with a phrase among the words that are asked about.
        num_phrase_answers: lines whose answer is a phrase.
    """

    map_at_10: float
    precisions: Doubles
    num_unknown: int
    num_phrases: int
    num_phrase_answers: int


def etnlp_lines(path: str, encoding: str = "utf-8") -> list[list[str]]:
    """The words of each line after a section's; a line of another form has none and counts as 0.

    Raises:
        BadInput: a line before the first section.
    """
    found, in_section = [], False
    for number, line in enumerate(read_lines(path, encoding), start=1):
        text = line.rstrip()
        if text.startswith(": |"):
            in_section = True
            continue
        if not in_section:
            raise BadInput(
                "a line before the first section", where=f"{path}:{number}", value=text, allowed="': | name' first",
                next_step="leave out --compat etnlp for word2vec's form of analogies",
            )  # fmt: skip
        words = text.split(" | ")
        found.append(words if len(words) == 4 else [])
    return found


def etnlp_result(space: Space, lines: list[list[str]]) -> EtnlpResult:
    """ETNLP's figures of one source."""
    matrix = space.vectors.matrix.astype(np.float64)
    units_VD = matrix / np.sqrt(np.einsum("vd,vd->v", matrix, matrix))[:, None]
    askable = [number for number, words in enumerate(lines) if words and " " not in words[2]]
    targets = {number: _target(space, units_VD, lines[number]) for number in askable}
    known = [number for number, target in targets.items() if target is not None]
    precisions = np.zeros(len(lines))
    for start in range(0, len(known), _BLOCK):
        block = known[start : start + _BLOCK]
        products = np.stack([target for number in block if (target := targets[number]) is not None]) @ units_VD.T
        for number, row in zip(block, products, strict=True):
            nearest = np.argsort(-row, kind="stable")[:_TOP]
            precisions[number] = _precision(lines[number][2], [space.words[place] for place in nearest])
    num_phrases = sum(any(" " in lines[number][place] for place in (0, 1, 3)) for number in askable)
    num_phrase_answers = sum(bool(words) for words in lines) - len(askable)
    mean = float(precisions.mean()) if len(lines) else 0.0
    return EtnlpResult(mean, precisions, len(askable) - len(known), num_phrases, num_phrase_answers)


def _target(space: Space, units_VD: Doubles, words: list[str]) -> Doubles | None:
    """[D] a - b + d; nothing where one of these has no vector."""
    a, b, d = (_vector(space, units_VD, words[place]) for place in (0, 1, 3))
    return None if a is None or b is None or d is None else a - b + d


def _vector(space: Space, units_VD: Doubles, term: str) -> Doubles | None:
    """A word's vector; of a phrase the mean of its words', in lower case where they are not there otherwise."""
    if " " not in term:
        row = space.rows.get(term)
        return None if row is None else np.asarray(units_VD[row])
    rows = [space.rows.get(word, space.rows.get(word.lower(), -1)) for word in term.split(" ")]
    found = [units_VD[row] for row in rows if row >= 0]
    return np.mean(found, axis=0) if found else None


def _precision(answer: str, candidates: list[str]) -> float:
    """Average precision over the candidates that are a part of the answer's first ten characters."""
    hits = [rank for rank, word in enumerate(candidates, start=1) if word in answer[:_TOP]]
    return round(float(np.mean([(n + 1) / rank for n, rank in enumerate(hits)])), 6) if hits else 0.0


class PairedT(NamedTuple):
    """SciPy's paired t-test over the lines; zeros and 1 where nothing differs."""

    statistic: float
    p_value: float


def etnlp_t_test(first: EtnlpResult, second: EtnlpResult) -> PairedT:
    """Compares two sources as ETNLP does."""
    from scipy.stats import ttest_rel

    if np.array_equal(first.precisions, second.precisions):
        return PairedT(0.0, 1.0)
    found = ttest_rel(first.precisions, second.precisions)
    return PairedT(float(found.statistic), float(found.pvalue))
