"""``prepare``: raw text of any size to a :class:`~warmstart.corpora.corpus.Corpus`, in three readings of the sources.

The first finds whatever is wrong with them, the second learns a vocabulary (unless the settings name one), the third cleans
and encodes. The result is the same, byte for byte, for any number of workers; memory does not grow with the text. One core
encodes about 20 MB of text a second where the table of words was built, two with ``ftfy`` about 4. A preparation that was
interrupted goes on where it was: the vocabulary, and what is encoded, are kept (:mod:`~warmstart.corpora.writer`).
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from warmstart.base.console import progress_bar, say
from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, write_json
from warmstart.corpora.corpus import FORMAT, MANIFEST, Corpus, FileDigest, Manifest, read_manifest
from warmstart.corpora.engines import ENGINES
from warmstart.corpora.jobs import JOB
from warmstart.corpora.scan import SAMPLE_BYTES, SourceJobs, TextSize, file_digests, scan, utf8_bytes
from warmstart.corpora.settings import PrepareSettings
from warmstart.corpora.workers import JobResult
from warmstart.corpora.writer import SCAN, CorpusWriter, Partial, known_scan, partial_folder
from warmstart.readers.documents import DOCUMENT_EXTENSIONS, TOKENIZER_CHARS, split_chunks
from warmstart.readers.paths import expand_paths
from warmstart.readers.text_io import STDIN, check_encoding
from warmstart.text.clean import check_rules
from warmstart.text.special_tokens import END
from warmstart.text.tokenizer import Tokenizer, check_vocab_size

BYTES_PER_TOKEN = 3.5
"""For the estimate: English under a vocabulary of some thousands."""


def prepare(settings: PrepareSettings, extra: Mapping[str, str] | None = None) -> Corpus:
    """Makes the corpus ``settings.out``, or opens it where it holds the same text, prepared in the same way.

    Args:
        settings: text, vocabulary, cleaning, and the folder.
        extra: more sources: name in the manifest → file, which may be gone when the corpus is used.

    Raises:
        BadInput: anything wrong with the settings or the text, another thing in ``out``, no space on the disk.
    """
    check_rules(settings.clean)
    check_encoding(settings.encoding)
    ENGINES[settings.engine].check()
    tokenizer = _load_tokenizer(settings)
    out, extra = Path(os.path.abspath(settings.out)), extra or {}
    with contextlib.ExitStack() as stack:
        names = expand_paths(settings.paths, DOCUMENT_EXTENSIONS) if settings.paths or not extra else []
        paths = [_save_stdin(stack) if name == STDIN else name for name in names] + list(extra.values())
        names += list(extra)
        digests = zip(file_digests(paths), names, strict=True)
        sources = tuple(digest.model_copy(update={"path": name}) for digest, name in digests)
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            return _open_same(out, settings, tokenizer, sources)
        key = _key(settings, tokenizer, sources)
        size = _scan(known_scan(out, key), paths, settings)
        _say_estimate(sources, size)
        with partial_folder(out, key) as partial:
            partial.keep(SCAN, [size.num_documents, size.text_bytes])
            _write(partial, settings, tokenizer, sources, _Text(paths, settings, size))
    corpus = Corpus.open(out)
    m = corpus.manifest
    empty = f", {m.empty_documents:,} empty one(s) left out" if m.empty_documents else ""
    say(
        f"{settings.out}: {m.num_documents:,} document(s), {m.num_tokens:,} tokens, "
        f"{m.num_tokens / m.text_bytes:.3f} tokens per byte of text{empty}"
    )
    return corpus


def _key(settings: PrepareSettings, tokenizer: Tokenizer | None, sources: Sequence[FileDigest]) -> str:
    """Names all that a corpus depends on."""
    vocabulary = [settings.vocab_size, settings.vocabulary] if tokenizer is None else [tokenizer.fingerprint]
    known = [
        _contents(sources),
        vocabulary,
        settings.clean,
        check_encoding(settings.encoding),
        JOB,
        version("warmstart"),
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _scan(known: Any, paths: Sequence[str], settings: PrepareSettings) -> TextSize:
    """The first reading, or what is known of it; nothing is written yet."""
    if known is not None:
        say(f"{settings.out}: going on with the preparation that was interrupted")
        return TextSize(*known)
    size = scan(paths, settings.encoding)
    if not size.text_bytes:
        raise _no_text(settings)
    return size


class _Text:
    """The text of the sources, to be read more than once."""

    def __init__(self, paths: Sequence[str], settings: PrepareSettings, size: TextSize) -> None:
        self._paths, self._settings, self._size = paths, settings, size

    def run_jobs(
        self, title: str, tokenizer_folder: Path | None, sample_bytes: int, skip: int = 0
    ) -> Iterator[JobResult]:
        """The text or a sample of it, cleaned and, with a tokenizer, encoded; shows the progress.

        The first ``skip`` jobs are read and passed over.
        """
        s, total = self._settings, min(self._size.text_bytes, sample_bytes)
        jobs = SourceJobs(tuple(self._paths), s.encoding, self._size.text_bytes, sample_bytes, skip)
        workers, runner = min(s.workers, 1 + self._size.text_bytes // JOB), ENGINES[s.engine].runner
        with runner(workers, s.clean, tokenizer_folder) as run, progress_bar(title, _megabytes(total)) as bar:
            so_far, shown = skip * JOB, 0
            for result in run(jobs):
                yield result
                so_far += sum(utf8_bytes(chunk.text) for chunk in result.chunks)
                if _megabytes(min(so_far, total)) > shown:
                    shown = _megabytes(min(so_far, total))
                    bar.update(shown, "MB")


def _write(
    partial: Partial, settings: PrepareSettings, known: Tokenizer | None, sources: tuple[FileDigest, ...], text: _Text
) -> None:
    """Writes all files of the corpus; learns a vocabulary where none is ``known``."""
    folder = partial.path
    tokenizer, vocab_text_bytes = (known, None) if known else _vocabulary(partial, text, settings)
    tokenizer.save(folder)
    dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer.vocab_size <= 1 << 16 else "uint32"
    assert tokenizer.end_id is not None
    with CorpusWriter(partial, dtype, tokenizer.end_id, tokenizer.begin_ids) as writer:
        for result in text.run_jobs("encoding", folder, sys.maxsize, skip=writer.num_jobs):
            assert result.encoding is not None
            writer.add(result.chunks, result.encoding)
        if not writer.num_documents:
            raise _no_text(settings)
        tokens, offsets = writer.finish()
    manifest = Manifest(
        format=FORMAT,
        num_tokens=writer.num_tokens,
        num_documents=writer.num_documents,
        empty_documents=writer.empty_documents,
        text_bytes=writer.text_bytes,
        dtype=dtype,
        tokenizer_fingerprint=tokenizer.fingerprint,
        vocab_size=None if known else settings.vocab_size,
        vocabulary="bpe" if known else settings.vocabulary,
        vocab_text_bytes=vocab_text_bytes,
        begin=tokenizer.begin,
        clean=settings.clean,
        encoding=settings.encoding,
        sources=sources,
        tokens=tokens,
        documents=offsets,
    )
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))


def _vocabulary(partial: Partial, text: _Text, settings: PrepareSettings) -> tuple[Tokenizer, int]:
    """A vocabulary learned from the text, now or by the preparation that was interrupted."""
    if (known := partial.get("vocabulary")) is not None:
        tokenizer = Tokenizer.load(partial.path)
        if tokenizer.fingerprint == known[0]:
            return tokenizer, known[1]
    tokenizer, vocab_text_bytes = _learn_vocabulary(text, settings)
    tokenizer.save(partial.path)
    partial.keep("vocabulary", [tokenizer.fingerprint, vocab_text_bytes])
    return tokenizer, vocab_text_bytes


def _learn_vocabulary(text: _Text, settings: PrepareSettings) -> tuple[Tokenizer, int]:
    """A vocabulary learned from the text or a sample of it, and the UTF-8 bytes that were read for it."""
    num_bytes = 0

    def parts() -> Iterator[str]:
        nonlocal num_bytes
        for result in text.run_jobs("learning the vocabulary", None, SAMPLE_BYTES):
            for chunk in result.texts:
                num_bytes += utf8_bytes(chunk)
                yield from split_chunks([chunk], TOKENIZER_CHARS)  # the library holds some hundreds of texts at once

    return Tokenizer.train(parts(), settings.vocab_size, vocabulary=settings.vocabulary), num_bytes


def _load_tokenizer(settings: PrepareSettings) -> Tokenizer | None:
    """The tokenizer that the settings name, with an end token."""
    if settings.tokenizer is None:
        check_vocab_size(settings.vocab_size)
        return None
    tokenizer = Tokenizer.load(Path(settings.tokenizer)).adapt_to_cleaning(settings.clean)
    return tokenizer if tokenizer.end_id is not None else tokenizer.with_special_tokens([END])


def _save_stdin(stack: contextlib.ExitStack) -> str:
    """Standard input as a file, since it is read more than once."""
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="warmstart-"))) / "standard-input.txt"
    with disk_errors(path), open(path, "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return str(path)


def _open_same(
    out: Path, settings: PrepareSettings, tokenizer: Tokenizer | None, sources: tuple[FileDigest, ...]
) -> Corpus:
    """The corpus in ``out`` where it has the same sources and settings; nothing is ever overwritten.

    Raises:
        BadInput: something else is in ``out``.
    """
    if not (out / MANIFEST).is_file():
        raise BadInput(
            "the output folder holds something else", where=settings.out, next_step="choose another --out, or remove it"
        )
    m = read_manifest(out)
    pairs = {
        "text": (_contents(m.sources), _contents(sources)),
        "cleaning": (m.clean, settings.clean),
        "encoding": (check_encoding(m.encoding), check_encoding(settings.encoding)),
        "vocabulary": (
            (m.vocab_size, m.vocabulary),
            (None, "bpe") if tokenizer else (settings.vocab_size, settings.vocabulary),
        ),
        "beginning": (m.begin, tokenizer.begin if tokenizer else ()),
        "tokenizer": (m.tokenizer_fingerprint, tokenizer.fingerprint if tokenizer else m.tokenizer_fingerprint),
    }
    different = [name for name, (old, new) in pairs.items() if old != new]
    if different:
        raise BadInput(
            f"the output folder holds a corpus made in another way (different: {', '.join(different)})",
            where=settings.out,
            next_step="choose another --out, or remove it",
        )
    say(f"{settings.out} was made before from the same text in the same way: nothing to do")
    return Corpus.open(out)


def _contents(sources: Sequence[FileDigest]) -> list[tuple[str, str]]:
    # Without the folders: the same files named from elsewhere are the same text.
    return [(os.path.basename(source.path), source.sha256) for source in sources]


def _say_estimate(sources: Sequence[FileDigest], size: TextSize) -> None:
    tokens = size.text_bytes / BYTES_PER_TOKEN
    say(
        f"{len(sources):,} source file(s), {size.num_documents:,} document(s), {size.text_bytes / 1e6:,.1f} MB of text: "
        f"about {tokens / 1e6:,.1f} M tokens, {2 * tokens / 1e6:,.0f} MB on the disk"
    )


def _megabytes(size: int) -> int:
    return -(-size // 1_000_000)


def _no_text(settings: PrepareSettings) -> BadInput:
    return BadInput(
        "no text in the input", where=", ".join(settings.paths), allowed="at least one document that is not empty",
        next_step="check the paths" + (" and the cleaning rules" if settings.clean else ""),
    )  # fmt: skip
