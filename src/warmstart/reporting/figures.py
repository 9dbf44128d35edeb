"""Figures as inline SVG: training loss, dev metrics, and the comparison of arms.

Drawn by matplotlib without a display. Inks are written as CSS variables of the page (``--ink``, ``--rule``, ``--arm-0``
…), so one drawing is right on light and on dark paper; the arms' colours stay apart for colour-blind eyes. Lines are
labelled directly. The same input gives the same bytes: no dates, named salts for ids.
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

INK, RULE, PAPER = "#0a0b0c", "#0d0e0f", "#0f1011"  # stand-ins, replaced by CSS variables
ARMS = tuple(f"#a0b0c{i}" for i in range(6))
WIDTH_INCHES, POINTS_SHOWN, LABEL_CHARACTERS = 6.4, 300, 28


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a comparison: its final figure per seed; ``interval`` is shown where it is known.

    ``colour`` numbers the arms of a page, so that an arm keeps its colour in every figure.
    """

    name: str
    color_index: int
    values: tuple[float, ...]
    collapsed: tuple[bool, ...] = ()
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One arm's curves: its (x, y) points per seed."""

    name: str
    color_index: int
    seeds: tuple[tuple[tuple[float, float], ...], ...]


def loss_series(name: str, colour: int, curves: Sequence[Curves], over: str = "step") -> Series:
    """The training loss of one arm over ``step`` or ``tokens``."""
    return Series(
        name, colour, tuple(tuple((getattr(p, over), p.loss) for p in curve.train) for curve in curves if curve.train)
    )


def metric_series(name: str, colour: int, curves: Sequence[Curves], metric: str) -> Series:
    """One dev metric of one arm over steps."""
    seeds = (tuple((p.step, p.metrics[metric]) for p in curve.dev if metric in p.metrics) for curve in curves)
    return Series(name, colour, tuple(points for points in seeds if points))


def loss_figure(lines: Sequence[Series], *, over: str = "step") -> str:
    """Loss of each seed as it was logged (faint) and smoothed (strong)."""

    def draw(axes: Any) -> None:
        ends = []
        for line in lines:
            ink = _ink(line.color_index)
            for points in line.seeds:
                xs, ys = [x for x, _ in points], [y for _, y in points]
                smooth_ys = smooth(ys)
                for values, alpha, width in ((ys, 0.25, 0.8), (smooth_ys, 1.0, 1.8 if len(line.seeds) == 1 else 1.1)):
                    axes.plot(_thinned(xs), _thinned(values), color=ink, alpha=alpha, linewidth=width)
            ends.append((line.name, statistics.fmean(smooth([y for _, y in p])[-1] for p in line.seeds), ink))
        _label_ends(axes, ends)

    return _curve_figure(lines, "training loss", over, draw)


def dev_figure(lines: Sequence[Series], metric: str) -> str:
    """A dev metric: each seed a thin line, their mean a thick one as far as all seeds go."""

    def draw(axes: Any) -> None:
        ends = []
        for line in lines:
            ink = _ink(line.color_index)
            several = len(line.seeds) > 1
            for points in line.seeds:
                axes.plot(
                    *zip(*points, strict=True), color=ink, alpha=0.45 if several else 1, linewidth=0.9 if several else 2
                )
            mean = mean_curve(line.seeds)
            if several and mean:
                axes.plot(*zip(*mean, strict=True), color=ink, linewidth=2.4)
            ends.append((line.name, (mean or line.seeds[0])[-1][1], ink))
        _label_ends(axes, ends)

    return _curve_figure(lines, f"dev {metric}", "step", draw)


def comparison_figure(arms: Sequence[Arm], metric: str) -> str:
    """A row per arm: each seed a dot (open where the run collapsed), the mean a bar, the interval a line."""

    def draw(axes: Any) -> None:
        for row, arm in enumerate(arms):
            ink = _ink(arm.color_index)
            collapsed = arm.collapsed or (False,) * len(arm.values)
            if arm.interval:
                axes.plot(arm.interval, [row, row], color=ink, linewidth=6, alpha=0.3, solid_capstyle="butt")
            mean = statistics.fmean(arm.values)
            axes.plot([mean, mean], [row - 0.24, row + 0.24], color=ink, linewidth=2.6, solid_capstyle="butt")
            for value, flat in zip(arm.values, collapsed, strict=True):
                axes.plot(
                    [value],
                    [row],
                    "o",
                    markersize=7,
                    color=PAPER if flat else ink,
                    markeredgecolor=ink if flat else PAPER,
                )
            axes.annotate(
                f"{mean:.4g}", (mean, row - 0.3), xytext=(0, 3), textcoords="offset points", ha="center", color=INK
            )
        axes.set_yticks(range(len(arms)), [shorten_label(arm.name) for arm in arms])
        axes.set_ylim(len(arms) - 0.5, -0.75)
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.12)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=RULE, linewidth=0.8)
        axes.set_xlabel(shorten_label(metric))

    means = "; ".join(f"{arm.name} {statistics.fmean(arm.values):.4g} ({len(arm.values)} seeds)" for arm in arms)
    return _svg(draw, f"Comparison of {metric}, mean over seeds: {means}.", height_inches=0.9 + 0.55 * len(arms))


