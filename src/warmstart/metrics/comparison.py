"""Runs that differ only in their seed: mean and standard deviation, collapsed runs, and the gain from pre-training."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from warmstart.base.formatting import format_count
from warmstart.metrics.jackknife import difference_variance, residual_variance
from warmstart.metrics.metric import LOWER_IS_BETTER, Array, is_constant, matthews
from warmstart.metrics.names import GENERATION_METRICS

Values = Sequence[Sequence[float] | Array]
"""Of each run [K] pseudo-values (:mod:`~warmstart.metrics.jackknife`)."""


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
    from scipy.special import bdtr  # scipy.stats, which has it as binom.cdf, takes seconds to import

    return float(bdtr(right, count, (1 + majority / count) / 2))


def _go_together(targets: Array, predictions: Array) -> bool:
    """Whether predictions in a random order would seldom agree so well: for two classes the chi² test, n · matthews²."""
    from scipy.special import ndtr

    return bool(ndtr(-matthews(targets, predictions) * math.sqrt(len(targets))) < DOUBT)


CAUTIONS = {
    "dev": " Both sides were stopped by the same dev, so name a test set for a fair figure.",
    "train": " Both sides have learned from these very examples, so name a test set: this says nothing of new texts.",
}
"""What a reader has to know where both sides were compared on this split."""


def in_points(metric: str, value: float) -> str:
    """A value or a gain of a metric for people: fractions and correlations in points (hundredths), errors as they are.

    Of perplexities in the thousands one digit says enough.
    """
    if metric in LOWER_IS_BETTER:
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"{value * (1.0 if metric in GENERATION_METRICS else 100.0):.1f}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The gain of one side over another, in the metric's own unit (positive is better): of pre-training over a random start.

    Attributes:
        metric: name of the metric.
        pretrained: runs from pre-trained weights, or of whatever side is asked about.
        scratch: runs from random weights, or of the other side.
        gain: difference of the means, with its sign changed where lower is better.
        low: lower bound of the 95 % interval; NaN where neither seeds nor examples say how far it may be off.
        high: upper bound.
        p: how likely a gain or loss as large is where neither side is better (two-sided); NaN as above.
        seed_variance: of the gain, over seeds.
        example_variance: of the gain, over the choice of the examples, without what those over seeds hold of it.
        split: what both sides were evaluated on; empty where that is not known.
        examples: how many examples that has.
        paired: whether the interval covers the choice of the examples, which both sides share.
        subject: what is said to gain.
        baseline: what the other side is called, where it is not the control; one figure of it depends on no seed.
    """

    metric: str
    pretrained: MeanStd
    scratch: MeanStd
    gain: float
    low: float
    high: float
    p: float
    seed_variance: float
    example_variance: float
    split: str = ""
    examples: int = 0
    paired: bool = False
    subject: str = "Pre-training"
    baseline: str = ""

    @property
    def seeds(self) -> int:
        """Runs of the side that has fewer, of those that depend on a seed."""
        return min(len(runs.values) for runs in self._seeded)

    @property
    def _seeded(self) -> tuple[MeanStd, ...]:
        """The sides that depend on a seed."""
        return (self.pretrained,) if self._is_fixed else (self.pretrained, self.scratch)

    @property
    def _is_fixed(self) -> bool:
        """Whether the other side depends on no seed."""
        return bool(self.baseline) and len(self.scratch.values) == 1

    @property
    def significant(self) -> bool:
        """Whether the interval of several seeds lies above 0."""
        return self.seeds > 1 and self.low > 0

    def sentence(self) -> str:
        """The comparison as a sentence; fractions and correlations are in points (hundredths)."""
        unit = "" if self.metric in LOWER_IS_BETTER else " points"

        def number(value: float) -> str:
            return in_points(self.metric, value)

        def side(runs: MeanStd) -> str:
            return f"{number(runs.mean)} ± {number(runs.std)} over {format_count(len(runs.values), 'seed')}"

        verb = "gains" if self.gain >= 0 else "loses"
        over = f" over {self.baseline}" if self.baseline else ""
        head = f"{self.subject} {verb} {number(abs(self.gain))}{unit} of {self.metric}{over}{self._where()}"
        other = number(self.scratch.mean) if self._is_fixed else side(self.scratch)
        sides = f"({side(self.pretrained)} against {other}"
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
        """What a reader has to know of the split; a baseline has seen nothing of dev."""
        own = " The runs were stopped by this dev, so name a test set for a fair figure."
        return own if self._is_fixed and self.split == "dev" else CAUTIONS.get(self.split, "")


