"""Two texts in one order, one class: ``[start] premise [delimiter] hypothesis [extract]`` (GPT-1, Figure 1, second row)."""

from collections.abc import Sequence
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer
from warmstart.tasks.classification import CLASS
from warmstart.tasks.columns import TWO_TEXTS
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Parts

NO_GOLD = "-"  # the label of pairs on which the annotators could not agree


class Entailment(TaskKind):
    """Two texts in one order, one class."""

    name = "entailment"
    text_columns = TWO_TEXTS
    label_columns = ("label",)
    sights = ("causal", "full", "prefix")
    reads_backward = sums_readings = reads_every_token = pools_states = True
    reads_windows = True
    pair = "ordered"

    def find_label(self, row: Row, column: str) -> tuple[Any, tuple[str, ...]]:
        """As for all; "-" is what corpora of inference have where the annotators did not agree."""
        label, columns = super().find_label(row, column)
        if label == NO_GOLD:
            raise BadInput(
                "a pair without a gold label", where=row.place(column), value=label, allowed="a label in every row",
                next_step="leave the row out, or have all such rows left out: --bad-rows skip",
            )  # fmt: skip
        return label, columns

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A class."""
        return CLASS

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """The class of the pair is read at the extract token.

        Worked example, with one word a token: ``{"premise": "he sings", "hypothesis": "he sleeps", "label": "no"}`` among
        the classes no, yes gives::

            ids     start  he  sings  delimiter  he  sleeps  extract
            label   read 6 → 0
            lm      read 0 1 2 3 4 5 → he sings delimiter he sleeps extract
        """
        return frame.question(record, frame.pair(*parts.texts))
