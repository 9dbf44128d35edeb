"""Paired comparisons: SciPy's permutation, Wilcoxon's and binomial tests, Holm's procedure as its paper states it."""

import math

import numpy as np
import pytest
from scipy import stats

from warmstart.metrics.metric import METRICS
from warmstart.metrics.paired import compare_exchanged, compare_means, holm, mcnemar


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


def test_holm_is_the_step_down_procedure():
    """Witness: the procedure itself, level by level: reject in the order of p while p ≤ level / (comparisons left)."""
    draw = np.random.default_rng(0)
    for _ in range(20):
        values = draw.random(6) ** 3
        found = holm([*values, math.nan])
        assert math.isnan(found[-1])
        for level in np.linspace(0.01, 0.99, 30):
            rejected: set[int] = set()
            for rank, place in enumerate(np.argsort(values).tolist()):
                if values[place] > level / (6 - rank):
                    break
                rejected.add(place)
            assert {place for place, p in enumerate(found[:-1]) if p <= level} == rejected


def test_mcnemar_is_the_exact_binomial_test() -> None:
    """Witness: SciPy's ``binomtest`` of the items that one alone has right; the sum of binomials in whole numbers."""
    rng = np.random.default_rng(2)
    for size in (1, 5, 20, 300):
        first, second = rng.integers(0, 2, size), (rng.random(size) < 0.7).astype(int)
        found = mcnemar(first, second)
        few, differing = sorted((found.only_first, found.only_second))[0], found.only_first + found.only_second
        assert found.only_first == sum(a > b for a, b in zip(first, second, strict=True))
        assert found.p == pytest.approx(stats.binomtest(few, differing).pvalue if differing else 1.0)
        tail = sum(math.comb(differing, k) for k in range(few + 1))
        assert found.p == pytest.approx(min(1.0, 2 * tail / 2**differing))


def test_mcnemar_of_a_published_table() -> None:
    """Witness: Agresti 1990, table 10.1: 150 voters went one way and 86 the other; McNemar's statistic is 17.36."""
    first, second = np.repeat([1, 0], [150, 86]), np.repeat([0, 1], [150, 86])
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second) == (150, 86)
    assert found.p == pytest.approx(stats.chi2.sf(17.36, 1), rel=0.3)  # that statistic is of the normal approximation
