"""A fine-tuned model judged on labelled Records: measures with bootstrap intervals."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.evaluation.answers import MARKED, Floats, Reading, raw_answers
from warmstart.example.record import Record
from warmstart.metrics.bootstrap import interval
from warmstart.metrics.measures import MEASURES, default_measures
from warmstart.metrics.seeds import collapsed
from warmstart.models.model import Model
from warmstart.tasks.framing import Account
from warmstart.tasks.spec import TaskSpec
from warmstart.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How well a model did.

    Attributes:
        metrics: measure → value; the main one first.
        intervals: measure → bounds of its 95 % bootstrap interval; empty where none were asked for.
        examples: how many were judged.
        collapsed: whether the answers are no better than one answer for everything.
        account: of the Records read.
        targets: [n] or [n, K].
        predictions: of the same shape.
    """

    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    examples: int
    collapsed: bool
    account: Account
    targets: NDArray[Any] = field(repr=False)
    predictions: NDArray[Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``evaluate --json``."""
        return {"metrics": self.metrics, "intervals": self.intervals, "examples": self.examples}


def evaluate_records(
    model: Model,
    tokenizer: Tokenizer,
    spec: TaskSpec,
    records: Iterable[Record],
    seed: int = 0,
    *,
    intervals: bool = True,
    max_tokens: int = 8192,
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

    Raises:
        BadInput: a Record has no label, or there are none.
    """
    targets, predictions = [], []
    account = Account()

    def tell(part: Account) -> None:
        nonlocal account
        account += part

    for record, raw in raw_answers(model, tokenizer, spec, records, Reading(max_tokens, tell=tell)):
        targets.append(_target(spec, record))
        predictions.append(decided(spec, raw))
    if not targets:
        raise BadInput("nothing to evaluate", where="records", value=0, allowed="at least one labelled example")
    truth, told = np.array(targets), np.array(predictions)
    names = default_measures(spec.goal, spec.outputs)
    bounds = [interval(name, truth, told, seed) for name in names] if intervals else []
    return Evaluation(
        metrics={name: MEASURES[name](truth, told) for name in names},
        intervals={name: [found.low, found.high] for name, found in zip(names, bounds, strict=False)},
        examples=len(truth),
        collapsed=collapsed(truth, told),
        account=account,
        targets=truth,
        predictions=told,
    )


def decided(spec: TaskSpec, raw: Floats) -> Any:
    """The answer to be judged: class or choice number, score, or [K] marks."""
    if spec.goal == "labels":
        return (raw >= MARKED).astype(np.int64)
    return float(raw[0]) if spec.goal == "score" else int(raw.argmax())


def _target(spec: TaskSpec, record: Record) -> Any:
    if record.label is None:
        raise BadInput("no label to judge by", where=record.where, next_step="evaluate on labelled examples")
    if isinstance(record.label, tuple):
        return np.isin(np.arange(spec.outputs), record.label).astype(np.int64)
    return record.label
