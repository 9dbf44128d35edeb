"""Corpus: tokenised text as one flat row of ids on disk, with the offsets of its documents and checksums of everything.

``tokens.bin``     ids, little-endian uint16 (uint32 for a vocabulary beyond 65,536); a document ends with the end token
``documents.bin``  [D + 1] int64 offsets into the ids
``corpus.json``    the :class:`Manifest`
``tokenizer.json`` the vocabulary of the ids

A stretch of ids is read by its position in the file and not through a mapping: pages of a mapping stay in the process's
memory, and a file cut short under a mapping kills the process where a read can say what is wrong.
"""

import hashlib
import os
import random
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, sha256
from warmstart.base.settings import Settings
from warmstart.image.processor import ImageProcessor
from warmstart.text.tokenizer import Tokenizer

FORMAT = 1
BLOCK = 1 << 22
"""Bytes of a file that have a checksum of their own, so that a few of them can be checked when a corpus is opened."""
SAMPLED_BLOCKS = 8
"""Of each file, drawn anew at every opening."""
TOKENS, DOCUMENTS, MANIFEST = "tokens.bin", "documents.bin", "corpus.json"
_PREPARE_AGAIN = "make the corpus again with: warmstart prepare"


class FileDigest(Settings):
    """Name, size and SHA-256 of a file; of one that is large also the beginning of the SHA-256 of each :data:`BLOCK`."""

    path: str
    bytes: int
    sha256: str
    blocks: tuple[str, ...] = ()


class Manifest(Settings):
    """What ``corpus.json`` says: counts, sources and settings.

    Attributes:
        format: version of this layout.
        num_tokens: ids, end tokens included.
        num_documents: documents that hold text.
        empty_documents: documents without text after cleaning, which are left out.
        text_bytes: UTF-8 bytes of the cleaned text.
        dtype: of ``tokens.bin``.
        tokenizer_fingerprint: see :class:`~warmstart.text.tokenizer.Tokenizer`.
        vocab_size: of the settings, where the vocabulary was learned from this text; ``None`` where the settings name one.
        vocabulary: what a token of a vocabulary learned here is.
        vocab_text_bytes: UTF-8 bytes of the sample of the text that the vocabulary was learned from.
        begin: special tokens before each document.
        clean: cleaning rules in their order.
        encoding: of the sources.
        sources: the source files, in order.
        tokens: ``tokens.bin``.
        documents: ``documents.bin``.
    """

    format: Literal[1]
    num_tokens: int
    num_documents: int
    empty_documents: int
    text_bytes: int
    dtype: Literal["uint16", "uint32"]
    tokenizer_fingerprint: str
    vocab_size: int | None
    vocabulary: str = "bpe"
    vocab_text_bytes: int | None
    begin: tuple[str, ...] = ()
    clean: tuple[str, ...]
    encoding: str
    sources: tuple[FileDigest, ...]
    tokens: FileDigest
    documents: FileDigest


