"""Figures as inline SVG: training loss, dev metrics, and the comparison of arms.

matplotlib draws them without a display. Colors become CSS variables of the page (``--text``, ``--grid``, ``--arm-0`` …), so
one drawing fits a light and a dark page; color-blind readers can tell the arms apart. Labels are at the lines, not in a
legend. The same input gives the same bytes: there is no date, and ids do not depend on chance.
"""

import io
import itertools
import re
import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from warmstart.reporting.runs import Curves

TEXT_COLOR, GRID_COLOR, BACKGROUND_COLOR = "#0a0b0c", "#0d0e0f", "#0f1011"  # placeholders that CSS variables replace
ARM_COLORS = tuple(f"#a0b0c{i}" for i in range(6))
WIDTH_INCHES, MAX_POINTS, MAX_LABEL_CHARS = 6.4, 300, 28


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


def loss_figure(lines: Sequence[Series], *, over: str = "step") -> str:
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


def dev_figure(lines: Sequence[Series], metric: str) -> str:
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


def band_figure(bands: Sequence[Band], title: str, zero: str) -> str:
    """Curves over steps, each in the band of its intervals; a line at 0, which is called ``zero``."""

    def draw(axes: Any) -> None:
        axes.axhline(0.0, color=TEXT_COLOR, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(
            zero, (0.0, 0.0), xycoords=("axes fraction", "data"), xytext=(4, 3), textcoords="offset points",
            color=TEXT_COLOR,
        )  # fmt: skip
        for band in bands:
            xs, ys, lows, highs = zip(*band.points, strict=True)
            axes.fill_between(xs, lows, highs, color=_arm_color(band.color_index), alpha=0.16, linewidth=0)
            axes.plot(xs, ys, color=_arm_color(band.color_index), linewidth=2.0, marker="o", markersize=3.5)
        _label_ends(axes, [(band.name, band.points[-1][1], _arm_color(band.color_index)) for band in bands])

    lines = [Series(band.name, band.color_index, (tuple((x, y) for x, y, *_ in band.points),)) for band in bands]
    return _curve_figure(lines, title, "step", draw)


def label_figure(lines: Sequence[Series], metric: str, over: str, columns: Sequence[str]) -> str:
    """A metric over the columns of a study, side by side: a thin line for each seed, a thick one for their mean."""

    def draw(axes: Any) -> None:
        _draw_means(axes, lines)
        axes.set_xticks(range(len(columns)), columns)
        axes.set_xlabel(over)
        axes.set_title(_printable(metric), loc="left")
        axes.grid(axis="y", color=GRID_COLOR, linewidth=0.8)

    means = ((line.name, mean_curve(line.seeds)) for line in lines)
    ends = "; ".join(f"{name} from {mean[0][1]:.4g} to {mean[-1][1]:.4g}" for name, mean in means if mean)
    return _svg(draw, f"{metric} over {over}: {ends}.", height_inches=3.8)


def comparison_figure(arms: Sequence[Arm], metric: str) -> str:
    """A row per arm: a dot for each seed (open if the run collapsed), a bar for the mean, a line for the interval."""

    def draw(axes: Any) -> None:
        for row, arm in enumerate(arms):
            color = _arm_color(arm.color_index)
            collapsed = arm.collapsed or (False,) * len(arm.values)
            if arm.interval:
                axes.plot(arm.interval, [row, row], color=color, linewidth=6, alpha=0.3, solid_capstyle="butt")
            mean = statistics.fmean(arm.values)
            axes.plot([mean, mean], [row - 0.24, row + 0.24], color=color, linewidth=2.6, solid_capstyle="butt")
            for value, is_open in zip(arm.values, collapsed, strict=True):
                axes.plot(
                    [value],
                    [row],
                    "o",
                    markersize=7,
                    color=BACKGROUND_COLOR if is_open else color,
                    markeredgecolor=color if is_open else BACKGROUND_COLOR,
                )
            axes.annotate(
                f"{mean:.4g}",
                (mean, row - 0.3),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                color=TEXT_COLOR,
            )
        axes.set_yticks(range(len(arms)), [shorten_label(arm.name) for arm in arms])
        axes.set_ylim(len(arms) - 0.5, -0.75)
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.12)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=GRID_COLOR, linewidth=0.8)
        axes.set_xlabel(shorten_label(metric))

    means = "; ".join(f"{arm.name} {statistics.fmean(arm.values):.4g} ({len(arm.values)} seeds)" for arm in arms)
    return _svg(draw, f"Comparison of {metric}, mean over seeds: {means}.", height_inches=0.9 + 0.55 * len(arms))


