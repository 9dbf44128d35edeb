"""The jackknife (Tukey 1958): what each example adds to a metric, so that two models can be compared on the same examples.

Examples are dealt into K groups in turn, K = n where there are few. The pseudo-value of group k is K·m − (K − 1)·m_k, with m
the metric of all examples and m_k that without the group. The mean of the pseudo-values is the metric (but for its bias),
and their variance divided by K is the variance that the choice of examples gives it. Two models that are evaluated on the
same examples have the same groups, so the variance of their difference is that of the differences of their pseudo-values.

Of several runs on the same examples the pseudo-values are a table of runs by groups, a two-way layout with random effects
(Cornfield and Tukey 1956): what is due to the run, to the group, and the residual that belongs to neither alone.
"""

from collections.abc import Callable, Sequence

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.metrics.cells import count_cells
from warmstart.metrics.metric import Array
from warmstart.metrics.ratio import Ratio
from warmstart.metrics.weighted import WEIGHTED_METRICS, safe_divide

MAX_GROUPS = 500
_MAX_WEIGHTS = 1 << 20  # numbers in memory at a time


def metric_pseudo_values(name: str, targets: Array, predictions: Array) -> Array:
    """[K] pseudo-values of the metric ``name`` of targets [n] or [n, C] and predictions of the same shape."""
    metric, count = WEIGHTED_METRICS[name], min(len(targets), MAX_GROUPS)
    cells = count_cells(targets, predictions, num_groups=count)
    (first, second), counts = cells.columns, cells.counts.astype(np.float64)
    whole = metric(first, second, counts[None, :])
    if count == 1:
        return whole  # nothing is left without the one example
    block = max(1, min(count, _MAX_WEIGHTS // len(counts)))
    left = [
        metric(first, second, counts * (cells.groups != np.arange(start, min(start + block, count))[:, None]))
        for start in range(0, count, block)
    ]
    return _pseudo_values(whole[0], np.concatenate(left))


def ratio_pseudo_values(ratio: Ratio) -> Array:
    """[K] pseudo-values of a ratio."""
    rows = np.stack([ratio.numerator, ratio.denominator], 1).astype(np.float64)
    return sum_pseudo_values(rows, lambda sums: safe_divide(sums[:, 0], sums[:, 1]))


def sum_pseudo_values(rows: Array, formula: Callable[[Array], Array]) -> Array:
    """[K] pseudo-values of a metric that ``formula`` makes ([B, S] → [B]) of the sums of statistics [n, S] of examples."""
    groups = _groups(len(rows))
    sums = np.zeros((int(groups.max()) + 1, rows.shape[1]))
    np.add.at(sums, groups, rows)
    total = rows.sum(0, keepdims=True)
    if len(sums) == 1:
        return formula(total)
    return _pseudo_values(formula(total)[0], formula(total - sums))


def mean_pseudo_values(metrics: Sequence[Array]) -> Array:
    """[ΣK] pseudo-values of the mean of several metrics, each over examples of its own; from the pseudo-values of each [K].

    Without a group the mean changes by what its own metric changes, divided by their number.
    """
    count, whole = sum(map(len, metrics)), float(np.mean([one.mean() for one in metrics]))
    changes = [(one - one.mean()) / max(1, len(one) - 1) / len(metrics) for one in metrics]
    values: Array = whole + (count - 1) * np.concatenate(changes)
    return values


def difference_variance(one: Array, other: Array) -> float:
    """The variance of a difference of two metrics over the choice of examples, from the pseudo-values [K] of both."""
    differences = one - other
    return float(differences.var(ddof=1) / len(differences)) if len(differences) > 1 else float("nan")


def residual_variance(runs: Array) -> float:
    """The variance that the residual of runs [S, K] gives their mean: its mean square divided by S · K; 0 of one run.

    The variance of the runs' means holds it, and so does that of the examples' means: who adds both has it twice.
    """
    seeds, groups = runs.shape
    if min(seeds, groups) < 2:
        return 0.0
    rest = runs - runs.mean(1, keepdims=True) - runs.mean(0) + runs.mean()
    return float((rest**2).sum() / ((seeds - 1) * (groups - 1) * seeds * groups))


def _groups(count: int) -> Ints:
    return np.arange(count) % min(count, MAX_GROUPS)


def _pseudo_values(whole: float, left: Array) -> Array:
    values: Array = len(left) * whole - (len(left) - 1) * left
    return values