def smooth(values: Sequence[float]) -> list[float]:
    """The mean of each value's neighbourhood, a tenth of the curve wide and narrower towards both ends."""
    sums = list(itertools.accumulate(values, initial=0.0))
    last, half = len(values) - 1, len(values) // 20
    reaches = [min(half, i, last - i) for i in range(len(values))]
    return [(sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1) for i, reach in enumerate(reaches)]


def mean_curve(seeds: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """The mean over seeds at each x that all of them have."""
    tables = [dict(points) for points in seeds]
    common = sorted(set(tables[0]).intersection(*tables[1:])) if tables else []
    return [(x, statistics.fmean(table[x] for table in tables)) for x in common]


def shorten_label(name: str) -> str:
    """A label that fits: printable, at most :data:`LABEL_CHARACTERS` long."""
    name = _printable(name)
    return name if len(name) <= LABEL_CHARACTERS else f"{name[: LABEL_CHARACTERS - 1]}…"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _ink(colour: int) -> str:
    return ARMS[colour % len(ARMS)]


def _thinned(values: Sequence[float]) -> Sequence[float]:
    """Every n-th value and the last, so that a long run does not make a heavy page."""
    every = -(-len(values) // POINTS_SHOWN)
    return values if every <= 1 else [*values[:-1:every], values[-1]]


def _curve_figure(lines: Sequence[Series], what: str, over: str, draw: Any) -> str:
    def framed(axes: Any) -> None:
        draw(axes)
        axes.set_xlabel("tokens" if over == "tokens" else "step")
        axes.set_title(_printable(what), loc="left")
        axes.xaxis.set_major_locator(_ticks())
        axes.xaxis.set_major_formatter(lambda x, _: _short_number(x))
        axes.grid(axis="y", color=RULE, linewidth=0.8)

    ends = "; ".join(
        f"{line.name} from {line.seeds[0][0][1]:.4g} to {line.seeds[0][-1][1]:.4g}" for line in lines if line.seeds
    )
    return _svg(framed, f"{what} over {over}: {ends}.", height_inches=3.4)


def _label_ends(axes: Any, ends: Sequence[tuple[str, float, str]]) -> None:
    """Each line's name at its right end, moved apart where two would touch."""
    low, high = axes.get_ylim()
    gap = 0.075 * (high - low)
    at = -float("inf")
    for name, y, ink in sorted(ends, key=lambda end: end[1]):
        at = max(y, at + gap)
        axes.annotate(
            shorten_label(name), (1.0, at), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            va="center", color=ink, fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def _ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, integer=True)


def _short_number(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def _svg(draw: Any, alt: str, height_inches: float) -> str:
    """Draws on fresh axes and returns one ``<svg>`` element that carries its alt text."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = {
        "svg.hashsalt": alt, "svg.fonttype": "none", "text.parse_math": False, "font.family": ["DejaVu Sans"],
        "font.size": 10.5, "axes.titlesize": 10.5, "axes.edgecolor": RULE, "axes.labelcolor": INK, "text.color": INK,
        "axes.titlecolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False,
        "axes.spines.right": False, "figure.constrained_layout.use": True, "axes.axisbelow": True,
    }  # fmt: skip
    file = io.StringIO()
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that this font lacks: the reader's browser has it
        figure = Figure(figsize=(WIDTH_INCHES, height_inches))
        FigureCanvasAgg(figure)
        draw(figure.add_subplot())
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(file.getvalue(), alt)


def _for_page(svg: str, alt: str) -> str:
    """The bare element: no prologue, metadata or unused ids; inks and font from the page; width from its container."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    view_box = re.search(r'viewBox="[^"]*"', svg)
    assert view_box is not None
    label = f'role="img" aria-label="{escape(_printable(alt))}"'
    opening = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {view_box[0]} {label}>'
    svg = re.sub(r"<svg.*?>", lambda _: opening, svg, count=1, flags=re.DOTALL)
    svg = svg.replace("'DejaVu Sans'", "var(--font)").replace(INK, "var(--ink)").replace(RULE, "var(--rule)")
    svg = svg.replace(PAPER, "var(--paper)")
    for i, ink in enumerate(ARMS):
        svg = svg.replace(ink, f"var(--arm-{i})")
    return svg.strip()
