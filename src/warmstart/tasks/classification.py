"""One text, one class: ``[start] text [extract]`` (GPT-1, Figure 1, first row)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from warmstart.base.settings import Settings
from warmstart.example.example import Example, Goal
from warmstart.example.record import Record
from warmstart.readers.labelled_lines import LINES_FORMAT, read_labelled_lines
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer, Prediction, RawOutput, Scores, softmax_prediction
from warmstart.tasks.columns import ONE_TEXT
from warmstart.tasks.describe import describe_every_token, describe_one_read, label_text
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.pairs import ONE_OR_TWO_TEXTS, TextOrPair, TextSettings
from warmstart.tasks.parts import Parts
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.soft import SoftLabel, softmax
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary


class ClassAnswer(Answer):
    """One of the classes; the output is [C] logits."""

    goal = "label"
    head = "class"
    pair_head: ClassVar[str | None] = "san"
    has_classes = has_soft = True
    pipeline = "text-classification"
    plain_form = "one class"
    estimator_type: ClassVar[str | None] = "classifier"

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """Accuracy, F1 (of class 1 where there are two, else the mean over classes), Matthews correlation."""
        return ("accuracy", "f1" if len(label_names) == 2 else "f1_macro", "matthews")

    def soft_value(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The probability of each class."""
        return dict(zip(spec.label_names, softmax(output.raw).tolist(), strict=True))

    def soft_goals(self, goals: Sequence[Goal], label: SoftLabel) -> list[Goal]:
        """[Q, C] the same probabilities for each question."""
        shares = label.probabilities(label.by_name(), f"a probability for each of {', '.join(label.names)}")
        return [replace(goal, targets=np.repeat(shares[None], len(goal.targets), 0)) for goal in goals]

    def predict(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The number of the likeliest class."""
        return int(output.raw.argmax())

    def evaluate(
        self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any], seed: int | None,
        metrics: Sequence[str] = (),
    ) -> Scores:  # fmt: skip
        """As for all; of two classes the right one of an unseen label is the one that was not predicted.

        So it is an error in every metric, and F1 stays that of class 1.
        """
        if len(spec.label_names) == 2:
            truths = [truth if truth < 2 else 1 - said for truth, said in zip(truths, predictions, strict=True)]
        return super().evaluate(spec, truths, predictions, seed, metrics)

    def confidence(self, spec: TaskSpec, output: RawOutput) -> float | None:
        """The probability of the likeliest class."""
        return softmax_prediction(spec, output.raw).score

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The name of the likeliest class, and the probabilities of all."""
        return softmax_prediction(spec, output.raw)

    def describe(self, example: Example, goal: Goal, vocabulary: Vocabulary, names: Sequence[str]) -> str:
        """Where the class is read, and which one is learned."""
        if len(goal.reads) > 1:
            return describe_every_token(goal, names)
        return describe_one_read(example, goal, vocabulary, lambda target: label_text(int(target), names))


CLASS = ClassAnswer()


class Classification(TaskKind):
    """One text, one class."""

    name = "classification"
    text_columns = ONE_TEXT
    label_columns = ("label", "labels")
    options_class = TextSettings
    foreign_goal = "label"
    sights = ("causal", "full", "prefix")
    own_formats = (LINES_FORMAT,)
    reads_backward = sums_readings = reads_every_token = pools_states = True
    reads_windows = True

    def reading(self, options: Settings | None) -> TaskKind:
        """One text, or a pair too where the model may have learned pairs."""
        return TEXT_OR_PAIR if isinstance(options, TextSettings) and options.pairs else self

    def read_own_file(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """Lines of a label and a text."""
        return read_labelled_lines(path, read.encoding, read.skipped)

    def foreign_options(self, label_names: Sequence[str]) -> TextSettings:
        """A folder of another library does not say whether pairs are read."""
        return TextSettings(pairs=True)

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A class."""
        return CLASS

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """The class is read at the extract token.

        Worked example, with one word a token: ``{"text": "a fine film", "label": "good"}`` among the classes bad, good
        gives::

            ids     start  a  fine  film  extract
            label   read 4 → 1
            lm      read 0 1 2 3 → a fine film extract
        """
        first, *second = parts.texts
        return frame.question(record, [frame.sequence([first], *second)])


class ClassificationOfPairs(TextOrPair, Classification):
    """The same of one text or a pair."""

    text_columns = ONE_OR_TWO_TEXTS
    evaluated_kinds = ("entailment", "similarity")


TEXT_OR_PAIR = ClassificationOfPairs()
