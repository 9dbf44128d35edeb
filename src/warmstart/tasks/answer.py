"""What a task asks of a model, and what becomes of the model's output: the side of a task that faces the head.

A kind of task (:mod:`warmstart.tasks.kind`) names one :class:`Answer`. It says which head is asked, turns a label into the
head's target and the head's output into a prediction, and evaluates predictions against labels.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats
from warmstart.base.errors import unknown_name_error
from warmstart.example.example import Example, Goal
from warmstart.example.record import Label, Record
from warmstart.metrics.bootstrap import bootstrap_interval, bootstrap_ratio
from warmstart.metrics.comparison import is_collapsed
from warmstart.metrics.jackknife import metric_pseudo_values, ratio_pseudo_values
from warmstart.metrics.metric import METRICS, Array
from warmstart.metrics.ratio import Ratio
from warmstart.tasks.parts import Parts
from warmstart.tasks.soft import SoftLabel
from warmstart.tasks.spec import LabelValue, TaskSpec
from warmstart.tasks.vocabulary import Vocabulary

MAX_CONFUSION = 200
"""Classes up to which their confusions are counted: a report holds the square of them."""


class RawOutput(NamedTuple):
    """What a model puts out for one Record.

    Attributes:
        record: the Record.
        parts: its texts as ids, as far as they were read.
        raw: the numbers of the head, in the shape that the Answer names; of a model that generates, its texts.
    """

    record: Record
    parts: Parts
    raw: Any


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A prediction for one Record, as users see it.

    Attributes:
        label: what is predicted: a label as the training data have it, a choice's index, a list of labels or tags, a text;
            ``None`` where the prediction is the score itself.
        score: the probability of the label, or the predicted score; ``None`` where the task has none.
        probabilities: label name (or index of the choice) → probability; empty where the task has none.
        raw: the output of the model.
        details: what is written beside the label, such as the text of a choice.
        row: what is written, where it is more than the fields above.
        inputs: what is written before it of the Record's own texts.
    """

    label: LabelValue | list[LabelValue] | None
    score: float | None
    probabilities: dict[str, float]
    raw: Any = field(repr=False)
    details: dict[str, Any] = field(default_factory=dict, repr=False)
    row: dict[str, Any] = field(default_factory=dict, repr=False)
    inputs: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Scores:
    """Metrics with their intervals (empty where none were asked for).

    Attributes:
        metrics: metric → value; the main one first.
        intervals: metric → bounds of its 95 % bootstrap interval.
        collapsed: whether one answer for everything does as well.
        signatures: metric → how its library computed it, for metrics of texts.
        pseudo_values: metric → what groups of examples add to it (:mod:`~warmstart.metrics.jackknife`); with the intervals.
    """

    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    collapsed: bool
    signatures: dict[str, str] | None = None
    pseudo_values: dict[str, Array] = field(default_factory=dict, repr=False)


