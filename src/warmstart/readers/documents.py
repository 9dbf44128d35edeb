"""Reads raw text as documents of any size: a document is a stream of chunks, so it need not fit into memory.

A document is a ``.txt`` file, a ``.txt`` member of a tar archive, or the ``text`` of a row of a table. A long text is
split at a place that depends only on the text: at an empty line, else at the end of a line, else at a space. The split is
before the last space in front of a word. Byte-level BPE's pre-tokenizer splits there too, so the ids of the chunks, end to
end, are the ids of the whole text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from warmstart.base.errors import BadInput
from warmstart.readers.archives import read_members
from warmstart.readers.paths import expand_paths
from warmstart.readers.problems import RowProblems
from warmstart.readers.rows import TABLE_EXTENSIONS, Row, read_rows
from warmstart.readers.text_io import STDIN, decode_blocks, read_text_blocks, split_extensions

DOCUMENT_EXTENSIONS = (".txt", ".tar", *(ending for ending in TABLE_EXTENSIONS if ending != ".json"))
"""Extensions of files with documents; a folder's ``.json`` files are rather settings."""
MAX_CHUNK_CHARS = 1 << 20
"""Longest chunk."""
TOKENIZER_CHARS = 1 << 12
"""Longest chunk for a tokenizer: it is fastest on texts of a few thousand characters, and its training takes time that grows
with the square of the longest word."""
TEXT_ALIASES = ("content",)
"""Keys that are read where a row has no ``text``."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        where: its file, ``file:line`` or ``archive:member``.
        chunks: its text in order; read it once, before the next document.
    """

    where: str
    chunks: Iterator[str]


def read_documents(paths: Sequence[str], encoding: str = "utf-8", key: str = "text") -> Iterator[Document]:
    """The documents of files, folders, globs or ``-`` (standard input: one document of plain text), in a fixed order.

    Raises:
        BadInput: no documents, a file that cannot be read or is damaged, or a row without ``key``.
    """
    for path in expand_paths(paths, DOCUMENT_EXTENSIONS):
        for document in _documents(path, encoding, key):
            yield document
            for _ in document.chunks:  # skips what the caller has not read, up to the next document
                pass


def split_chunks(blocks: Iterable[str], size: int = MAX_CHUNK_CHARS) -> Iterator[str]:
    """The same text in chunks of at most ``size`` characters; they do not depend on where the blocks end."""
    buffer = ""
    for block in blocks:
        buffer += block
        start = 0
        while len(buffer) - start > size:
            stop = _boundary(buffer, start, start + size)
            yield buffer[start:stop]
            start = stop
        buffer = buffer[start:]
    if buffer:
        yield buffer


def _boundary(text: str, start: int, stop: int) -> int:
    """Where to split in the second half of ``start`` to ``stop``; at ``stop`` where that half has no space."""
    middle = (start + stop) // 2
    for separator in ("\n\n", "\n", " "):
        place = text.rfind(separator, middle, stop)
        while place >= 0 and text[place + len(separator)].isspace():
            place = text.rfind(separator, middle, place + len(separator) - 1)
        if place >= 0:
            return place + len(separator) - 1
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
        problems = RowProblems(path)
        for row in read_rows(path, encoding):
            text = problems.attempt(_text, row, key)
            if text is not None:
                yield Document(row.where, split_chunks([text]))
        problems.raise_all()


def _text(row: Row, key: str) -> str:
    name = next((k for k in (key, *(TEXT_ALIASES if key == "text" else ())) if k in row.fields), None)
    if name is None:
        raise BadInput(
            f"this row has no key {key!r}", where=row.where, value=", ".join(row.fields),
            allowed=f"a row with {key!r}" + (f" or {TEXT_ALIASES[0]!r}" if key == "text" else ""),
            next_step="rename the column that holds the text",
        )  # fmt: skip
    text = row.fields[name]
    if not isinstance(text, str):
        raise BadInput(f"{name!r} is not a text", where=row.where, value=text, allowed="a string")
    return text
