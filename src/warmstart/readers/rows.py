"""Reads tables as rows, each with its file and line: JSONL, JSON, CSV, TSV and Parquet, each also ``.gz`` and ``.zst``.

CSV has the usual quotes (RFC 4180); where its header has semicolons or tabs and no comma, these separate the columns, and a
first line ``sep=;`` says what does. TSV has no quotes: each tab separates two columns, as in GLUE's files. A row of Parquet
has its number in place of a line. JSON is a list of objects, an object that holds one, or objects a line. Rows that cannot
be read are named all at once (:mod:`warmstart.readers.problems`).
"""

import csv
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

from warmstart.base.errors import BadInput
from warmstart.readers.json_text import load_json
from warmstart.readers.problems import RowProblems, SkippedRows
from warmstart.readers.text_io import RESTORE, STDIN, open_binary, read_lines, split_extensions

MAX_FIELD_CHARS = 1 << 24
"""Longest field of a CSV: an open quote must not take the rest of the file into memory."""
EXTRA_COLUMNS = "*"
"""As the last of ``columns``: lines may have further columns, which are dropped."""
NUMBERS = "#"
"""As the first of ``columns``: the columns have no names but their numbers, from 1, unless the first line has the others."""
UNREADABLE = {".xlsx": "CSV", ".xls": "CSV", ".ods": "CSV", ".pkl": "JSONL", ".pickle": "JSONL", ".arrow": "Parquet"}
"""Endings of tables that are not read → the form to export them in."""
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR_LINE = re.compile(r'"?sep=([,;|\t])"?', re.IGNORECASE)
"""The first line of a spreadsheet's CSV, which says what separates the columns."""
_BOM = "\ufeff"
_RETURN = "\udc0d"
"""Stands for a carriage return, which the csv library takes for the end of a row; no decoded text holds half a surrogate."""


class Row(NamedTuple):
    """One row.

    Attributes:
        fields: by column name.
        where: its place as ``file:line``.
        aside: columns that are carried along but not read.
        renamed: key → the file's name for it, where the two differ; ``None``: no key is chosen yet.
    """

    fields: dict[str, Any]
    where: str
    aside: Mapping[str, Any] | None = None
    renamed: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        return f"Row(fields={self.fields!r}, where={self.where!r})"

    def place(self, key: str) -> str:
        """File, line and column, for messages."""
        return f"{self.where}, key {self.name_of(key)!r}"

    def name_of(self, key: str) -> str:
        """The file's name for a key."""
        return (self.renamed or {}).get(key, key)

    @property
    def columns(self) -> list[str]:
        """The names of all columns as the file has them."""
        return [*map(self.name_of, self.fields), *(self.aside or ())]


def read_rows(
    path: str, encoding: str = "utf-8", columns: Sequence[str] | None = None, *, extension: str = "",
    lines: Iterable[str] | None = None, skipped: SkippedRows | None = None,
) -> Iterator[Row]:  # fmt: skip
    """The rows of one file in order; its extension decides the format (standard input: JSONL).

    Args:
        path: a file, or ``-``.
        encoding: of JSONL, JSON, CSV and TSV.
        columns: names of the columns of a CSV or TSV without a header; :data:`EXTRA_COLUMNS` at the end allows more, and
            :data:`NUMBERS` in front stands for numbers.
        extension: the one to read it by, in place of its own.
        lines: those of the file, where somebody has begun to read it.
        skipped: takes the rows that cannot be read; ``None``: they are refused.

    Raises:
        BadInput: an unknown extension, a file that cannot be read or is damaged, or no row.
    """
    kind = extension or (".jsonl" if path == STDIN else split_extensions(path)[0])
    if kind not in _READERS:
        raise BadInput(
            "unknown file extension for a table", where=path,
            allowed=", ".join(f"{k}[.gz|.zst]" for k in sorted(_READERS)),
            next_step=f"export it as {UNREADABLE[kind]}" if kind in UNREADABLE else "save it as one of these",
        )  # fmt: skip
    if columns is not None and kind not in (".csv", ".tsv"):
        raise BadInput("this file names its columns itself", where=path, value=list(columns), allowed="CSV or TSV")
    is_empty, problems = True, RowProblems(path, skipped)
    for row in _READERS[kind](path, read_lines(path, encoding) if lines is None else lines, columns, problems):
        is_empty = False
        yield row
    problems.raise_all()
    if is_empty:
        raise BadInput("the file has no rows", where=path, next_step="check the path")


def _jsonl(path: str, lines: Iterable[str], columns: Sequence[str] | None, problems: RowProblems) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{path}:{number}"
            fields = problems.attempt(_parse_json, line, where)
            if fields is not None:
                yield Row(fields, where)


