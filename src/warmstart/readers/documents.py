"""Raw text to documents, of any size: a document is a stream of pieces, so no file and no document is ever held whole.

One ``.txt`` file is one document, so is each ``.txt`` member of a tar archive, so is the ``text`` of each row of a table.
A text longer than a piece is cut at a place that follows from the text alone: at an empty line, else at a line's end,
else at a blank. The cut falls before the last blank that stands before a word, which is where byte-level BPE's
pre-tokenisation cuts too, so the ids of the pieces end to end are the ids of the whole text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from warmstart.base.errors import BadInput
from warmstart.readers.archives import members
from warmstart.readers.opening import STDIN, decode, form, text_blocks
from warmstart.readers.rows import TABLES, Row, rows
from warmstart.readers.sources import expand

ENDINGS = (".txt", ".tar", *TABLES)
PIECE = 1 << 20
"""Characters that a piece holds at most."""
ALIASES = ("content",)
"""Taken for the key ``text`` where a row has no ``text``."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        where: the file, ``file:line`` or ``archive:member`` it came from.
        pieces: its text in order, to be read once, before the next document is asked for.
    """

    where: str
    pieces: Iterator[str]


def documents(paths: Sequence[str], encoding: str = "utf-8", key: str = "text") -> Iterator[Document]:
    """The documents of files, folders, globs or ``-`` (standard input: plain text, one document), in a fixed order.

    Raises:
        BadInput: nothing there, an unreadable or broken file, a row without ``key``.
    """
    for path in expand(paths, ENDINGS):
        for document in _documents(path, encoding, key):
            yield document
            for _ in document.pieces:  # what was not read, so that the file stands at the next document
                pass


def cut(blocks: Iterable[str], size: int = PIECE) -> Iterator[str]:
    """The same text in pieces of at most ``size`` characters, wherever the blocks were cut."""
    held = ""
    for block in blocks:
        held += block
        start = 0
        while len(held) - start > size:
            stop = _boundary(held, start, start + size)
            yield held[start:stop]
            start = stop
        held = held[start:]
    if held:
        yield held


def _boundary(text: str, start: int, stop: int) -> int:
    middle = (start + stop) // 2
    for mark in ("\n\n", "\n", " "):
        place = text.rfind(mark, middle, stop)
        while place >= 0 and text[place + len(mark)].isspace():
            place = text.rfind(mark, middle, place + len(mark) - 1)
        if place >= 0:
            return place + len(mark) - 1
    return stop


def _documents(path: str, encoding: str, key: str) -> Iterator[Document]:
    kind = ".txt" if path == STDIN else form(path)[0]
    if kind == ".txt":
        yield Document(path, cut(text_blocks(path, encoding)))
    elif kind == ".tar":
        for name, blocks in members(path):
            where = f"{path}:{name}"
            yield Document(where, cut(decode(blocks, encoding, where)))
    else:
        for row in rows(path, encoding):
            yield Document(row.where, cut([_text(row, key)]))


def _text(row: Row, key: str) -> str:
    name = next((k for k in (key, *(ALIASES if key == "text" else ())) if k in row.fields), None)
    if name is None:
        raise BadInput(
            f"no key {key!r} in this row", where=row.where, value=", ".join(row.fields),
            allowed=f"a row with {key!r}" + (f" or {ALIASES[0]!r}" if key == "text" else ""),
            next_step="rename the column that holds the text",
        )  # fmt: skip
    text = row.fields[name]
    if not isinstance(text, str):
        raise BadInput(f"{name!r} is not a text", where=row.where, value=text, allowed="a string")
    return text
