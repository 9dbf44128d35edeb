"""Writing a corpus: its files grow in a partial folder beside it, which becomes the corpus by one rename at the end.

The partial folder has a fixed name. What an interrupted preparation left there is gone on with where text and settings are
the same: every :data:`PART_JOBS` jobs the files are brought to the disk and ``progress.json`` says how far they go, so a
process may die at any moment. Else it is deleted.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput, DiskFull
from warmstart.base.files import disk_errors, locked_folder, make_folder, read_json, sync_folder, write_json
from warmstart.corpora.corpus import BLOCK, DOCUMENTS, TOKENS, FileDigest, block_digest
from warmstart.corpora.jobs import Chunk, Encoding

PROGRESS, SCAN = "progress.json", "scan"
_KEPT = (PROGRESS, TOKENS, DOCUMENTS, "tokenizer.json", "tokenizer_config.json")
PART_JOBS = 32
"""Jobs after which what is written so far is kept, some seconds' work."""
_FIELDS = ("num_tokens", "num_documents", "empty_documents", "text_bytes", "open_tokens")


class Partial:
    """The folder of a corpus that is being made, and what is known to be finished there."""

    def __init__(self, path: Path, key: str) -> None:
        """``key`` names text and settings; what was left there of others is deleted."""
        self.path, self._known = path, {"key": key} | _progress(path, key)
        kept = _KEPT if self.has_progress else ()
        for leftover in path.iterdir():
            if leftover.name not in kept:
                leftover.unlink()

    def get(self, name: str) -> Any:
        """What was kept under a name; ``None`` where nothing was."""
        return self._known.get(name)

    def keep(self, name: str, value: Any) -> None:
        """Remembers something that is finished, and what it counts on, whatever becomes of this process."""
        sync_folder(self.path)
        self._known[name] = value
        write_json(self.path / PROGRESS, self._known)
        sync_folder(self.path)

    @property
    def has_progress(self) -> bool:
        """Whether anything is finished."""
        return len(self._known) > 1


def _progress(folder: Path, key: str) -> dict[str, Any]:
    """What ``progress.json`` says, where it is of the same text and settings."""
    with contextlib.suppress(BadInput):
        found = read_json(folder / PROGRESS)
        if isinstance(found, dict) and found.get("key") == key:
            return found
    return {}


def known_scan(target: Path, key: str) -> Any:
    """What an interrupted preparation of ``target`` has kept of its first reading; ``None`` where there is none."""
    return _progress(_partial_path(target), key).get(SCAN)


def _partial_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


@contextlib.contextmanager
def partial_folder(target: Path, key: str) -> Iterator[Partial]:
    """The folder ``.NAME.partial`` beside ``target``, which becomes ``target`` when the block ends well.

    What is finished in it stays where the block is interrupted or the disk is full, and goes after any other error.

    Raises:
        BadInput: another preparation is writing there, or the disk is full.
    """
    folder = _partial_path(target)
    busy = BadInput(
        "another preparation is writing this corpus",
        where=str(folder),
        next_step="wait for it, or choose another --out",
    )
    with disk_errors(target), contextlib.ExitStack() as stack:
        make_folder(target.parent)
        folder.mkdir(exist_ok=True)
        stack.enter_context(locked_folder(folder, busy))
        partial = Partial(folder, key)
        try:
            yield partial
            (folder / PROGRESS).unlink(missing_ok=True)
            sync_folder(folder)
            os.replace(folder, target)
            sync_folder(target.parent)
        except BaseException as error:
            failed = isinstance(error, BadInput) and not isinstance(error, DiskFull)
            if failed or not partial.has_progress:
                shutil.rmtree(folder, ignore_errors=True)
            raise


