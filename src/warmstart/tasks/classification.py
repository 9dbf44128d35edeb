"""One text, one class: ``[start] text [extract]`` (GPT-1, Figure 1, first row)."""

from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.framing import Frame, Parts


def classification(record: Record, parts: Parts, frame: Frame) -> list[Example]:
    """The class is read at the extract token.

    Worked example, with one word a token: ``{"text": "a fine film", "label": "good"}`` among the classes bad, good gives::

        ids     start  a  fine  film  extract
        label   read 4 → 1
        lm      read 0 1 2 3 → a fine film extract
    """
    return frame.ask(record, [frame.sequence(parts.texts)])
