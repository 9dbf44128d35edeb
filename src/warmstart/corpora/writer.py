"""Writing a corpus: its files grow in a partial folder beside it, which becomes the corpus by one rename at the end.

The partial folder has a fixed name. The next preparation deletes what an interrupted one left there.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, locked_folder
from warmstart.corpora.corpus import DOCUMENTS, TOKENS, FileDigest
from warmstart.corpora.jobs import Chunk, Encoding


@contextlib.contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """An empty folder ``.NAME.partial`` beside ``target``, which becomes ``target`` when the block ends well.

    Raises:
        BadInput: another preparation is writing there, or the disk is full.
    """
    folder = target.with_name(f".{target.name}.partial")
    busy = BadInput(
        "another preparation is writing this corpus",
        where=str(folder),
        next_step="wait for it, or choose another --out",
    )
    with disk_errors(target), contextlib.ExitStack() as stack:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        stack.enter_context(locked_folder(folder, busy))
        for leftover in folder.iterdir():
            leftover.unlink()
        try:
            yield folder
            os.replace(folder, target)
            _sync(target.parent)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class HashedFile(contextlib.AbstractContextManager["HashedFile"]):
    """A file that is written from start to end, and its digest."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb")  # noqa: SIM115  (closed by __exit__)
        self._name, self._digest, self._size = path.name, hashlib.sha256(), 0

    def write(self, values: NDArray[Any]) -> None:
        """Appends the bytes of ``values``."""
        data = values.tobytes()
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)

    def finish(self) -> FileDigest:
        """Brings the file to the disk; returns its size and SHA-256."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return FileDigest(path=self._name, bytes=self._size, sha256=self._digest.hexdigest())

    def __exit__(self, *_: object) -> None:
        self._file.close()


class CorpusWriter(contextlib.AbstractContextManager["CorpusWriter"]):
    """Writes ``tokens.bin`` and ``documents.bin``; each document with tokens stands between ``begin`` and the end token."""

    def __init__(self, folder: Path, dtype: str, end_id: int, begin: Sequence[int] = ()) -> None:
        self._dtype, self._end_id, self._begin = np.dtype(dtype).newbyteorder("<"), end_id, list(begin)
        self._stack = contextlib.ExitStack()
        self._tokens = self._stack.enter_context(HashedFile(folder / TOKENS))
        self._documents = self._stack.enter_context(HashedFile(folder / DOCUMENTS))
        self._documents.write(np.zeros(1, "<i8"))
        self._open_tokens = 0
        self.num_tokens = self.num_documents = self.empty_documents = self.text_bytes = 0

    def add(self, chunks: list[Chunk], encoding: Encoding) -> None:
        """Appends the ids of one job; a document may continue in the next."""
        places: list[int] = []  # in the ids of this job, of special tokens in their order
        tokens: list[int] = []
        offsets, count = [], 0
        for chunk, length in zip(chunks, encoding.counts, strict=True):
            if length and not self._open_tokens:
                places += [count] * len(self._begin)
                tokens += self._begin
            count += length
            self._open_tokens += length
            if chunk.last and self._open_tokens:
                places.append(count)
                tokens.append(self._end_id)
                offsets.append(self.num_tokens + count + len(places))
            self.empty_documents += chunk.last and not self._open_tokens
            self._open_tokens = 0 if chunk.last else self._open_tokens
        self._tokens.write(np.insert(encoding.ids, places, tokens).astype(self._dtype))
        self._documents.write(np.array(offsets, "<i8"))
        self.num_tokens += count + len(places)
        self.num_documents += len(offsets)
        self.text_bytes += encoding.text_bytes

    def finish(self) -> tuple[FileDigest, FileDigest]:
        """Brings both files to the disk; returns the digests of ``tokens.bin`` and ``documents.bin``."""
        return self._tokens.finish(), self._documents.finish()

    def __exit__(self, *_: object) -> None:
        self._stack.close()
