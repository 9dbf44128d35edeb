"""A drawing: what is drawn on the axes of matplotlib, as inline SVG, wide and narrow, or as PNG.

matplotlib draws without a display. In SVG colors become CSS variables of the page (``--text``, ``--grid``, ``--arm-0``): one
drawing fits a light and a dark page. The same input gives the same bytes: there is no date, and ids do not depend on chance.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

WIDE_INCHES, NARROW_INCHES = 6.4, 3.7
"""On a page and on a phone; letters have the same size on both."""
DOTS_PER_INCH = 200
ARMS = tuple(f"arm-{index}" for index in range(6))
PLACEHOLDERS = {"text": "#0a0b0c", "grid": "#0d0e0f", "background": "#0f1011"} | {
    name: f"#a0b0c{index}" for index, name in enumerate(ARMS)
}
"""CSS variable of the page → the color that stands for it while SVG is drawn."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One drawing.

    Attributes:
        draw: draws on axes; arm n has matplotlib's color ``Cn``, text, grid and background those of its settings.
        alt: the drawing in words.
        height_inches: its height.
    """

    draw: Callable[[Any], None]
    alt: str
    height_inches: float

    @property
    def wide(self) -> str:
        """An ``<svg>`` element with its alt text."""
        return self._svg(WIDE_INCHES)

    @property
    def narrow(self) -> str:
        """The same for a phone."""
        return self._svg(NARROW_INCHES)

    def png(self, colors: Mapping[str, str]) -> bytes:
        """A PNG file; ``colors``: CSS variable of the page → its color."""
        file = io.BytesIO()
        with self._drawn(colors, WIDE_INCHES) as figure:
            figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        return file.getvalue()

    def _svg(self, width_inches: float) -> str:
        file = io.StringIO()
        with self._drawn(PLACEHOLDERS, width_inches) as figure:
            figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        return _for_page(file.getvalue(), self.alt)

    @contextlib.contextmanager
    def _drawn(self, colors: Mapping[str, str], width_inches: float) -> Iterator[Any]:
        """A figure of matplotlib, and its settings while the block saves it."""
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with mpl.rc_context(_style(colors, f"{self.alt} {width_inches}")), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # this font lacks a letter, but the browser's has it
            figure = Figure(figsize=(width_inches, self.height_inches))
            FigureCanvasAgg(figure)
            self.draw(figure.add_subplot())
            yield figure


def is_narrow(axes: Any) -> bool:
    """Whether this is the drawing for a phone."""
    return bool(axes.figure.get_figwidth() < WIDE_INCHES)


def setting(name: str) -> Any:
    """A setting of matplotlib while it draws, such as the color ``grid.color``."""
    import matplotlib as mpl

    return mpl.rcParams[name]


def printable(text: str) -> str:
    """The text with a blank for every character that is none."""
    return "".join(c if c.isprintable() else " " for c in text)


def _style(colors: Mapping[str, str], salt: str) -> dict[str, Any]:
    """Settings of matplotlib."""
    from cycler import cycler

    text, grid, background = (colors[name] for name in ("text", "grid", "background"))
    return {
        "svg.hashsalt": salt, "svg.fonttype": "none", "text.parse_math": False, "font.family": ["DejaVu Sans"],
        "font.size": 10.5, "axes.titlesize": 10.5, "axes.edgecolor": grid, "grid.color": grid, "grid.linewidth": 0.8,
        "axes.labelcolor": text, "text.color": text, "axes.titlecolor": text, "xtick.color": text, "ytick.color": text,
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "axes.facecolor": background,
        "figure.facecolor": background, "figure.constrained_layout.use": True,
        "axes.prop_cycle": cycler(color=[colors[name] for name in ARMS]),
    }  # fmt: skip


def _for_page(svg: str, alt: str) -> str:
    """The ``<svg>`` element alone, without metadata and unused ids; the page sets its colors, its font and its width."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"/>\s*', "", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    view_box = re.search(r'viewBox="[^"]*"', svg)
    assert view_box is not None
    label = f'role="img" aria-label="{escape(printable(alt))}"'
    opening = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {view_box[0]} {label}>'
    svg = re.sub(r"<svg.*?>", lambda _: opening, svg, count=1, flags=re.DOTALL)
    svg = svg.replace("'DejaVu Sans'", "var(--font)")
    for name, color in PLACEHOLDERS.items():
        svg = svg.replace(color, f"var(--{name})")
    return svg.strip()
