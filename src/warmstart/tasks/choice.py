"""A context, a question and some choices: ``[start] context question [delimiter] choice [extract]`` for each choice.

GPT-1, Figure 1, last row: every choice is scored by itself and a softmax runs across them.
"""

from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.framing import Frame, Parts


def choice(record: Record, parts: Parts, frame: Frame) -> list[Example]:
    """One question with one read per choice, each at its own extract token; the target is the index of the right choice.

    Worked example, with one word a token: ``{"context": "he sings", "question": "who", "choices": ["he", "she"],
    "label": 1}`` gives::

        ids     start  he  sings  who  delimiter  he  extract
        choice  read 6, question 0 → 1
        lm      read 0 … 5, questions 0 … 5
        ids     start  he  sings  who  delimiter  she  extract
        choice  read 6, question 0 (the same question; its target stands above)
        lm      read 0 … 5, questions 6 … 11
    """
    return frame.ask(record, [frame.sequence(parts.texts, offered) for offered in parts.choices])
