"""A fine-tuned model judged on labelled Records: metrics with bootstrap intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.evaluation.answers import MARKED, RawOutput, Reading
from warmstart.evaluation.averaged import Member, mean_answers
from warmstart.evaluation.scoring import judge, with_threshold
from warmstart.evaluation.spans import find_answer
from warmstart.evaluation.tags import predict_tags, true_tags
from warmstart.example.record import Answers, Record
from warmstart.metrics.tagging import check_seqeval
from warmstart.models.model import Model
from warmstart.tasks.framing import Account
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How well a model did.

    Attributes:
        metrics: metric → value; the main one first.
        intervals: metric → bounds of its 95 % bootstrap interval; empty where none were asked for.
        examples: how many were judged.
        collapsed: whether the answers are no better than one answer for everything.
        account: of the Records read.
        spec: the task as it was judged: with the threshold that was tuned, where one was asked for.
        targets: per Record a class, score or marks; the tags of its words; or the texts of its right answers.
        predictions: the same; for spans one text each.
    """

    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    examples: int
    collapsed: bool
    account: Account
    spec: TaskSpec
    targets: list[Any] = field(repr=False)
    predictions: list[Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``evaluate --json``."""
        return {"metrics": self.metrics, "intervals": self.intervals, "examples": self.examples}


def evaluate_records(
    model: Model,
    tokenizer: Vocabulary,
    spec: TaskSpec,
    records: Iterable[Record],
    seed: int = 0,
    *,
    intervals: bool = True,
    max_tokens: int = 2048,
    tune: bool = False,
) -> Evaluation:
    """Judges a model; only labels and answers are kept in memory.

    Args:
        model: with the task's head.
        tokenizer: the model's.
        spec: the task as the model knows it.
        records: all labelled.
        seed: of the bootstrap.
        intervals: whether to draw intervals (a second for 10,000 scores).
        max_tokens: in one Batch.
        tune: whether to choose the threshold for "no answer" by these Records first, where the task has one.

    Raises:
        BadInput: a Record has no label, or there are none; entities are to be judged and seqeval is not installed.
    """
    return evaluate_members(
        [Member(model, tokenizer, spec)], records, seed, intervals=intervals, max_tokens=max_tokens, tune=tune
    )


def evaluate_members(
    members: Sequence[Member],
    records: Iterable[Record],
    seed: int = 0,
    *,
    intervals: bool = True,
    max_tokens: int = 2048,
    tune: bool = False,
) -> Evaluation:
    """As :func:`evaluate_records`, of the mean answer of several models."""
    spec = members[0].spec
    if spec.measured == "entities":
        check_seqeval()
    targets: list[Any] = []
    predictions: list[Any] = []
    account = Account()

    def tell(part: Account) -> None:
        nonlocal account
        account += part

    for said in mean_answers(members, records, Reading(max_tokens, tell=tell)):
        targets.append(_target(spec, said.record))
        predictions.append(decided(spec, said))
    if not targets:
        raise BadInput("nothing to evaluate", where="records", value=0, allowed="at least one labelled example")
    if spec.goal == "span":
        spec = with_threshold(spec, predictions, targets) if tune else spec
        predictions = [found.told(spec.span.threshold) for found in predictions]
    found = judge(spec, targets, predictions, seed if intervals else None)
    return Evaluation(
        found.metrics, found.intervals, len(targets), found.collapsed, account, spec, targets, predictions
    )


def decided(spec: TaskSpec, said: RawOutput) -> Any:
    """The answer to be judged: class or choice number, score, [K] marks, the tags of the words, or the piece found."""
    if spec.goal == "tags":
        return predict_tags(spec, said)
    if spec.goal == "span":
        return find_answer(spec, said)
    if spec.goal == "labels":
        return (said.raw >= MARKED).astype(np.int64)
    return float(said.raw[0]) if spec.goal == "score" else int(said.raw.argmax())


def _target(spec: TaskSpec, record: Record) -> Any:
    if record.label is None:
        raise BadInput("no label to judge by", where=record.where, next_step="evaluate on labelled examples")
    if spec.goal == "tags":
        return true_tags(spec, record)
    if isinstance(record.label, Answers):
        return record.label.texts
    if isinstance(record.label, tuple):
        return np.isin(np.arange(spec.outputs), record.label).astype(np.int64)
    return record.label