def _json(path: str, lines: Iterable[str], columns: Sequence[str] | None, problems: RowProblems) -> Iterator[Row]:
    """A list of objects, an object that holds one, or objects a line; the whole list is read into memory."""
    rest = iter(lines)
    head = to_header(rest)
    start, more = "".join(head).strip(), to_header(rest)
    if start.startswith("{") and start.endswith("}") and "".join(more).strip():
        yield from _jsonl(path, chain(head, more, rest), columns, problems)
        return
    found = load_json("".join(chain(head, more, rest)), path, _JSON_FORMS)
    for number, value in enumerate(_listed_rows(found, path), start=1):
        fields = problems.attempt(_check_object, value, f"{path}, row {number}")
        if fields is not None:
            yield Row(fields, f"{path}, row {number}")


def _listed_rows(document: Any, path: str) -> list[Any]:
    """The list that a document is or, under whatever name, holds; an object that holds none is a row itself."""
    if not isinstance(document, dict):
        return document if isinstance(document, list) else [document]
    lists = {key: value for key, value in document.items() if isinstance(value, list) and _are_objects(value)}
    if len(lists) > 1:
        raise BadInput(
            "several lists of rows", where=path, value=", ".join(lists), allowed=_JSON_FORMS,
            next_step="put each into a file of its own",
        )  # fmt: skip
    return next(iter(lists.values()), [document])


def _are_objects(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, dict) for value in values)


def _parse_json(line: str, where: str) -> dict[str, Any]:
    return _check_object(load_json(line, where, "one JSON object per line"), where)


def _check_object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(
            "not a JSON object", where=where, value=value, allowed="one JSON object per line",
            next_step="a list of objects is read with --format json" if isinstance(value, list) else "",
        )  # fmt: skip
    return value


_JSON_FORMS = "a list of objects, an object that holds one, or one JSON object per line"


def _csv(path: str, lines: Iterable[str], columns: Sequence[str] | None, problems: RowProblems) -> Iterator[Row]:
    # The library has one limit for the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD_CHARS))
    text = (line.replace("\r", _RETURN) for line in lines)
    head, delimiter = _csv_head(text, is_named=columns is None or columns[0] == NUMBERS)
    reader = csv.reader(chain(head, text), strict=True, delimiter=delimiter)
    starts_at = 1

    def cells() -> Iterator[tuple[int, list[str]]]:
        nonlocal starts_at
        for row in reader:
            yield starts_at, [cell.replace(_RETURN, "\r") for cell in row]
            starts_at = reader.line_num + 1

    try:
        yield from _table(path, cells(), columns, problems)
    except csv.Error as error:
        raise BadInput(
            f"not a readable CSV row ({error})", where=f"{path}:{starts_at}",
            allowed='a closing quote for each opening one, and "" for a quote inside',
            next_step="correct this row, or use TSV, which has no quotes",
        ) from None  # fmt: skip


def to_header(lines: Iterator[str]) -> list[str]:
    """The lines up to the first that is not empty."""
    head: list[str] = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    return head


def separator_of(line: str) -> str | None:
    """What the line ``sep=;`` of a spreadsheet says; ``None`` of any other line."""
    match = _SEPARATOR_LINE.fullmatch(line.strip("\r\n "))
    return match[1] if match else None


def _csv_head(lines: Iterator[str], *, is_named: bool) -> tuple[list[str], str]:
    """The lines up to the header, and what separates its columns: as a first line says, or as the header shows."""
    head = to_header(lines)
    separator = separator_of(head[-1]) if head else None
    if separator is not None:
        return [*head[:-1], "\n", *to_header(lines)], separator
    return head, _delimiter(head[-1]) if head and is_named else ","


def _delimiter(header: str) -> str:
    """What separates the columns: a comma, unless the header has none outside of quotes and one other mark."""
    plain = _QUOTED.sub("", header)
    found = [mark for mark in (";", "\t") if mark in plain]
    return found[0] if len(found) == 1 and "," not in plain else ","


def _tsv(path: str, lines: Iterable[str], columns: Sequence[str] | None, problems: RowProblems) -> Iterator[Row]:
    numbered = enumerate((line.rstrip("\n") for line in lines), start=1)
    return _table(path, ((number, line.split("\t") if line else []) for number, line in numbered), columns, problems)


def _table(
    path: str, cells: Iterator[tuple[int, list[str]]], columns: Sequence[str] | None, problems: RowProblems
) -> Iterator[Row]:
    names, allows_more = list(columns or ()), False
    if names and names[-1] == EXTRA_COLUMNS:
        names, allows_more = names[:-1], True
    header: list[str] = []
    unnamed = 0  # columns behind the named ones: a spreadsheet's commas at the end of each line
    for number, row in cells:
        if not row:
            continue
        where = f"{path}:{number}"
        if names[:1] == [NUMBERS]:
            is_header = {*names[1:]} <= {*row}
            names = [] if is_header else [str(place) for place in range(1, len(row) + 1)]
        if not names:
            names = _column_names(row, where)
            header, unnamed = row, len(row) - len(names)
            continue
        fields = problems.attempt(_fields, row, names, header, unnamed, allows_more, where)
        if fields is not None:
            yield Row(fields, where)


