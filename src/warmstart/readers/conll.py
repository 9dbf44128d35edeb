"""Reads CoNLL files, also ``.gz`` and ``.zst``: one row with ``tokens`` and ``tags`` per sentence.

Each line has one word. Tabs separate its columns or, in a line without tabs, spaces do; an empty line ends a sentence. The
word is the first column, or the second where the first counts the words; its tag is the last column or the one that the
caller names. ``-DOCSTART-`` lines are skipped, and so are comments before the words of a sentence: lines that begin with
``#`` and have not the form of a word's.

In CoNLL-U (``.conllu``) the word is FORM and the tag is UPOS. Ranges (``1-2``) and empty nodes (``1.1``) are no words and
are skipped; a sentence's ``sent_id`` becomes a field of the row.

No word is changed: a no-break space or a byte order mark inside a line is part of its word.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from warmstart.base.errors import BadInput
from warmstart.readers.problems import RowProblems, SkippedRows
from warmstart.readers.rows import Row
from warmstart.readers.text_io import read_lines, split_extensions

CONLLU = ".conllu"
CONLL_EXTENSIONS = (".conll", ".bio", ".txt", ".tsv", CONLLU)
"""Extensions that :func:`read_sentences` reads."""
DOCSTART = "-DOCSTART-"
_FORM, _UPOS, _COLUMNS = 1, 3, 10
_NUMBER, _SKIPPED = re.compile(r"\d+"), re.compile(r"\d+[-.]\d+")

_KEY_AND_VALUE = re.compile(r"# *[^ ]+ = ")

_MIN_NUMBERED = 2  # a number, a word and a tag are more columns than these

_Line = tuple[int, list[str]]  # its number in the file, its cells
_Sentence = tuple[dict[str, object], list[_Line]]


def read_sentences(
    path: str, encoding: str = "utf-8", column: int | None = None, form: str | None = None,
    skipped: SkippedRows | None = None,
) -> Iterator[Row]:  # fmt: skip
    """The sentences of one file in order; rows of a file that has only words are without ``tags``.

    Args:
        path: a file with one of :data:`CONLL_EXTENSIONS`.
        encoding: of the file.
        column: that of the tag, counted from 1; by default the last, in CoNLL-U that of UPOS.
        form: ``conll`` or ``conllu``; by default as the extension says.
        skipped: takes the sentences that cannot be used; ``None``: they are refused.

    Raises:
        BadInput: a file that cannot be read, a line with another number of columns, a column that the file does not
            have, or no sentence.
    """
    is_conllu = (split_extensions(path)[0] if form is None else f".{form}") == CONLLU
    is_empty, word = True, _FORM
    sentences = _read_conllu(path, encoding) if is_conllu else _read_conll(path, encoding, RowProblems(path, skipped))
    if not is_conllu:
        sentences, is_numbered = _find_numbers(sentences)
        word = int(is_numbered)
    for extra, words in sentences:
        is_empty = False
        where = f"{path}:{words[0][0]}"
        tag = _tag_column(len(words[0][1]), column, is_conllu, where)
        fields: dict[str, object] = {"tokens": [cells[word] for _, cells in words]}
        if tag is not None:
            fields["tags"] = [cells[tag].strip(" ") for _, cells in words]
        yield Row(extra | fields, where)
    if is_empty:
        raise BadInput("the file has no sentences", where=path, next_step="check the path")


def _find_numbers(sentences: Iterator[_Sentence]) -> tuple[Iterator[_Sentence], bool]:
    """The same sentences, and whether their first columns count the words (GermEval): up to the first of several words."""
    head: list[_Sentence] = []
    for sentence in sentences:
        head.append(sentence)
        if len(sentence[1]) > 1:
            break
    is_numbered = bool(head) and all(
        len(cells) > _MIN_NUMBERED and cells[0] == str(place)
        for _, words in head for place, (_, cells) in enumerate(words, start=1)
    )  # fmt: skip
    return chain(head, sentences), is_numbered


def _tag_column(num_columns: int, column: int | None, is_conllu: bool, where: str) -> int | None:
    """The index of the tag's column; ``None`` where a line has only a word."""
    if column is not None:
        if column > num_columns:
            raise BadInput(
                "no such column", where=where, value=column, allowed=f"1 to {num_columns}",
                next_step="correct --tag-column",
            )  # fmt: skip
        return column - 1
    if is_conllu:
        return _UPOS
    return num_columns - 1 if num_columns > 1 else None


class _Form(NamedTuple):
    """What the lines with words look like: how many columns they have, and whether tabs separate them."""

    num_columns: int
    has_tabs: bool

    def is_comment(self, line: str) -> bool:
        """Whether a line before the words of a sentence is a comment: ``# key = value``, or ``#`` and other columns.

        ``#`` and ``#fun`` with the columns of a word are words.
        """
        if not line.startswith("#"):
            return False
        if "\t" in line:
            return line.startswith("# ") or (self.has_tabs and len(_cells(line)) != self.num_columns)
        other_form = self.has_tabs or len(_cells(line)) != self.num_columns
        return " " in line and (other_form or _KEY_AND_VALUE.match(line) is not None)


def _read_conll(path: str, encoding: str, problems: RowProblems) -> Iterator[_Sentence]:
    words: list[_Line] = []
    is_whole = True
    lines = ((number, line.rstrip("\n")) for number, line in enumerate(read_lines(path, encoding), start=1))
    head, form = _find_form(lines)
    for number, line in chain(head, lines):
        cells = _cells(line)
        if not words and form.is_comment(line):
            continue
        if cells and cells[0] != DOCSTART:
            is_word = problems.attempt(_check_columns, cells, form.num_columns, f"{path}:{number}")
            is_whole = is_whole and is_word is not None
            words.append((number, cells))
        elif words:
            if is_whole:
                yield {}, words
            words, is_whole = [], True
    problems.raise_all()
    if words and is_whole:
        yield {}, words


def _find_form(lines: Iterator[tuple[int, str]]) -> tuple[list[tuple[int, str]], _Form]:
    """The lines up to the first that is surely of a word, and its form; of a file without such a line, all."""
    head: list[tuple[int, str]] = []
    for number, line in lines:
        head.append((number, line))
        cells = _cells(line)
        if cells and cells[0] != DOCSTART and not line.startswith("#"):
            return head, _Form(len(cells), "\t" in line)
    first = next((line for _, line in head if _cells(line)), "")
    return head, _Form(len(_cells(first)), "\t" in first)


def _cells(line: str) -> list[str]:
    if "\t" in line:
        return line.split("\t") if line.strip("\t ") else []
    return [cell for cell in line.split(" ") if cell]


def _read_conllu(path: str, encoding: str) -> Iterator[_Sentence]:
    words: list[_Line] = []
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
            if _NUMBER.fullmatch(cells[0]):
                words.append((number, cells))
            elif not _SKIPPED.fullmatch(cells[0]):
                raise BadInput("not the number of a word", where=where, value=cells[0], allowed="1, 1-2 or 1.1")
    if words:
        yield extra, words


def _check_columns(cells: list[str], num_columns: int, where: str) -> list[str]:
    """The cells of a line with a word."""
    if len(cells) != num_columns:
        raise BadInput(
            "wrong number of columns", where=where, value=len(cells), allowed=f"{num_columns}, as in the lines above",
            next_step="correct this line; tabs separate the columns, or spaces where a line has no tab",
        )  # fmt: skip
    if not cells[0]:
        raise BadInput(
            "this line has no word", where=where, allowed="the word in the first column",
            next_step="correct it, or have such sentences left out: --bad-rows skip",
        )  # fmt: skip
    return cells
