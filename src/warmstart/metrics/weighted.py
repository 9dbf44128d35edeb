"""Metrics of weighted examples, for the bootstrap: of many resamples at once.

The counts of its examples describe a bootstrap resample completely. So each metric of :mod:`~warmstart.metrics.metric` has a
second form here, a formula over counts [B, G]: B resamples of G distinct (target, prediction) pairs. Tests hold it equal to
the metric of the resample.
"""

from collections.abc import Callable

import numpy as np

from warmstart.metrics.metric import Array, is_binary

WeightedMetric = Callable[[Array, Array, Array], Array]


def _accuracy(targets: Array, predictions: Array, counts: Array) -> Array:
    equal = targets == predictions
    right = equal if equal.ndim == 1 else equal.all(axis=1)
    return _mean(right, counts)


def _f1(targets: Array, predictions: Array, counts: Array) -> Array:
    if targets.ndim > 1 or not is_binary(targets, predictions):
        return _f1_macro(targets, predictions, counts)
    right, predicted, true = _by_class(targets, predictions, counts)
    return safe_divide(2 * right[:, -1], predicted[:, -1] + true[:, -1])


def _f1_macro(targets: Array, predictions: Array, counts: Array) -> Array:
    right, predicted, true = _by_class(targets, predictions, counts)
    each = safe_divide(2 * right, predicted + true)
    occurs = (predicted + true > 0) if targets.ndim == 1 else np.ones_like(each)
    return safe_divide(each.sum(axis=1), occurs.sum(axis=1))


def _f1_micro(targets: Array, predictions: Array, counts: Array) -> Array:
    right, predicted, true = (part.sum(axis=1) for part in _by_class(targets, predictions, counts))
    return safe_divide(2 * right, predicted + true)


def _matthews(targets: Array, predictions: Array, counts: Array) -> Array:
    right, predicted, true = _by_class(targets, predictions, counts)
    total = counts.sum(axis=1)
    variance = [total**2 - (part**2).sum(axis=1) for part in (predicted, true)]
    covariance = right.sum(axis=1) * total - (predicted * true).sum(axis=1)
    return safe_divide(covariance, np.sqrt(variance[0] * variance[1]))


def _pearson(targets: Array, predictions: Array, counts: Array) -> Array:
    return _correlation(_standardize(targets)[None, :], _standardize(predictions)[None, :], counts)


def _spearman(targets: Array, predictions: Array, counts: Array) -> Array:
    return _correlation(_ranks(targets, counts), _ranks(predictions, counts), counts)


def _mse(targets: Array, predictions: Array, counts: Array) -> Array:
    return _mean((targets - predictions) ** 2, counts)


def _average_precision(targets: Array, predictions: Array, counts: Array) -> Array:
    order = np.argsort(-predictions, kind="stable")
    starts = np.unique(-predictions[order], return_index=True)[1]  # equal scores are found together
    right, found = (
        np.add.reduceat(counts[:, order] * marks[order], starts, axis=1) for marks in (targets, np.ones(len(targets)))
    )
    precision = safe_divide(right.cumsum(axis=1), found.cumsum(axis=1))
    return safe_divide((precision * right).sum(axis=1), right.sum(axis=1))


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
    "average_precision": _average_precision,
}


def _mean(values: Array, counts: Array) -> Array:
    """[B] means of values [G]."""
    return safe_divide(counts @ values, counts.sum(axis=1))


def _by_class(targets: Array, predictions: Array, counts: Array) -> tuple[Array, Array, Array]:
    """[B, K] of each class: the counts where it is right, predicted, and true. Labels [G, K] are K classes."""
    if targets.ndim == 1:
        classes = np.arange(max(targets.max(), predictions.max(), 1) + 1)
        targets, predictions = targets[:, None] == classes, predictions[:, None] == classes
    predicted, true = predictions.astype(np.float64), targets.astype(np.float64)
    return counts @ (predicted * true), counts @ predicted, counts @ true


def _correlation(x: Array, y: Array, counts: Array) -> Array:
    """[B] correlations of values [B or 1, G]; in two passes, since one pass loses digits where the mean is large."""
    total = counts.sum(axis=1, keepdims=True)
    x = x - (counts * x).sum(axis=1, keepdims=True) / total
    y = y - (counts * y).sum(axis=1, keepdims=True) / total
    weighted = counts * x
    variances = (weighted * x).sum(axis=1) * (counts * y**2).sum(axis=1)
    return safe_divide((weighted * y).sum(axis=1), np.sqrt(variances))


def _ranks(values: Array, counts: Array) -> Array:
    """[B, G] mean rank of each value in each resample: the number of smaller values and half that of equal ones."""
    distinct, index = np.unique(values, return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(distinct)))
    equal = np.add.reduceat(counts[:, order], starts, axis=1)
    smaller = np.cumsum(equal, axis=1) - equal
    ranks: Array = (smaller + (equal + 1) / 2)[:, index]
    return ranks


def _standardize(values: Array) -> Array:
    """Values with mean 0 and standard deviation 1, so that the threshold of :func:`safe_divide` fits every unit."""
    scale = float(values.std()) or 1.0
    standard: Array = (values - values.mean()) / scale
    return standard


def safe_divide(numerator: Array, denominator: Array) -> Array:
    """The quotient; 0 where the denominator is 0."""
    tiny = np.finfo(np.float64).eps
    quotient: Array = np.divide(
        numerator, denominator, out=np.zeros_like(numerator, dtype=np.float64), where=denominator > tiny
    )
    return quotient