def _column_names(row: list[str], where: str) -> list[str]:
    """The names in a header line, without blanks around them and without empty ones at its end.

    Several columns without a name, as a spreadsheet's indexes are, get pandas' names for these.
    """
    names = [name.strip(" ") for name in row]
    while names and not names[-1]:
        names.pop()
    if names.count("") > 1:
        names = [name or f"Unnamed: {place}" for place, name in enumerate(names)]
    check_different(names, where)
    if not names:
        raise BadInput("the columns have no names", where=where, value=row, allowed="a header line with their names")
    return names


def check_different(names: Sequence[str], where: str) -> None:
    """Raises :class:`BadInput` where two columns have one name."""
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise BadInput(
            "two columns have the same name", where=where, value=", ".join(duplicates),
            next_step="rename one of them or leave it out",
        )  # fmt: skip


def _fields(
    row: list[str], names: list[str], header: list[str], unnamed: int, allows_more: bool, where: str
) -> dict[str, str]:
    """The cells of a line by name."""
    if len(row) > 1 and [row[0].removeprefix(_BOM), *row[1:]] == header:
        raise BadInput(
            "the header stands here once more, as where files were put one behind the other", where=where,
            next_step="remove this line",
        )  # fmt: skip
    rest = row[len(names) :]
    if len(row) < len(names) or (len(rest) not in (0, unnamed) and not allows_more):
        count = f">= {len(names)}" if allows_more else str(len(names))
        raise BadInput(
            "wrong number of columns", where=where, value=len(row), allowed=f"{count} ({', '.join(names)})",
            next_step="correct or remove this line",
        )  # fmt: skip
    if unnamed and any(cell.strip() for cell in rest):
        raise BadInput(
            "a cell in a column without a name", where=where, value=next(cell for cell in rest if cell.strip()),
            allowed=", ".join(names), next_step="name the column in the header line",
        )  # fmt: skip
    return dict(zip(names, row, strict=False))


def _parquet(path: str, lines: Iterable[str], columns: Sequence[str] | None, problems: RowProblems) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BadInput(
            "reading Parquet needs the pyarrow package", where=path, next_step="pip install 'warmstart[parquet]'"
        ) from None
    with open_binary(path) as stream, tempfile.TemporaryFile() as temporary:
        source = _seekable(path, stream, temporary)
        try:
            file = pyarrow.parquet.ParquetFile(source, pre_buffer=False)
            check_different(file.schema_arrow.names, path)
            number = 0
            for batch in file.iter_batches(batch_size=256, use_threads=False):
                yield from _batch_rows(batch, path, number, problems)
                number += len(batch)
        except (pyarrow.ArrowException, OSError) as error:
            raise BadInput(f"this Parquet file cannot be read ({error})", where=path, next_step=RESTORE) from None


def _batch_rows(batch: Any, path: str, number: int, problems: RowProblems) -> Iterator[Row]:
    """The rows of a batch of pyarrow's, which stands behind ``number`` others; none from the first on that is refused."""
    places = [f"{path}:{number + place}" for place in range(1, len(batch) + 1)]
    try:
        found: list[dict[str, Any] | None] = batch.to_pylist()
    except UnicodeDecodeError:
        found = [problems.attempt(_row_fields, batch.slice(n, 1), place) for n, place in enumerate(places)]
    for fields, place in zip(found, places, strict=True):
        if fields is not None and not problems:
            yield Row(fields, place)


def _row_fields(row: Any, where: str) -> dict[str, Any]:
    """The fields of a batch of one row; refuses one in which a text is none."""
    found = {}
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            found[name] = column.to_pylist()[0]
        except UnicodeDecodeError as error:
            raise not_utf8(error, f"{where}, key {name!r}") from None
    return found


def not_utf8(error: UnicodeDecodeError, where: str) -> BadInput:
    """The error for a text of a column that is not UTF-8."""
    return BadInput(
        f"not utf-8 text ({error.reason} at byte {error.start})", where=where, value=error.object,
        next_step="write the column again as UTF-8",
    )  # fmt: skip


def _seekable(path: str, stream: BinaryIO, temporary: Any) -> Any:
    """Parquet begins at its end, so a compressed file or standard input is copied into a temporary one first."""
    if path != STDIN and not split_extensions(path)[1]:
        return stream
    shutil.copyfileobj(stream, temporary)
    temporary.seek(0)
    return temporary


_READERS: dict[str, Callable[[str, Iterable[str], Sequence[str] | None, RowProblems], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}
TABLE_EXTENSIONS = tuple(_READERS)
"""Extensions that :func:`read_rows` reads."""
TABLE_FORMATS = {extension.removeprefix("."): extension for extension in TABLE_EXTENSIONS}
"""Name of a format → its extension."""
