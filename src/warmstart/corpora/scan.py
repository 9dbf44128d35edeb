"""The first reading of the sources, from end to end, before anything is written.

It finds whatever is wrong with them (encoding, a cut line, a damaged archive), and counts the text for the estimate, the
progress and an even sample.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from warmstart.corpora.corpus import FileDigest
from warmstart.corpora.jobs import Chunk, split_jobs
from warmstart.readers.documents import read_documents
from warmstart.readers.text_io import open_raw, read_blocks

SAMPLE_BYTES = 200_000_000
"""UTF-8 bytes of text that a vocabulary is learned from, at most."""


@dataclass(frozen=True, slots=True)
class TextSize:
    """Counts over the sources: documents, and UTF-8 bytes of their text before cleaning."""

    num_documents: int
    text_bytes: int


def scan(paths: Sequence[str], encoding: str) -> TextSize:
    """Reads all of ``paths``.

    Raises:
        BadInput: something cannot be read.
    """
    num_documents = text_bytes = 0
    for document in read_documents(paths, encoding):
        num_documents += 1
        text_bytes += sum(utf8_bytes(chunk) for chunk in document.chunks)
    return TextSize(num_documents, text_bytes)


def file_digests(paths: Sequence[str]) -> tuple[FileDigest, ...]:
    """Size and SHA-256 of each source."""
    return tuple(map(_file_digest, paths))


def _file_digest(path: str) -> FileDigest:
    digest, size = hashlib.sha256(), 0
    with open_raw(path) as stream:
        for block in read_blocks(stream):
            digest.update(block)
            size += len(block)
    return FileDigest(path=path, bytes=size, sha256=digest.hexdigest())


def sample_evenly(jobs: Iterable[list[Chunk]], text_bytes: int, sample_bytes: int) -> Iterator[list[Chunk]]:
    """About ``sample_bytes`` of a text of ``text_bytes`` at most, from all parts of it alike, always the same chunks."""
    seen = taken = 0
    for job in jobs:
        sample = []
        for chunk in job:
            size = utf8_bytes(chunk.text)
            if taken * text_bytes <= seen * sample_bytes or text_bytes <= sample_bytes:
                sample.append(chunk)
                taken += size
            seen += size
        yield sample


@dataclass(frozen=True, slots=True)
class SourceJobs:
    """The jobs of a preparation, to be read by whoever has the sources.

    Attributes:
        paths: of the sources.
        encoding: of their text.
        text_bytes: of all their text.
        sample_bytes: of text at most, from all parts alike.
        skip: so many jobs are read and passed over.
    """

    paths: tuple[str, ...]
    encoding: str
    text_bytes: int
    sample_bytes: int
    skip: int

    def __iter__(self) -> Iterator[list[Chunk]]:
        jobs = split_jobs(read_documents(self.paths, self.encoding))
        return islice(sample_evenly(jobs, self.text_bytes, self.sample_bytes), self.skip, None)


def utf8_bytes(text: str) -> int:
    """Length of ``text`` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))
