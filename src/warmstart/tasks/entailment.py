"""Two texts in one order, one class: ``[start] premise [delimiter] hypothesis [extract]`` (GPT-1, Figure 1, second row)."""

from collections.abc import Sequence

from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.answer import Answer
from warmstart.tasks.classification import CLASS
from warmstart.tasks.columns import TWO_TEXTS
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Parts


class Entailment(TaskKind):
    """Two texts in one order, one class."""

    name = "entailment"
    text_columns = TWO_TEXTS
    label_columns = ("label",)
    reads_backward = sums_readings = reads_every_token = True
    reads_windows = True

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
        premise, hypothesis = parts.texts
        return frame.question(record, [frame.sequence([premise], hypothesis)])