class Answer:
    """The base of all answers; each method has the default that most of them share.

    Attributes:
        goal: name of the goal that the Examples ask, and of its head.
        head: kind of the head; ``None``: the softmax of the language model.
        chain_head: kind of the head that answers all questions of a text together, each by the one before, if there is one.
        pair_head: kind of the head that compares all tokens of two texts, if there is one.
        reads_text: whether it reads one state per text, through the pooler where the backbone has one.
        per_read: whether the head puts out a row for every read, not one per question.
        texts_apart: whether each text of a Record is a sequence of its own.
        averageable: whether the outputs of several models can be averaged.
        generated: whether the model answers with a text that it generates.
        has_classes: whether it is one of classes that all Records share.
        pipeline: what such a model is called on the hub.
        plain_form: what plain methods answer to it: its name in ``study/plain_forms.py:FORMS``; empty: nothing.
        has_soft: whether a student can learn a teacher's answers beside the labels (:mod:`~warmstart.tasks.soft`).
        estimator_type: what scikit-learn calls such a model, which then divides rows by class; ``None``: nothing, because
            there it may answer with one label or one number only.
    """

    goal: ClassVar[str]
    head: ClassVar[str | None]
    chain_head: ClassVar[str | None] = None
    pair_head: ClassVar[str | None] = None
    reads_text: ClassVar[bool] = True
    per_read: ClassVar[bool] = False
    texts_apart: ClassVar[bool] = False
    averageable: ClassVar[bool] = True
    generated: ClassVar[bool] = False
    has_classes: ClassVar[bool] = False
    has_soft: ClassVar[bool] = False
    pipeline: ClassVar[str] = "text-generation"
    estimator_type: ClassVar[str | None] = None
    plain_form: ClassVar[str] = ""

    def num_outputs(self, label_names: Sequence[str]) -> int:
        """Size of the head."""
        return len(label_names) or 1

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """The metrics of the task; the first is the main one."""
        raise NotImplementedError

    def metrics_for(self, label_names: Sequence[str], records: Sequence[Record]) -> tuple[str, ...]:
        """The metrics that suit these Records; the first is the main one."""
        return self.metrics(label_names)

    def head_fields(self, common: Mapping[str, Any], options: Any) -> dict[str, Any]:
        """The settings of the head, from what all heads have and the options of the kind."""
        return dict(common)

    def num_rows(self, goal: Goal) -> int:
        """How many rows the head puts out for an Example with this goal."""
        return len(goal.reads if self.per_read else goal.targets)

    def check_metric(self, name: str, fitting: Sequence[str], where: str = "--metric") -> None:
        """Refuses a metric that is none of those that fit."""
        if name not in fitting:
            raise unknown_name_error("metric for this task", name, fitting, where=where)

    def result_metrics(self, spec: TaskSpec, main: str | None = None) -> tuple[str, ...]:
        """The metrics of a result; ``main`` is the one that chose the model."""
        return self.metrics(spec.label_names)

    def quick_metrics(self, spec: TaskSpec, main: str) -> tuple[str, ...]:
        """The metrics that are computed on dev during a training."""
        return self.metrics(spec.label_names)

    def check_installed(self) -> None:
        """Refuses to evaluate where a library for it is missing."""

    def target(self, label: Label, label_names: Sequence[str]) -> NDArray[Any]:
        """[1] or [1, K] the head's target for one question; zeros where there is no label."""
        return np.array([label or 0], np.int64)

    def first_output(self, records: Iterable[Record]) -> float:
        """What the head puts out at the start whatever it reads: the value of its bias, found in the training Records."""
        return 0.0

    def join(self, outputs: Sequence[Floats], how: str = "mean") -> Floats:
        """The head's output for one Record, from those of the windows that it was read in.

        Args:
            outputs: of each window.
            how: their mean, the greatest of each number, or that of the first (``window_answers`` of the frame).
        """
        if len(outputs) == 1 or how == "first":
            return outputs[0].reshape(-1)
        windows = [output.reshape(-1) for output in outputs]
        return self.average(windows) if how == "mean" else self.greatest(windows)

    def average(self, outputs: Sequence[Floats]) -> Floats:
        """Logits of the mean probabilities of several models."""
        numbers = np.stack(outputs).astype(np.float64)
        mean = np.logaddexp.reduce(numbers - np.logaddexp.reduce(numbers, 1, keepdims=True)) - np.log(len(outputs))
        return np.asarray(mean, np.float32)

    def greatest(self, outputs: Sequence[Floats]) -> Floats:
        """Of each class the greatest probability in any window, as logits."""
        numbers = np.stack(outputs).astype(np.float64)
        return np.asarray((numbers - np.logaddexp.reduce(numbers, 1, keepdims=True)).max(0), np.float32)

    def soft_value(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The output as soft labels, as they are written."""
        raise NotImplementedError

    def soft_goals(self, goals: Sequence[Goal], label: SoftLabel) -> list[Goal]:
        """What a student learns from soft labels.

        Args:
            goals: the same questions, of each Example of a Record or of one of its windows, with the targets of the labels.
            label: a teacher's answer.

        Raises:
            BadInput: it is none to this question.
        """
        raise NotImplementedError

    def predict(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The prediction in the form that :meth:`evaluate` takes."""
        raise NotImplementedError

    def truth(self, spec: TaskSpec, record: Record, vocabulary: Vocabulary) -> Any:
        """The label of a Record in the same form."""
        return record.label

    def tune(self, spec: TaskSpec, predictions: Sequence[Any], truths: Sequence[Any]) -> TaskSpec:
        """The task with what is chosen by these predictions (a threshold)."""
        return spec

    def decide(self, spec: TaskSpec, predictions: Sequence[Any]) -> Sequence[Any]:
        """The predictions once everything is chosen."""
        return predictions

    def evaluate(
        self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any], seed: int | None,
        metrics: Sequence[str] = (),
    ) -> Scores:  # fmt: skip
        """Evaluates predictions.

        Args:
            spec: the task.
            truths: labels, as :meth:`truth` gives them.
            predictions: as :meth:`decide` gives them.
            seed: of the intervals, which are drawn over Records; ``None``: no intervals.
            metrics: names; without them the metrics of the task.
        """
        targets, values = np.array(truths), np.array(predictions)
        names = tuple(metrics) or self.metrics(spec.label_names)
        bounds = {} if seed is None else {name: bootstrap_interval(name, targets, values, seed) for name in names}
        return Scores(
            {name: METRICS[name](targets, values) for name in names},
            {name: [found.low, found.high] for name, found in bounds.items()},
            is_collapsed(targets, values),
            pseudo_values={name: metric_pseudo_values(name, targets, values) for name in bounds},
        )

    def rights(self, truths: Sequence[Any], predictions: Sequence[Any]) -> list[bool]:
        """Whether each prediction is right; empty where one is better or worse, and not right or wrong, as texts are."""
        pairs = [] if self.generated else zip(truths, predictions, strict=True)
        return [bool(truth == said) for truth, said in pairs]

    def confidence(self, spec: TaskSpec, output: RawOutput) -> float | None:
        """The probability that the model gives to its answer; ``None`` where it gives none."""
        return None

    def confusion(self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any]) -> list[list[int]] | None:
        """[true][predicted] counts of the classes; ``None`` where there are none, or more than :data:`MAX_CONFUSION`."""
        count = len(spec.label_names)
        if not self.has_classes or not 1 < count <= MAX_CONFUSION:
            return None
        table = np.zeros((count, count), np.int64)
        np.add.at(table, (np.array(truths, np.int64), np.array(predictions, np.int64)), 1)
        return [[int(number) for number in row] for row in table]

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The prediction as users see it."""
        raise NotImplementedError

    def describe(self, example: Example, goal: Goal, vocabulary: Vocabulary, names: Sequence[str]) -> str:
        """In words: where the question is read, and what the right answer is."""
        raise NotImplementedError


def view_heads(answer: Answer, name: str) -> dict[str, str]:
    """The heads of one task of several: the name that it would have alone → its name here; none of one that generates."""
    return {} if answer.head is None else {answer.goal: name}


def ratio_scores(tallies: Mapping[str, Ratio], seed: int | None, is_collapsed: bool) -> Scores:
    """Scores of metrics that are a sum over a sum."""
    bounds = {} if seed is None else {name: bootstrap_ratio(tally, seed) for name, tally in tallies.items()}
    return Scores(
        {name: tally.value for name, tally in tallies.items()},
        {name: [found.low, found.high] for name, found in bounds.items()},
        is_collapsed,
        pseudo_values={name: ratio_pseudo_values(tallies[name]) for name in bounds},
    )


def softmax_prediction(spec: TaskSpec, raw: Floats) -> Prediction:
    """The likeliest of classes or choices, with the probabilities of all."""
    logits = raw.tolist()  # of so few numbers plain ones are faster than an array
    greatest = max(logits)
    best = logits.index(greatest)
    shares = [math.exp(logit - greatest) for logit in logits]
    total = sum(shares)
    probabilities = [share / total for share in shares]
    names = spec.label_names or tuple(map(str, range(len(probabilities))))
    label = spec.values_of([names[best]])[0] if spec.label_values else names[best] if spec.label_names else best
    return Prediction(label, probabilities[best], dict(zip(names, probabilities, strict=True)), raw)