def calibration_figure(lines: Sequence[Series]) -> str:
    """The share of right answers over their probability, beside the diagonal where both are the same."""

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GRID_COLOR, linewidth=1.4)
        for line in lines:
            for points in line.seeds:
                axes.plot(*zip(*points, strict=True), color=_arm_color(line.color_index), marker="o", markersize=5)
        _label_ends(axes, [(line.name, line.seeds[0][-1][1], _arm_color(line.color_index)) for line in lines])
        axes.set_xlabel("probability of the answer")
        axes.set_title("share right", loc="left")
        axes.grid(axis="y", color=GRID_COLOR, linewidth=0.8)

    ends = "; ".join(
        f"{line.name} from {line.seeds[0][0][1]:.2f} right at {line.seeds[0][0][0]:.2f} to "
        f"{line.seeds[0][-1][1]:.2f} at {line.seeds[0][-1][0]:.2f}" for line in lines
    )  # fmt: skip
    return _svg(draw, f"Calibration: {ends}.", height_inches=3.8)


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
    name = _printable(name)
    return name if len(name) <= MAX_LABEL_CHARS else f"{name[: MAX_LABEL_CHARS - 1]}…"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _arm_color(index: int) -> str:
    return ARM_COLORS[index % len(ARM_COLORS)]


def _subsample(values: Sequence[float]) -> Sequence[float]:
    """Every n-th value and the last: the page of a long run stays small."""
    every = -(-len(values) // MAX_POINTS)
    return values if every <= 1 else [*values[:-1:every], values[-1]]


def _curve_figure(lines: Sequence[Series], title: str, over: str, draw: Any) -> str:
    def draw_all(axes: Any) -> None:
        draw(axes)
        axes.set_xlabel("tokens" if over == "tokens" else "step")
        axes.set_title(_printable(title), loc="left")
        axes.xaxis.set_major_locator(_ticks())
        axes.xaxis.set_major_formatter(lambda x, _: short_number(x))
        axes.grid(axis="y", color=GRID_COLOR, linewidth=0.8)

    ends = "; ".join(
        f"{line.name} from {line.seeds[0][0][1]:.4g} to {line.seeds[0][-1][1]:.4g}" for line in lines if line.seeds
    )
    return _svg(draw_all, f"{title} over {over}: {ends}.", height_inches=3.4)


def _label_ends(axes: Any, ends: Sequence[tuple[str, float, str]]) -> None:
    """The name of each line at its right end; labels never overlap."""
    low, high = axes.get_ylim()
    gap = 0.075 * (high - low)
    label_y = -float("inf")
    for name, y, color in sorted(ends, key=lambda end: end[1]):
        label_y = max(y, label_y + gap)
        axes.annotate(
            shorten_label(name), (1.0, label_y), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", color=color, fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def _ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, integer=True)


def short_number(value: float) -> str:
    """A number in at most four digits: ``1.1M``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def _svg(draw: Any, alt: str, height_inches: float) -> str:
    """Calls ``draw`` with new axes; returns one ``<svg>`` element with its alt text."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = {
        "svg.hashsalt": alt, "svg.fonttype": "none", "text.parse_math": False, "font.family": ["DejaVu Sans"],
        "font.size": 10.5, "axes.titlesize": 10.5, "axes.edgecolor": GRID_COLOR, "axes.labelcolor": TEXT_COLOR,
        "text.color": TEXT_COLOR,
        "axes.titlecolor": TEXT_COLOR, "xtick.color": TEXT_COLOR, "ytick.color": TEXT_COLOR, "axes.spines.top": False,
        "axes.spines.right": False, "figure.constrained_layout.use": True, "axes.axisbelow": True,
    }  # fmt: skip
    file = io.StringIO()
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # this font lacks a letter, but the browser's has it
        figure = Figure(figsize=(WIDTH_INCHES, height_inches))
        FigureCanvasAgg(figure)
        draw(figure.add_subplot())
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(file.getvalue(), alt)


def _for_page(svg: str, alt: str) -> str:
    """The ``<svg>`` element alone, without metadata and unused ids; the page sets its colors, its font and its width."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    view_box = re.search(r'viewBox="[^"]*"', svg)
    assert view_box is not None
    label = f'role="img" aria-label="{escape(_printable(alt))}"'
    opening = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {view_box[0]} {label}>'
    svg = re.sub(r"<svg.*?>", lambda _: opening, svg, count=1, flags=re.DOTALL)
    svg = (
        svg.replace("'DejaVu Sans'", "var(--font)")
        .replace(TEXT_COLOR, "var(--text)")
        .replace(GRID_COLOR, "var(--grid)")
    )
    svg = svg.replace(BACKGROUND_COLOR, "var(--background)")
    for i, color in enumerate(ARM_COLORS):
        svg = svg.replace(color, f"var(--arm-{i})")
    return svg.strip()
