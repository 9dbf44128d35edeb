"""Two systems on the same items: is the difference of their scores more than chance?

Wilcoxon's signed ranks and a permutation of signs (approximate randomisation) need no normal distribution; McNemar's test
is of answers that are right or wrong. Holm's correction keeps the chance of any false finding among several comparisons
below its level (Holm 1979).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from warmstart.base.seeds import generator
from warmstart.metrics.metric import Array

NUM_PERMUTATIONS = 10_000
_MOST_NUMBERS = 1 << 22


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Of two systems.

    Attributes:
        difference: of their metrics, the first minus the second.
        p_permutation: how often chance gives one as large, either way.
        p_wilcoxon: of the signed ranks of the items' differences; ``None`` where the metric is no mean over items.
        effect: matched rank-biserial correlation, -1 to 1: the share of ranks for the first minus that for the second.
    """

    difference: float
    p_permutation: float
    p_wilcoxon: float | None = None
    effect: float | None = None


def compare_means(first: Array, second: Array, seed: int, permutations: int = NUM_PERMUTATIONS) -> PairedTest:
    """Compares the means of [n] scores of the same items."""
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    size = max(1, _MOST_NUMBERS // max(1, len(differences)))
    rng, total = generator(seed, "permutation"), abs(differences.sum())
    as_large = 0
    for start in range(0, permutations, size):
        signs = rng.integers(0, 2, (min(size, permutations - start), len(differences)), np.int8) * 2 - 1
        as_large += int((abs(signs @ differences) >= total - 1e-9).sum())
    p_wilcoxon, effect = _signed_ranks(differences)
    return PairedTest(float(differences.mean()), (as_large + 1) / (permutations + 1), p_wilcoxon, effect)


def _signed_ranks(differences: Array) -> tuple[float, float]:
    """Wilcoxon's p-value and the rank-biserial correlation; 1 and 0 where nothing differs."""
    from scipy.stats import rankdata, wilcoxon

    moved = differences[differences != 0]
    if not len(moved):
        return 1.0, 0.0
    ranks = rankdata(abs(moved))
    effect = (ranks[moved > 0].sum() - ranks[moved < 0].sum()) / ranks.sum()
    return float(wilcoxon(moved, method="approx").pvalue), float(effect)


def compare_exchanged(
    metric: Callable[[Array, Array], float], targets: Array, first: Array, second: Array, seed: int,
    permutations: int = 1000,
) -> PairedTest:  # fmt: skip
    """Compares two systems' predictions by a metric that is no mean, by exchanging them item by item.

    Only their ranks count, so that two scales can be exchanged.
    """
    from scipy.stats import rankdata

    one, other = rankdata(first), rankdata(second)
    observed = metric(targets, one) - metric(targets, other)
    rng, as_large = generator(seed, "exchange"), 0
    for _ in range(permutations):
        swap = rng.random(len(targets)) < 0.5
        drawn = metric(targets, np.where(swap, other, one)) - metric(targets, np.where(swap, one, other))
        as_large += abs(drawn) >= abs(observed) - 1e-12
    return PairedTest(float(observed), (as_large + 1) / (permutations + 1))


@dataclass(frozen=True, slots=True)
class McNemar:
    """Of two systems that are right or wrong on the same items (McNemar 1947).

    Attributes:
        only_first: items that the first alone has right.
        only_second: items that the second alone has right.
        p: how often chance divides these as unevenly, either way: exact, by the binomial distribution.
    """

    only_first: int
    only_second: int
    p: float


def mcnemar(first: Array, second: Array) -> McNemar:
    """McNemar's exact test of [n] answers, 1 right and 0 wrong, of two systems; equal answers say nothing."""
    from scipy.stats import binom

    one, other = np.asarray(first) > 0, np.asarray(second) > 0
    only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
    p = min(1.0, 2 * float(binom.cdf(min(only_first, only_second), only_first + only_second, 0.5)))
    return McNemar(only_first, only_second, p)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for being several; one that is not defined (NaN) is no comparison and stays so.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted((i for i, p in enumerate(values) if not math.isnan(p)), key=lambda i: values[i])
    corrected, least = [math.nan] * len(values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * values[place]))
        corrected[place] = least
    return corrected
