"""The place where a corpus grows before it is whole, and the files that grow there.

The stage is a folder beside the corpus with a fixed name. It becomes the corpus by one rename at the end; whatever an
interrupted preparation left in it is thrown away by the next.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors
from warmstart.corpora.corpus import DOCUMENTS, TOKENS, FileMark
from warmstart.corpora.work import Encoded, Piece


@contextlib.contextmanager
def stage(target: Path) -> Iterator[Path]:
    """A clean folder ``.NAME.partial`` beside ``target``, which becomes ``target`` when the block ends well."""
    folder = target.with_name(f".{target.name}.partial")
    with disk_errors(target), contextlib.ExitStack() as stack:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        _lock(folder, stack)
        for leftover in folder.iterdir():
            leftover.unlink()
        try:
            yield folder
            os.replace(folder, target)
            _sync(target.parent)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _lock(folder: Path, stack: contextlib.ExitStack) -> None:
    """Keeps two preparations out of one stage; the lock goes with the process, however it ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    stack.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadInput(
            "another preparation is writing this corpus",
            where=str(folder),
            next_step="wait for it, or choose another --out",
        ) from None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class GrowingFile(contextlib.AbstractContextManager["GrowingFile"]):
    """A file that is written from start to end and knows its size and SHA-256."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb")  # noqa: SIM115  (closed by __exit__)
        self._name, self._digest, self._size = path.name, hashlib.sha256(), 0

    def write(self, values: NDArray[Any]) -> None:
        """Appends the bytes of ``values``."""
        data = values.tobytes()
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)

    def finish(self) -> FileMark:
        """Brings the file to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return FileMark(path=self._name, bytes=self._size, sha256=self._digest.hexdigest())

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Shard(contextlib.AbstractContextManager["Shard"]):
    """``tokens.bin`` and ``documents.bin``, growing; puts the end token after each document that holds any."""

    def __init__(self, folder: Path, dtype: str, end_id: int) -> None:
        self._dtype, self._end_id = np.dtype(dtype).newbyteorder("<"), end_id
        self._stack = contextlib.ExitStack()
        self._tokens = self._stack.enter_context(GrowingFile(folder / TOKENS))
        self._documents = self._stack.enter_context(GrowingFile(folder / DOCUMENTS))
        self._documents.write(np.zeros(1, "<i8"))
        self._open_tokens = 0
        self.num_tokens = self.num_documents = self.empty_documents = self.text_bytes = 0

    def add(self, pieces: list[Piece], encoded: Encoded) -> None:
        """Appends the ids of one job; a document may go on in the next."""
        ends_at, offsets, here = [], [], 0
        for piece, count in zip(pieces, encoded.counts, strict=True):
            here += count
            self._open_tokens += count
            if piece.last and self._open_tokens:
                ends_at.append(here)
                offsets.append(self.num_tokens + here + len(ends_at))
            self.empty_documents += piece.last and not self._open_tokens
            self._open_tokens = 0 if piece.last else self._open_tokens
        self._tokens.write(np.insert(encoded.ids, ends_at, self._end_id).astype(self._dtype))
        self._documents.write(np.array(offsets, "<i8"))
        self.num_tokens += here + len(ends_at)
        self.num_documents += len(ends_at)
        self.text_bytes += encoded.text_bytes

    def finish(self) -> tuple[FileMark, FileMark]:
        """The marks of both files."""
        return self._tokens.finish(), self._documents.finish()

    def __exit__(self, *_: object) -> None:
        self._stack.close()
