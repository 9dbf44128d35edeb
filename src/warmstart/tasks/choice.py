"""A context, a question and some choices: ``[start] context question [delimiter] choice [extract]`` for each choice.

GPT-1, Figure 1, last row: every choice is scored by itself and a softmax runs across them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.example.example import Example, Goal
from warmstart.example.record import Label, Record
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer, Prediction, RawOutput
from warmstart.tasks.classification import ClassAnswer
from warmstart.tasks.columns import Columns, Draft, first_present, text_at
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.labelled_choices import labelled_choices, place_of, with_stem
from warmstart.tasks.parts import Parts
from warmstart.tasks.soft import SoftLabel, softmax
from warmstart.tasks.spec import TaskSpec

QUESTIONS, CHOICES = ("question", "sent2", "question_stem"), ("choices", "options")
ENDING = re.compile(r"ending(\d+)")
CHOICE_COLUMNS = (("choices",), ("ending0", "ending1"))
LETTERED = "answer"  # the column where a choice may be named by its text or a letter
KEY = "answerKey"  # the column that has the label of the right choice, where choices have labels


class ChoiceAnswer(ClassAnswer):
    """One of the choices; the output is one logit for each."""

    goal = "choice"
    head = "choice"
    pair_head = None
    plain_form = "one choice"
    per_read = True
    has_classes = False
    pipeline = "text-generation"
    estimator_type = None  # the first choice of one question is no class of the first choice of another

    def num_outputs(self, label_names: Sequence[str]) -> int:
        """One: every choice is scored by itself."""
        return 1

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """The share of right choices."""
        return ("accuracy",)

    def soft_value(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The probability of each choice."""
        return softmax(output.raw.reshape(-1)).tolist()

    def soft_goals(self, goals: Sequence[Goal], label: SoftLabel) -> list[Goal]:
        """The probability of each choice, at its read."""
        allowed = f"a list of {len(goals)} probabilities, one for each choice"
        if not isinstance(label.value, list | tuple) or len(label.value) != len(goals):
            raise label.error("no soft labels of these choices", allowed)
        shares = label.probabilities(label.value, allowed)
        return [replace(goal, shares=share.reshape(1, 1)) for goal, share in zip(goals, shares, strict=True)]

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The index of the likeliest choice and its text, and the probabilities of all."""
        found = super().prediction(spec, output)
        return replace(found, details={"choice": output.record.texts["choices"][int(output.raw.argmax())]})


CHOICE = ChoiceAnswer()


class Choice(TaskKind):
    """A context, a question, and one right choice among several."""

    name = "choice"
    text_columns = (("context",), ("article",), ("sent1",))
    label_columns = ("label", LETTERED, KEY)
    other_columns = (QUESTIONS, CHOICES, *((f"ending{number}",) for number in range(10)))
    reads_backward = True

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A choice."""
        return CHOICE

    def find_texts(self, row: Row) -> Columns | None:
        """Context and question, of which one may be missing or empty, and choices, as a list or in numbered columns."""
        row = with_stem(row)
        context, columns = first_present(row, self.text_columns) or (), _choice_columns(row)
        question = next((q for q in QUESTIONS if row.fields.get(q) is not None), None)
        if not (context or question) or not columns:
            return None
        if columns[0] in CHOICES:
            choices = labelled_choices(row.fields[columns[0]], row.place(columns[0])).texts
        else:
            choices = [row.fields[column] for column in columns]
        _check_choices(choices, row.place(columns[0]))
        texts = {
            "context": text_at(row, context[0]) if context else "",
            "question": text_at(row, question) if question else "",
        }
        names = (*context, *([question] if question else []), *columns)
        return Columns(texts | {"choices": tuple(choices)}, names)

    def find_label(self, row: Row, column: str) -> tuple[Any, tuple[str, ...]]:
        """The label as it is written; of choices that have labels of their own the place of that label."""
        label, names = super().find_label(row, column)
        columns = _choice_columns(with_stem(row))
        if columns[0] not in CHOICES:
            return label, names
        own = labelled_choices(with_stem(row).fields[columns[0]], row.place(columns[0])).labels
        return place_of(label, own, row.place(column)) if own else label, names

    def join_columns(self, key: str, values: Mapping[str, Any], place: str) -> Any:
        """Several columns of choices are a list."""
        return list(values.values()) if key in CHOICES else super().join_columns(key, values, place)

    def missing_columns(self, row: Row) -> list[Sequence[tuple[str, ...]]]:
        """A context or a question, and choices are needed."""
        row = with_stem(row)
        has_question = any(row.fields.get(q) is not None for q in QUESTIONS)
        missing = [] if has_question else super().missing_columns(row)
        return missing + ([] if _choice_columns(row) else [CHOICE_COLUMNS[:1]])

    def row_of(self, value: Any) -> Mapping[str, Any]:
        """A context and its choices, or a context, a question and the choices."""
        names = {2: ("context", "choices"), 3: ("context", "question", "choices")}
        if not isinstance(value, list | tuple) or len(value) not in names or not isinstance(value[-1], list | tuple):
            return super().row_of(value)
        return dict(zip(names[len(value)], value, strict=True))

    @property
    def all_columns(self) -> Sequence[tuple[str, ...]]:
        """Context or question, and choices."""
        return (*self.text_columns, *((question,) for question in QUESTIONS), *CHOICE_COLUMNS)

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """Choices have no names that they share."""
        return ()

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """The index of the right choice."""
        choices = found.texts["choices"]
        assert isinstance(choices, tuple)
        return parse_index(found.label, choices, found.columns[-1], found.label_place)

    def varied_labels(self, records: Iterable[Record]) -> Iterable[Any] | None:
        """The right choice may always stand first."""
        return None

    def labels_of(self, record: Record, names: Sequence[str]) -> Iterable[str]:
        """Where the right choice stands."""
        return (f"choice {record.label + 1}",) if isinstance(record.label, int) else ()

    def is_empty(self, record: Record) -> bool:
        """Whether a choice is empty, or context and question both are."""
        asked = f"{record.texts['context']}{record.texts['question']}"
        return not (asked.strip() and all(choice.strip() for choice in record.texts["choices"]))

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """One question with one read per choice, each at its own extract token; the target is the right choice's index.

        Worked example, with one word a token: ``{"context": "he sings", "question": "who", "choices": ["he", "she"],
        "label": 1}`` gives::

            ids     start  he  sings  who  delimiter  he  extract
            choice  read 6, question 0 → 1
            lm      read 0 … 5, questions 0 … 5
            ids     start  he  sings  who  delimiter  she  extract
            choice  read 6, question 0 (the same question; its target stands above)
            lm      read 0 … 5, questions 6 … 11
        """
        return frame.question(record, [frame.sequence(parts.texts, choice) for choice in parts.choices])


