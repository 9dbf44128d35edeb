"""What a sentence encoder is asked: vectors of texts, whose cosines are compared.

Two forms of Records. *Ranked*: a query, the text that belongs to it and perhaps hard negatives; evaluated by finding the
right text among all of the Records (MRR, recall) or, where every Record has negatives, by being nearer to it than to these.
*Scored*: two texts and a number; evaluated by how the cosines rank the pairs.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import BadInput
from warmstart.example.example import Example, Goal
from warmstart.example.record import Label, Record
from warmstart.metrics.ratio import Ratio
from warmstart.metrics.retrieval import rank_right
from warmstart.tasks.answer import Answer, Prediction, RawOutput, Scores, ratio_scores
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary

FIRST, SECOND = "anchor", "positive"
"""Names of the texts of a ranked Record; those of its hard negatives follow."""
NEAREST = 10  # found among so many texts, or not
SCORED, MARKED = ("spearman", "pearson"), ("average_precision", "spearman")
RANKED, TRIPLETS = (f"mrr@{NEAREST}", "recall@1", f"recall@{NEAREST}"), ("accuracy",)


class TextVectors(NamedTuple):
    """The vectors of a Record's texts.

    Attributes:
        texts: name → text.
        units_KD: a vector of length 1 for each.
    """

    texts: Mapping[str, Any]
    units_KD: Floats

    @property
    def cosine(self) -> float:
        """Of the two first texts."""
        return float(self.units_KD[0] @ self.units_KD[1])


class Found(NamedTuple):
    """Where the right text of a query was found, and how much nearer it is than the nearest hard negative (NaN: none)."""

    rank: float
    margin: float


def is_ranked(texts: Mapping[str, Any]) -> bool:
    """Whether a Record with these texts is of a query and the text that belongs to it."""
    return FIRST in texts


def metrics_of(records: Sequence[Record]) -> tuple[str, ...]:
    """The metrics for Records of this form; the first is the main one."""
    if all(is_ranked(record.texts) for record in records):
        return (*TRIPLETS, *RANKED) if all(len(record.texts) > 2 for record in records) else RANKED
    return MARKED if all(record.label in (0.0, 1.0) for record in records) else SCORED


class EmbeddingAnswer(Answer):
    """Vectors; the output is [K, D] for K texts."""

    goal = "embedding"
    head = "embedding"
    reads_text = False
    averageable = False
    texts_apart = True
    pipeline = "sentence-similarity"

    def head_fields(self, common: Mapping[str, Any], options: Any) -> dict[str, Any]:
        """Where a text is read, and how vectors are compared in training.

        Raises:
            BadInput: layers of a classifier.
        """
        for name, flag in (("hidden", "--head-hidden"), ("lstm", "--head-lstm")):
            if common[name]:
                raise BadInput(
                    "a sentence encoder has no classifier", where=flag, value=common[name], allowed="0",
                    next_step="leave it out",
                )  # fmt: skip
        own = {name: getattr(options, name) for name in ("scale", "margin", "symmetric", "sizes")}
        return {"kind": common["kind"], "pool": common["pool"], **own}

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """Those of all forms of Records."""
        return tuple(dict.fromkeys((*SCORED, *MARKED, *RANKED, *TRIPLETS)))

    def metrics_for(self, label_names: Sequence[str], records: Sequence[Record]) -> tuple[str, ...]:
        """Those of Records of this form."""
        return metrics_of(records)

    def result_metrics(self, spec: TaskSpec, main: str | None = None) -> tuple[str, ...]:
        """Those that the evaluated Records have."""
        return ()

    def quick_metrics(self, spec: TaskSpec, main: str) -> tuple[str, ...]:
        """The same."""
        return ()

    def num_rows(self, goal: Goal) -> int:
        """A vector of each text."""
        return 1

    def target(self, label: Label, label_names: Sequence[str]) -> NDArray[Any]:
        """[1] the score."""
        return np.array([label or 0], np.float32)

    def join(self, outputs: Sequence[Floats], how: str = "mean") -> Floats:
        """[K, D]; no text is read in windows."""
        return outputs[0]

    def predict(self, spec: TaskSpec, output: RawOutput) -> TextVectors:
        """The vectors at length 1."""
        lengths = np.linalg.norm(output.raw, axis=1, keepdims=True)
        return TextVectors(output.record.texts, output.raw / np.maximum(lengths, 1e-12))

    def decide(self, spec: TaskSpec, predictions: Sequence[TextVectors]) -> list[Any]:
        """The cosine of each scored pair; of ranked Records where the right text was found among the texts of all."""
        if all(is_ranked(one.texts) for one in predictions):
            return find_right(predictions)
        return [one.cosine for one in predictions]

    def rights(self, truths: Sequence[Any], predictions: Sequence[Any]) -> list[bool]:
        """A vector is neither right nor wrong."""
        return []

    def evaluate(
        self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any], seed: int | None,
        metrics: Sequence[str] = (),
    ) -> Scores:  # fmt: skip
        """Of the Records' form, which shows in the predictions."""
        if np.ndim(predictions) == 1:
            marked = all(truth in (0.0, 1.0) for truth in truths)
            return super().evaluate(spec, truths, predictions, seed, metrics or (MARKED if marked else SCORED))
        ranks, margins = np.array(predictions, np.float64).T
        counted = {
            RANKED[0]: np.where(ranks <= NEAREST, 1 / ranks, 0.0), RANKED[1]: ranks <= 1, RANKED[2]: ranks <= NEAREST
        }  # fmt: skip
        if not np.isnan(margins).any():
            counted = {TRIPLETS[0]: margins > 0, **counted}
        ones = np.ones(len(ranks))
        tallies = {
            name: Ratio(values.astype(np.float64), ones)
            for name, values in counted.items()
            if not metrics or name in metrics
        }
        return ratio_scores(tallies, seed, bool(ranks.min() == ranks.max() > 1))

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The cosine of the two first texts."""
        return Prediction(None, self.predict(spec, output).cosine, {}, output.raw)

    def describe(self, example: Example, goal: Goal, vocabulary: Vocabulary, names: Sequence[str]) -> str:
        """What is learned of the text."""
        if len(goal.targets) == 0:
            return "its vector is compared with that of the text above"
        if goal.weights[0] == 0:
            return "its vector, of which nothing is learned (no label)"
        score = "which belongs to the text below" if goal.targets.ndim > 1 else f"score {float(goal.targets[0]):g}"
        return f"its vector, by the loss {goal.answer}: {score}"


def find_right(found: Sequence[TextVectors]) -> list[Found]:
    """Where each query finds its text among those of all Records, hard negatives too, every text once.

    Other right texts of the same query, and the query itself, are no candidates.
    """
    columns: dict[str, int] = {}
    rows: list[Floats] = []
    right: dict[str, list[int]] = {}
    for one in found:
        for text, unit in zip(list(one.texts.values())[1:], one.units_KD[1:], strict=True):
            if columns.setdefault(text, len(rows)) == len(rows):
                rows.append(unit)
        right.setdefault(one.texts[FIRST], []).append(columns[one.texts[SECOND]])
    own = [np.array([columns[one.texts[SECOND]]], np.int64) for one in found]
    hidden = [_others(one, columns, right, mine) for one, mine in zip(found, own, strict=True)]
    ranks = rank_right(np.stack([one.units_KD[0] for one in found]), np.stack(rows), own, hidden)
    return [Found(float(rank[0]), _margin(one)) for one, rank in zip(found, ranks, strict=True)]


def _others(one: TextVectors, columns: Mapping[str, int], right: Mapping[str, list[int]], own: Ints) -> Ints:
    itself = [columns[one.texts[FIRST]]] if one.texts[FIRST] in columns else []
    others = set(chain(right[one.texts[FIRST]], itself)) - {int(own[0])}
    return np.array(sorted(others), np.int64)


def _margin(one: TextVectors) -> float:
    cosines = one.units_KD[1:] @ one.units_KD[0]
    return float(cosines[0] - cosines[1:].max()) if len(cosines) > 1 else float("nan")


EMBEDDING = EmbeddingAnswer()
