"""Figures: training loss, dev metrics, and the comparison of arms.

Color-blind readers can tell the arms apart. Labels are at the lines; on a phone, where there is no room beside them, below.
"""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from warmstart.reporting.drawing import ARMS, Drawing, is_narrow, printable, setting
from warmstart.reporting.runs import Curves

MAX_POINTS, MAX_LABEL_CHARS = 300, 28


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of a comparison: its final metric of each seed, and the interval of these if there is one.

    ``color_index`` is the number of the arm on the page: the arm has the same color in all figures.
    """

    name: str
    color_index: int
    values: tuple[float, ...]
    collapsed: tuple[bool, ...] = ()
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The curves of one arm: (x, y) points for each seed."""

    name: str
    color_index: int
    seeds: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, slots=True)
class Band:
    """One curve with the interval of each of its points: (x, y, low, high)."""

    name: str
    color_index: int
    points: tuple[tuple[float, float, float, float], ...]


def loss_series(name: str, color_index: int, curves: Sequence[Curves], over: str = "step") -> Series:
    """The training loss of one arm, with ``step`` or ``tokens`` as x."""
    return Series(
        name,
        color_index,
        tuple(tuple((getattr(p, over), p.loss) for p in curve.train) for curve in curves if curve.train),
    )


def metric_series(name: str, color_index: int, curves: Sequence[Curves], metric: str) -> Series:
    """A dev metric of one arm, with steps as x."""
    seeds = (tuple((p.step, p.metrics[metric]) for p in curve.dev if metric in p.metrics) for curve in curves)
    return Series(name, color_index, tuple(points for points in seeds if points))


def loss_figure(lines: Sequence[Series], *, over: str = "step") -> Drawing:
    """The training loss of each seed: as logged (thin) and smooth (thick)."""

    def draw(axes: Any) -> None:
        ends = []
        for line in lines:
            color = _arm_color(line.color_index)
            for points in line.seeds:
                xs, ys = [x for x, _ in points], [y for _, y in points]
                smooth_ys = smooth(ys)
                for values, alpha, width in ((ys, 0.25, 0.8), (smooth_ys, 1.0, 1.8 if len(line.seeds) == 1 else 1.1)):
                    axes.plot(_subsample(xs), _subsample(values), color=color, alpha=alpha, linewidth=width)
            ends.append((line.name, statistics.fmean(smooth([y for _, y in p])[-1] for p in line.seeds), color))
        _label_ends(axes, ends)

    return _curve_figure(lines, "training loss", over, draw)


def dev_figure(lines: Sequence[Series], metric: str) -> Drawing:
    """A dev metric: a thin line for each seed, a thick one for their mean where all seeds have a point."""
    return _curve_figure(lines, f"dev {metric}", "step", lambda axes: _draw_means(axes, lines))


def _draw_means(axes: Any, lines: Sequence[Series]) -> None:
    """The seeds of each arm, their mean, and its name at the right end."""
    ends = []
    for line in lines:
        color, several = _arm_color(line.color_index), len(line.seeds) > 1
        alpha, width = (0.45, 0.9) if several else (1.0, 2.0)
        for points in line.seeds:
            _draw_curve(axes, points, color=color, alpha=alpha, linewidth=width)
        mean = mean_curve(line.seeds)
        if several and mean:
            _draw_curve(axes, mean, color=color, linewidth=2.4)
        ends.append((line.name, (mean or line.seeds[0])[-1][1], color))
    _label_ends(axes, ends)


def _draw_curve(axes: Any, points: Sequence[tuple[float, float]], **style: Any) -> None:
    """A line through points; of a single one, which a line would not show, a dot."""
    axes.plot(*zip(*points, strict=True), marker="o" if len(points) == 1 else "", markersize=5, **style)