def _choice_columns(row: Row) -> tuple[str, ...]:
    """``choices`` (or its alias), or ``ending0``, ``ending1``, … in the order of their numbers."""
    whole = next(((c,) for c in CHOICES if c in row.fields), None)
    numbered = {int(match[1]): key for key in row.fields if (match := ENDING.fullmatch(key))}
    return whole or tuple(numbered[number] for number in sorted(numbered))


def _check_choices(choices: Sequence[Any], where: str) -> None:
    if len(choices) < 2:
        raise BadInput(
            "a question needs choices", where=where, value=choices, allowed="a list of 2 or more",
            next_step="add the missing choices or leave the row out",
        )  # fmt: skip
    if not all(isinstance(choice, str) for choice in choices):
        raise BadInput("a choice is not text", where=where, value=choices, allowed="strings")


def parse_index(value: Any, choices: Sequence[str], column: str, where: str) -> int:
    """Index of the right choice: a number from 0; in ``answer`` also the choice's text or a letter from A."""
    index: int | None = None
    if column == LETTERED and isinstance(value, str) and value in choices:
        index = choices.index(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        index = value
    elif isinstance(value, str) and value.strip().isdecimal():
        index = int(value)
    elif column == LETTERED and isinstance(value, str) and re.fullmatch("[A-Z]", value):
        index = ord(value) - ord("A")
    if index is None or not 0 <= index < len(choices):
        allowed = f"0 to {len(choices) - 1}" + (", or the text of a choice" if column == LETTERED else "")
        raise BadInput(
            "no such choice", where=where, value=value, allowed=allowed,
            next_step="the first choice has index 0",
        )  # fmt: skip
    return index
