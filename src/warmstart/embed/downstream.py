"""Labelled texts: what does a classifier learn of their labels from vectors that stay as they are?

The distinct texts are divided into five parts, the same for every source; the labels of each part are predicted by logistic
regression on the vectors, at length 1, of the other four. So every text is answered once, and sources are compared on them.
"""

from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import BadInput
from warmstart.base.formatting import format_count
from warmstart.base.seeds import generator
from warmstart.embed.space import Space, to_unit
from warmstart.readers.rows import read_rows

FOLDS, SEED = 5, 0
FEWEST = 4  # sources of which a correlation has an interval
_C = 10.0  # the inverse of the regression's penalty
_PERMUTATIONS = 10_000
_TEXT, _LABEL = ("text", "sentence"), ("label", "labels")


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text and its label."""

    text: str
    label: str


def read_labelled_texts(path: str, encoding: str = "utf-8") -> list[LabelledText]:
    """Rows with ``text`` and ``label``: JSONL, CSV, TSV, Parquet.

    Raises:
        BadInput: other columns, fewer than two labels, or fewer texts than there are parts.
    """
    found = []
    for row in read_rows(path, encoding):
        named = [next((name for name in names if row.fields.get(name) is not None), "") for names in (_TEXT, _LABEL)]
        if not all(named):
            raise BadInput(
                "not a text with its label", where=row.where, value=", ".join(row.fields),
                allowed=f"the columns {_TEXT[0]} and {_LABEL[0]}", next_step="rename the columns",
            )  # fmt: skip
        found.append(LabelledText(*(str(row.fields[name]) for name in named)))
    labels, texts = ({getattr(one, name) for one in found} for name in ("label", "text"))
    if len(labels) < 2 or len(texts) < FOLDS:
        raise BadInput(
            "too little to learn from", where=path,
            value=f"{format_count(len(texts), 'text')} with {format_count(len(labels), 'label')}",
            allowed=f"{FOLDS} texts or more, with two labels or more",
        )  # fmt: skip
    return found


def predicted_right(space: Space, rows: list[LabelledText], steps: tuple[str, ...]) -> Floats:
    """[Q] 1 where the label of a text is predicted, else 0; NaN where the text has no vector."""
    numbers: dict[str, int] = {}
    texts = np.array([numbers.setdefault(row.text, len(numbers)) for row in rows], np.int64)
    units = to_unit(space.encode(list(numbers), steps))
    labels = np.array([row.label for row in rows])
    parts = (generator(SEED, "downstream").permutation(len(numbers)) % FOLDS)[texts]
    known = np.asarray(units.any(axis=1))[texts]
    right = np.full(len(rows), np.nan, np.float32)
    for part in range(FOLDS):
        asked, learned = known & (parts == part), known & (parts != part)
        if asked.any() and learned.any():
            guesses = _predict(units[texts[learned]], labels[learned], units[texts[asked]])
            right[asked] = guesses == labels[asked]
    return right


def _predict(vectors: Floats, labels: Any, asked: Floats) -> Any:
    """The labels of other vectors; where only one is learned, that."""
    from sklearn.linear_model import LogisticRegression

    if len({*labels}) == 1:
        return np.repeat(labels[:1], len(asked))
    return LogisticRegression(C=_C, max_iter=1000).fit(vectors, labels).predict(asked)


@dataclass(frozen=True, slots=True)
class Correlation:
    """Whether sources that are good at one test are good at another.

    Attributes:
        sources: how many.
        pearson: Pearson's correlation of their values.
        interval: of that, 95 % by Fisher's z, over sources.
        spearman: Spearman's ρ.
        p_permutation: of ρ, two-sided: how often sources in another order have one as far from 0.
    """

    sources: int
    pearson: float
    interval: tuple[float, float]
    spearman: float
    p_permutation: float


def correlate(first: NDArray[np.float64], second: NDArray[np.float64]) -> Correlation | None:
    """Of the values [S] of sources at two tests.

    ``None`` of fewer than four sources, where all are equal at a test, or where one has no value.
    """
    if len(first) < FEWEST or not all(np.ptp(values) > 0 for values in (first, second)):  # NaN is not above 0
        return None
    found = stats.pearsonr(first, second)
    bounds = found.confidence_interval(0.95)
    ranks = [stats.rankdata(values) for values in (first, second)]
    rho = float(np.corrcoef(ranks)[0, 1])
    others = [abs(float(np.corrcoef(ranks[0], ranks[1][order])[0, 1])) for order in _orders(len(first))]
    p = float(np.mean(np.array(others) >= abs(rho) - 1e-9))
    return Correlation(len(first), float(found.statistic), (float(bounds.low), float(bounds.high)), rho, p)


def _orders(count: int) -> Any:
    """All orders of some sources, or of many 10,000 by chance, the true one among them."""
    if factorial(count) <= _PERMUTATIONS:
        return [np.array(order) for order in permutations(range(count))]
    rng = generator(SEED, "orders")
    drawn: list[Ints] = [rng.permutation(count) for _ in range(_PERMUTATIONS - 1)]
    return [np.arange(count), *drawn]