class HashedFile(contextlib.AbstractContextManager["HashedFile"]):
    """A file that is written from start to end, and its digests."""

    def __init__(self, path: Path, known: Mapping[str, Any] | None = None) -> None:
        """``known``: what :meth:`sync` returned of the bytes that it goes on after."""
        self._file = open(path, "r+b" if known else "wb")  # noqa: SIM115  (closed by __exit__)
        self._name, self._digest, self._size = path.name, hashlib.sha256(), 0
        self._blocks: list[str] = []
        self._block = b""
        if known:
            self._go_on(path, known)

    def _go_on(self, path: Path, known: Mapping[str, Any]) -> None:
        """Reads what is there, for the digests, and drops what comes after it."""
        while data := self._file.read(min(BLOCK, known["bytes"] - self._size)):
            self._count(data)
        if self._digest.hexdigest() != known["sha256"]:
            self._file.close()
            raise BadInput(
                "what an interrupted preparation left is damaged, and was deleted", where=str(path),
                next_step="run the same command again, from the beginning",
            )  # fmt: skip
        self._file.truncate(self._size)

    def _count(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        self._block += data
        whole = len(self._block) // BLOCK * BLOCK
        self._blocks += [block_digest(self._block[at : at + BLOCK]) for at in range(0, whole, BLOCK)]
        self._block = self._block[whole:]

    def write(self, values: NDArray[Any]) -> None:
        """Appends the bytes of ``values``."""
        data = values.tobytes()
        self._file.write(data)
        self._count(data)

    def sync(self) -> dict[str, Any]:
        """Brings the file to the disk; returns its size and SHA-256."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"bytes": self._size, "sha256": self._digest.hexdigest()}

    def finish(self) -> FileDigest:
        """Brings the file to the disk; returns its size and its checksums."""
        blocks = [*self._blocks, block_digest(self._block)] if self._block else self._blocks
        return FileDigest(path=self._name, blocks=tuple(blocks), **self.sync())

    def __exit__(self, *_: object) -> None:
        self._file.close()


class CorpusWriter(contextlib.AbstractContextManager["CorpusWriter"]):
    """Writes ``tokens.bin`` and ``documents.bin``; each document with tokens stands between ``begin`` and the end token.

    Attributes:
        num_jobs: jobs that are written; the files of an interrupted preparation go on after theirs.
        num_tokens, num_documents, empty_documents, text_bytes: counts, as the manifest has them.
        open_tokens: of the document that the next job goes on with.
    """

    def __init__(self, partial: Partial, dtype: str, end_id: int, begin: Sequence[int] = ()) -> None:
        self._dtype, self._end_id, self._begin = np.dtype(dtype).newbyteorder("<"), end_id, list(begin)
        self._partial, known = partial, partial.get(TOKENS) or {}
        with contextlib.ExitStack() as stack:
            self._tokens = stack.enter_context(HashedFile(partial.path / TOKENS, known.get(TOKENS)))
            self._documents = stack.enter_context(HashedFile(partial.path / DOCUMENTS, known.get(DOCUMENTS)))
            self._stack = stack.pop_all()
        if not known:
            self._documents.write(np.zeros(1, "<i8"))
        self.num_jobs = known.get("num_jobs", 0)
        self.num_tokens, self.num_documents, self.empty_documents, self.text_bytes, self.open_tokens = (
            known.get(name, 0) for name in _FIELDS
        )

    def add(self, chunks: list[Chunk], encoding: Encoding) -> None:
        """Appends the ids of one job; a document may continue in the next."""
        places: list[int] = []  # in the ids of this job, of special tokens in their order
        tokens: list[int] = []
        offsets, count = [], 0
        for chunk, length in zip(chunks, encoding.counts, strict=True):
            if length and not self.open_tokens:
                places += [count] * len(self._begin)
                tokens += self._begin
            count += length
            self.open_tokens += length
            if chunk.last and self.open_tokens:
                places.append(count)
                tokens.append(self._end_id)
                offsets.append(self.num_tokens + count + len(places))
            self.empty_documents += chunk.last and not self.open_tokens
            self.open_tokens = 0 if chunk.last else self.open_tokens
        self._tokens.write(np.insert(encoding.ids, places, tokens).astype(self._dtype))
        self._documents.write(np.array(offsets, "<i8"))
        self.num_tokens += count + len(places)
        self.num_documents += len(offsets)
        self.text_bytes += encoding.text_bytes
        self.num_jobs += 1
        if self.num_jobs % PART_JOBS == 0:
            files = {TOKENS: self._tokens.sync(), DOCUMENTS: self._documents.sync()}
            counts = {name: getattr(self, name) for name in _FIELDS}
            self._partial.keep(TOKENS, {"num_jobs": self.num_jobs, **files, **counts})

    def finish(self) -> tuple[FileDigest, FileDigest]:
        """Brings both files to the disk; returns the digests of ``tokens.bin`` and ``documents.bin``."""
        return self._tokens.finish(), self._documents.finish()

    def __exit__(self, *_: object) -> None:
        self._stack.close()
