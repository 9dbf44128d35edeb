"""What is known of each term beside its vectors, from the columns of a table: classes or numbers, to colour a map by.

Shapes: T terms.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row, read_rows
from warmstart.readers.text_io import read_lines, split_extensions

KEYS = ("word", "text", "sentence", "term")
"""Names of the column that holds the term; without one of these it is the first."""
TABLES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
MOST_CLASSES_OF_NUMBERS = 12
"""A column of numbers with more values than these is a scale."""


class Classes(NamedTuple):
    """A column of names: [T] the place of each term's name in ``names``; -1 where it has none.

    The most frequent name is the first; of a few numbers the smallest.
    """

    name: str
    names: list[str]
    codes_T: Ints


class Scale(NamedTuple):
    """A column of numbers, [T]; NaN where a term has none."""

    name: str
    values_T: Floats


class Table(NamedTuple):
    """The terms of a file, each once, and the values of its columns: column → term → value."""

    terms: list[str]
    columns: dict[str, dict[str, Any]]


def read_table(path: str, encoding: str) -> Table:
    """A table of terms, or lines that each are one.

    Raises:
        BadInput: a file without rows, or rows without a text.
    """
    if split_extensions(path)[0] not in TABLES:
        lines = dict.fromkeys(line.strip() for line in read_lines(path, encoding))
        return _checked(path, Table([line for line in lines if line], {}))
    terms: dict[str, None] = {}
    columns: dict[str, dict[str, Any]] = {}
    for row in read_rows(path, encoding):
        key = _key(row)
        term = str(row.fields[key]).strip()
        if term and term not in terms:
            terms[term] = None
            for name, value in row.fields.items():
                if name != key:
                    columns.setdefault(name, {})[term] = None if value == "" else value
    return _checked(path, Table(list(terms), columns))


def read_texts(path: str, encoding: str) -> list[str]:
    """Every text of a file in order: the lines, or those of a table's column.

    Raises:
        BadInput: a row of a table without a text.
    """
    if split_extensions(path)[0] not in TABLES:
        return [line.rstrip("\n") for line in read_lines(path, encoding)]
    return [str(row.fields[_key(row)]) for row in read_rows(path, encoding)]


def _key(row: Row) -> str:
    key = next((name for name in KEYS if name in row.fields), next(iter(row.fields), ""))
    if not isinstance(row.fields.get(key), str | int | float):
        raise BadInput(
            "a row without a word or a text", where=row.where, value=row.fields.get(key),
            allowed=f"a column {', '.join(KEYS)}, or else the first",
        )  # fmt: skip
    return key


def _checked(path: str, table: Table) -> Table:
    if not table.terms:
        raise BadInput(
            "a file without words or texts", where=path, allowed="one a line, or a table with a column of them"
        )
    return table


def columns_of(terms: Sequence[str], columns: dict[str, dict[str, Any]]) -> list[Classes | Scale]:
    """The columns that say something of these terms; one with numbers only, and more than a few, is a scale."""
    values = {name: [known.get(term) for term in terms] for name, known in columns.items()}
    return [_column(name, own) for name, own in values.items() if any(value is not None for value in own)]


def _column(name: str, values: Sequence[Any]) -> Classes | Scale:
    numbers = [_number(value) for value in values]
    known = {number for value, number in zip(values, numbers, strict=True) if value is not None}
    if len(known) > MOST_CLASSES_OF_NUMBERS and not any(map(math.isnan, known)):
        return Scale(name, np.array(numbers, np.float32))
    texts = [None if value is None else _text(value) for value in values]
    names = [text for text, _ in sorted(_counts(texts).items(), key=lambda item: (-item[1], item[0]))]
    if not any(math.isnan(number) for number in known):
        names.sort(key=float)
    places = {text: place for place, text in enumerate(names)}
    return Classes(name, names, np.array([-1 if text is None else places[text] for text in texts], np.int64))


def _counts(texts: Sequence[str | None]) -> Counter[str]:
    return Counter(text for text in texts if text is not None)


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) and not isinstance(value, bool) else math.nan


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
