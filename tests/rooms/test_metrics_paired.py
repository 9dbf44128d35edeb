"""Paired comparisons: SciPy's permutation test and Wilcoxon's, Holm's procedure as its paper states it."""

import numpy as np
import pytest
from scipy import stats

from warmstart.metrics.metric import METRICS
from warmstart.metrics.paired import compare_exchanged, compare_means, holm


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_means(shift: float) -> None:
    """Witness: SciPy's ``permutation_test`` and ``wilcoxon``."""
    rng = np.random.default_rng(3)
    first, second = (rng.random(60) < 0.5 + shift).astype(float), (rng.random(60) < 0.5).astype(float)
    found = compare_means(first, second, 0)
    theirs = stats.permutation_test(
        (first, second), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", n_resamples=20_000,
        vectorized=True, rng=np.random.default_rng(0),
    )  # fmt: skip
    assert found.difference == pytest.approx(first.mean() - second.mean())
    assert found.p_permutation == pytest.approx(theirs.pvalue, abs=0.02)
    assert found.p_wilcoxon == pytest.approx(stats.wilcoxon(first, second, method="approx").pvalue)


def test_nothing_differs() -> None:
    """Invariant: the same scores differ by chance."""
    found = compare_means(np.ones(5), np.ones(5), 0)
    assert (found.difference, found.p_permutation, found.p_wilcoxon, found.effect) == (0, 1, 1, 0)


def test_effect_is_one_where_the_first_always_wins() -> None:
    """Invariant: the bounds of the rank-biserial correlation."""
    assert compare_means(np.arange(9) + 1.0, np.zeros(9), 0).effect == 1
    assert compare_means(np.zeros(9), np.arange(9) + 1.0, 0).effect == -1


def test_exchange_finds_a_true_difference_and_no_other() -> None:
    """Invariant: a copy differs by chance, noise does not; scales do not matter."""
    rng = np.random.default_rng(0)
    gold = rng.normal(size=80)
    good, bad = gold + 0.3 * rng.normal(size=80), rng.normal(size=80)
    found = compare_exchanged(METRICS["spearman"], gold, good, bad, 0, 200)
    assert found.p_permutation < 0.01 and found.difference > 0.5
    assert compare_exchanged(METRICS["spearman"], gold, good, np.exp(good), 0, 50).p_permutation == 1


def test_holm() -> None:
    """Witness: the steps of Holm 1979: the smallest times n, the next times n - 1, none below the one before or above 1."""
    values = [0.6, 0.01, 0.02, 0.9, 0.013]
    expected = {0.01: 0.05, 0.013: 0.052, 0.02: 0.06, 0.6: 1.0, 0.9: 1.0}
    assert holm(values) == pytest.approx([expected[value] for value in values])
    assert holm([]) == []
