"""The metrics of many resamples at once.

A bootstrap resample of n examples is fully described by how often each was drawn. So every metric of
:mod:`~warmstart.metrics.metric` is written here a second time as a formula over counts [B, G]: B resamples of G
distinct (target, prediction) pairs. Each formula's value for counts of 1 is the metric itself (held by tests).
"""

from collections.abc import Callable

import numpy as np

from warmstart.metrics.metric import Array, is_binary

WeightedMetric = Callable[[Array, Array, Array], Array]


def _accuracy(targets: Array, predictions: Array, counts: Array) -> Array:
    hits = targets == predictions
    right = hits if hits.ndim == 1 else hits.all(axis=1)
    return _mean(right, counts)


def _f1(targets: Array, predictions: Array, counts: Array) -> Array:
    if not is_binary(targets, predictions):
        return _f1_macro(targets, predictions, counts)
    right, told, true = _by_class(targets, predictions, counts)
    return safe_divide(2 * right[:, -1], told[:, -1] + true[:, -1])


def _f1_macro(targets: Array, predictions: Array, counts: Array) -> Array:
    right, told, true = _by_class(targets, predictions, counts)
    each = safe_divide(2 * right, told + true)
    occurs = (told + true > 0) if targets.ndim == 1 else np.ones_like(each)
    return safe_divide(each.sum(axis=1), occurs.sum(axis=1))


def _f1_micro(targets: Array, predictions: Array, counts: Array) -> Array:
    right, told, true = (part.sum(axis=1) for part in _by_class(targets, predictions, counts))
    return safe_divide(2 * right, told + true)


def _matthews(targets: Array, predictions: Array, counts: Array) -> Array:
    right, told, true = _by_class(targets, predictions, counts)
    total = counts.sum(axis=1)
    spread_told, spread_true = (total**2 - (part**2).sum(axis=1) for part in (told, true))
    return safe_divide(right.sum(axis=1) * total - (told * true).sum(axis=1), np.sqrt(spread_told * spread_true))


def _pearson(targets: Array, predictions: Array, counts: Array) -> Array:
    return _correlation(_standard(targets)[None, :], _standard(predictions)[None, :], counts)


def _spearman(targets: Array, predictions: Array, counts: Array) -> Array:
    return _correlation(_ranks(targets, counts), _ranks(predictions, counts), counts)


def _mse(targets: Array, predictions: Array, counts: Array) -> Array:
    return _mean((targets - predictions) ** 2, counts)


WEIGHTED_METRICS: dict[str, WeightedMetric] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "f1_macro": _f1_macro,
    "f1_micro": _f1_micro,
    "exact_match": _accuracy,
    "matthews": _matthews,
    "pearson": _pearson,
    "spearman": _spearman,
    "mse": _mse,
}


def _mean(values: Array, counts: Array) -> Array:
    """[B] means of values [G]."""
    return safe_divide(counts @ values, counts.sum(axis=1))


def _by_class(targets: Array, predictions: Array, counts: Array) -> tuple[Array, Array, Array]:
    """[B, K] of each class: how often it was told rightly, told, and true. Marks [G, K] are classes of their own."""
    if targets.ndim == 1:
        classes = np.arange(max(targets.max(), predictions.max(), 1) + 1)
        targets, predictions = targets[:, None] == classes, predictions[:, None] == classes
    told, true = predictions.astype(np.float64), targets.astype(np.float64)
    return counts @ (told * true), counts @ told, counts @ true


def _correlation(x: Array, y: Array, counts: Array) -> Array:
    """[B] of values [B or 1, G]; two passes, since one pass loses digits where the mean is large."""
    total = counts.sum(axis=1, keepdims=True)
    x = x - (counts * x).sum(axis=1, keepdims=True) / total
    y = y - (counts * y).sum(axis=1, keepdims=True) / total
    weighted = counts * x
    spread = (weighted * x).sum(axis=1) * (counts * y**2).sum(axis=1)
    return safe_divide((weighted * y).sum(axis=1), np.sqrt(spread))


def _ranks(values: Array, counts: Array) -> Array:
    """[B, G] mean rank of each value within each resample: what lies below it, and half of its equals."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    equals = np.add.reduceat(counts[:, order], starts, axis=1)
    below = np.cumsum(equals, axis=1) - equals
    ranks: Array = (below + (equals + 1) / 2)[:, place]
    return ranks


def _standard(values: Array) -> Array:
    """Values on a scale of 1, so that 'no spread' means the same for every unit."""
    scale = float(values.std()) or 1.0
    standard: Array = (values - values.mean()) / scale
    return standard


def safe_divide(over: Array, under: Array) -> Array:
    """Division with 0 where there is nothing to divide by."""
    tiny = np.finfo(np.float64).eps
    quotient: Array = np.divide(over, under, out=np.zeros_like(over, dtype=np.float64), where=under > tiny)
    return quotient