def band_figure(bands: Sequence[Band], title: str, zero: str) -> Drawing:
    """Curves over steps, each in the band of its intervals; a line at 0, which is called ``zero``."""

    def draw(axes: Any) -> None:
        axes.axhline(0.0, color=setting("text.color"), linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(
            zero, (0.0, 0.0), xycoords=("axes fraction", "data"), xytext=(4, 3), textcoords="offset points",
            color=setting("text.color"),
        )  # fmt: skip
        for band in bands:
            xs, ys, lows, highs = zip(*band.points, strict=True)
            axes.fill_between(xs, lows, highs, color=_arm_color(band.color_index), alpha=0.16, linewidth=0)
            axes.plot(xs, ys, color=_arm_color(band.color_index), linewidth=2.0, marker="o", markersize=3.5)
        _label_ends(axes, [(band.name, band.points[-1][1], _arm_color(band.color_index)) for band in bands])

    lines = [Series(band.name, band.color_index, (tuple((x, y) for x, y, *_ in band.points),)) for band in bands]
    return _curve_figure(lines, title, "step", draw)


def label_figure(lines: Sequence[Series], metric: str, over: str, columns: Sequence[str]) -> Drawing:
    """A metric over the columns of a study, side by side: a thin line for each seed, a thick one for their mean."""

    def draw(axes: Any) -> None:
        _draw_means(axes, lines)
        axes.set_xticks(range(len(columns)), columns)
        axes.set_xlabel(over)
        axes.set_title(printable(metric), loc="left")
        axes.grid(axis="y")

    means = ((line.name, mean_curve(line.seeds)) for line in lines)
    ends = "; ".join(f"{name} from {mean[0][1]:.4g} to {mean[-1][1]:.4g}" for name, mean in means if mean)
    return Drawing(draw, f"{metric} over {over}: {ends}.", 3.8)


def comparison_figure(arms: Sequence[Arm], metric: str) -> Drawing:
    """A row per arm: a dot for each seed (open if the run collapsed), a bar for the mean, a line for the interval."""

    def draw(axes: Any) -> None:
        for row, arm in enumerate(arms):
            _draw_arm(axes, row, arm)
        _name_rows(axes, arms)
        axes.set_ylim(len(arms) - 0.5, -0.75)
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.12)
        axes.xaxis.set_major_locator(_ticks(integer=False))
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_xlabel(shorten_label(metric))

    means = "; ".join(f"{arm.name} {statistics.fmean(arm.values):.4g} ({len(arm.values)} seeds)" for arm in arms)
    return Drawing(draw, f"Comparison of {metric}, mean over seeds: {means}.", 0.9 + 0.55 * len(arms))


def _draw_arm(axes: Any, row: int, arm: Arm) -> None:
    color, background = _arm_color(arm.color_index), setting("axes.facecolor")
    if arm.interval:
        axes.plot(arm.interval, [row, row], color=color, linewidth=6, alpha=0.3, solid_capstyle="butt")
    mean = statistics.fmean(arm.values)
    axes.plot([mean, mean], [row - 0.24, row + 0.24], color=color, linewidth=2.6, solid_capstyle="butt")
    for value, is_open in zip(arm.values, arm.collapsed or (False,) * len(arm.values), strict=True):
        face, edge = (background, color) if is_open else (color, background)
        axes.plot([value], [row], "o", markersize=7, color=face, markeredgecolor=edge)


def _name_rows(axes: Any, arms: Sequence[Arm]) -> None:
    """The name of each row at its left and its mean at the bar; on a phone both above it."""
    names = [(shorten_label(arm.name), statistics.fmean(arm.values)) for arm in arms]
    axes.set_yticks(range(len(arms)), [name for name, _ in names] if not is_narrow(axes) else [""] * len(arms))
    for row, (name, mean) in enumerate(names):
        if is_narrow(axes):
            text, place, where, align = f"{name}  {mean:.4g}", (0.0, row - 0.3), ("axes fraction", "data"), "left"
        else:
            text, place, where, align = f"{mean:.4g}", (mean, row - 0.3), ("data", "data"), "center"
        axes.annotate(text, place, xycoords=where, xytext=(0, 3), textcoords="offset points", ha=align)


