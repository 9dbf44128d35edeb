"""Measures: scikit-learn's and SciPy's own values, and defined values where those have none."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from warmstart.metrics.metric import METRICS


def classes(count, n=200, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, count, n)
    return targets, np.where(rng.random(n) < 0.6, targets, rng.integers(0, count, n))


def test_binary_measures_are_those_of_scikit_learn():
    """Witness: scikit-learn called directly; the positive class is the second."""
    targets, predictions = classes(2)
    assert METRICS["accuracy"](targets, predictions) == (targets == predictions).mean()
    assert METRICS["f1"](targets, predictions) == metrics.f1_score(targets, predictions)
    assert METRICS["matthews"](targets, predictions) == metrics.matthews_corrcoef(targets, predictions)


def test_f1_of_more_than_two_classes_is_the_mean_over_classes():
    """Witness: scikit-learn's macro average."""
    targets, predictions = classes(4)
    expected = metrics.f1_score(targets, predictions, average="macro")
    assert METRICS["f1"](targets, predictions) == METRICS["f1_macro"](targets, predictions) == expected


def test_correlations_are_those_of_scipy():
    """Witness: SciPy and NumPy called directly."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=100)
    y = x + rng.normal(size=100)
    assert METRICS["pearson"](x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert METRICS["spearman"](x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert METRICS["mse"](x, y) == pytest.approx(((x - y) ** 2).mean())


def test_marks_are_judged_together_apart_and_whole():
    """Witness: counted by hand: 3 of 4 labels right, 1 of 2 rows whole."""
    targets, predictions = np.array([[1, 0], [1, 1]]), np.array([[1, 0], [1, 0]])
    assert METRICS["f1_micro"](targets, predictions) == pytest.approx(2 * 2 / (3 + 2))
    assert METRICS["f1_macro"](targets, predictions) == pytest.approx((1 + 0) / 2)
    assert METRICS["exact_match"](targets, predictions) == 0.5


@pytest.mark.parametrize("name", ["f1", "matthews", "pearson", "spearman"])
def test_constant_predictions_have_a_defined_value_and_no_warning(name):
    """Invariant: 0.0, where scikit-learn or SciPy would warn (warnings are errors here)."""
    assert METRICS[name](np.array([0, 1, 1, 0]), np.zeros(4, int)) == 0.0
    assert METRICS[name](np.zeros(4, int), np.zeros(4, int)) == 0.0


@pytest.mark.parametrize("seed", range(8))
def test_counts_are_those_of_scikit_learn(seed: int) -> None:
    """Witness: scikit-learn on random answers: classes with gaps between their numbers, and labels side by side."""
    rng = np.random.default_rng(seed)
    n, many = int(rng.integers(2, 30)), rng.integers(0, 2, (12, 5))
    targets, predictions = rng.choice([0, 1, 4, 9], n), rng.choice([0, 1, 5, 9], n)
    for average in ("macro", "micro"):
        expected = metrics.f1_score(targets, predictions, average=average, zero_division=0)
        assert METRICS[f"f1_{average}"](targets, predictions) == pytest.approx(expected)
        expected = metrics.f1_score(many, np.roll(many, 1, 0), average=average, zero_division=0)
        assert METRICS[f"f1_{average}"](many, np.roll(many, 1, 0)) == pytest.approx(expected)
    assert METRICS["matthews"](targets, predictions) == pytest.approx(metrics.matthews_corrcoef(targets, predictions))
    assert METRICS["accuracy"](many, np.roll(many, 1, 0)) == metrics.accuracy_score(many, np.roll(many, 1, 0))
