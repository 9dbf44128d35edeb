"""Overlap of texts with what a model was trained on: the share of their n-grams that stand in a corpus. GPT-2, section 4.

The n-grams of a corpus go into a set (:mod:`~warmstart.zeroshot.gram_set`), which is kept in the corpus's folder with the
fingerprint of the corpus, so the next question is answered at once.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_atomic, write_json
from warmstart.base.settings import Settings
from warmstart.corpora.corpus import MANIFEST, Corpus
from warmstart.corpora.settings import num_cores
from warmstart.readers.documents import DOCUMENT_EXTENSIONS, read_documents, split_chunks
from warmstart.readers.paths import expand_paths
from warmstart.readers.rows import TABLE_EXTENSIONS, read_rows
from warmstart.readers.text_io import read_lines, read_text_blocks, split_extensions
from warmstart.zeroshot.gram_set import GramSet
from warmstart.zeroshot.ngrams import BLOCK_CHARS, Hashes, Unit, grams_of_texts, last_words

FORMAT = 2


class Grams(NamedTuple):
    """What an n-gram is: so many words, or characters."""

    n: int = 8
    unit: Unit = "words"


class Found(NamedTuple):
    """Of one text: its n-grams, and how many of them stand in the corpus."""

    found: int
    grams: int

    @property
    def share(self) -> float:
        """The overlap; 0 of a text that is shorter than an n-gram."""
        return self.found / max(1, self.grams)


class _Kept(Settings):
    """What is written beside a set's numbers."""

    format: int
    fingerprint: str
    n: int
    unit: Unit
    count: int


class CorpusGrams:
    """The n-grams of some corpora and texts."""

    def __init__(self, sets: Sequence[GramSet], grams: Grams) -> None:
        self.sets, self.grams = list(sets), grams

    @property
    def rate(self) -> float:
        """The probability that an n-gram which stands nowhere is found all the same."""
        return sum(one.rate for one in self.sets)

    @property
    def count(self) -> int:
        """Distinct n-grams of each corpus, added up."""
        return sum(map(len, self.sets))

    def overlap(self, text: Iterable[str]) -> Found:
        """Of one text, which comes in pieces of their own."""
        [found] = self.overlaps([text])
        return found

    def overlaps(self, texts: Iterable[Iterable[str]]) -> Iterator[Found]:
        """Of many texts, in order; short pieces are looked up together."""
        pieces: list[str] = []
        owners: list[int] = []
        size = count = 0
        for text in texts:
            for piece in text:
                pieces.append(piece)
                owners.append(count)
                size += len(piece)
            count += 1
            if size >= BLOCK_CHARS:
                yield from self._look_up(pieces, owners, count)
                pieces, owners, size, count = [], [], 0, 0
        yield from self._look_up(pieces, owners, count)

    def _look_up(self, pieces: list[str], owners: list[int], count: int) -> Iterator[Found]:
        grams = grams_of_texts(pieces, *self.grams)
        texts = np.array(owners, np.int64)[grams.owners]
        every = np.bincount(texts, minlength=count).tolist()
        found = np.bincount(texts[self.contains(grams.numbers)], minlength=count).tolist()
        return map(Found, found, every)

    def contains(self, numbers: Hashes) -> Any:
        """[G] whether each n-gram stands in one of them."""
        return np.any([one.contains(numbers) for one in self.sets], axis=0)


def read_grams(paths: Sequence[str], grams: Grams, encoding: str = "utf-8") -> CorpusGrams:
    """The n-grams of corpora (folders of ``prepare``) and of files, folders and globs of text.

    Raises:
        BadInput: nothing there, or a file that cannot be read.
    """
    corpora = [path for path in paths if (Path(path) / MANIFEST).is_file()]
    others = [path for path in paths if path not in corpora]
    sets = [_of_corpus(Path(path), grams) for path in corpora]
    if others:
        named = [path for path in others if Path(path).is_file()]  # whatever the ending
        searched = [path for path in others if path not in named]
        files = [*named, *(expand_paths(searched, DOCUMENT_EXTENSIONS) if searched else ())]
        texts = chain.from_iterable(_documents(file, encoding) for file in files)
        sets.append(_collect(texts, grams))
    return CorpusGrams(sets, grams)


def _documents(file: str, encoding: str) -> Iterator[Iterable[str]]:
    """The texts of a file: those of a table's rows, the members of an archive, or the whole."""
    kind = split_extensions(file)[0]
    if kind in TABLE_EXTENSIONS:
        for _, texts in read_examples(file, encoding):
            yield from ([text] for text in texts)
    elif kind in DOCUMENT_EXTENSIONS:
        yield from (document.chunks for document in read_documents([file], encoding))
    else:
        yield read_text_blocks(file, encoding)


