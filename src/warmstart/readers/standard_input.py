"""Rows of standard input, which has no name that says its form: the first line does.

``{`` begins JSON lines. A line that names columns, with commas, semicolons or tabs between them, begins a table with that
header. Anything else is the first of lines that are a text each.
"""

import contextlib
import csv
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row, read_rows, to_header
from warmstart.readers.text_io import STDIN, read_lines

EXTENSIONS = {",": ".csv", "\t": ".tsv", ";": ".csv"}
"""What separates the columns of a header → the extension of files of that form."""


def read_standard_input(
    encoding: str, is_header: Callable[[list[str]], bool], row_of: Callable[[str], Mapping[str, Any]]
) -> Iterator[Row]:
    """The rows of standard input, each as soon as it is there.

    Args:
        encoding: of the text.
        is_header: whether these cells of the first line name columns.
        row_of: the row that a line of text stands for; empty lines are left out.

    Raises:
        BadInput: no rows, a broken one, or what ``row_of`` says of a line.
    """
    rest = read_lines(STDIN, encoding)
    head = to_header(rest)
    lines = chain(head, rest)
    extension = _extension("".join(head[-1:]), is_header)
    if extension:
        yield from read_rows(STDIN, extension=extension, lines=lines)
        return
    is_empty = True
    for number, line in enumerate(lines, start=1):
        if line.strip():
            is_empty = False
            yield Row(dict(row_of(line.rstrip("\n"))), f"{STDIN}:{number}", renamed={})
    if is_empty:
        raise BadInput("the file has no rows", where=STDIN, next_step="write rows to standard input")


def _extension(first: str, is_header: Callable[[list[str]], bool]) -> str:
    """That of files of the same form; empty for lines of text."""
    if first.lstrip().startswith("{"):
        return ".jsonl"
    for delimiter, extension in EXTENSIONS.items():
        with contextlib.suppress(csv.Error):  # a carriage return, or more characters than the library takes: a text
            if is_header(next(csv.reader([first.rstrip("\n")], delimiter=delimiter), [])):
                return extension
    return ""
