"""Runs that differ only in their seed: mean and standard deviation, collapsed runs, and the gain from pre-training."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from warmstart.base.formatting import format_count
from warmstart.metrics.jackknife import difference_variance
from warmstart.metrics.metric import LOWER_IS_BETTER, Array, is_constant, matthews
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


DOUBT = 0.05
"""A run has collapsed where one that has learned would look so in fewer than this share of all draws of its examples."""


def is_collapsed(targets: Array, predictions: Array) -> bool:
    """Whether a run has learned nothing: its predictions are all equal, or no better than those of the majority class.

    Few examples are no evidence: a run that answers well may be wrong on two of four. So it counts only where a run that
    closes half of the gap between the majority class and no error would seldom get so few right (binomial test). Neither
    has a run collapsed that finds a rare class and for that gives many false alarms: its predictions and the targets go
    together. For scores and for multi-label targets only equal predictions count.
    """
    if targets.dtype.kind == "f":
        return bool((predictions == predictions[0]).all() and not (targets == targets[0]).all())
    if targets.ndim == 2:
        return is_one_answer(list(map(tuple, targets.tolist())), list(map(tuple, predictions.tolist())))
    if is_one_answer(targets.tolist(), predictions.tolist()):
        return True
    right, majority = int((targets == predictions).sum()), int(np.unique(targets, return_counts=True)[1].max())
    if is_constant(targets) or right > majority or _share_below(right, len(targets), majority) >= DOUBT:
        return False
    return not _go_together(targets, predictions)


def is_one_answer(truths: Sequence[Hashable], predictions: Sequence[Hashable]) -> bool:
    """Whether all predictions are equal, and those of a run that has learned would seldom be.

    As seldom as so many answers in a row are the same, where each comes as often as among the truths.
    """
    counts = Counter(truths).values()
    if len(counts) < 2 or len(set(predictions)) != 1:
        return False
    return sum((count / len(truths)) ** len(truths) for count in counts) < DOUBT


def _share_below(right: int, count: int, majority: int) -> float:
    """How often a run that is right half-way between the majority's share and always has at most so many right."""
    from scipy.stats import binom

    return float(binom.cdf(right, count, (1 + majority / count) / 2))


def _go_together(targets: Array, predictions: Array) -> bool:
    """Whether predictions in a random order would seldom agree so well: for two classes the chi² test, n · matthews²."""
    from scipy.stats import norm

    return bool(norm.sf(matthews(targets, predictions) * math.sqrt(len(targets))) < DOUBT)


CAUTIONS = {
    "dev": " Both sides were stopped by the same dev, so name a test set for a fair figure.",
    "train": " Both sides have learned from these very examples, so name a test set: this says nothing of new texts.",
}
"""What a reader has to know where both sides were compared on this split."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The gain from pre-training over a random start, in the metric's own unit (positive is better).

    Attributes:
        metric: name of the metric.
        pretrained: runs from pre-trained weights.
        scratch: runs from random weights.
        gain: difference of the means, with its sign changed where lower is better.
        low: lower bound of the 95 % interval; NaN where neither seeds nor examples say how far it may be off.
        high: upper bound.
        split: what both sides were evaluated on; empty where that is not known.
        examples: how many examples that has.
        paired: whether the interval covers the choice of the examples, which both sides share.
    """

    metric: str
    pretrained: MeanStd
    scratch: MeanStd
    gain: float
    low: float
    high: float
    split: str = ""
    examples: int = 0
    paired: bool = False

    @property
    def seeds(self) -> int:
        """Runs of the side that has fewer."""
        return min(len(self.pretrained.values), len(self.scratch.values))

    @property
    def significant(self) -> bool:
        """Whether the interval of several seeds lies above 0."""
        return self.seeds > 1 and self.low > 0

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
        head = f"Pre-training {verb} {number(abs(self.gain))}{unit} of {self.metric}{self._where()}"
        sides = f"({side(self.pretrained)} against {side(self.scratch)}"
        span = (
            "" if math.isnan(self.low) else f"; 95 % interval {number(self.low)} to {number(self.high)}{self._covers()}"
        )
        return f"{head} {sides}{span}): {self._verdict()}.{self._caution()}"

    def _where(self) -> str:
        return f" on the {format_count(self.examples, 'example')} of {self.split}" if self.split else ""

    def _covers(self) -> str:
        """What the interval covers."""
        if self.seeds < 2:
            return " over examples"
        return " over seeds and examples" if self.paired else " over seeds"

    def _verdict(self) -> str:
        if self.seeds < 2:
            return "one seed says nothing about others"
        if self.significant:
            return "significant"
        return "not significant" if self.gain >= 0 else "not a gain"

    def _caution(self) -> str:
        """What a reader has to know about dev."""
        return (
            " Both sides were stopped by the same dev, so name a test set for a fair figure."
            if self.split == "dev"
            else ""
        )


def compare(
    pretrained: Sequence[float], scratch: Sequence[float], metric: str = "accuracy", *,
    pseudo_values: tuple[Array, Array] | None = None, split: str = "", examples: int = 0,
) -> Comparison:  # fmt: skip
    """The gain of the pre-trained runs, with an interval over seeds and examples.

    The variance of the gain is that over seeds (of independent runs with different variances, Welch 1947) and that over the
    choice of the examples, which both sides share. The interval is Student's, its degrees of freedom are Satterthwaite's.

    Args:
        pretrained: the metric of each run.
        scratch: the same of the control.
        metric: its name.
        pseudo_values: of both sides, [K] each, the mean over runs (:mod:`~warmstart.metrics.jackknife`); without them the
            interval covers the seeds only.
        split: what both were evaluated on.
        examples: how many examples that has.
    """
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    ours, theirs = mean_std(pretrained), mean_std(scratch)
    gain = sign * (ours.mean - theirs.mean)
    parts = [(runs.std**2 / len(runs.values), len(runs.values) - 1) for runs in (ours, theirs) if len(runs.values) > 1]
    if pseudo_values is not None and len(pseudo_values[0]) > 1:
        parts.append((difference_variance(*pseudo_values), len(pseudo_values[0]) - 1))
    half = _half_width(parts)
    return Comparison(
        metric, ours, theirs, gain, gain - half, gain + half, split, examples, paired=pseudo_values is not None
    )


def _half_width(parts: Sequence[tuple[float, int]]) -> float:
    """Half of the 95 % interval from independent variances with their degrees of freedom."""
    if not parts:
        return math.nan
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return 0.0
    from scipy.stats import t

    freedom = total**2 / sum(variance**2 / free for variance, free in parts)
    return float(t.ppf(0.975, freedom) * math.sqrt(total))
