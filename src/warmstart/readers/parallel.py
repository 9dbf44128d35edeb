"""Reads parallel text as rows: line i of one file belongs to line i of another. Both files may be compressed."""

import os
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.readers.text_io import read_lines

LABEL_ENDINGS = (".lst", ".labels")
"""Endings of files that hold a label a line for the rows of a table."""


def split_parallel_paths(path: str) -> list[str]:
    """The two paths of ``source,target``; an empty list where ``path`` names no pair."""
    return [] if os.path.exists(path) or "," not in path else path.split(",")


def read_parallel_rows(path: str, encoding: str = "utf-8") -> Iterator[Row]:
    """Rows with ``source`` and ``target`` from two text files, named as ``source.txt,target.txt``.

    Raises:
        BadInput: not two files, a file that cannot be read, or files with different numbers of lines.
    """
    files = split_parallel_paths(path)
    if len(files) != 2:
        raise BadInput(
            "parallel text is two files", where=path, value=len(files), allowed="source.txt,target.txt",
            next_step="name both with a comma between them and no space",
        )  # fmt: skip
    counts = [0, 0]
    for sides in zip_longest(*(read_lines(file, encoding) for file in files)):
        for side, line in enumerate(sides):
            counts[side] += line is not None
        if None in sides:
            continue  # to the end of the longer file, since the error names both counts
        yield Row(dict(zip(("source", "target"), (_text(s) for s in sides), strict=True)), f"{files[0]}:{counts[0]}")
    if counts[0] != counts[1]:
        raise BadInput(
            "the two files have different numbers of lines", where=path, value=f"{counts[0]:,} and {counts[1]:,}",
            allowed="the same number", next_step="check that they belong together",
        )  # fmt: skip


def split_label_file(path: str) -> tuple[str, str] | None:
    """Table and file of labels of ``table.jsonl,labels.lst``; ``None`` where ``path`` names no such pair."""
    table, comma, labels = path.rpartition(",")
    return (table, labels) if comma and labels.endswith(LABEL_ENDINGS) and not os.path.exists(path) else None


def read_with_labels(rows: Iterable[Row], path: str, column: str, encoding: str = "utf-8") -> Iterator[Row]:
    """Rows with the lines of another file as one more column, as PIQA is distributed.

    Raises:
        BadInput: a file that cannot be read, or another number of lines than of rows.
    """
    counts = [0, 0]
    for row, line in zip_longest(rows, read_lines(path, encoding)):
        counts[0] += row is not None
        counts[1] += line is not None
        if row is not None and line is not None:
            yield row._replace(fields=row.fields | {column: _text(line)})
    if counts[0] != counts[1]:
        raise BadInput(
            "not one label for each row", where=path, value=f"{counts[1]:,} for {counts[0]:,}",
            allowed="as many lines as the table has rows", next_step="check that they belong together",
        )  # fmt: skip


def read_source_lines(path: str, encoding: str = "utf-8") -> Iterator[Row]:
    """Rows with ``source``, one for each line of a text file."""
    for number, line in enumerate(read_lines(path, encoding), start=1):
        yield Row({"source": _text(line)}, f"{path}:{number}")


def _text(line: str) -> str:
    return line.removesuffix("\n")
