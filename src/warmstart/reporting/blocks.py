"""The parts a page is made of. Each is data; the template alone knows HTML."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a table: its value, and its spread over seeds where there are several."""

    value: float
    std: float | None = None

    @property
    def text(self) -> str:
        """Counts with their thousands marked, other numbers with four decimals (large ones with one)."""
        return _plain(self.value) if self.std is None else f"{_plain(self.value)} ± {_plain(self.std)}"


def _plain(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.1f}"


Cell: TypeAlias = str | Number


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside the page."""

    text: str
    kind: str = "heading"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: str
    kind: str = "paragraph"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the first column names the row; ``words`` sets the others to the left and lets them wrap."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    wrap: bool = False
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing from ``report.figures`` (its alt text is inside) and the words under it."""

    svg: str
    caption: str
    kind: str = "figure"


@dataclass(frozen=True, slots=True)
class Code:
    """Text shown as it is (a command, a recipe, a generated sample); ``folded`` hides it until it is asked for."""

    text: str
    title: str = ""
    collapsible: bool = False
    kind: str = "code"


Block: TypeAlias = Heading | Paragraph | Table | Figure | Code
