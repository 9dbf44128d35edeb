"""One text or a pair in one order, one score: ``[start] text [extract]`` or ``[start] a [delimiter] b [extract]``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats
from warmstart.base.settings import Settings
from warmstart.example.example import Example, Goal
from warmstart.example.record import Label, Record
from warmstart.tasks.answer import Answer, Prediction, RawOutput
from warmstart.tasks.columns import ONE_TEXT, ColumnSets, Draft, parse_score
from warmstart.tasks.describe import describe_one_read
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.pairs import ONE_OR_TWO_TEXTS, TextOrPair, TextSettings
from warmstart.tasks.parts import Parts
from warmstart.tasks.soft import SoftLabel
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary


class ScoreAnswer(Answer):
    """A number on a scale; the output is [1]."""

    goal = "score"
    head = "score"
    plain_form = "one score"
    pipeline = "text-classification"
    estimator_type = "regressor"
    has_soft = True

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """Two correlations and the squared error."""
        return ("pearson", "spearman", "mse")

    def target(self, label: Label, label_names: Sequence[str]) -> NDArray[Any]:
        """[1] the score."""
        return np.array([label or 0], np.float32)

    def first_output(self, records: Iterable[Record]) -> float:
        """The mean of the training scores, so that the first steps are not spent on it."""
        labels = (record.label for record in records if isinstance(record.label, int | float))
        scores = np.fromiter(labels, np.float64)
        return float(scores.mean()) if len(scores) else 0.0

    def average(self, outputs: Sequence[Floats]) -> Floats:
        """The mean score."""
        return np.asarray(np.stack(outputs).astype(np.float64).mean(0), np.float32)

    def greatest(self, outputs: Sequence[Floats]) -> Floats:
        """The greatest score."""
        return np.asarray(np.stack(outputs).max(0), np.float32)

    def soft_value(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The score."""
        return float(output.raw[0])

    def soft_goals(self, goals: Sequence[Goal], label: SoftLabel) -> list[Goal]:
        """The teacher's score."""
        if label.value is None:
            raise label.error("no score of a teacher", "a number")
        score = parse_score(label.value, label.where)
        return [replace(goal, targets=np.full(len(goal.targets), score, np.float32)) for goal in goals]

    def predict(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The score."""
        return float(output.raw[0])

    def rights(self, truths: Sequence[Any], predictions: Sequence[Any]) -> list[bool]:
        """None: a score is near or far."""
        return []

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The score, and no label."""
        return Prediction(None, float(output.raw[0]), {}, output.raw)

    def describe(self, example: Example, goal: Goal, vocabulary: Vocabulary, names: Sequence[str]) -> str:
        """Where the score is read, and which one is learned."""
        return describe_one_read(example, goal, vocabulary, lambda target: f"{float(target):g}")


SCORE = ScoreAnswer()


class Regression(TaskKind):
    """One text or a pair, one score."""

    name = "regression"
    text_columns: ClassVar[ColumnSets] = (("text_a", "text_b"), ("sentence1", "sentence2"), *ONE_TEXT, ("text_a",))
    label_columns = ("score", "label")
    options_class = TextSettings
    foreign_goal = "score"
    sights = ("causal", "full", "prefix")
    has_label_names = False
    reads_backward = sums_readings = pools_states = True
    reads_windows = True

    def reading(self, options: Settings | None) -> TaskKind:
        """One text, or a pair too where the model may have learned pairs."""
        return TEXT_OR_PAIR if isinstance(options, TextSettings) and options.pairs else self

    def foreign_options(self, label_names: Sequence[str]) -> TextSettings:
        """A folder of another library does not say whether pairs are read."""
        return TextSettings(pairs=True)

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A score."""
        return SCORE

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """Scores have no names."""
        return ()

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """The score."""
        return parse_score(found.label, found.label_place)

    def stratum(self, record: Record) -> Label:
        """Scores are no classes."""
        return None

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """The score is read at the extract token.

        Worked example, with one word a token: ``{"text": "a fine film", "score": 4.5}`` gives::

            ids     start  a  fine  film  extract
            score   read 4 → 4.5
            lm      read 0 1 2 3 → a fine film extract
        """
        first, *second = parts.texts
        return frame.question(record, [frame.sequence([first], *second)])


class RegressionOfPairs(TextOrPair, Regression):
    """The same of one text or a pair."""

    text_columns = ONE_OR_TWO_TEXTS
    evaluated_kinds = ("similarity",)


TEXT_OR_PAIR = RegressionOfPairs()
