"""A fine-tuned model evaluated on labelled Records: metrics with bootstrap intervals."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.evaluation.predictor import Predictor
from warmstart.evaluation.progress import shown_outputs
from warmstart.example.record import Record
from warmstart.metrics.metric import Array
from warmstart.tasks.answer import RawOutput
from warmstart.tasks.parts import Account
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How well a model did.

    Attributes:
        metrics: metric → value; the main one first.
        intervals: metric → bounds of its 95 % bootstrap interval; empty where none were asked for.
        examples: how many were evaluated.
        collapsed: whether the answers are no better than one answer for everything.
        account: of the Records read.
        spec: the task as it was evaluated: with the threshold that was tuned, where one was asked for.
        targets: the labels, as the task's answer takes them.
        predictions: the predictions in the same form.
        signatures: metric → how its library computed it; ``None`` where no library says so.
        label_names: of the targets: those of the task, and those that only the Records have.
        pseudo_values: metric → what groups of examples add to it; see :mod:`~warmstart.metrics.jackknife`.
        right: whether each answer is right; empty where no answer of this kind is right or wrong, and without intervals.
        confidence: the probability of each answer; empty where the model gives none, and without intervals.
        tokens: of each Record, as far as its texts were read.
    """

    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    examples: int
    collapsed: bool
    account: Account
    spec: TaskSpec
    targets: list[Any] = field(repr=False)
    predictions: Sequence[Any] = field(repr=False)
    signatures: dict[str, str] | None = None
    label_names: tuple[str, ...] = ()
    pseudo_values: dict[str, Array] = field(default_factory=dict, repr=False)
    right: Sequence[bool] = field(default=(), repr=False)
    confidence: Sequence[float] = field(default=(), repr=False)
    tokens: Sequence[int] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``evaluate --json``."""
        found: dict[str, Any] = {"metrics": self.metrics, "intervals": self.intervals, "examples": self.examples}
        if self.signatures is not None:
            found["signatures"] = self.signatures
        spec = _with_labels(self.spec, self.label_names or None)
        if self.intervals and (counts := answer_of(spec).confusion(spec, self.targets, self.predictions)):
            found["confusion"] = {"labels": list(spec.label_names), "counts": counts}
        return found


def evaluate_records(
    predictor: Predictor,
    records: Iterable[Record],
    seed: int | None = 0,
    *,
    metrics: Sequence[str] = (),
    tune: bool = False,
    limit: int = 0,
    title: str | None = "evaluating",
    labels: Sequence[str] | None = None,
) -> Evaluation:
    """Evaluates a model; only labels and predictions are kept in memory.

    Args:
        predictor: the model, ready to answer.
        records: all labelled.
        seed: of the bootstrap; ``None``: no intervals are drawn, which takes a second for 10,000 scores.
        metrics: names; without them those of the task.
        tune: whether to choose a threshold by these Records first, where the task has one.
        limit: of a model that generates, evaluate only so many texts; 0: all.
        title: of the progress that is shown; ``None``: none is.
        labels: label names of the Records, where they have more than the model: those that the reading adds too.

    Raises:
        BadInput: a Record has no label, or there are none; a library for a metric is not installed.
    """
    answer, spec = answer_of(predictor.spec), predictor.spec
    answer.check_installed()
    names = tuple(metrics) or answer.result_metrics(spec)
    begun = predictor.begin_evaluation(records, names, limit)
    answered = _Answered(predictor, labels, sure=seed is not None)
    for output in shown_outputs(predictor, begun.records, title):
        answered.take(output)
    truths = answered.truths
    if not truths and not begun.metrics:
        raise BadInput("nothing to evaluate", where="records", value=0, allowed="at least one labelled example")
    spec = answer.tune(spec, answered.predictions, truths) if tune else spec
    predictions = answer.decide(spec, answered.predictions)
    own = [name for name in names if name not in begun.metrics]
    found = answer.evaluate(spec, truths, predictions, seed, own if truths else ())
    right = [] if seed is None else answer.rights(truths, predictions)
    count = len(truths) if begun.num_records is None else begun.num_records
    return Evaluation(
        found.metrics | begun.metrics, found.intervals, count, found.collapsed, predictor.account, spec, truths,
        predictions, found.signatures, answered.known.label_names, found.pseudo_values, right, answered.confidence,
        answered.tokens,
    )  # fmt: skip


class _Answered:
    """What is kept of the outputs of a model, one by one."""

    def __init__(self, predictor: Predictor, labels: Sequence[str] | None, *, sure: bool) -> None:
        """Nothing is taken yet; ``sure``: whether the probability of each answer is kept."""
        self.spec = self.known = predictor.spec
        self.answer, self.vocabulary, self.labels, self.sure = answer_of(self.spec), predictor.vocabulary, labels, sure
        self.truths: list[Any] = []
        self.predictions: list[Any] = []
        self.tokens, self.confidence = array("q"), array("d")  # of a million Records without a million objects

    def take(self, output: RawOutput) -> None:
        """Keeps label and prediction of one Record."""
        if output.record.label is None:
            place = output.record.where
            raise BadInput("no label to evaluate on", where=place, next_step="evaluate on labelled examples")
        self.known = _with_labels(self.known, self.labels)
        self.truths.append(self.answer.truth(self.known, output.record, self.vocabulary))
        self.predictions.append(self.answer.predict(self.spec, output))
        self.tokens.append(len(output.parts))
        probability = self.answer.confidence(self.spec, output) if self.sure else None
        self.confidence.extend(() if probability is None else (probability,))


def _with_labels(spec: TaskSpec, labels: Sequence[str] | None) -> TaskSpec:
    """The task with all labels that have been read so far."""
    if labels is None or len(labels) == len(spec.label_names):
        return spec
    return spec.model_copy(update={"label_names": tuple(labels)})
