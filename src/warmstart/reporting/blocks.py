"""The blocks of a page. They are data; only the template knows HTML."""

import unicodedata
from dataclasses import dataclass
from typing import TypeAlias

from warmstart.reporting.drawing import Drawing


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a table: a value, its standard deviation over seeds where there are several, else its interval."""

    value: float
    std: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """Counts with thousands separators; other numbers with four decimals, large ones with one."""
        return _format(self.value) if self.std is None else f"{_format(self.value)} ± {_format(self.std)}"

    @property
    def bounds(self) -> str:
        """The interval in words; empty where there is none."""
        return "" if self.interval is None else f"{_format(self.interval[0])} to {_format(self.interval[1])}"


def _format(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.1f}"


Cell: TypeAlias = str | Number
LAYOUTS = {"narrow": 700, "medium": 920}
"""How a table is laid out → pixels that it may be wide: what a page of 46 or 62 rem has for it; no page has more."""
_CHAR_PX, _CAPITAL_PX, _WIDE_PX = 9, 11, 15
"""At most, of a character: small ones and digits, capitals, and the widest, those of Chinese and Japanese among them."""
_GAP_PX, _NAME_PX = 18, 96
"""Between two columns, and of the names of rows, which may be broken anywhere."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; those of a part of a page have level 3."""

    text: str
    level: int = 2
    kind: str = "heading"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: str
    kind: str = "paragraph"


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names the row; ``wrap`` aligns the others to the left and wraps long cells."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    wrap: bool = False
    kind: str = "table"

    @property
    def layout(self) -> str:
        """On which pages rows are lists of their cells: narrow ones (:data:`LAYOUTS`), or all (``list``)."""
        columns = zip(self.headers[1:], *(row[1:] for row in self.rows), strict=True)
        width_px = _NAME_PX + sum(_GAP_PX + max(map(_width_px, column)) for column in columns)
        if self.wrap:
            return "narrow"
        return next((name for name, most_px in LAYOUTS.items() if width_px <= most_px), "list")


def _width_px(cell: Cell) -> int:
    """Of the longer line of a cell: intervals stand below values."""
    return max(sum(map(_char_px, line)) for line in ((cell,) if isinstance(cell, str) else (cell.text, cell.bounds)))


def _char_px(char: str) -> int:
    if char in "mwMW@%" or unicodedata.east_asian_width(char) in "WF":
        return _WIDE_PX
    return _CAPITAL_PX if char.isupper() else _CHAR_PX


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing of :mod:`~warmstart.reporting.figures` and its caption."""

    drawing: Drawing
    caption: str
    kind: str = "figure"


@dataclass(frozen=True, slots=True)
class Code:
    """Preformatted text (a command, a recipe, a generated sample); a click opens a ``collapsible`` one."""

    text: str
    title: str = ""
    collapsible: bool = False
    kind: str = "code"


Block: TypeAlias = Heading | Paragraph | Table | Figure | Code
