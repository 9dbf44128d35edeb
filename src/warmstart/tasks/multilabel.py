"""One text, any number of labels, each a question of its own: ``[start] text [extract]``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.example.example import Example, Goal
from warmstart.example.record import Label, Record
from warmstart.tasks.answer import Answer, Prediction, RawOutput, Scores
from warmstart.tasks.columns import ONE_TEXT, Draft, as_list, names_at, number_of
from warmstart.tasks.describe import describe_one_read, label_text
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind, sort_names
from warmstart.tasks.pairs import ONE_OR_TWO_TEXTS, TextOrPair, TextSettings
from warmstart.tasks.parts import Parts
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary

THRESHOLD = 0.0  # logit from which on a label holds: probability 0.5


class LabelsAnswer(Answer):
    """Whether each label holds; the output is [K] logits."""

    goal = "labels"
    head = "multilabel"

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """F1 over all labels together and over each, and the share of texts with every label right."""
        return ("f1_micro", "f1_macro", "exact_match")

    def target(self, label: Label, label_names: Sequence[str]) -> NDArray[Any]:
        """[1, K] 1 for the labels that hold; one that is none of ``label_names`` has no place."""
        marks: Floats = np.zeros((1, len(label_names)), np.float32)
        marks[0, [n for n in label if n < len(label_names)] if isinstance(label, tuple) else []] = 1.0
        return marks

    def average(self, outputs: Sequence[Floats]) -> Floats:
        """Logits of the mean probability of each label."""
        numbers = np.stack(outputs).astype(np.float64)
        holds, fails = (np.logaddexp.reduce(-np.logaddexp(0, sign * numbers)) for sign in (-1, 1))
        return np.asarray(holds - fails, np.float32)

    def greatest(self, outputs: Sequence[Floats]) -> Floats:
        """Of each label the greatest logit: it holds for a text where it holds in any window."""
        return np.asarray(np.stack(outputs).max(0), np.float32)

    def predict(self, spec: TaskSpec, output: RawOutput) -> Any:
        """[K] 1 for the labels that are predicted."""
        return (output.raw >= THRESHOLD).astype(np.int64)

    def truth(self, spec: TaskSpec, record: Record, vocabulary: Vocabulary) -> Any:
        """[K] 1 for the labels that hold."""
        return self.target(record.label, spec.label_names)[0].astype(np.int64)

    def evaluate(
        self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any], seed: int | None,
        metrics: Sequence[str] = (),
    ) -> Scores:  # fmt: skip
        """As for all; a label that only the data have is one that is never predicted."""
        size = max(map(len, [*truths, *predictions]))
        padded = [[np.pad(row, (0, size - len(row))) for row in rows] for rows in (truths, predictions)]
        return super().evaluate(spec, padded[0], padded[1], seed, metrics)

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The names of the labels that are predicted, and the probability of each."""
        shares = np.exp(-np.logaddexp(0, -output.raw.astype(np.float64)))
        names = [name for name, number in zip(spec.label_names, output.raw, strict=True) if number >= THRESHOLD]
        return Prediction(
            spec.values_of(names), None, dict(zip(spec.label_names, shares.tolist(), strict=True)), output.raw
        )

    def describe(self, example: Example, goal: Goal, vocabulary: Vocabulary, names: Sequence[str]) -> str:
        """Where the labels are read, and which are learned."""

        def labels(target: Any) -> str:
            return ", ".join(label_text(int(k), names) for k in np.flatnonzero(target)) or "none"

        return describe_one_read(example, goal, vocabulary, labels)


LABELS = LabelsAnswer()


class Multilabel(TaskKind):
    """One text, any number of labels."""

    name = "multilabel"
    text_columns = ONE_TEXT
    label_columns = ("labels",)
    options_class = TextSettings
    foreign_goal = "labels"
    reads_backward = sums_readings = True
    reads_windows = True

    def reading(self, options: Settings | None) -> TaskKind:
        """One text, or a pair too where the model may have learned pairs."""
        return TEXT_OR_PAIR if isinstance(options, TextSettings) and options.pairs else self

    def foreign_options(self, label_names: Sequence[str]) -> TextSettings:
        """A folder of another library does not say whether pairs are read."""
        return TextSettings(pairs=True)

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A yes or no for each label."""
        return LABELS

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """All names that occur."""
        return sort_names({name for found in drafts for name in names_at(found)})

    def label_values(self, found: Draft) -> Sequence[Any]:
        """The members of the list."""
        return as_list(found.label, found.label_place)

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """The numbers of the labels that hold."""
        names = names_at(found)
        if len(set(names)) < len(names):
            raise BadInput(
                "a label is named twice", where=found.label_place, value=names, allowed="each label once",
                next_step="list the names of the labels that hold, not a row of zeros and ones",
            )  # fmt: skip
        return tuple(sorted(number_of(name, numbers, found.label_place) for name in names))

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """Every label is read at the extract token.

        Worked example, with one word a token: ``{"text": "a sad song", "labels": ["music", "sad"]}`` among the labels
        film, music, sad gives::

            ids     start  a  sad  song  extract
            labels  read 4 → 0 1 1
            lm      read 0 1 2 3 → a sad song extract
        """
        first, *second = parts.texts
        return frame.question(record, [frame.sequence([first], *second)])


class MultilabelOfPairs(TextOrPair, Multilabel):
    """The same of one text or a pair."""

    text_columns = ONE_OR_TWO_TEXTS


TEXT_OR_PAIR = MultilabelOfPairs()
