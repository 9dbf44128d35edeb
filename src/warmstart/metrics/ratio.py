"""Tally: a metric that is a sum over a sum, each sentence or question adding its share to both.

Entity F1 is twice the entities found over those marked and those told; word accuracy is right words over words. Kept per
sentence, the sums say the metric, and any resample of the sentences says it again without counting anew.
"""

from typing import NamedTuple

from warmstart.metrics.metric import Array


class Ratio(NamedTuple):
    """Σ ``over`` / Σ ``under``: [n] floats each, one number per sentence or question."""

    numerator: Array
    denominator: Array

    @property
    def value(self) -> float:
        """The metric; 0.0 where there is nothing to divide by."""
        under = float(self.denominator.sum())
        return float(self.numerator.sum()) / under if under else 0.0
