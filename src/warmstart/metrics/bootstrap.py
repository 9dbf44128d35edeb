"""Percentile bootstrap intervals of metrics (Efron 1979).

A resample draws n examples with replacement. Its counts are one multinomial draw over the distinct (target, prediction)
pairs, so 10,000 examples and 1,000 resamples take milliseconds for classes and about a second for scores. The same
predictions and the same seed give the same interval.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from warmstart.base.seeds import generator
from warmstart.metrics.cells import Cells, count_cells
from warmstart.metrics.metric import METRICS, Array
from warmstart.metrics.ratio import Ratio
from warmstart.metrics.weighted import WEIGHTED_METRICS, safe_divide

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95
_MAX_COUNTS = 1 << 21  # numbers in memory at a time


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A value, and the bounds of 95 % of its resamples."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    name: str, targets: Array, predictions: Array, seed: int, resamples: int = NUM_RESAMPLES
) -> ConfidenceInterval:
    """Interval of the metric ``name``.

    Args:
        name: one of :data:`~warmstart.metrics.metric.METRICS`.
        targets: [n] or [n, K].
        predictions: of the same shape.
        seed: of the resamples.
        resamples: number of resamples.
    """
    metric = WEIGHTED_METRICS[name]
    cells = count_cells(targets, predictions)
    values = [metric(cells.columns[0], cells.columns[1], counts) for counts in _draws(cells, seed, resamples)]
    return _bounds(METRICS[name](targets, predictions), np.concatenate(values))


def bootstrap_ratio(ratio: Ratio, seed: int, resamples: int = NUM_RESAMPLES) -> ConfidenceInterval:
    """Interval of a ratio; a resample draws its sentences or questions."""
    cells = count_cells(ratio.numerator, ratio.denominator)
    numerator, denominator = cells.columns
    values = [safe_divide(counts @ numerator, counts @ denominator) for counts in _draws(cells, seed, resamples)]
    return _bounds(ratio.value, np.concatenate(values))


def _draws(cells: Cells, seed: int, resamples: int) -> Iterator[Array]:
    """Counts [b, G] of b resamples of the G distinct examples at a time, ``resamples`` in all."""
    rng = generator(seed, "bootstrap")
    total = int(cells.counts.sum())
    block = max(1, _MAX_COUNTS // len(cells.counts))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        yield rng.multinomial(total, cells.counts / total, size=rows).astype(np.float64)


def _bounds(value: float, values: Array) -> ConfidenceInterval:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return ConfidenceInterval(value, float(low), float(high))
