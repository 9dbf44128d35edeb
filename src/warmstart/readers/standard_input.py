"""Rows of standard input, which has no name that says its form: the first line does.

``{`` begins JSON lines. A line that names columns, with commas, semicolons or tabs between them, begins a table with that
header; so does ``sep=;``. Anything else is the first of lines that are a text each, unless it looks like the names of other
columns.
"""

import contextlib
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.readers.problems import SkippedRows
from warmstart.readers.rows import Row, read_rows, separator_of, to_header
from warmstart.readers.text_io import STDIN, read_lines

EXTENSIONS = {",": ".csv", "\t": ".tsv", ";": ".csv"}
"""What separates the columns of a header → the extension of files of that form."""
_NAME = re.compile(r"[^\W\d]\w*")


def read_standard_input(
    encoding: str, is_header: Callable[[list[str]], bool], row_of: Callable[[str], Mapping[str, Any]],
    skipped: SkippedRows | None = None,
) -> Iterator[Row]:  # fmt: skip
    """The rows of standard input, each as soon as it is there.

    Args:
        encoding: of the text.
        is_header: whether these cells of the first line name columns.
        row_of: the row that a line of text stands for; empty lines are left out.
        skipped: takes the rows that cannot be read; ``None``: they are refused.

    Raises:
        BadInput: no rows, a broken one, what ``row_of`` says of a line, or a line that seems to name columns, but no column
            that is read.
    """
    rest = read_lines(STDIN, encoding)
    head = to_header(rest)
    lines = chain(head, rest)
    extension = _extension("".join(head[-1:]), is_header)
    if extension:
        yield from read_rows(STDIN, extension=extension, lines=lines, skipped=skipped)
        return
    yield from read_text_rows(STDIN, lines, row_of)


def read_text_rows(path: str, lines: Iterable[str], row_of: Callable[[str], Mapping[str, Any]]) -> Iterator[Row]:
    """The rows that the lines of ``path`` stand for, each by itself; empty lines are left out.

    Raises:
        BadInput: no rows, or what ``row_of`` says of a line.
    """
    is_empty = True
    for number, line in enumerate(lines, start=1):
        if line.strip():
            is_empty = False
            yield Row(dict(row_of(line.rstrip("\n"))), f"{path}:{number}", renamed={})
    if is_empty:
        raise BadInput("the file has no rows", where=path, next_step="give it a text a line")


def _extension(first: str, is_header: Callable[[list[str]], bool]) -> str:
    """That of files of the same form; empty for lines of text."""
    if first.lstrip().startswith("{"):
        return ".jsonl"
    if separator_of(first) is not None:
        return ".csv"
    for delimiter, extension in EXTENSIONS.items():
        with contextlib.suppress(csv.Error):  # a carriage return, or more characters than the library takes: a text
            cells = next(csv.reader([first.rstrip("\n")], delimiter=delimiter), [])
            if is_header(cells):
                return extension
            if len(cells) > 1 and all(map(_NAME.fullmatch, cells)):
                raise BadInput(
                    "the first line seems to name columns, and none that this task reads", where=STDIN, value=cells,
                    next_step=f"name the columns with --columns, or say --format {extension[1:]}; --format text: it is a "
                    "text",
                )  # fmt: skip
    return ""
