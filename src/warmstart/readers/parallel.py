"""Reads parallel text as rows: line i of one file belongs to line i of another. Both files may be compressed."""

import os
from collections.abc import Iterator
from itertools import zip_longest

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.readers.text_io import read_lines


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


def read_source_lines(path: str, encoding: str = "utf-8") -> Iterator[Row]:
    """Rows with ``source``, one for each line of a text file."""
    for number, line in enumerate(read_lines(path, encoding), start=1):
        yield Row({"source": _text(line)}, f"{path}:{number}")


def _text(line: str) -> str:
    return line.removesuffix("\n")
