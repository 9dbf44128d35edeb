"""Two texts in both orders, one class or score: the states of the two reads are added (GPT-1, Figure 1, third row)."""

from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.framing import Frame, Parts


def similarity(record: Record, parts: Parts, frame: Frame) -> list[Example]:
    """One question with two reads, one at the extract token of each order; the head adds the states.

    Worked example, with one word a token: ``{"sentence1": "he sings", "sentence2": "a song", "score": 3.5}`` gives::

        ids     start  he  sings  delimiter  a  song  extract
        score   read 6, question 0 → 3.5
        lm      read 0 … 5, questions 0 … 5
        ids     start  a  song  delimiter  he  sings  extract
        score   read 6, question 0 (the same question; its target stands above)
        lm      read 0 … 5, questions 6 … 11

    A bidirectional backbone, whose two texts see each other, reads one order (Devlin et al. 2018).
    """
    first, second = parts.texts
    if frame.full:
        return frame.ask(record, [frame.sequence([first], second)])
    return frame.ask(record, [frame.sequence([first], second), frame.sequence([second], first)])
