"""CoNLL files to rows of ``tokens`` and ``tags``, sentence by sentence, each also ``.gz`` and ``.zst``.

One word a line, its columns parted by tabs or, in a file without tabs, by blanks; an empty line ends a sentence. The word
is the first column, its tag the last or the one that is named. ``-DOCSTART-`` lines are passed over. In CoNLL-U
(``.conllu``) the word is FORM and its tag UPOS; ranges (``1-2``) and empty nodes (``1.1``) are no words and are passed over,
and a sentence's ``sent_id`` is kept.

Words are taken as they are written: a no-break space or a byte order mark inside a line is part of its word.
"""

import re
from collections.abc import Iterator

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.readers.text_io import read_lines, split_extensions

CONLLU = ".conllu"
CONLL_EXTENSIONS = (".conll", ".bio", ".txt", ".tsv", CONLLU)
"""Endings that :func:`read_sentences` reads."""
DOCSTART = "-DOCSTART-"
_FORM, _UPOS, _COLUMNS = 1, 3, 10
_WORD, _NO_WORD = re.compile(r"\d+"), re.compile(r"\d+[-.]\d+")

Line = tuple[int, list[str]]


def read_sentences(path: str, encoding: str = "utf-8", column: int | None = None) -> Iterator[Row]:
    """The sentences of one file in order; a file of words alone gives rows without ``tags``.

    Args:
        path: a file with one of the endings :data:`CONLL_EXTENSIONS`.
        encoding: of the file.
        column: of the tag, counted from 1; without it the last, and UPOS in CoNLL-U.

    Raises:
        BadInput: an unreadable file, a line with another number of columns, a column that is not there, no sentence.
    """
    universal = split_extensions(path)[0] == CONLLU
    empty = True
    for extra, words in _universal(path, encoding) if universal else _plain(path, encoding):
        empty = False
        where = f"{path}:{words[0][0]}"
        tag = _tag_column(len(words[0][1]), column, universal, where)
        fields: dict[str, object] = {"tokens": [cells[_FORM if universal else 0] for _, cells in words]}
        if tag is not None:
            fields["tags"] = [cells[tag] for _, cells in words]
        yield Row(extra | fields, where)
    if empty:
        raise BadInput("the file holds no sentences", where=path, next_step="check the path")


def _tag_column(columns: int, asked: int | None, universal: bool, where: str) -> int | None:
    if asked is not None:
        if asked > columns:
            raise BadInput(
                "no such column", where=where, value=asked, allowed=f"1 to {columns}", next_step="correct --tag-column"
            )
        return asked - 1
    if universal:
        return _UPOS
    return columns - 1 if columns > 1 else None


def _plain(path: str, encoding: str) -> Iterator[tuple[dict[str, object], list[Line]]]:
    words: list[Line] = []
    columns = 0
    for number, line in enumerate(read_lines(path, encoding), start=1):
        cells = _cells(line.rstrip("\n"))
        if cells and cells[0] != DOCSTART:
            columns = columns or len(cells)
            _check_columns(cells, columns, f"{path}:{number}")
            words.append((number, cells))
        elif words:
            yield {}, words
            words = []
    if words:
        yield {}, words


def _cells(line: str) -> list[str]:
    if "\t" in line:
        return line.split("\t") if line.strip("\t ") else []
    return [cell for cell in line.split(" ") if cell]


def _universal(path: str, encoding: str) -> Iterator[tuple[dict[str, object], list[Line]]]:
    words: list[Line] = []
    extra: dict[str, object] = {}
    for number, line in enumerate(read_lines(path, encoding), start=1):
        line = line.rstrip("\n")
        if not line.strip(" \t"):
            if words:
                yield extra, words
            words, extra = [], {}
        elif line.startswith("#"):
            key, _, value = line[1:].partition("=")
            extra |= {"sent_id": value.strip()} if key.strip() == "sent_id" else {}
        else:
            cells, where = line.split("\t"), f"{path}:{number}"
            _check_columns(cells, _COLUMNS, where)
            if _WORD.fullmatch(cells[0]):
                words.append((number, cells))
            elif not _NO_WORD.fullmatch(cells[0]):
                raise BadInput("not the number of a word", where=where, value=cells[0], allowed="1, 1-2 or 1.1")
    if words:
        yield extra, words


def _check_columns(cells: list[str], columns: int, where: str) -> None:
    if len(cells) != columns:
        raise BadInput(
            "wrong number of columns", where=where, value=len(cells), allowed=f"{columns}, as in the lines above",
            next_step="mend this line; columns are parted by tabs, or by blanks where a line has none",
        )  # fmt: skip
    if not cells[0]:
        raise BadInput("a line without a word", where=where, allowed="the word in the first column")
