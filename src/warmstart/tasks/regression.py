"""One text or a pair in one order, one score: ``[start] text [extract]`` or ``[start] a [delimiter] b [extract]``."""

from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.framing import Frame, Parts


def regression(record: Record, parts: Parts, frame: Frame) -> list[Example]:
    """The score is read at the extract token.

    Worked example, with one word a token: ``{"text": "a fine film", "score": 4.5}`` gives::

        ids     start  a  fine  film  extract
        score   read 4 → 4.5
        lm      read 0 1 2 3 → a fine film extract
    """
    first, *second = parts.texts
    return frame.ask(record, [frame.sequence([first], *second)])
