"""The first look at the sources: read once from end to end before anything is made of them.

Whatever is wrong with them (encoding, a cut line, a damaged archive) is found here, before a file is written, and the size
of the text is known, for the estimate, the progress and an evenly spread sample.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.base.files import sha256
from warmstart.corpora.corpus import FileMark
from warmstart.corpora.work import Piece
from warmstart.readers.documents import read_documents

SAMPLE_BYTES = 200_000_000
"""UTF-8 bytes of text that a vocabulary is learned from, at most."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Counts over the sources: documents, and UTF-8 bytes of their text before cleaning."""

    num_documents: int
    text_bytes: int


def survey(paths: Sequence[str], encoding: str) -> Survey:
    """Reads all of ``paths``; raises :class:`~warmstart.base.errors.BadInput` for what cannot be read."""
    num_documents = text_bytes = 0
    for document in read_documents(paths, encoding):
        num_documents += 1
        text_bytes += sum(utf8_bytes(piece) for piece in document.chunks)
    return Survey(num_documents, text_bytes)


def marks(paths: Sequence[str]) -> tuple[FileMark, ...]:
    """Size and SHA-256 of each source file."""
    return tuple(FileMark(path=path, bytes=os.path.getsize(path), sha256=sha256(Path(path))) for path in paths)


def spread(jobs: Iterable[list[Piece]], text_bytes: int, sample_bytes: int) -> Iterator[list[Piece]]:
    """At most about ``sample_bytes`` of a text of ``text_bytes``, spread evenly over it, always the same pieces."""
    seen = taken = 0
    for job in jobs:
        chosen = []
        for piece in job:
            size = utf8_bytes(piece.text)
            if taken * text_bytes <= seen * sample_bytes or text_bytes <= sample_bytes:
                chosen.append(piece)
                taken += size
            seen += size
        yield chosen


def utf8_bytes(text: str) -> int:
    """Length of ``text`` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))
