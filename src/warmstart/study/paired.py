"""Two sides of a study on the same examples: tests of what is chance in the choice of the examples alone.

They stand beside the comparison over seeds and examples (:mod:`~warmstart.metrics.comparison`), which says more: another
training of the same recipe might turn a difference round of which these are sure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from warmstart.metrics.metric import Array
from warmstart.metrics.paired import McNemar, compare_means, mcnemar


class Answered(Protocol):
    """What one training, or a baseline, did on each example."""

    @property
    def pseudo_values(self) -> Sequence[float]:
        """What groups of examples add to its metric; empty where that has none."""
        ...

    @property
    def right(self) -> str:
        """``1`` for each example that it has right; empty where none is right or wrong."""
        ...


@dataclass(frozen=True, slots=True)
class PairedTests:
    """Of two sides.

    Attributes:
        p_randomisation: approximate randomisation of the examples, by the mean of each side's trainings; ``None`` where the
            metric has no pseudo-values.
        mcnemar: of each pair of trainings; empty where no answer is right or wrong.
    """

    p_randomisation: float | None
    mcnemar: tuple[McNemar, ...]

    def to_dict(self) -> dict[str, Any]:
        """What stands in a report."""
        each = [{"only_main": one.only_first, "only_other": one.only_second, "p": one.p} for one in self.mcnemar]
        return {"p_randomisation": self.p_randomisation, "mcnemar": each}


def paired_tests(ours: Sequence[Answered], theirs: Sequence[Answered]) -> PairedTests:
    """Compares the trainings of two sides; a side of one, such as a baseline, is compared with each of the other."""
    means = [_mean([one.pseudo_values for one in side]) for side in (ours, theirs)]
    p = None if means[0] is None or means[1] is None else compare_means(means[0], means[1], 0).p_permutation
    count = max(len(ours), len(theirs))
    pairs = [(ours[min(k, len(ours) - 1)].right, theirs[min(k, len(theirs) - 1)].right) for k in range(count)]
    return PairedTests(p, tuple(mcnemar(_array(one), _array(other)) for one, other in pairs if one and other))


def _mean(values: Sequence[Sequence[float]]) -> Array | None:
    """[K] over trainings."""
    return np.mean(np.array(values, np.float64), axis=0) if all(map(len, values)) else None


def _array(right: str) -> Array:
    """[n] of ones and zeros."""
    return np.frombuffer(right.encode(), np.uint8) - ord("0")
