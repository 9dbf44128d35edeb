"""One text, any number of labels, each a question of its own: ``[start] text [extract]``."""

from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.framing import Frame, Parts


def multilabel(record: Record, parts: Parts, frame: Frame) -> list[Example]:
    """A mark for every label is read at the extract token.

    Worked example, with one word a token: ``{"text": "a sad song", "labels": ["music", "sad"]}`` among the labels film,
    music, sad gives::

        ids     start  a  sad  song  extract
        labels  read 4 → 0 1 1
        lm      read 0 1 2 3 → a sad song extract
    """
    return frame.ask(record, [frame.sequence(parts.texts)])
