"""A fine-tuned model evaluated on labelled Records: metrics with bootstrap intervals."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

from warmstart.base.console import progress_bar
from warmstart.base.errors import BadInput
from warmstart.evaluation.predictor import Predictor, no_progress
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
        pseudo_values: metric → what groups of examples add to it; see :mod:`~warmstart.metrics.jackknife`.
    """

    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    examples: int
    collapsed: bool
    account: Account
    spec: TaskSpec
    targets: list[Any] = field(repr=False)
    predictions: list[Any] = field(repr=False)
    signatures: dict[str, str] | None = None
    pseudo_values: dict[str, Array] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``evaluate --json``."""
        found: dict[str, Any] = {"metrics": self.metrics, "intervals": self.intervals, "examples": self.examples}
        if self.signatures is not None:
            found["signatures"] = self.signatures
        if self.intervals and (counts := answer_of(self.spec).confusion(self.spec, self.targets, self.predictions)):
            found["confusion"] = {"labels": list(self.spec.label_names), "counts": counts}
        return found


def evaluate_records(
    predictor: Predictor,
    records: Iterable[Record],
    seed: int = 0,
    *,
    metrics: Sequence[str] = (),
    intervals: bool = True,
    tune: bool = False,
    limit: int = 0,
    title: str = "evaluating",
) -> Evaluation:
    """Evaluates a model; only labels and predictions are kept in memory.

    Args:
        predictor: the model, ready to answer.
        records: all labelled.
        seed: of the bootstrap.
        metrics: names; without them those of the task.
        intervals: whether to draw intervals (a second for 10,000 scores).
        tune: whether to choose a threshold by these Records first, where the task has one.
        limit: of a model that generates, evaluate only so many texts; 0: all.
        title: of the progress that is shown, where it is known how many Records there are.

    Raises:
        BadInput: a Record has no label, or there are none; a library for a metric is not installed.
    """
    answer, spec = answer_of(predictor.spec), predictor.spec
    answer.check_installed()
    names = tuple(metrics) or answer.result_metrics(spec)
    begun = predictor.begin_evaluation(records, names, limit)
    truths: list[Any] = []
    predictions: list[Any] = []
    for output in _outputs(predictor, begun.records, title):
        if output.record.label is None:
            raise BadInput(
                "no label to evaluate on", where=output.record.where, next_step="evaluate on labelled examples"
            )
        truths.append(answer.truth(spec, output.record, predictor.vocabulary))
        predictions.append(answer.predict(spec, output))
    if not truths and not begun.metrics:
        raise BadInput("nothing to evaluate", where="records", value=0, allowed="at least one labelled example")
    spec = answer.tune(spec, predictions, truths) if tune else spec
    predictions = answer.decide(spec, predictions)
    own = [name for name in names if name not in begun.metrics]
    found = answer.evaluate(spec, truths, predictions, seed if intervals else None, own if truths else ())
    count = len(truths) if begun.num_records is None else begun.num_records
    return Evaluation(
        found.metrics | begun.metrics, found.intervals, count, found.collapsed, predictor.account, spec, truths,
        predictions, found.signatures, found.pseudo_values,
    )  # fmt: skip


def _outputs(predictor: Predictor, records: Iterable[Record], title: str) -> Iterator[RawOutput]:
    """The outputs of a predictor, which shows how far it is."""
    if not isinstance(records, Sized):
        yield from predictor.outputs(records)
        return
    with progress_bar(title, len(records)) as bar:
        predictor.advance = bar.advance
        yield from predictor.outputs(records)
    predictor.advance = no_progress