class Corpus:
    """A prepared corpus, opened for reading; safe to read from several threads."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self._dtype = np.dtype(manifest.dtype).newbyteorder("<")
        self.offsets: NDArray[np.int64] = np.memmap(folder / DOCUMENTS, "<i8", "r")
        self._descriptor = os.open(folder / TOKENS, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    @staticmethod
    def open(folder: Path | str, verify: bool = False) -> "Corpus":
        """Opens a corpus folder.

        Sizes and a few blocks of each file are always checked, all of it with ``verify`` (about 2 GB/s).

        Raises:
            BadInput: no corpus, another format, or files that are not what was written.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        for file in (manifest.tokens, manifest.documents):
            _check_file(folder / file.path, file, verify)
        corpus = Corpus(folder, manifest)
        ends = (int(corpus.offsets[0]), int(corpus.offsets[-1]), len(corpus.offsets) - 1)
        width = corpus._dtype.itemsize
        if ends != (0, manifest.num_tokens, manifest.num_documents) or manifest.tokens.bytes != ends[1] * width:
            raise BadInput(f"{MANIFEST} and {DOCUMENTS} disagree", where=str(folder), next_step=_PREPARE_AGAIN)
        return corpus

    @property
    def num_tokens(self) -> int:
        """Ids, end tokens included."""
        return self.manifest.num_tokens

    @property
    def num_documents(self) -> int:
        """Documents, each ended by the end token."""
        return self.manifest.num_documents

    @property
    def clean(self) -> tuple[str, ...]:
        """The cleaning rules of its text."""
        return self.manifest.clean

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256; equal for equal ids, document bounds and tokenizer."""
        m = self.manifest
        parts = (m.dtype, m.tokenizer_fingerprint, m.tokens.sha256, m.documents.sha256)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def tokens(self, start: int, stop: int) -> NDArray[np.int64]:
        """[stop - start] ids of the flat row.

        Raises:
            IndexError: outside of the row.
            BadInput: the file was cut short since the corpus was opened.
        """
        if not 0 <= start <= stop <= self.num_tokens:
            raise IndexError(f"[{start}, {stop}) is outside of {self.num_tokens} tokens")
        width = self._dtype.itemsize
        place, end = start * width, stop * width
        parts = []
        while place < end:
            part = os.pread(self._descriptor, min(end - place, 1 << 30), place)
            if not part:
                raise BadInput("the file was cut short", where=str(self.folder / TOKENS), next_step=_PREPARE_AGAIN)
            parts.append(part)
            place += len(part)
        return np.frombuffer(b"".join(parts), self._dtype).astype(np.int64)

    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the ids, read from the folder and compared with its fingerprint."""
        tokenizer = Tokenizer.load(self.folder)
        self.check_tokenizer(tokenizer)
        return tokenizer

    def check_tokenizer(self, tokenizer: Tokenizer | ImageProcessor) -> None:
        """Raises :class:`BadInput` where ``tokenizer`` is not that of the ids."""
        if tokenizer.fingerprint != self.manifest.tokenizer_fingerprint:
            raise BadInput(
                "the corpus was made with another tokenizer",
                where=str(self.folder),
                value=f"fingerprint {tokenizer.fingerprint[:12]}",
                allowed=f"fingerprint {self.manifest.tokenizer_fingerprint[:12]}",
                next_step="prepare the text again with this tokenizer: warmstart prepare --tokenizer",
            )
        if isinstance(tokenizer, Tokenizer):
            self.check_begin(tokenizer)

    def check_begin(self, tokenizer: Tokenizer) -> None:
        """Raises :class:`BadInput` where ``tokenizer`` puts other special tokens before a text than the documents have."""
        if tokenizer.begin != self.manifest.begin:
            raise BadInput(
                "the documents of the corpus do not begin as the model's texts do", where=str(self.folder),
                value=" ".join(self.manifest.begin) or "nothing", allowed=" ".join(tokenizer.begin) or "nothing",
                next_step="prepare the text again with the model's tokenizer: warmstart prepare --tokenizer",
            )  # fmt: skip


def read_manifest(folder: Path) -> Manifest:
    """``corpus.json`` of a corpus folder."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BadInput("no corpus here", where=str(folder), next_step="make one with: warmstart prepare")
    value = read_json(path)
    version = value.get("format") if isinstance(value, dict) else None
    if version != FORMAT:
        raise BadInput(
            "a corpus of another format", where=str(path), value=version, allowed=str(FORMAT), next_step=_PREPARE_AGAIN
        )
    try:
        return Manifest.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"not a readable corpus description ({'.'.join(map(str, first['loc']))}: {first['msg']})"
        raise BadInput(what, where=str(path), next_step=_PREPARE_AGAIN) from None


def _check_file(path: Path, digest: FileDigest, verify: bool) -> None:
    if not path.is_file():
        raise BadInput("file not found", where=str(path), next_step=_PREPARE_AGAIN)
    size = path.stat().st_size
    if size != digest.bytes:
        raise BadInput(
            "the file was cut short or changed", where=str(path), value=f"{size} bytes",
            allowed=f"{digest.bytes} bytes", next_step=_PREPARE_AGAIN,
        )  # fmt: skip
    if (sha256(path) != digest.sha256) if verify else not _are_blocks_whole(path, digest.blocks):
        raise BadInput("the file was changed: its SHA-256 differs", where=str(path), next_step=_PREPARE_AGAIN)


def _are_blocks_whole(path: Path, blocks: Sequence[str]) -> bool:
    """Whether some blocks of a file, drawn at random, are what was written."""
    drawn = random.SystemRandom().sample(range(len(blocks)), min(SAMPLED_BLOCKS, len(blocks)))
    with open(path, "rb") as file:
        for number in sorted(drawn):
            file.seek(number * BLOCK)
            if block_digest(file.read(BLOCK)) != blocks[number]:
                return False
    return True


def block_digest(data: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of a block."""
    return hashlib.sha256(data).hexdigest()[:16]
