"""Outcomes of examples, and the metrics of any part of them.

Each metric is a formula of a few sums over examples (right and all, negative log-likelihood and words), so the metric of a
part, of all, and of resamples comes of the same numbers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.metrics.bootstrap import ConfidenceInterval
from warmstart.metrics.generation import TextStatistics, bootstrap_texts, compute_statistics
from warmstart.metrics.metric import Array

MAX_EXPONENT = 700.0
"""A perplexity beyond the exponential of it is not a float any more."""


class Terms(NamedTuple):
    """What one example adds to the two sums of a metric."""

    numerator: float
    denominator: float = 1.0


class Outcome(NamedTuple):
    """One example.

    Attributes:
        terms: what it adds to each metric.
        row: what is written of it.
        chance: what a guess is worth by the task's main metric; ``None`` where nobody can say.
    """

    terms: Mapping[str, tuple[float, ...]]
    row: Mapping[str, Any]
    chance: float | None = None


def mean(sums_B2: Array) -> Array:
    """[B] the share of the second sum that the first is; 0 of nothing."""
    ratio: Array = sums_B2[:, 0] / np.where(sums_B2[:, 1] == 0, 1, sums_B2[:, 1])
    return ratio


def perplexity(sums_B2: Array) -> Array:
    """[B] the exponential of it."""
    found: Array = np.exp(np.minimum(mean(sums_B2), MAX_EXPONENT))
    return found


def bits(sums_B2: Array) -> Array:
    """[B] the same in bits."""
    found: Array = mean(sums_B2) / np.log(2)
    return found


def matthews(cells_B4: Array) -> Array:
    """[B] Matthews' correlation of counts: label 0 called 0 and 1, label 1 called 0 and 1; 0 where it is not defined."""
    tn, fp, fn, tp = cells_B4.T
    below = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    found: Array = (tp * tn - fp * fn) / np.where(below == 0, 1, below)
    return found


FORMULAS: dict[str, Callable[[Array], Array]] = {"perplexity": perplexity, "bits": bits, "matthews": matthews}
"""A word in the name of a metric → its formula; all others are means."""


def formula_of(name: str) -> Callable[[Array], Array]:
    """The formula of a metric by its name."""
    return next((formula for part, formula in FORMULAS.items() if part in name.split("_")), mean)


def statistics_of(outcomes: Iterable[Outcome]) -> dict[str, TextStatistics]:
    """The metrics of some examples, in the order in which these name them; an example need not have each.

    Raises:
        BadInput: there is no example.
    """
    every = [outcome.terms for outcome in outcomes]
    if not every:
        raise BadInput("nothing to judge", where="--data", value=0, allowed="at least one example")
    names = dict.fromkeys(name for terms in every for name in terms)
    return {name: TextStatistics(_rows(every, name), formula_of(name)) for name in names}


def _rows(every: Sequence[Mapping[str, tuple[float, ...]]], name: str) -> Array:
    """[n, S] what each example adds to a metric; nothing where it does not have it."""
    none = (0.0,) * next(len(terms[name]) for terms in every if name in terms)
    return np.array([terms.get(name, none) for terms in every], np.float64)


def text_statistics(outcomes: Sequence[Outcome], names: Sequence[str]) -> dict[str, TextStatistics]:
    """Metrics of all texts that were written.

    Raises:
        BadInput: a metric whose library is missing.
    """
    if not names:
        return {}
    texts, references = ([outcome.row[key] for outcome in outcomes] for key in ("prediction", "references"))
    return {name: compute_statistics(name, texts, references) for name in names}


def chance_of(outcomes: Sequence[Outcome]) -> float | None:
    """What guesses are worth on average by the main metric; ``None`` where nobody can say."""
    each = [outcome.chance for outcome in outcomes if outcome.chance is not None]
    return sum(each) / len(each) if each else None


def gain_of(first: TextStatistics, last: TextStatistics, seed: int = 0) -> ConfidenceInterval:
    """What the last has over the first by one metric of the same examples, which a resample draws for both."""
    width = first.rows.shape[1]

    def gain(sums: Array) -> Array:
        found: Array = last.formula(sums[:, width:]) - first.formula(sums[:, :width])
        return found

    return bootstrap_texts(TextStatistics(np.hstack([first.rows, last.rows]), gain), seed)


def metrics_of(statistics: Mapping[str, TextStatistics], seed: int = 0) -> dict[str, Any]:
    """{"metrics", "intervals", "examples"}; one example has no interval."""
    count = max(len(one.rows) for one in statistics.values())
    bounds = {name: bootstrap_texts(one, seed) for name, one in statistics.items()} if count > 1 else {}
    return {
        "metrics": {name: one.value for name, one in statistics.items()},
        "intervals": {name: [one.low, one.high] for name, one in bounds.items()},
        "examples": count,
    }


def part_of(statistics: Mapping[str, TextStatistics], chosen: Sequence[bool] | Array) -> dict[str, TextStatistics]:
    """The same metrics of the chosen examples."""
    rows = np.asarray(chosen, bool)
    return {name: TextStatistics(one.rows[rows], one.formula, one.signature) for name, one in statistics.items()}
