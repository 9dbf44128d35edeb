"""Runs that differ only in their seed: mean and standard deviation, collapsed runs, and the gain from pre-training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warmstart.base.formatting import format_count
from warmstart.metrics.metric import LOWER_IS_BETTER, Array, is_constant
from warmstart.metrics.names import GENERATION_METRICS


@dataclass(frozen=True, slots=True)
class MeanStd:
    """Values of one metric over runs; ``std`` divides by n - 1 and is 0 for one run."""

    values: tuple[float, ...]
    mean: float
    std: float


def mean_std(values: Sequence[float]) -> MeanStd:
    """The mean and the standard deviation over runs."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return MeanStd(tuple(values), float(np.mean(values)), std)


def is_collapsed(targets: Array, predictions: Array) -> bool:
    """Whether a run has learned nothing: its predictions are all equal, or no better than those of the majority class.

    For scores and for multi-label targets only the first counts.
    """
    if (predictions == predictions[0]).all():
        return not bool((targets == targets[0]).all())
    if targets.ndim == 2 or targets.dtype.kind == "f" or is_constant(targets):
        return False
    majority = np.unique(targets, return_counts=True)[1].max()
    return bool((targets == predictions).sum() <= majority)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The gain from pre-training over a random start, in the metric's own unit (positive is better).

    Attributes:
        metric: name of the metric.
        pretrained: runs from pre-trained weights.
        scratch: runs from random weights.
        gain: difference of the means, with its sign changed where lower is better.
        low: lower bound of Welch's 95 % interval; NaN if a side has fewer than two runs.
        high: upper bound.
    """

    metric: str
    pretrained: MeanStd
    scratch: MeanStd
    gain: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the gain exceeds the sum of both standard deviations and its interval lies above 0."""
        several = min(len(self.pretrained.values), len(self.scratch.values)) > 1
        return several and self.gain > self.pretrained.std + self.scratch.std and self.low > 0

    def sentence(self) -> str:
        """The comparison as a sentence; fractions and correlations are in points (hundredths)."""
        scale, unit, digits = 100.0, " points", 1
        if self.metric in GENERATION_METRICS:  # these are 0 to 100 already
            scale = 1.0
        elif self.metric in LOWER_IS_BETTER:
            scale, unit, digits = 1.0, "", 4

        def number(value: float) -> str:
            return f"{value * scale:.{digits}f}"

        def side(runs: MeanStd) -> str:
            return f"{number(runs.mean)} ± {number(runs.std)} over {format_count(len(runs.values), 'seed')}"

        verb = "gains" if self.gain >= 0 else "loses"
        head = f"Pre-training {verb} {number(abs(self.gain))}{unit} of {self.metric}"
        sides = f"({side(self.pretrained)} against {side(self.scratch)}"
        if math.isnan(self.low):
            return f"{head} {sides}): with one seed there is no interval."
        span = f"; 95 % interval {number(self.low)} to {number(self.high)})"
        if self.significant:
            return f"{head} {sides}{span}: significant."
        return f"{head} {sides}{span}: {'not significant' if self.gain >= 0 else 'not a gain'}."


def compare(pretrained: Sequence[float], scratch: Sequence[float], metric: str = "accuracy") -> Comparison:
    """The gain of the pre-trained runs, with Welch's 95 % interval (independent runs, different variances)."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    ours, theirs = mean_std(pretrained), mean_std(scratch)
    gain = sign * (ours.mean - theirs.mean)
    half = _welch_half_width(ours, theirs)
    return Comparison(metric, ours, theirs, gain, gain - half, gain + half)


def _welch_half_width(one: MeanStd, other: MeanStd) -> float:
    if min(len(one.values), len(other.values)) < 2:
        return math.nan
    parts = [run.std**2 / len(run.values) for run in (one, other)]
    if sum(parts) == 0:
        return 0.0
    freedom = sum(parts) ** 2 / sum(p**2 / (len(r.values) - 1) for p, r in zip(parts, (one, other), strict=True))
    from scipy.stats import t

    return float(t.ppf(0.975, freedom) * math.sqrt(sum(parts)))
