"""Metrics by name: functions of scikit-learn and SciPy.

Targets and predictions are arrays of class numbers [n], of scores [n], or of labels [n, K] (multi-label, 0 or 1). Where a
correlation or an F1 is not defined (constant predictions, a class that does not occur) it is 0.0, without a warning.
"""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Metric = Callable[[Array, Array], float]

LOWER_IS_BETTER = frozenset({"mse", "loss", "ter"})


def accuracy(targets: Array, predictions: Array) -> float:
    """Fraction of right predictions; of multi-label examples, all labels must be right (exact match)."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(targets, predictions))


def f1(targets: Array, predictions: Array) -> float:
    """F1 of class 1 if only the classes 0 and 1 occur, else the mean over classes."""
    from sklearn.metrics import f1_score

    if is_binary(targets, predictions):
        return float(f1_score(targets, predictions, pos_label=1, average="binary", zero_division=0))
    return f1_macro(targets, predictions)


def f1_macro(targets: Array, predictions: Array) -> float:
    """Mean F1 of the classes that occur, or of all labels (multi-label)."""
    from sklearn.metrics import f1_score

    return float(f1_score(targets, predictions, average="macro", zero_division=0))


def f1_micro(targets: Array, predictions: Array) -> float:
    """F1 over all labels of all examples together."""
    from sklearn.metrics import f1_score

    return float(f1_score(targets, predictions, average="micro", zero_division=0))


def matthews(targets: Array, predictions: Array) -> float:
    """Matthews correlation (for more than two classes: Gorodkin's R_K)."""
    from sklearn.metrics import matthews_corrcoef

    if is_constant(targets) or is_constant(predictions):
        return 0.0
    return float(matthews_corrcoef(targets, predictions))


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
    from sklearn.metrics import mean_squared_error

    return float(mean_squared_error(targets, predictions))


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