def _of_corpus(folder: Path, grams: Grams) -> GramSet:
    """Of a corpus: as it was kept, or else made now and kept."""
    corpus = Corpus.open(folder)
    stem = folder / f"overlap-{grams.n}-{grams.unit}"
    kept = _load(stem, corpus.fingerprint)
    if kept is None:
        kept = _collect(_texts(corpus), grams)
        _save(stem, corpus.fingerprint, grams, kept)
    return kept


def _texts(corpus: Corpus) -> Iterator[Iterable[str]]:
    tokenizer = corpus.tokenizer()
    for start, stop in zip(corpus.offsets[:-1].tolist(), corpus.offsets[1:].tolist(), strict=True):
        yield [tokenizer.decode(corpus.tokens(start, stop))]


def _collect(texts: Iterable[Iterable[str]], grams: Grams) -> GramSet:
    """The n-grams of some documents. All cores make numbers of them."""
    with ThreadPoolExecutor(num_cores()) as pool:
        return GramSet.collect(_in_turn(pool, _jobs(texts, grams), grams))


def _in_turn(pool: ThreadPoolExecutor, jobs: Iterable[list[str]], grams: Grams) -> Iterator[Hashes]:
    """The numbers of each job; few jobs wait at any time."""
    waiting: deque[Future[Hashes]] = deque()
    for job in jobs:
        waiting.append(pool.submit(_numbers, job, grams))
        if len(waiting) > num_cores():
            yield waiting.popleft().result()
    yield from (last.result() for last in waiting)


def _numbers(pieces: Sequence[str], grams: Grams) -> Hashes:
    return grams_of_texts(pieces, *grams).numbers


def _jobs(texts: Iterable[Iterable[str]], grams: Grams) -> Iterator[list[str]]:
    """Pieces of texts that are hashed together, few enough to stay in the cache.

    A piece of a long text begins with the last words of the one before, so that no n-gram is lost between them.
    """
    pieces: list[str] = []
    size = 0
    for text in texts:
        before = ""
        for chunk in split_chunks(text, BLOCK_CHARS):
            pieces.append(before + chunk)
            size += len(chunk)
            before = last_words(pieces[-1], grams.n - 1, grams.unit)
            if size >= BLOCK_CHARS:
                yield pieces
                pieces, size = [], 0
    if pieces:
        yield pieces


def _save(stem: Path, fingerprint: str, grams: Grams, made: GramSet) -> None:
    """Writes numbers and description; the description last, so that what it describes is there."""
    write_atomic(stem.with_suffix(".grams"), lambda file: file.write(made.numbers.astype("<u8").data))
    kept = _Kept(format=FORMAT, fingerprint=fingerprint, n=grams.n, unit=grams.unit, count=len(made))
    write_json(stem.with_suffix(".json"), kept.model_dump())


def _load(stem: Path, fingerprint: str) -> GramSet | None:
    """What was kept, where it is of this corpus and whole."""
    if not stem.with_suffix(".json").is_file() or not stem.with_suffix(".grams").is_file():
        return None
    try:
        kept = _Kept.model_validate(read_json(stem.with_suffix(".json")))
    except (ValidationError, BadInput):
        return None
    numbers = np.fromfile(stem.with_suffix(".grams"), "<u8").astype(np.uint64)
    whole = len(numbers) == kept.count and bool(np.all(numbers[1:] > numbers[:-1]))
    return GramSet(numbers) if whole and (kept.format, kept.fingerprint) == (FORMAT, fingerprint) else None


def read_examples(path: str, encoding: str) -> Iterator[tuple[str, Iterable[str]]]:
    """Name and texts of each example of a file: all texts of a row, a member of an archive, or each line of any other file.

    The texts are read before the next example.
    """
    kind = split_extensions(path)[0]
    if kind in TABLE_EXTENSIONS:
        for row in read_rows(path, encoding):
            yield row.where, list(chain.from_iterable(map(_strings, row.fields.values())))
    elif kind == ".tar":
        yield from ((document.where, document.chunks) for document in read_documents([path], encoding))
    else:
        for number, line in enumerate(read_lines(path, encoding), start=1):
            if line.strip():
                yield f"{path}:{number}", [line]


def _strings(value: Any) -> list[str]:
    """The texts in a value of JSON."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return list(chain.from_iterable(map(_strings, inner)))
