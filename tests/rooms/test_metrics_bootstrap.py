"""Bootstrap: SciPy's own bootstrap, explicit resampling, and the metrics themselves as witnesses."""

import numpy as np
import pytest
import scipy
from scipy import stats

from warmstart.metrics.bootstrap import bootstrap_interval
from warmstart.metrics.metric import METRICS
from warmstart.metrics.weighted import WEIGHTED_METRICS


def sample(name, n=120, seed=0):
    rng = np.random.default_rng(seed)
    if name in ("pearson", "spearman", "mse"):
        x = rng.integers(0, 11, n) / 2
        return x, np.round(x + rng.normal(size=n), 1)
    if name == "average_precision":
        x = rng.integers(0, 2, n)
        return x, np.round(x + rng.normal(size=n), 1)
    if name in ("f1_micro", "exact_match"):
        x = rng.integers(0, 2, (n, 3))
        return x, np.where(rng.random((n, 3)) < 0.8, x, 1 - x)
    x = rng.integers(0, 3 if name == "f1_macro" else 2, n)
    return x, np.where(rng.random(n) < 0.7, x, rng.integers(0, 2, n))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_formula_over_counts_is_the_metric_of_the_resample(name):
    """Witness: the metric itself (scikit-learn, SciPy) on resamples written out example by example."""
    targets, predictions = sample(name)
    rng = np.random.default_rng(2)
    indices = [np.arange(len(targets)), *rng.integers(0, len(targets), (20, len(targets)))]
    counts = np.stack([np.bincount(d, minlength=len(targets)) for d in indices]).astype(float)
    expected = [METRICS[name](targets[d], predictions[d]) for d in indices]
    np.testing.assert_allclose(WEIGHTED_METRICS[name](targets, predictions, counts), expected, atol=1e-12)


def test_several_labels_have_the_mean_over_labels():
    """Witness: the metric itself, of two labels for each example."""
    targets, predictions = np.array([[1, 0], [1, 1], [0, 0]]), np.array([[1, 0], [0, 1], [1, 0]])
    found = WEIGHTED_METRICS["f1"](targets, predictions, np.ones((1, 3)))
    assert found[0] == pytest.approx(METRICS["f1"](targets, predictions)) and 0 < found[0] < 1


@pytest.mark.parametrize("name", ["f1", "f1_macro", "matthews", "pearson", "spearman"])
def test_a_constant_resample_counts_as_zero(name):
    """Witness: the metric's own defined value for constant predictions."""
    targets, predictions = np.array([0, 0, 1]), np.array([0, 0, 1])
    only_first = np.array([[3.0, 0.0, 0.0]])
    expected = METRICS[name](np.zeros(3, int), np.zeros(3, int))
    assert WEIGHTED_METRICS[name](targets, predictions, only_first)[0] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["accuracy", "pearson"])
def test_the_interval_is_that_of_scipy(name):
    """Witness: scipy.stats.bootstrap with the percentile method, within the noise of 5,000 resamples."""
    targets, predictions = sample(name, n=150)
    ours = bootstrap_interval(name, targets, predictions, seed=1, resamples=5000)

    def metric(x, y):
        return METRICS[name](x, y)

    generator = {"rng" if scipy.__version__ >= "1.15" else "random_state": np.random.default_rng(3)}
    theirs = stats.bootstrap(
        (targets, predictions), metric, paired=True, vectorized=False, method="percentile", n_resamples=1500, **generator
    ).confidence_interval  # fmt: skip
    assert ours.value == metric(targets, predictions)
    assert ours.low == pytest.approx(theirs.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.high, abs=0.02)


def test_the_same_seed_gives_the_same_interval_and_order_does_not_matter():
    """Invariant: the interval is a function of the set of examples and the seed."""
    targets, predictions = sample("accuracy")
    mixed = np.random.default_rng(5).permutation(len(targets))
    assert bootstrap_interval("f1", targets, predictions, seed=4) == bootstrap_interval(
        "f1", targets[mixed], predictions[mixed], seed=4
    )
    assert bootstrap_interval("f1", targets, predictions, seed=4) != bootstrap_interval(
        "f1", targets, predictions, seed=5
    )
