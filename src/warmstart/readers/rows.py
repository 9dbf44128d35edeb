"""Tables to rows: JSONL, CSV, TSV and Parquet, each also ``.gz`` and ``.zst``, streamed, with file and line kept.

CSV is quoted as usual (RFC 4180). TSV has no quoting at all: a line is cut at its tabs, as GLUE's files are meant to be.
Parquet's "line" is the number of the row.
"""

import csv
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

from warmstart.base.errors import BadInput
from warmstart.readers.text_io import STDIN, open_binary, read_lines, split_extensions

MAX_FIELD_CHARS = 1 << 24
"""Characters a CSV field may have; an unclosed quote would otherwise swallow the rest of the file."""
EXTRA_COLUMNS = "*"
"""Last of the given ``columns``: what follows may differ in number from line to line and is left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its fields by column name, and the ``file:line`` it came from."""

    fields: dict[str, Any]
    where: str


def read_rows(
    path: str, encoding: str = "utf-8", columns: Sequence[str] | None = None, *, extension: str = ""
) -> Iterator[Row]:
    """The rows of one file in order, read as its ending says (standard input: JSONL).

    Args:
        path: a file, or ``-``.
        encoding: of JSONL, CSV and TSV.
        columns: names for a CSV or TSV without a header line; :data:`EXTRA_COLUMNS` at the end allows further columns.
        extension: read it as a file with this extension, whatever its own is.

    Raises:
        BadInput: an unknown ending, an unreadable or broken file, no row at all.
    """
    kind = extension or (".jsonl" if path == STDIN else split_extensions(path)[0])
    if kind not in _READERS:
        raise BadInput(
            "not a table by its ending", where=path, allowed=", ".join(f"{k}[.gz|.zst]" for k in sorted(_READERS))
        )
    if columns is not None and kind not in (".csv", ".tsv"):
        raise BadInput("columns are named in this file itself", where=path, value=list(columns), allowed="CSV or TSV")
    empty = True
    for row in _READERS[kind](path, encoding, columns):
        empty = False
        yield row
    if empty:
        raise BadInput("the file holds no rows", where=path, next_step="check the path")


def _jsonl(path: str, encoding: str, columns: Sequence[str] | None) -> Iterator[Row]:
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if line.strip():
            where = f"{path}:{number}"
            yield Row(_parse_json(line, where), where)


def _parse_json(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_not_finite, parse_float=_finite)
        if "\\ud" in line.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadInput(
            f"not a complete JSON object ({what})", where=where, value=line.strip(), allowed="one JSON object per line",
            next_step="mend or remove this line",
        ) from None  # fmt: skip
    if not isinstance(value, dict):
        raise BadInput("a JSON value that is no object", where=where, value=value, allowed="one JSON object per line")
    return value


def _not_finite(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _not_finite(digits)
    return value


def _csv(path: str, encoding: str, columns: Sequence[str] | None) -> Iterator[Row]:
    # The library has one limit for the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD_CHARS))
    reader = csv.reader(read_lines(path, encoding), strict=True)
    starts_at = 1

    def cells() -> Iterator[tuple[int, list[str]]]:
        nonlocal starts_at
        for row in reader:
            yield starts_at, row
            starts_at = reader.line_num + 1

    try:
        yield from _table(path, cells(), columns)
    except csv.Error as error:
        raise BadInput(
            f"not a readable CSV row ({error})", where=f"{path}:{starts_at}",
            allowed='quotes "…" closed and doubled inside', next_step="mend this row, or use TSV, which has no quotes",
        ) from None  # fmt: skip


def _tsv(path: str, encoding: str, columns: Sequence[str] | None) -> Iterator[Row]:
    cut = (line.rstrip("\n") for line in read_lines(path, encoding))
    return _table(path, ((n, line.split("\t") if line else []) for n, line in enumerate(cut, start=1)), columns)


def _table(path: str, cells: Iterator[tuple[int, list[str]]], columns: Sequence[str] | None) -> Iterator[Row]:
    names, is_open = list(columns or ()), False
    if names and names[-1] == EXTRA_COLUMNS:
        names, is_open = names[:-1], True
    for number, row in cells:
        if not row:
            continue
        if not names:
            names = row
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise BadInput("two columns of one name", where=f"{path}:{number}", value=", ".join(twice))
            continue
        if len(row) < len(names) or (len(row) > len(names) and not is_open):
            raise BadInput(
                "wrong number of columns", where=f"{path}:{number}", value=len(row),
                allowed=f"{'>= ' * is_open}{len(names)} ({', '.join(names)})", next_step="mend or remove this line",
            )  # fmt: skip
        yield Row(dict(zip(names, row, strict=False)), f"{path}:{number}")


def _parquet(path: str, encoding: str, columns: Sequence[str] | None) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BadInput(
            "reading Parquet needs the pyarrow package", where=path, next_step="pip install 'warmstart[parquet]'"
        ) from None
    with open_binary(path) as stream, tempfile.TemporaryFile() as spool:
        source = _seekable(path, stream, spool)
        try:
            file = pyarrow.parquet.ParquetFile(source, pre_buffer=False)
            number = 0
            for batch in file.iter_batches(batch_size=256, use_threads=False):
                for fields in batch.to_pylist():
                    number += 1
                    yield Row(fields, f"{path}:{number}")
        except (pyarrow.ArrowException, OSError) as error:
            raise BadInput(
                f"not a readable Parquet file ({error})", where=path, next_step="fetch or make the file again"
            ) from None


def _seekable(path: str, stream: BinaryIO, spool: Any) -> Any:
    """Parquet is read from its end, so a packed file is unpacked aside first."""
    if not split_extensions(path)[1]:
        return stream
    shutil.copyfileobj(stream, spool)
    spool.seek(0)
    return spool


_READERS: dict[str, Callable[[str, str, Sequence[str] | None], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}
TABLE_EXTENSIONS = tuple(_READERS)
"""Endings that :func:`read_rows` reads."""
