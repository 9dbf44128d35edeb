"""Lines of text to a file that does not exist yet, or to standard output: JSON, or a table where the file's name says so."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from warmstart.base.console import print_lines
from warmstart.base.errors import BadInput
from warmstart.base.files import sync_folder, write_atomic

STANDARD = "-"
SEPARATORS = {".csv": ",", ".tsv": "\t"}
NOT_WRITTEN = (".gz", ".bz2", ".xz", ".zst", ".zip", ".parquet", ".arrow", ".feather", ".xlsx", ".xls", ".ods", ".npz")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def check_not_there(*paths: str | None) -> None:
    """Refuses files that exist, and one file for two things."""
    named = [path for path in paths if path is not None]
    if len({path if path == STANDARD else os.path.realpath(path) for path in named}) < len(named):
        raise BadInput(
            "two outputs in one place", where="--output, --lattices", value=named[-1], next_step="name two files"
        )
    for path in filter(None, paths):
        if path != STANDARD and Path(path).exists():
            raise BadInput("the output file exists", where=path, next_step="name another file, or remove it first")


def check_output(*paths: str | None) -> None:
    """Refuses what :func:`check_not_there` does, and files whose names promise a form that is not written."""
    check_not_there(*paths)
    for path in filter(None, paths):
        if Path(path).suffix.lower() in NOT_WRITTEN:
            raise BadInput(
                "a form that is not written", where=path, value=Path(path).suffix,
                allowed="JSON lines (.jsonl), or a table (.csv, .tsv)", next_step="name a file with one of these endings",
            )  # fmt: skip


def row_lines(output: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a file of rows: of a table for a name that ends in .csv or .tsv, else of JSON.

    Raises:
        BadInput: a table whose rows have different columns.
        ValueError: a number that JSON does not have.
    """
    separator = SEPARATORS.get(Path(output).suffix.lower())
    return json_lines(rows) if separator is None else _table_lines(rows, separator, output)


def _table_lines(rows: Iterable[Mapping[str, Any]], separator: str, where: str) -> Iterator[str]:
    """The names of the columns, then a line for each row; lists and objects are JSON, nothing is an empty cell."""
    names: dict[str, None] | None = None
    for row in rows:
        if names is None:
            names = dict.fromkeys(row)
            yield _table_line(names, separator)
        if new := [name for name in row if name not in names]:
            raise BadInput(
                "a row has a column that the first row has not", where=where, value=new[0],
                allowed="the same columns in all rows of a table", next_step="name a file that ends in .jsonl",
            )  # fmt: skip
        yield _table_line((_cell(row.get(name)) for name in names), separator)


def _table_line(cells: Iterable[str], separator: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=separator, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _ENCODER.encode(value)


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A line of JSON for each row; every character stands as itself.

    Raises:
        ValueError: a number that JSON does not have.
    """
    return (_ENCODER.encode(row) + "\n" for row in rows)


def write_lines(output: str, lines: Iterable[str], at_once: bool = False) -> None:
    """Lines to a file as a whole, or to standard output as they come; ``at_once``: none waits for the next."""
    if output == STANDARD:
        print_lines(lines, at_once)
    else:
        write_atomic(Path(output), lambda file: file.writelines(line.encode("utf-8") for line in lines))
        sync_folder(Path(output).parent)


def signature_lines(signatures: Mapping[str, str]) -> list[str]:
    """How the library of each metric computed it."""
    return [f"{name}: {signature}" for name, signature in signatures.items() if signature]
