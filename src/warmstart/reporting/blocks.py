"""The blocks of a page. They are data; only the template knows HTML."""

from dataclasses import dataclass
from typing import TypeAlias


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


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading."""

    text: str
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


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing of :mod:`~warmstart.reporting.figures`, with its alt text inside, and its caption."""

    svg: str
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
