"""Two texts in both orders, one class or score: the states of the two reads are added (GPT-1, Figure 1, third row)."""

from collections.abc import Mapping, Sequence
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.example.example import Example
from warmstart.example.record import Label, Record
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer
from warmstart.tasks.classification import CLASS
from warmstart.tasks.columns import Draft, parse_score
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Parts
from warmstart.tasks.regression import SCORE

SCORE_COLUMN = "score"


class Similarity(TaskKind):
    """Two texts without an order; classes where the files have a column ``label``, scores where they have ``score``."""

    name = "similarity"
    text_columns = (("sentence1", "sentence2"), ("text_a", "text_b"))
    label_columns = ("label", SCORE_COLUMN)
    reads_backward = sums_readings = pools_states = True
    reads_windows = True
    pair = "symmetric"

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A class or, without label names, a score."""
        return CLASS if label_names else SCORE

    def label_columns_of(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """``label`` holds classes, ``score`` scores."""
        return ("label",) if label_names else (SCORE_COLUMN,)

    def find_label(self, row: Row, column: str) -> tuple[Any, tuple[str, ...]]:
        """As for all; a number with a fraction is no class, and neither is 3.0 among such numbers."""
        if column != SCORE_COLUMN and isinstance(row.fields[column], float):
            raise BadInput(
                "a score where a class is expected", where=row.place(column), value=row.fields[column],
                allowed="a string, a whole number, true or false",
                next_step=f"call the column {SCORE_COLUMN!r}, or say --columns {SCORE_COLUMN}={row.name_of(column)}",
            )  # fmt: skip
        return super().find_label(row, column)

    def label_column_for(self, label: Any) -> str:
        """A number with a fraction is a score."""
        return SCORE_COLUMN if isinstance(label, float) else "label"

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """The names of classes; scores have none."""
        return () if drafts[0].columns[-1] == SCORE_COLUMN else super().learn_labels(drafts)

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """A class, or a score where there are no classes."""
        return super().parse_label(found, numbers) if numbers else parse_score(found.label, found.label_place)

    def content(self, record: Record) -> tuple[object, ...]:
        """The two texts, whichever stands first: a pair in the other order is the same pair."""
        return tuple(sorted(map(str, record.content), key=str.casefold))

    def stratum(self, record: Record) -> Label:
        """The class; scores are none."""
        return None if isinstance(record.label, float) else record.label

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """One question with two reads, one at the extract token of each order; the head adds the states.

        Worked example, with one word a token: ``{"sentence1": "he sings", "sentence2": "a song", "score": 3.5}`` gives::

            ids     start  he  sings  delimiter  a  song  extract
            score   read 6, question 0 → 3.5
            lm      read 0 … 5, questions 0 … 5
            ids     start  a  song  delimiter  he  sings  extract
            score   read 6, question 0 (the same question; its target stands above)
            lm      read 0 … 5, questions 6 … 11

        A bidirectional backbone, whose two texts see each other, reads one order (Devlin et al. 2018). A bi-encoder reads
        each text by itself, both for the one question.
        """
        first, second = parts.texts
        if frame.full or frame.settings.apart:
            return frame.question(record, frame.pair(first, second))
        return frame.question(record, [frame.sequence([first], second), frame.sequence([second], first)])
