"""Jobs: about a megabyte of text each, and what every process does with one: clean it, encode it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.readers.documents import TOKENIZER_CHARS, Document, split_chunks
from warmstart.text.clean import clean
from warmstart.text.tokenizer import Tokenizer

JOB = 1 << 20
"""Characters of a job, about."""


class Chunk(NamedTuple):
    """A stretch of a document's text, and whether the document begins or ends with it."""

    text: str
    first: bool
    last: bool


class Encoding(NamedTuple):
    """The result of a job: ids of its chunks end to end, number of ids of each, UTF-8 bytes of the cleaned text."""

    ids: NDArray[np.int64]
    counts: list[int]
    text_bytes: int


def split_jobs(documents: Iterable[Document]) -> Iterator[list[Chunk]]:
    """All chunks of all documents, in order, in lists of about :data:`JOB` characters."""
    job: list[Chunk] = []
    size = 0
    for document in documents:
        for chunk in _chunks(document.chunks):
            job.append(chunk)
            size += len(chunk.text) + 100  # bounds the number of very small documents in one job
            if size >= JOB:
                yield job
                job, size = [], 0
    if job:
        yield job


def _chunks(texts: Iterator[str]) -> Iterator[Chunk]:
    first, text = True, next(texts, "")
    for following in texts:
        yield Chunk(text, first, False)
        first, text = False, following
    yield Chunk(text, first, True)


def clean_chunk(chunk: Chunk, rules: Sequence[str]) -> str:
    """The chunk's text after the cleaning rules; a blank at a cut stays, also where a rule strips blanks."""
    if not rules:
        return chunk.text
    blank = "" if chunk.first or not chunk.text[:1].isspace() else chunk.text[0]
    return blank + clean(chunk.text[len(blank) :], rules)


def encode_texts(texts: Sequence[str], tokenizer: Tokenizer) -> Encoding:
    """Ids of the cleaned texts of a job."""
    parts = [list(split_chunks([text], TOKENIZER_CHARS)) for text in texts]
    ids = tokenizer.encode_batch([part for group in parts for part in group])
    rest = iter(ids)
    return Encoding(
        np.concatenate([np.empty(0, np.int64), *ids]),
        [sum(len(next(rest)) for _ in group) for group in parts],
        sum(len(text.encode("utf-8")) for text in texts),
    )
