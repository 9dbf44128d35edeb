"""Two texts in one order, one class: ``[start] premise [delimiter] hypothesis [extract]`` (GPT-1, Figure 1, second row)."""

from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.framing import Frame, Parts


def entailment(record: Record, parts: Parts, frame: Frame) -> list[Example]:
    """The class of the pair is read at the extract token.

    Worked example, with one word a token: ``{"premise": "he sings", "hypothesis": "he sleeps", "label": "no"}`` among the
    classes no, yes gives::

        ids     start  he  sings  delimiter  he  sleeps  extract
        label   read 6 → 0
        lm      read 0 1 2 3 4 5 → he sings delimiter he sleeps extract
    """
    premise, hypothesis = parts.texts
    return frame.ask(record, [frame.sequence([premise], hypothesis)])
