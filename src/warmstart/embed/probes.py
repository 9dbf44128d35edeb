"""The kinds of tests of embeddings: what is read from a file, the score of each item, and the metrics over these."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.embed.analogies import Method, precision_at, rank_answers, read_analogies, reciprocal_ranks
from warmstart.embed.downstream import predicted_right, read_labelled_texts
from warmstart.embed.groups import clustered_right, odd_positions, read_categories, read_odd_ones_out
from warmstart.embed.retrieval import METRICS as RETRIEVAL_METRICS
from warmstart.embed.retrieval import read_retrieval, retrieval_scores
from warmstart.embed.similarity import pair_cosines, read_scored_pairs, read_sentence_pairs, sentence_cosines
from warmstart.embed.space import Space

Steps = tuple[str, ...]
ItemMetric = Callable[[Floats], Floats]
"""[Q] or [Q, …] scores of items → [Q] what each adds to a mean."""


@dataclass(frozen=True)
class EmbeddingTest:
    """A test, read.

    Attributes:
        name: of its file.
        kind: of the test.
        terms: every word that it asks about.
        scores: a space and how words are found → [Q] or [Q, …] the score of each item, NaN where a word has no vector.
        means: metric → what an item's score adds to it; the first is the main one.
        gold: [Q] scores of people; then the metric is Spearman's ρ with these, and ``means`` is empty.
        sections: of each item, where the file has sections.
        downstream: whether it is a task that vectors serve, with which the other tests are correlated over sources.
    """

    name: str
    kind: str
    terms: list[str]
    scores: Callable[[Space, Steps], Floats]
    means: Mapping[str, ItemMetric] = field(default_factory=dict)
    gold: Floats | None = None
    sections: Sequence[str] = ()
    downstream: bool = False


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """How tests are read and answered.

    Attributes:
        method: of analogies.
        encoding: of files.
    """

    method: Method = "3cosadd"
    encoding: str = "utf-8"


def _analogies(path: str, options: ProbeOptions) -> EmbeddingTest:
    questions = read_analogies(path, options.encoding)

    def scores(space: Space, steps: Steps) -> Floats:
        ranks = rank_answers(space, questions, steps, options.method)
        return np.where(ranks > 0, ranks, np.nan).astype(np.float32)

    means: dict[str, ItemMetric] = {
        "p@1": lambda ranks: precision_at(ranks, 1),
        "p@5": lambda ranks: precision_at(ranks, 5),
        "p@10": lambda ranks: precision_at(ranks, 10),
        "mrr": reciprocal_ranks,
        "map@10": lambda ranks: reciprocal_ranks(ranks, 10),
    }
    terms = [word for question in questions for word in (question.a, question.b, question.c, question.answer)]
    return EmbeddingTest(
        _name(path), "analogies", terms, scores, means, sections=[question.section for question in questions]
    )


def _similarity(path: str, options: ProbeOptions) -> EmbeddingTest:
    pairs = read_scored_pairs(path, options.encoding)
    gold = np.array([pair.score for pair in pairs], np.float32)
    terms = [word for pair in pairs for word in (pair.first, pair.second)]
    return EmbeddingTest(
        _name(path), "similarity", terms, lambda space, steps: pair_cosines(space, pairs, steps), gold=gold
    )


def _categories(path: str, options: ProbeOptions) -> EmbeddingTest:
    words = read_categories(path, options.encoding)
    return EmbeddingTest(
        _name(path), "categories", [one.word for one in words],
        lambda space, steps: clustered_right(space, words, steps), {"purity": lambda right: right},
    )  # fmt: skip


def _outliers(path: str, options: ProbeOptions) -> EmbeddingTest:
    groups = read_odd_ones_out(path, options.encoding)
    means: dict[str, ItemMetric] = {
        "accuracy": lambda places: (places >= 1).astype(np.float32), "opp": lambda places: places
    }  # fmt: skip
    terms = [word for group in groups for word in (*group.words, group.odd)]
    return EmbeddingTest(
        _name(path), "outliers", terms, lambda space, steps: odd_positions(space, groups, steps), means
    )


def _sentences(path: str, options: ProbeOptions) -> EmbeddingTest:
    pairs = read_sentence_pairs(path, options.encoding)
    gold = np.array([pair.score for pair in pairs], np.float32)
    return EmbeddingTest(
        _name(path), "sentences", [], lambda space, steps: sentence_cosines(space, pairs, steps), gold=gold
    )


def _retrieval(path: str, options: ProbeOptions) -> EmbeddingTest:
    test = read_retrieval(path, options.encoding)
    means: dict[str, ItemMetric] = {
        name: partial(_column, number) for number, name in enumerate(RETRIEVAL_METRICS)
    }  # fmt: skip
    return EmbeddingTest(_name(path), "retrieval", [], lambda space, steps: retrieval_scores(space, test, steps), means)


def _classification(path: str, options: ProbeOptions) -> EmbeddingTest:
    rows = read_labelled_texts(path, options.encoding)
    return EmbeddingTest(
        _name(path), "classification", [], lambda space, steps: predicted_right(space, rows, steps),
        {"accuracy": lambda right: right}, downstream=True,
    )  # fmt: skip


def _column(number: int, scores: Floats) -> Floats:
    return scores[:, number]


KINDS: dict[str, Callable[[str, ProbeOptions], EmbeddingTest]] = {
    "analogies": _analogies,
    "similarity": _similarity,
    "categories": _categories,
    "outliers": _outliers,
    "sentences": _sentences,
    "retrieval": _retrieval,
    "classification": _classification,
}
"""Kind of a test → what reads one from a file."""


def _name(path: str) -> str:
    """``questions-words.txt.gz`` → ``questions-words``."""
    return Path(path).name.removesuffix(".gz").removesuffix(".txt").removesuffix(".tsv")
