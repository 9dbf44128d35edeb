"""Columns that the user names: with ``text=review`` the column ``review`` of a file is read as ``text``.

A key that is named so is read from its column alone: other columns that could hold the same (``sentence`` beside ``text``)
are not read, but carried along like every column that a task does not read. ``text=title+body`` reads two columns as one,
and ``source=translation.en`` what stands in an object of JSON. Tables without a line of names have numbers instead.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from warmstart.base.errors import BadInput, suggest, unknown_name_error
from warmstart.readers.rows import Row
from warmstart.tasks.columns import JOIN, MAX_NAMES_CHARS
from warmstart.tasks.kind import TaskKind

FLAG = "--columns"


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """Which columns are read as which keys.

    Attributes:
        kind: of the task.
        names: key → column.
        hidden: other columns that the kind would read in the place of these.
    """

    kind: TaskKind
    names: dict[str, str]
    hidden: frozenset[str]

    @staticmethod
    def of(kind: TaskKind, pairs: Sequence[str], *, labelled: bool) -> "ColumnChoice":
        """The choice that ``key=column`` pairs make; without labels those of the label are not needed.

        Raises:
            BadInput: a pair is none, a key that the kind does not read, or one that is named twice.
        """
        names: dict[str, str] = {}
        groups = [*kind.other_columns, kind.label_columns]
        known = dict.fromkeys(key for keys in (*kind.text_columns, *groups) for key in keys)
        for pair in pairs:
            key, equals, column = pair.partition("=")
            if not equals or not column:
                raise BadInput(
                    "not a key with its column", where=FLAG, value=pair, allowed="key=column",
                    next_step=f"for example {FLAG} {next(iter(known))}=NAME",
                )  # fmt: skip
            if key not in known:
                raise unknown_name_error(f"key of a {kind.name} task", key, known, FLAG)
            if key in names:
                raise BadInput("a key is named twice", where=FLAG, value=pair, allowed="one column for each key")
            names[key] = column
        if not labelled:
            names = {key: column for key, column in names.items() if key not in kind.label_columns}
        return ColumnChoice(kind, names, frozenset(_rivals(kind, groups, names)))

    def apply(self, row: Row) -> Row:
        """The row with these keys; one that has no columns of its own (a line of text) as it is.

        Raises:
            BadInput: it does not have a column, or several that cannot be one.
        """
        if row.renamed is not None:
            return row
        chosen, read = {}, set[str]()
        for key, column in self.names.items():
            parts = [column] if column in row.fields else column.split(JOIN)
            found = {part: _value_at(row, part) for part in parts}
            place = f"{row.where}, {FLAG} {key}={column}"
            chosen[key] = found[column] if column in found else self.kind.join_columns(key, found, place)
            read.update(part if part in row.fields else part.partition(".")[0] for part in parts)
        rest = {column: value for column, value in row.fields.items() if column not in read}
        aside = {column: value for column, value in rest.items() if column in self.hidden or column in self.names}
        fields = {column: value for column, value in rest.items() if column not in aside}
        return Row(fields | chosen, row.where, aside, self.names)


def _value_at(row: Row, column: str) -> Any:
    """What stands in a column, or by a path of keys in an object that stands there."""
    if column in row.fields:
        return row.fields[column]
    value: Any = row.fields
    for name in column.split("."):
        if not isinstance(value, Mapping) or name not in value:
            names = list(value) if isinstance(value, Mapping) else list(row.fields)
            raise BadInput(
                "no such column", where=f"{row.where}, {FLAG}", value=column, allowed=", ".join(names),
                next_step=f"{suggest(name, names)} name the file's columns with {FLAG}".strip(),
                limit=MAX_NAMES_CHARS,
            )  # fmt: skip
        value = value[name]
    return value


def choose_columns(
    kind: TaskKind, rows: Iterable[Row], pairs: Sequence[str], *, labelled: bool = True
) -> Iterator[Row]:
    """The rows with the columns that ``pairs`` (``key=column``) name; as they are where it names none.

    Raises:
        BadInput: as :meth:`ColumnChoice.of` and :meth:`ColumnChoice.apply`.
    """
    choice = ColumnChoice.of(kind, pairs, labelled=labelled)
    return map(choice.apply, rows) if choice.names else iter(rows)


def _rivals(kind: TaskKind, groups: Iterable[Sequence[str]], names: dict[str, str]) -> set[str]:
    """Keys that the kind would read in the place of those that are named."""
    rivals = {key for group in groups if not names.keys().isdisjoint(group) for key in group}
    chosen = [columns for columns in kind.text_columns if not names.keys().isdisjoint(columns)]
    if chosen:
        others = {key for columns in kind.text_columns for key in columns}
        rivals |= others - {key for columns in chosen for key in columns}
    return rivals - names.keys()
