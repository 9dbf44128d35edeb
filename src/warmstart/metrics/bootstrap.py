"""How sure a metric is: percentile bootstrap intervals, and the paired difference of two systems.

Examples are drawn with replacement (Efron 1979). Drawing n examples is one multinomial draw over the distinct
(target, prediction) pairs, so 10,000 examples and 1,000 resamples take milliseconds for classes and about a second for
scores. The seed is named, so the same answers give the same interval.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from warmstart.base.seeds import generator
from warmstart.metrics.metric import METRICS, Array
from warmstart.metrics.ratio import Ratio
from warmstart.metrics.weighted import WEIGHTED_METRICS, safe_divide

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95
_AT_ONCE = 1 << 21  # counts held in memory at a time


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A value and the bounds within which it lies in 95 % of the resamples."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    name: str, targets: Array, predictions: Array, seed: int, resamples: int = NUM_RESAMPLES
) -> ConfidenceInterval:
    """Percentile bootstrap interval of the metric ``name``.

    Args:
        name: one of :data:`~warmstart.metrics.metric.METRICS`.
        targets: [n] or [n, K].
        predictions: of the same shape.
        seed: of the resampling.
        resamples: how many.
    """
    formula = WEIGHTED_METRICS[name]
    cells = _cells(targets, predictions)
    values = [formula(cells.columns[0], cells.columns[1], counts) for counts in _draws(cells, seed, resamples)]
    return _bounds(METRICS[name](targets, predictions), np.concatenate(values))


def bootstrap_ratio(tally: Ratio, seed: int, resamples: int = NUM_RESAMPLES) -> ConfidenceInterval:
    """Percentile bootstrap interval of a metric that is a sum over a sum: what is drawn are its sentences or questions."""
    cells = _cells(tally.numerator, tally.denominator)
    over, under = cells.columns
    values = [safe_divide(counts @ over, counts @ under) for counts in _draws(cells, seed, resamples)]
    return _bounds(tally.value, np.concatenate(values))


@dataclass(frozen=True, slots=True)
class _Cells:
    """Distinct examples: their columns (target, predictions) and how many of each there are."""

    columns: list[Array]
    counts: Array


def _cells(*columns: Array) -> _Cells:
    flat = np.stack(columns, axis=-1).reshape(len(columns[0]), -1)
    _, first, counts = np.unique(flat, axis=0, return_index=True, return_counts=True)
    return _Cells([column[first] for column in columns], counts)


def _draws(cells: _Cells, seed: int, resamples: int) -> Iterator[Array]:
    """Counts [b, G] of b resamples at a time, ``resamples`` in all."""
    draw = generator(seed, "bootstrap")
    total = int(cells.counts.sum())
    at_once = max(1, _AT_ONCE // len(cells.counts))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        yield draw.multinomial(total, cells.counts / total, size=rows).astype(np.float64)


def _bounds(value: float, values: Array) -> ConfidenceInterval:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return ConfidenceInterval(value, float(low), float(high))