def compare(
    pretrained: Sequence[float], scratch: Sequence[float], metric: str = "accuracy", *,
    pseudo_values: tuple[Values, Values] | None = None, split: str = "", examples: int = 0,
    sides: tuple[str, str] = ("Pre-training", ""), draws: bool = False,
) -> Comparison:  # fmt: skip
    """The gain of the pre-trained runs, with an interval over seeds and examples.

    The variance of the gain is that over seeds (of independent runs with different variances, Welch 1947) and that over the
    choice of the examples, which both sides share, less what is in both (:func:`_variance_parts`). The interval is
    Student's, its degrees of freedom are Satterthwaite's.

    Args:
        pretrained: the metric of each run.
        scratch: the same of the control.
        metric: its name.
        pseudo_values: of both sides; without them the interval covers the seeds only.
        split: what both were evaluated on.
        examples: how many examples that has.
        sides: what is said to gain; and what ``scratch`` is called, where it is not the control (one figure of it depends on
            no seed).
        draws: whether each seed has drawn examples of its own, which both sides have learned from: then their differences
            are what varies from seed to seed.
    """
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    ours, theirs = mean_std(pretrained), mean_std(scratch)
    gain = sign * (ours.mean - theirs.mean)
    varying = [mean_std(np.subtract(pretrained, scratch).tolist())] if draws else [ours, theirs]
    seeds = [(side.std**2 / len(side.values), len(side.values) - 1) for side in varying if len(side.values) > 1]
    over_seeds = sum(variance for variance, _ in seeds)
    over_examples = [] if pseudo_values is None else _over_examples(pseudo_values, over_seeds, draws=draws)
    half, p = _interval(gain, seeds + over_examples)
    return Comparison(
        metric, ours, theirs, gain, gain - half, gain + half, p, over_seeds, sum(part for part, _ in over_examples), split,
        examples, bool(over_examples), *sides,
    )  # fmt: skip


def _over_examples(pseudo_values: tuple[Values, Values], over_seeds: float, *, draws: bool) -> list[tuple[float, int]]:
    """The variance over the choice of the examples and its degrees of freedom; nothing of a single example.

    What a seed changes of single examples moves the means of the seeds and those of the examples. It is in both variances
    and counts once, as in the analysis of variance of a table of seeds by examples; but together they are no less than that
    of the examples by itself, which has it as well.
    """
    ours, theirs = (np.array(side, np.float64) for side in pseudo_values)
    if ours.shape[1] < 2:
        return []
    varying = [ours - theirs] if draws else [ours, theirs]
    residual = sum(map(residual_variance, varying))
    examples = difference_variance(ours.mean(0), theirs.mean(0))
    return [(max(0.0, examples - min(residual, over_seeds)), ours.shape[1] - 1)]


def _interval(gain: float, parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Half of the 95 % interval and the two-sided p, from independent variances with their degrees of freedom."""
    if not parts:
        return math.nan, math.nan
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return 0.0, float(gain == 0)
    from scipy.stats import t

    freedom = total**2 / sum(variance**2 / free for variance, free in parts)
    error = math.sqrt(total)
    return float(t.ppf(0.975, freedom) * error), float(2 * t.sf(abs(gain) / error, freedom))


@dataclass(frozen=True, slots=True)
class Needs:
    """What it would take to see a difference: in 80 of 100 comparisons as a significant one.

    Attributes:
        detectable: the least difference that this comparison would see so.
        examples: as many would do, with the same seeds; ``None``: no number would.
        seeds: as many of each side would do, on the same examples; ``None``: no number would.
    """

    detectable: float
    examples: int | None
    seeds: int | None


def needs(found: Comparison, difference: float) -> Needs | None:
    """What it would take to see ``difference``, in the metric's own unit; ``None`` where nothing is known of its spread.

    By the normal distribution: a difference is seen where it is 1.96 + 0.84 standard errors. The variance over examples
    shrinks with their number, that over seeds with theirs; each is estimated from this comparison.
    """
    total = found.seed_variance + found.example_variance
    if total == 0 or math.isnan(found.low):
        return None
    from scipy.stats import norm

    errors = float(norm.ppf(0.975) + norm.ppf(0.8))
    allowed = (difference / errors) ** 2

    def times(own: float, other: float) -> float | None:
        return own / (allowed - other) if allowed > other else None

    examples, seeds = (
        None if share is None else max(least, math.ceil(share * count))
        for share, count, least in (
            (times(found.example_variance, found.seed_variance), found.examples, 1),
            (times(found.seed_variance, found.example_variance), found.seeds, 2),
        )
    )
    return Needs(errors * math.sqrt(total), examples, seeds)
