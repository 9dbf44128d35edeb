"""Raw text to documents, of any size: a document is a stream of pieces, so no file and no document is ever held whole.

One ``.txt`` file is one document, so is each ``.txt`` member of a tar archive, so is the ``text`` of each row of a table.
A text longer than a piece is cut at a place that follows from the text alone: at an empty line, else at a line's end,
else at a blank. The cut falls before the last blank that stands before a word, which is where byte-level BPE's
pre-tokenisation cuts too, so the ids of the pieces end to end are the ids of the whole text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from warmstart.base.errors import BadInput
from warmstart.readers.archives import read_members
from warmstart.readers.paths import expand_paths
from warmstart.readers.rows import TABLE_EXTENSIONS, Row, read_rows
from warmstart.readers.text_io import STDIN, decode_blocks, read_text_blocks, split_extensions

DOCUMENT_EXTENSIONS = (".txt", ".tar", *TABLE_EXTENSIONS)
MAX_CHUNK_CHARS = 1 << 20
"""Characters that a piece holds at most."""
TEXT_ALIASES = ("content",)
"""Taken for the key ``text`` where a row has no ``text``."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        where: the file, ``file:line`` or ``archive:member`` it came from.
        pieces: its text in order, to be read once, before the next document is asked for.
    """

    where: str
    chunks: Iterator[str]


def read_documents(paths: Sequence[str], encoding: str = "utf-8", key: str = "text") -> Iterator[Document]:
    """The documents of files, folders, globs or ``-`` (standard input: plain text, one document), in a fixed order.

    Raises:
        BadInput: nothing there, an unreadable or broken file, a row without ``key``.
    """
    for path in expand_paths(paths, DOCUMENT_EXTENSIONS):
        for document in _documents(path, encoding, key):
            yield document
            for _ in document.chunks:  # what was not read, so that the file stands at the next document
                pass


def split_chunks(blocks: Iterable[str], size: int = MAX_CHUNK_CHARS) -> Iterator[str]:
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
    kind = ".txt" if path == STDIN else split_extensions(path)[0]
    if kind == ".txt":
        yield Document(path, split_chunks(read_text_blocks(path, encoding)))
    elif kind == ".tar":
        for name, blocks in read_members(path):
            where = f"{path}:{name}"
            yield Document(where, split_chunks(decode_blocks(blocks, encoding, where)))
    else:
        for row in read_rows(path, encoding):
            yield Document(row.where, split_chunks([_text(row, key)]))


def _text(row: Row, key: str) -> str:
    name = next((k for k in (key, *(TEXT_ALIASES if key == "text" else ())) if k in row.fields), None)
    if name is None:
        raise BadInput(
            f"no key {key!r} in this row", where=row.where, value=", ".join(row.fields),
            allowed=f"a row with {key!r}" + (f" or {TEXT_ALIASES[0]!r}" if key == "text" else ""),
            next_step="rename the column that holds the text",
        )  # fmt: skip
    text = row.fields[name]
    if not isinstance(text, str):
        raise BadInput(f"{name!r} is not a text", where=row.where, value=text, allowed="a string")
    return text
