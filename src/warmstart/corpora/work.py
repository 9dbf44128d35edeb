"""The work that is done on each piece of text, the same in every process: clean it, encode it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.readers.documents import Document, split_chunks
from warmstart.text.clean import clean
from warmstart.text.tokenizer import Tokenizer

JOB = 1 << 20
"""Characters that are handed over at once, about."""
ENCODE = 1 << 12
"""Characters encoded at once: the library is at its fastest on texts of a few thousand."""


class Piece(NamedTuple):
    """A stretch of a document's text, and whether the document begins or ends with it."""

    text: str
    first: bool
    last: bool


class Encoded(NamedTuple):
    """What became of a job: ids of its pieces end to end, ids per piece, UTF-8 bytes of the cleaned text."""

    ids: NDArray[np.int64]
    counts: list[int]
    text_bytes: int


def jobs_of(documents: Iterable[Document]) -> Iterator[list[Piece]]:
    """All pieces of all documents, in order, in lists of about :data:`JOB` characters."""
    job: list[Piece] = []
    size = 0
    for document in documents:
        for piece in _pieces(document.chunks):
            job.append(piece)
            size += len(piece.text) + 100  # a floor for the number of very small documents in one job
            if size >= JOB:
                yield job
                job, size = [], 0
    if job:
        yield job


def _pieces(texts: Iterator[str]) -> Iterator[Piece]:
    first, here = True, next(texts, "")
    for after in texts:
        yield Piece(here, first, False)
        first, here = False, after
    yield Piece(here, first, True)


def cleaned(piece: Piece, rules: Sequence[str]) -> str:
    """The piece's text after the cleaning rules; the blank at a cut survives rules that strip."""
    if not rules:
        return piece.text
    blank = "" if piece.first or not piece.text[:1].isspace() else piece.text[0]
    return blank + clean(piece.text[len(blank) :], rules)


def encode(texts: Sequence[str], tokenizer: Tokenizer) -> Encoded:
    """Ids of cleaned pieces."""
    parts = [list(split_chunks([text], ENCODE)) for text in texts]
    ids = iter(tokenizer.encode_batch([part for group in parts for part in group]))
    encoded = [[next(ids) for _ in group] for group in parts]
    return Encoded(
        np.concatenate([np.empty(0, np.int64), *(part for group in encoded for part in group)]),
        [sum(map(len, group)) for group in encoded],
        sum(len(text.encode("utf-8")) for text in texts),
    )
