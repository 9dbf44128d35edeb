"""Vectors of words from raw text: word2vec and fastText, trained by gensim.

Mikolov et al. 2013; Bojanowski et al. 2017. A line is a sentence; its words are those that texts are taken apart into when
their vectors are asked for (:meth:`warmstart.embed.space.Space.encode`).
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.base.files import write_atomic
from warmstart.embed.space import split_words
from warmstart.readers.text_io import read_lines

WordModel = Literal["word2vec", "fasttext"]
Architecture = Literal["skipgram", "cbow"]
_LONGEST = 10_000  # words of a sentence: gensim drops what comes behind


@dataclass(frozen=True, slots=True)
class WordTraining:
    """How vectors of words are trained.

    Attributes:
        kind: fastText's vectors are sums over the parts of a word, so that words which are not in the text have one too.
        architecture: which way words are guessed.
        size: D.
        window: words to each side that are read at most.
        min_count: how often a word stands in the text at least.
        epochs: times that the text is read.
        seed: of all draws.
        workers: threads; with more than one the vectors are not the same again.
    """

    kind: WordModel
    architecture: Architecture
    size: int
    window: int
    min_count: int
    epochs: int
    seed: int
    workers: int


@dataclass(frozen=True, slots=True)
class Sentences:
    """The sentences of text files, a line each, as often as they are asked for."""

    paths: Sequence[str]
    encoding: str = "utf-8"
    lower: bool = False

    def __iter__(self) -> Iterator[list[str]]:
        """Lists of at most 10,000 words."""
        for path in self.paths:
            for line in read_lines(path, self.encoding):
                words = split_words(line.lower() if self.lower else line)
                yield from (words[start : start + _LONGEST] for start in range(0, len(words), _LONGEST))


def check_gensim() -> Any:
    """The library.

    Raises:
        BadInput: it is not there.
    """
    try:
        import gensim.models
    except ImportError:
        raise BadInput(
            "training vectors of words needs the gensim package", next_step="pip install 'warmstart[word2vec]'"
        ) from None
    return gensim.models


def train_words(sentences: Sentences, options: WordTraining) -> Any:
    """The model, as gensim has it; ``wv.index_to_key`` and ``wv.vectors`` are its words, the frequent ones first.

    Raises:
        BadInput: no gensim, or no word that comes often enough.
    """
    models = check_gensim()
    counts: Counter[str] = Counter()
    num_sentences = 0
    for sentence in sentences:
        counts.update(sentence)
        num_sentences += 1
    most = counts.most_common(1)
    if not most or most[0][1] < options.min_count:
        raise BadInput(
            "no word comes often enough", where=", ".join(sentences.paths),
            value=f"{most[0][0]}, {most[0][1]} times" if most else "no words", allowed=f"{options.min_count} times",
            next_step="name more text, or lower --min-count",
        )  # fmt: skip
    made = {"word2vec": models.Word2Vec, "fasttext": models.FastText}[options.kind](
        vector_size=options.size, window=options.window, min_count=options.min_count, sg=options.architecture == "skipgram",
        seed=options.seed, workers=options.workers, epochs=options.epochs,
    )  # fmt: skip
    with _quiet():
        made.build_vocab_from_freq(dict(sorted(counts.items())))  # of equally frequent words the first by letters
        made.train(sentences, total_examples=num_sentences, epochs=options.epochs)
    return made


def vectors_of(model: Any) -> tuple[list[str], Floats]:
    """Words, the frequent ones first, and their vectors."""
    return list(model.wv.index_to_key), np.asarray(model.wv.vectors, np.float32)


def write_fasttext(path: str, model: Any) -> None:
    """Writes a model of fastText with the parts of its words, as fastText has it (``.bin``)."""
    from gensim.models.fasttext import save_facebook_model

    write_atomic(Path(path), lambda file: save_facebook_model(model, file))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without that library's advice on speed."""
    logger = logging.getLogger("gensim")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
