"""Columns of a row to texts and labels: what all kinds of task share.

Keys are looked up by name, never guessed; a row that lacks one is refused with the keys it has and those it needs.
"""

import ast
import contextlib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from warmstart.base.errors import BadInput, suggest
from warmstart.base.formatting import format_count, with_article
from warmstart.example.record import Pixels
from warmstart.readers.rows import Row

Texts = Mapping[str, str | tuple[str, ...]]

ColumnSets = tuple[tuple[str, ...], ...]
ONE_TEXT: ColumnSets = (("text",), ("sentence",))
TWO_TEXTS: ColumnSets = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("text_a", "text_b"),
    ("question", "sentence"),
)


SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_DECIMAL_COMMA = re.compile(r"[+-]?(?!0*[1-9]\d{0,2},\d{3}$)\d+,\d+")
"""A number with a comma before its fraction; ``1,000`` may be a thousand as well, so it is none."""
_JUXTAPOSED = re.compile(r"['\"]\s+['\"]")
"""Two texts without a comma between them, as NumPy writes an array; Python would read them as one."""
_INVISIBLE = ("Cf", "Cc")
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
"""A whole number that is written as a float."""
MAX_NAME_WORDS = 4
"""What has more words is rather a text than the name of a column."""
JOIN = "+"
"""Between the names of columns that are read as one key."""
MAX_NAMES_CHARS = 2000
"""Characters of a row's keys that an error shows: all of them, unless a file has hundreds."""


class Columns(NamedTuple):
    """The texts (or the image) of a row, and the columns that hold them."""

    texts: Texts
    names: tuple[str, ...]
    image: Pixels | None = None


class Draft(NamedTuple):
    """A row whose texts are found and whose label is still as written.

    Attributes:
        texts: the named strings.
        label: what stands in the columns of the label; ``None`` where it is not read.
        columns: the columns read, label last.
        extra: the other columns.
        where: file and line.
        label_place: file, line and column of the label, for messages.
        image: in the place of texts.
    """

    texts: Texts
    label: Any
    columns: tuple[str, ...]
    extra: dict[str, Any]
    where: str
    label_place: str = ""
    image: Pixels | None = None


def first_present(row: Row, alternatives: Iterable[tuple[str, ...]]) -> tuple[str, ...] | None:
    """The first set of columns that a row has all of."""
    return next((columns for columns in alternatives if row.fields.keys() >= {*columns}), None)


def missing_column(
    kind: str, row: Row, groups: Sequence[Sequence[tuple[str, ...]]], accepted: Sequence[tuple[str, ...]],
    label_columns: Sequence[str] | None, guess: Callable[[str, Row], str | None],
) -> BadInput:  # fmt: skip
    """The error for a row that lacks a key: which, what it has, what is accepted, and the likely slip of the pen.

    Args:
        kind: name of the kind of task.
        row: the row.
        groups: sets of text columns, of each group of which one is missing.
        accepted: all sets of text columns.
        label_columns: columns that may hold the label; ``None`` where it is not read.
        guess: a key and the row → the column that probably holds it.
    """
    has_label = any(column in row.fields for column in label_columns or ())
    of_label = [] if has_label else [(column,) for column in label_columns or ()]
    best = [
        max(group, key=lambda columns: sum(c in row.fields for c in columns)) for group in (*groups, of_label) if group
    ]
    missing = [column for columns in best for column in columns if column not in row.fields]
    texts = " or ".join("+".join(columns) for columns in accepted)
    allowed = f"{texts}; with {' or '.join(label_columns)}" if label_columns else texts
    return BadInput(
        f"missing key {missing[0]!r} for {with_article(kind)} task", where=row.where, value=row.columns, allowed=allowed,
        next_step=_missing_step(row, {name: guess(name, row) for name in missing}), limit=MAX_NAMES_CHARS,
    )  # fmt: skip


def _missing_step(row: Row, guesses: Mapping[str, str | None]) -> str:
    """What to do about keys that a row lacks (→ the likely column): unseparated columns, other names, or none."""
    missing, column = next(iter(guesses.items()))
    mark = next((name for key in row.columns for name in SEPARATORS if name in key), None)
    if mark is not None and len(row.columns) == 1:
        return f"the columns seem to be separated by {SEPARATORS[mark]}: name the format (--format csv) or convert the file"
    if any(len(key.split()) > MAX_NAME_WORDS or key.isdecimal() for key in row.columns):
        return f"where the file has no line with names, number its columns: --columns {missing}=2,…"
    first = f"rename {column!r} to {missing!r}" if column in row.columns else f"add the key {missing!r}"
    named = ",".join(f"{name}={key or 'NAME'}" for name, key in guesses.items())
    return f"{first}, or name its column: --columns {named}"


def similar_column(key: str, row: Row) -> str | None:
    """The column of a row whose name looks like a key."""
    return next((column for column in row.columns if suggest(key, [column])), None)


def text_at(row: Row, column: str) -> str:
    """The text in a column."""
    value = row.fields[column]
    if not isinstance(value, str):
        raise BadInput("not text", where=row.place(column), value=value, allowed="a string")
    return value


def label_at(row: Row, column: str) -> Any:
    """The label in a column, as it is written."""
    value = row.fields[column]
    if value is None or value == "":
        raise empty_label(value, row.place(column))
    return value


def empty_label(value: Any, place: str) -> BadInput:
    """The error for a row without a label."""
    return BadInput(
        "the label is empty", where=place, value=value, allowed="a label in every row",
        next_step="label the row, leave it out, or have all such rows left out: --bad-rows skip",
    )  # fmt: skip


