"""Reads lines of a label and a text, as TREC's questions, fastText's and many older corpora of sentences are distributed.

::

    DESC:manner How did serfdom develop ?
    __label__sauce __label__cheese Which cheese melts best ?

A label ends at the first blank or tab. A label of two parts, ``coarse:fine``, is read as a whole and has both parts as
columns too. Of fastText's labels the prefix is left out; where a line has several, its ``labels`` are a list.
"""

import re
from collections.abc import Iterator
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.readers.problems import RowProblems, SkippedRows
from warmstart.readers.rows import Row
from warmstart.readers.text_io import read_lines

LINES_FORMAT = "lines"
FASTTEXT = "__label__"
_TWO_PARTS = re.compile(r"([^\s:]+):([^\s:]+)")


def read_labelled_lines(path: str, encoding: str = "utf-8", skipped: SkippedRows | None = None) -> Iterator[Row]:
    """Rows with ``text`` and ``label`` (or ``labels``), one for each line that is not empty.

    Args:
        path: a text file, or ``-``.
        encoding: of the file.
        skipped: takes the lines that cannot be used; ``None``: they are refused.

    Raises:
        BadInput: a file that cannot be read, a line that has a label alone, or no line.
    """
    is_empty, problems = True, RowProblems(path, skipped)
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if line.strip():
            is_empty = False
            fields = problems.attempt(_fields, line.strip(" \t\r\n"), f"{path}:{number}")
            if fields is not None:
                yield Row(fields, f"{path}:{number}")
    problems.raise_all()
    if is_empty:
        raise BadInput("the file has no rows", where=path, next_step="check the path")


def _fields(line: str, where: str) -> dict[str, Any]:
    """The columns of a line."""
    text, labels = line, list[str]()
    while not labels or (labels[0].startswith(FASTTEXT) and text.startswith((FASTTEXT, ", " + FASTTEXT))):
        label, *rest = re.split(r"[ \t]+", text.removeprefix(", "), maxsplit=1)
        labels.append(label)
        text = rest[0] if rest else ""
    if not text:
        raise BadInput(
            "a label without a text", where=where, value=line, allowed="a label, a blank, a text",
            next_step="is this a file of that form?",
        )  # fmt: skip
    names = [label.removeprefix(FASTTEXT) for label in labels]
    if len(names) > 1:
        return {"text": text, "labels": names}
    parts = _TWO_PARTS.fullmatch(names[0])
    return {"text": text, "label": names[0]} | (
        dict(zip(("coarse", "fine"), parts.groups(), strict=True)) if parts else {}
    )
