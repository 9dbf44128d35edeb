"""Pseudo-values against brute force: every group of examples left out by hand."""

import numpy as np
import pytest

from warmstart.metrics.generation import compute_statistics
from warmstart.metrics.jackknife import (
    MAX_GROUPS,
    difference_variance,
    metric_pseudo_values,
    ratio_pseudo_values,
    residual_variance,
    sum_pseudo_values,
)
from warmstart.metrics.metric import METRICS
from warmstart.metrics.ratio import Ratio
from warmstart.metrics.weighted import WEIGHTED_METRICS


def _data(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    if name in ("pearson", "spearman", "mse"):
        targets = rng.normal(size=count).round(1)
        return targets, (targets + rng.normal(size=count)).round(1)
    if name == "average_precision":
        return rng.integers(0, 2, count), rng.normal(size=count).round(1)
    if name == "f1_micro":
        return rng.integers(0, 2, (count, 4)), rng.integers(0, 2, (count, 4))
    return rng.integers(0, 3, count), rng.integers(0, 3, count)


@pytest.mark.parametrize("name", WEIGHTED_METRICS)
def test_each_example_is_left_out_once(name: str) -> None:
    """Witness: the metric itself of the other examples."""
    targets, predictions = _data(name, 60)
    whole = METRICS[name](targets, predictions)
    left = [METRICS[name](np.delete(targets, i, 0), np.delete(predictions, i, 0)) for i in range(60)]
    expected = [60 * whole - 59 * value for value in left]
    np.testing.assert_allclose(metric_pseudo_values(name, targets, predictions), expected, rtol=1e-9, atol=1e-9)


def test_many_examples_are_left_out_in_groups() -> None:
    """Witness: the metric without each hundredth example, of five groups of them."""
    count = 2 * MAX_GROUPS + 3
    targets, predictions = _data("matthews", count)
    found = metric_pseudo_values("matthews", targets, predictions)
    keep = np.arange(count) % MAX_GROUPS
    whole, matthews = METRICS["matthews"](targets, predictions), METRICS["matthews"]
    for k in (0, 2, 3, 70, MAX_GROUPS - 1):
        left = matthews(targets[keep != k], predictions[keep != k])
        assert found[k] == pytest.approx(MAX_GROUPS * whole - (MAX_GROUPS - 1) * left)
    assert len(found) == MAX_GROUPS


def test_ratios_and_texts() -> None:
    """Witness: the ratio and BLEU of the other sentences."""
    rng = np.random.default_rng(0)
    ratio = Ratio(rng.integers(0, 4, 20).astype(float), rng.integers(4, 9, 20).astype(float))
    left = [Ratio(np.delete(ratio.numerator, i), np.delete(ratio.denominator, i)).value for i in range(20)]
    np.testing.assert_allclose(ratio_pseudo_values(ratio), [20 * ratio.value - 19 * value for value in left])
    texts = [" ".join(rng.choice(list("abc"), 8)) for _ in range(12)]
    references = [[" ".join(rng.choice(list("abc"), 8))] for _ in range(12)]
    counts = compute_statistics("bleu4", texts, references)
    others = [
        compute_statistics("bleu4", texts[:i] + texts[i + 1 :], references[:i] + references[i + 1 :]).value
        for i in range(12)
    ]
    np.testing.assert_allclose(
        sum_pseudo_values(counts.rows, counts.formula), [12 * counts.value - 11 * value for value in others]
    )


@pytest.mark.parametrize("name", sorted(WEIGHTED_METRICS))
def test_one_example_is_the_metric_itself(name: str) -> None:
    """Witness: the metric; without that example nothing is left, and no metric of nothing is asked for."""
    targets, predictions = (each[:1] for each in _data(name, 4))
    assert metric_pseudo_values(name, targets, predictions).tolist() == [METRICS[name](targets, predictions)]
    counts = compute_statistics("rougeL", ["a b"], [["a c"]])
    assert sum_pseudo_values(counts.rows, counts.formula).tolist() == [counts.value]


def test_the_variance_of_a_difference_is_that_of_paired_examples() -> None:
    """Witness: the standard error of the mean of paired differences, for a metric that is a mean."""
    targets, predictions = _data("mse", 80)
    other = predictions + np.random.default_rng(1).normal(size=80)
    errors = (targets - predictions) ** 2 - (targets - other) ** 2
    found = difference_variance(
        metric_pseudo_values("mse", targets, predictions), metric_pseudo_values("mse", targets, other)
    )
    assert found == pytest.approx(errors.var(ddof=1) / 80)


def test_the_residual_of_runs_and_examples_is_that_of_least_squares():
    """Witness: numpy's least squares of an additive model, a term for each run and each group; one run has no residual."""
    runs = np.random.default_rng(4).normal(size=(3, 7))
    run, group = (index.ravel() for index in np.indices(runs.shape))
    terms = np.concatenate([np.eye(3)[run], np.eye(7)[group]], 1)
    fitted = terms @ np.linalg.lstsq(terms, runs.ravel(), rcond=None)[0]
    mean_square = ((runs.ravel() - fitted) ** 2).sum() / (2 * 6)
    assert residual_variance(runs) == pytest.approx(mean_square / 21)
    assert residual_variance(runs[:1]) == 0.0