def calibration_figure(lines: Sequence[Series]) -> Drawing:
    """The share of right answers over their probability, beside the diagonal where both are the same."""

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=setting("grid.color"), linewidth=1.4)
        for line in lines:
            for points in line.seeds:
                axes.plot(*zip(*points, strict=True), color=_arm_color(line.color_index), marker="o", markersize=5)
        _label_ends(axes, [(line.name, line.seeds[0][-1][1], _arm_color(line.color_index)) for line in lines])
        axes.set_xlabel("probability of the answer")
        axes.set_title("share right", loc="left")
        axes.grid(axis="y")

    ends = "; ".join(
        f"{line.name} from {line.seeds[0][0][1]:.2f} right at {line.seeds[0][0][0]:.2f} to "
        f"{line.seeds[0][-1][1]:.2f} at {line.seeds[0][-1][0]:.2f}" for line in lines
    )  # fmt: skip
    return Drawing(draw, f"Calibration: {ends}.", 3.8)


def smooth(values: Sequence[float]) -> list[float]:
    """A moving mean over a tenth of the curve, less near both ends."""
    sums = list(itertools.accumulate(values, initial=0.0))
    last, half = len(values) - 1, len(values) // 20
    widths = [min(half, i, last - i) for i in range(len(values))]
    return [(sums[i + width + 1] - sums[i - width]) / (2 * width + 1) for i, width in enumerate(widths)]


def mean_curve(seeds: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """The mean over seeds, at each x where all seeds have a point."""
    tables = [dict(points) for points in seeds]
    common = sorted(set(tables[0]).intersection(*tables[1:])) if tables else []
    return [(x, statistics.fmean(table[x] for table in tables)) for x in common]


def shorten_label(name: str) -> str:
    """A printable label of at most :data:`MAX_LABEL_CHARS` characters."""
    name = printable(name)
    return name if len(name) <= MAX_LABEL_CHARS else f"{name[: MAX_LABEL_CHARS - 1]}…"


def _arm_color(index: int) -> str:
    return f"C{index % len(ARMS)}"


def _subsample(values: Sequence[float]) -> Sequence[float]:
    """Every n-th value and the last: the page of a long run stays small."""
    every = -(-len(values) // MAX_POINTS)
    return values if every <= 1 else [*values[:-1:every], values[-1]]


def _curve_figure(lines: Sequence[Series], title: str, over: str, draw: Any) -> Drawing:
    def draw_all(axes: Any) -> None:
        draw(axes)
        axes.set_xlabel("tokens" if over == "tokens" else "step")
        axes.set_title(printable(title), loc="left")
        axes.xaxis.set_major_locator(_ticks())
        axes.xaxis.set_major_formatter(lambda x, _: short_number(x))
        axes.grid(axis="y")

    ends = "; ".join(
        f"{line.name} from {line.seeds[0][0][1]:.4g} to {line.seeds[0][-1][1]:.4g}" for line in lines if line.seeds
    )
    return Drawing(draw_all, f"{title} over {over}: {ends}.", 3.4)


def _label_ends(axes: Any, ends: Sequence[tuple[str, float, str]]) -> None:
    """The name of each line at its right end, where none overlaps another; on a phone below the drawing."""
    ordered = sorted(ends, key=lambda end: end[1])
    if is_narrow(axes):
        lines = [axes.plot([], [], color=color, linewidth=2.4)[0] for _, _, color in reversed(ordered)]
        names = [shorten_label(name) for name, *_ in reversed(ordered)]
        axes.figure.legend(lines, names, loc="outside lower left", labelcolor="linecolor", frameon=False)
        return
    low, high = axes.get_ylim()
    gap = 0.075 * (high - low)
    label_y = -float("inf")
    for name, y, color in ordered:
        label_y = max(y, label_y + gap)
        axes.annotate(
            shorten_label(name), (1.0, label_y), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", color=color, fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def _ticks(*, integer: bool = True) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, integer=integer)


def short_number(value: float) -> str:
    """A number in at most four digits: ``1.1M``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"
