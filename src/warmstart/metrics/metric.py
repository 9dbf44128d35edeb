"""Metrics by name, as scikit-learn and SciPy define them.

What is a count is counted here: every run would wait for the import of scikit-learn, longer than it evaluates.
Targets and predictions are arrays of class numbers [n], of scores [n], or of labels [n, K] (multi-label, 0 or 1). Where a
correlation or an F1 is not defined (constant predictions, a class that does not occur) it is 0.0, without a warning.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Metric = Callable[[Array, Array], float]

LOWER_IS_BETTER = frozenset({
    "mse", "loss", "ter", "perplexity", "word_perplexity", "word_eos_perplexity", "byte_perplexity", "token_perplexity",
    "bits_per_byte", "bits_per_character",
})  # fmt: skip


def accuracy(targets: Array, predictions: Array) -> float:
    """Fraction of right predictions; of multi-label examples, all labels must be right (exact match)."""
    right = targets == predictions
    return float(right.reshape(len(right), -1).all(1).mean())


def f1(targets: Array, predictions: Array) -> float:
    """F1 of class 1 if only the classes 0 and 1 occur, else the mean over classes."""
    if is_binary(targets, predictions) and targets.ndim == 1:
        return float(_f1(*_counts(targets == 1, predictions == 1)))
    return f1_macro(targets, predictions)


def f1_macro(targets: Array, predictions: Array) -> float:
    """Mean F1 of the classes that occur, or of all labels (multi-label)."""
    return float(_f1(*_by_class(targets, predictions)).mean())


def f1_micro(targets: Array, predictions: Array) -> float:
    """F1 over all labels of all examples together."""
    return float(_f1(*(np.sum(count) for count in _by_class(targets, predictions))))


def matthews(targets: Array, predictions: Array) -> float:
    """Matthews correlation (for more than two classes: Gorodkin's R_K)."""
    if is_constant(targets) or is_constant(predictions):
        return 0.0
    n, (right, false, missed) = len(targets), _by_class(targets, predictions)
    predicted, true = right + false, right + missed
    spreads = float(n * n - predicted @ predicted), float(n * n - true @ true)
    return float(n * right.sum() - predicted @ true) / math.sqrt(spreads[0] * spreads[1])


def _by_class(targets: Array, predictions: Array) -> tuple[Array, Array, Array]:
    """For each class that occurs, or each label: true positives, false positives and false negatives."""
    if targets.ndim > 1:
        return _counts(targets == 1, predictions == 1)
    classes = np.unique(np.concatenate([targets, predictions]))
    right, predicted, true = (
        np.bincount(np.searchsorted(classes, found), minlength=len(classes))
        for found in (targets[targets == predictions], predictions, targets)
    )
    return right, predicted - right, true - right


def _counts(targets: Array, predictions: Array) -> tuple[Array, Array, Array]:
    """The same of truths [n] or [n, K]."""
    return (targets & predictions).sum(0), (~targets & predictions).sum(0), (targets & ~predictions).sum(0)


def _f1(right: Array, false: Array, missed: Array) -> Array:
    """2 · right / (2 · right + false + missed), 0 where no example is of the class and none is predicted."""
    whole: Array = np.asarray(2.0 * right + false + missed)
    return np.divide(2.0 * right, whole, out=np.zeros_like(whole), where=whole > 0)


def pearson(targets: Array, predictions: Array) -> float:
    """Linear correlation."""
    from scipy.stats import pearsonr

    return 0.0 if is_constant(targets) or is_constant(predictions) else float(pearsonr(targets, predictions)[0])


def spearman(targets: Array, predictions: Array) -> float:
    """Rank correlation; equal values have their mean rank."""
    from scipy.stats import spearmanr

    return 0.0 if is_constant(targets) or is_constant(predictions) else float(spearmanr(targets, predictions)[0])


def mse(targets: Array, predictions: Array) -> float:
    """Mean squared error; lower is better."""
    return float(((targets - predictions) ** 2).mean())


def average_precision(targets: Array, predictions: Array) -> float:
    """Area under precision over recall, of targets 0 and 1 and scores; 0.0 where no target is 1."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(targets, predictions)) if targets.any() else 0.0


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "f1": f1,
    "f1_macro": f1_macro,
    "f1_micro": f1_micro,
    "exact_match": accuracy,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
    "mse": mse,
    "average_precision": average_precision,
}


def is_constant(values: Array) -> bool:
    """Whether all values are equal."""
    return bool((values == values[0]).all())


def is_binary(targets: Array, predictions: Array) -> bool:
    """Whether only the classes 0 and 1 occur."""
    return bool(max(targets.max(), predictions.max()) <= 1)
