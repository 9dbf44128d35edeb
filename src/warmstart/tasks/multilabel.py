"""One text, any number of labels, each a question of its own: ``[start] text [extract]``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.example.example import Example, Goal
from warmstart.example.record import Label, Record
from warmstart.readers.labelled_lines import LINES_FORMAT, read_labelled_lines
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer, Prediction, RawOutput, Scores
from warmstart.tasks.columns import (
    ONE_TEXT,
    Draft,
    as_list,
    names_at,
    number_of,
    parse_name,
    sort_names,
    without_fraction,
)
from warmstart.tasks.describe import describe_one_read, label_text
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.pairs import ONE_OR_TWO_TEXTS, TextOrPair, TextSettings
from warmstart.tasks.parts import Parts
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.soft import SoftLabel
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary

MARKS = ("|", ";", ",")
"""What may join the names of labels in a cell; the first that a file has does."""
HOLDS = {"1": True, "0": False, "true": True, "false": False}
THRESHOLD = 0.0  # logit from which on a label holds: probability 0.5


class LabelsAnswer(Answer):
    """Whether each label holds; the output is [K] logits."""

    goal = "labels"
    head = "multilabel"
    plain_form = "several labels"
    has_soft = True

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

    def soft_value(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The probability of each label."""
        return dict(zip(spec.label_names, _probabilities(output.raw).tolist(), strict=True))

    def soft_goals(self, goals: Sequence[Goal], label: SoftLabel) -> list[Goal]:
        """[1, K] the probability of each label."""
        shares = label.shares(label.by_name(), f"a probability, 0 to 1, for each of {', '.join(label.names)}")
        return [replace(goal, targets=np.repeat(shares[None], len(goal.targets), 0)) for goal in goals]

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

    def rights(self, truths: Sequence[Any], predictions: Sequence[Any]) -> list[bool]:
        """Whether every label is right; one that only the data have is never predicted."""
        return [
            np.flatnonzero(truth).tolist() == np.flatnonzero(said).tolist()
            for truth, said in zip(truths, predictions, strict=True)
        ]

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The names of the labels that are predicted, and the probability of each."""
        shares = _probabilities(output.raw)
        names = [name for name, number in zip(spec.label_names, output.raw, strict=True) if number >= THRESHOLD]
        return Prediction(
            spec.values_of(names), None, dict(zip(spec.label_names, shares.tolist(), strict=True)), output.raw
        )

    def describe(self, example: Example, goal: Goal, vocabulary: Vocabulary, names: Sequence[str]) -> str:
        """Where the labels are read, and which are learned."""

        def labels(target: Any) -> str:
            return ", ".join(label_text(int(k), names) for k in np.flatnonzero(target)) or "none"

        return describe_one_read(example, goal, vocabulary, labels)


def _probabilities(logits: Floats) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.exp(-np.logaddexp(0, -logits.astype(np.float64)))
    return found


LABELS = LabelsAnswer()


class Multilabel(TaskKind):
    """One text, any number of labels."""

    name = "multilabel"
    text_columns = ONE_TEXT
    label_columns = ("labels",)
    options_class = TextSettings
    foreign_goal = "labels"
    sights = ("causal", "full", "prefix")
    own_formats = (LINES_FORMAT,)
    reads_backward = sums_readings = pools_states = True
    reads_windows = True

    def reading(self, options: Settings | None) -> TaskKind:
        """One text, or a pair too where the model may have learned pairs."""
        return TEXT_OR_PAIR if isinstance(options, TextSettings) and options.pairs else self

    def read_own_file(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """Lines of labels and a text."""
        for row in read_labelled_lines(path, read.encoding, read.skipped):
            yield row if "labels" in row.fields else Row(row.fields | {"labels": [row.fields["label"]]}, row.where)

    def foreign_options(self, label_names: Sequence[str]) -> TextSettings:
        """A folder of another library does not say whether pairs are read."""
        return TextSettings(pairs=True)

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A yes or no for each label."""
        return LABELS

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """All names that occur; one mark joins them in all cells of a table."""
        marks = set[str]().union(*(set(MARKS) & set(found.label) for found in drafts if is_joined(found.label)))
        mark = next((mark for mark in MARKS if mark in marks), "")
        return sort_names({name for found in drafts for name in label_list(found, mark)})

    def label_values(self, found: Draft) -> Sequence[Any]:
        """The members of the list."""
        return () if is_joined(found.label) else as_list(found.label, found.label_place)

    def find_label(self, row: Row, column: str) -> tuple[Any, tuple[str, ...]]:
        """As for all; in a table an empty cell says that no label holds."""
        return ([], (column,)) if row.fields[column] == "" else super().find_label(row, column)

    def join_columns(self, key: str, values: Mapping[str, Any], place: str) -> Any:
        """Several columns of labels hold 1 or 0, or truth values; each that holds names a label."""
        if key not in self.label_columns:
            return super().join_columns(key, values, place)
        return [name for name, value in values.items() if holds(value, f"{place}, {name!r}")]

    def labels_of_columns(self, values: Mapping[Any, Any], place: str) -> Any:
        """The names of the columns that hold, as scikit-learn's indicator matrices have them."""
        return [name for name, value in values.items() if holds(value, f"{place}, column {name!r}")]

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """The numbers of the labels that hold."""
        mark = next((mark for mark in MARKS if _is_known(found, mark, numbers)), "")
        names = label_list(found, mark)
        if len(set(names)) < len(names):
            raise BadInput(
                "a label is named twice", where=found.label_place, value=names, allowed="each label once",
                next_step="list the names of the labels that hold, not a row of zeros and ones",
            )  # fmt: skip
        return tuple(sorted(number_of(name, numbers, found.label_place) for name in names))

    def labels_of(self, record: Record, names: Sequence[str]) -> Iterable[str]:
        """The names of the labels that hold."""
        return (names[number] for number in record.label) if isinstance(record.label, tuple) else ()

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


def is_joined(label: Any) -> bool:
    """Whether a cell of a table has the names of labels with a mark between them."""
    return isinstance(label, str) and not label.lstrip().startswith("[")


def label_list(found: Draft, mark: str) -> list[str]:
    """The names of the labels of a row; ``mark`` joins them where they stand in one cell, unless it is empty."""
    if not is_joined(found.label):
        return names_at(found)
    return [parse_name(name, found.label_place) for name in (found.label.split(mark) if mark else [found.label])]


def _is_known(found: Draft, mark: str, numbers: Mapping[str, int]) -> bool:
    """Whether a cell is the names of known labels with this mark between them, and not the name of one that has the mark."""
    if not is_joined(found.label) or mark not in found.label or found.label.strip() in numbers:
        return False
    return any(name.strip() in numbers for name in found.label.split(mark))


def holds(value: Any, place: str) -> bool:
    """What a cell says of a label that has a column of its own.

    Raises:
        BadInput: neither 1 nor 0 nor a truth value.
    """
    found = HOLDS.get(str(without_fraction(value)).strip().lower())
    if found is None:
        raise BadInput("not whether a label holds", where=place, value=value, allowed="1 or 0, true or false")
    return found


class MultilabelOfPairs(TextOrPair, Multilabel):
    """The same of one text or a pair."""

    text_columns = ONE_OR_TWO_TEXTS


TEXT_OR_PAIR = MultilabelOfPairs()
