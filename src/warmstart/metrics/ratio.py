"""Ratio: a metric that is a sum divided by a sum, where each sentence or question adds to both.

Entity F1 is twice the right entities, divided by the target and the predicted entities; word accuracy is right words
divided by words. The terms per sentence give the metric, and also that of any resample of the sentences.
"""

from typing import NamedTuple

from warmstart.metrics.metric import Array


class Ratio(NamedTuple):
    """Σ ``numerator`` / Σ ``denominator``: [n] floats each, one number per sentence or question."""

    numerator: Array
    denominator: Array

    @property
    def value(self) -> float:
        """The metric; 0.0 where the denominator is 0."""
        total = float(self.denominator.sum())
        return float(self.numerator.sum()) / total if total else 0.0