def as_list(value: Any, place: str) -> list[Any]:
    """A list, or the list that a CSV cell holds, as JSON or Python writes it."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with contextlib.suppress(
            json.JSONDecodeError, RecursionError
        ):  # refused below, with the value as it was written
            return list(json.loads(value))
        if not _JUXTAPOSED.search(value):
            with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
                value = ast.literal_eval(value.strip())
    if not isinstance(value, list | tuple):
        raise BadInput("not a list", where=place, value=value, allowed='a list such as ["a", "b"]')
    return list(value)


def names_at(found: Draft) -> list[str]:
    """The label of a row as a list of names."""
    place = found.label_place
    return [parse_name(value, place) for value in as_list(found.label, place)]


def without_fraction(value: Any) -> Any:
    """A whole number that is written as a float (3.0, as tables with empty cells have it) as an int; all else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def parse_name(value: Any, where: str) -> str:
    """A label's name: strings without blanks around them, whole numbers and truth values, as :func:`str` writes them."""
    value = without_fraction(value)
    if not isinstance(value, str | int):
        raise BadInput(
            "not a label", where=where, value=value, allowed="a string, a whole number, true or false",
            next_step="for numbers on a scale use a key 'score' with regression or similarity",
        )  # fmt: skip
    if not str(value).strip(" "):
        raise empty_label(value, where)
    return str(value).strip(" ")


class OpenLabels(list[str]):
    """Label names of a model to which those are added that only the evaluated data have: no model predicts these.

    Attributes:
        num_known: how many the model has learned.
        counts: unseen name → how often it stands in the data.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(names)
        self.num_known = len(self)
        self.counts: dict[str, int] = {}

    def describe(self) -> list[str]:
        """How many labels the model has never seen, in words; nothing where it has seen all."""
        if not self.counts:
            return []
        names = ", ".join(f"{name!r} ({count:,})" for name, count in self.counts.items())
        total = format_count(sum(self.counts.values()), "label")
        return [f"unseen in training, counted as errors of the model: {total}: {names}"]


class LabelNumbers(dict[str, int]):
    """Label name → number; of :class:`OpenLabels` an unseen name gets the next one."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__({name: number for number, name in enumerate(names)})
        self.open = names if isinstance(names, OpenLabels) else None

    @property
    def known(self) -> tuple[str, ...]:
        """The names that a model has learned."""
        return tuple(self) if self.open is None else tuple(self.open[: self.open.num_known])

    def find(self, name: str) -> int | None:
        """The number of a name; ``None`` for one that is unseen and refused."""
        if self.open is not None and (name not in self or name in self.open.counts):
            if name not in self:
                self[name] = len(self.open)
                self.open.append(name)
            self.open.counts[name] = self.open.counts.get(name, 0) + 1
        return self.get(name)


def number_of(name: str, numbers: Mapping[str, int], where: str) -> int:
    """The number of a label's name, which the training file must have."""
    found = numbers.find(name) if isinstance(numbers, LabelNumbers) else numbers.get(name)
    if found is None:
        raise BadInput(
            "label unseen in training", where=where, value=name, allowed=", ".join(numbers),
            next_step=suggest(name, numbers)
            or "correct the row, train again on data that has this label, or count it as an error: --unseen-labels count",
        )  # fmt: skip
    return found


def parse_score(value: Any, where: str) -> float:
    """A finite number, also one written as text in a CSV cell, with a point or with a comma (``3,75``)."""
    if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value.strip()):
        value = value.replace(",", ".")
    try:
        # Python reads 1_0 as ten.
        score = math.nan if isinstance(value, bool) or (isinstance(value, str) and "_" in value) else float(value)
    except (TypeError, ValueError, OverflowError):
        score = math.nan
    if not math.isfinite(score):
        raise BadInput(
            "the score is not a finite number", where=where, value=value, allowed="a number such as 3.75",
            next_step="correct the row or leave it out",
        )  # fmt: skip
    return score


def sort_names(names: Iterable[str]) -> tuple[str, ...]:
    """Label names in order: whole numbers by size, equal ones (1 and 01) and all others by their letters."""
    try:
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    except ValueError:
        return tuple(sorted(names))


def check_names(names: Sequence[str], where: str) -> None:
    """Refuses label names that nobody takes for different ones, and a missing value among numbers.

    Args:
        names: those of a training file.
        where: the file.

    Raises:
        BadInput: two names look the same or are one number; ``nan`` among numbers.
    """
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(_look(name), name)
        if other != name:
            alike = "are the same number" if _WHOLE.sub(r"\1", name) == _WHOLE.sub(r"\1", other) else "look the same"
            raise BadInput(
                f"two labels {alike}: {other!a} and {name!a}", where=where,
                next_step="write the label alike in all rows",
            )  # fmt: skip
    _check_missing(names, where)


def _look(name: str) -> str:
    """What a reader sees of a name: one form of each letter, no invisible characters at the ends, one kind of blank."""
    visible = (" " if c.isspace() else c for c in unicodedata.normalize("NFC", name))
    found = "".join(visible).strip()
    while found and unicodedata.category(found[0]) in _INVISIBLE:
        found = found[1:].lstrip()
    while found and unicodedata.category(found[-1]) in _INVISIBLE:
        found = found[:-1].rstrip()
    number = _WHOLE.fullmatch(found)
    return number[1] if number else " ".join(found.split())


def _check_missing(names: Sequence[str], where: str) -> None:
    missing = next((name for name in names if name.lower() == "nan"), None)
    if missing is not None and len(names) > 1 and all(name == missing or _is_number(name) for name in names):
        raise empty_label(missing, where)


def _is_number(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return math.isfinite(float(name))
    return False
