"""``prepare``: raw text of any size to a :class:`~warmstart.corpora.corpus.Corpus`, in three readings of the sources.

The first finds whatever is wrong with them, the second learns a vocabulary (unless one is given), the third cleans and
encodes. The result is the same, byte for byte, for any number of workers; memory does not grow with the text. On two cores
about 9 MB of text a second are encoded, with ``ftfy`` about 4.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from warmstart.base.console import progress_bar, say
from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, write_json
from warmstart.corpora.corpus import FORMAT, MANIFEST, Corpus, FileMark, Manifest, read_manifest
from warmstart.corpora.settings import PrepareSettings
from warmstart.corpora.stage import Shard, stage
from warmstart.corpora.survey import SAMPLE_BYTES, Survey, marks, spread, survey, utf8_bytes
from warmstart.corpora.work import ENCODE, JOB, jobs_of
from warmstart.corpora.workers import Job, working
from warmstart.readers.documents import DOCUMENT_EXTENSIONS, read_documents, split_chunks
from warmstart.readers.paths import expand_paths
from warmstart.readers.text_io import STDIN, check_encoding
from warmstart.text.clean import check_rules
from warmstart.text.tokenizer import END, Tokenizer, check_vocab_size

BYTES_PER_TOKEN = 3.5
"""For the estimate: English under a vocabulary of some thousands."""


def prepare(settings: PrepareSettings, spooled: Mapping[str, str] | None = None) -> Corpus:
    """Makes the corpus ``settings.out``, or opens it where it was made before from the same text in the same way.

    ``spooled`` are sources by the names that the corpus remembers, each a file that may be gone when it is used.

    Raises:
        BadInput: anything wrong with the settings or the text, another thing in ``out``, no space on the disk.
    """
    check_rules(settings.clean)
    check_encoding(settings.encoding)
    given = _given_tokenizer(settings)
    out = Path(os.path.abspath(settings.out))
    with contextlib.ExitStack() as stack:
        named = expand_paths(settings.paths, DOCUMENT_EXTENSIONS) if settings.paths or not spooled else []
        sources = [_spool(stack) if path == STDIN else path for path in named] + list((spooled or {}).values())
        named += list(spooled or {})
        found = tuple(mark.model_copy(update={"path": name}) for mark, name in zip(marks(sources), named, strict=True))
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            return _made_before(out, settings, given, found)
        size = survey(sources, settings.encoding)
        if not size.text_bytes:
            raise _no_text(settings)
        _estimate(found, size)
        with stage(out) as folder:
            _make(folder, settings, given, found, _Text(sources, settings, size))
    corpus = Corpus.open(out)
    m = corpus.manifest
    empty = f", {m.empty_documents:,} empty one(s) left out" if m.empty_documents else ""
    say(
        f"{settings.out}: {m.num_documents:,} document(s), {m.num_tokens:,} tokens, "
        f"{m.num_tokens / m.text_bytes:.3f} tokens per byte of text{empty}"
    )
    return corpus


class _Text:
    """The cleaned text of the sources, as often as it is asked for."""

    def __init__(self, sources: Sequence[str], settings: PrepareSettings, size: Survey) -> None:
        self._sources, self._settings, self._size = sources, settings, size

    def done(self, title: str, tokenizer_folder: Path | None, sample_bytes: int) -> Iterator[Job]:
        """The jobs of the text, or of a sample of it, done, with the progress shown."""
        s, total = self._settings, min(self._size.text_bytes, sample_bytes)
        jobs = spread(jobs_of(read_documents(self._sources, s.encoding)), self._size.text_bytes, sample_bytes)
        workers = min(s.workers, 1 + self._size.text_bytes // JOB)
        with working(workers, s.clean, tokenizer_folder) as work, progress_bar(title, _megabytes(total)) as bar:
            so_far = shown = 0
            for job in work(jobs):
                yield job
                so_far += sum(utf8_bytes(piece.text) for piece in job.pieces)
                if _megabytes(min(so_far, total)) > shown:
                    shown = _megabytes(min(so_far, total))
                    bar.update(shown, "MB")


def _make(
    folder: Path, settings: PrepareSettings, given: Tokenizer | None, found: tuple[FileMark, ...], text: _Text
) -> None:
    """Fills the stage."""
    tokenizer, vocab_text_bytes = (given, None) if given else _learn(text, settings)
    tokenizer.save(folder)
    dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer.vocab_size <= 1 << 16 else "uint32"
    assert tokenizer.end_id is not None
    with Shard(folder, dtype, tokenizer.end_id) as shard:
        for job in text.done("encoding", folder, sys.maxsize):
            assert job.encoded is not None
            shard.add(job.pieces, job.encoded)
        if not shard.num_documents:
            raise _no_text(settings)
        tokens, offsets = shard.finish()
    manifest = Manifest(
        format=FORMAT,
        num_tokens=shard.num_tokens,
        num_documents=shard.num_documents,
        empty_documents=shard.empty_documents,
        text_bytes=shard.text_bytes,
        dtype=dtype,
        tokenizer_fingerprint=tokenizer.fingerprint,
        vocab_size=None if given else settings.vocab_size,
        vocabulary="bpe" if given else settings.vocabulary,
        vocab_text_bytes=vocab_text_bytes,
        clean=settings.clean,
        encoding=settings.encoding,
        sources=found,
        tokens=tokens,
        documents=offsets,
    )
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))


def _learn(text: _Text, settings: PrepareSettings) -> tuple[Tokenizer, int]:
    """A vocabulary learned from the text or a sample of it, and the UTF-8 bytes that were read for it."""
    read = 0

    def stretches() -> Iterator[str]:
        nonlocal read
        for job in text.done("learning the vocabulary", None, SAMPLE_BYTES):
            for cleaned_text in job.texts:
                read += utf8_bytes(cleaned_text)
                yield from split_chunks([cleaned_text], ENCODE)  # the library holds some hundreds of texts at once

    return Tokenizer.train(stretches(), settings.vocab_size, vocabulary=settings.vocabulary), read


def _given_tokenizer(settings: PrepareSettings) -> Tokenizer | None:
    if settings.tokenizer is None:
        check_vocab_size(settings.vocab_size)
        return None
    tokenizer = Tokenizer.load(Path(settings.tokenizer)).adapt_to_cleaning(settings.clean)
    return tokenizer if tokenizer.end_id is not None else tokenizer.with_special_tokens([END])


def _spool(stack: contextlib.ExitStack) -> str:
    """Standard input as a file, since it is read more than once."""
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="warmstart-"))) / "standard-input.txt"
    with disk_errors(path), open(path, "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return str(path)


def _made_before(out: Path, settings: PrepareSettings, given: Tokenizer | None, found: tuple[FileMark, ...]) -> Corpus:
    """The corpus in ``out`` where it is the one asked for; nothing is ever overwritten."""
    if not (out / MANIFEST).is_file():
        raise BadInput(
            "the output folder holds something else", where=settings.out, next_step="choose another --out, or remove it"
        )
    m = read_manifest(out)
    pairs = {
        "text": (_contents(m.sources), _contents(found)),
        "cleaning": (m.clean, settings.clean),
        "encoding": (check_encoding(m.encoding), check_encoding(settings.encoding)),
        "vocabulary": (
            (m.vocab_size, m.vocabulary),
            (None, "bpe") if given else (settings.vocab_size, settings.vocabulary),
        ),
        "tokenizer": (m.tokenizer_fingerprint, given.fingerprint if given else m.tokenizer_fingerprint),
    }
    other = [name for name, (there, asked) in pairs.items() if there != asked]
    if other:
        raise BadInput(
            f"the output folder holds a corpus made in another way (different: {', '.join(other)})",
            where=settings.out,
            next_step="choose another --out, or remove it",
        )
    say(f"{settings.out} was made before from the same text in the same way: nothing to do")
    return Corpus.open(out)


def _contents(sources: Sequence[FileMark]) -> list[tuple[str, str]]:
    # Not the folders: the same files named from elsewhere are the same text.
    return [(os.path.basename(mark.path), mark.sha256) for mark in sources]


def _estimate(found: Sequence[FileMark], size: Survey) -> None:
    tokens = size.text_bytes / BYTES_PER_TOKEN
    say(
        f"{len(found):,} source file(s), {size.num_documents:,} document(s), {size.text_bytes / 1e6:,.1f} MB of text: "
        f"about {tokens / 1e6:,.1f} M tokens, {2 * tokens / 1e6:,.0f} MB on the disk"
    )


def _megabytes(size: int) -> int:
    return -(-size // 1_000_000)


def _no_text(settings: PrepareSettings) -> BadInput:
    return BadInput(
        "no text in the input", where=", ".join(settings.paths), allowed="at least one document that is not empty",
        next_step="check the paths" + (" and the cleaning rules" if settings.clean else ""),
    )  # fmt: skip
