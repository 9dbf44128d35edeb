"""A question and a context that holds its answer: ``[start] question [delimiter] context [extract]``.

The head points at the first and the last token of the answer (Devlin et al. 2019, section 4.2). The question stands first,
so that a left-to-right backbone knows it when it reads the context. A context that does not fit is read in windows, each
``stride`` tokens after the one before; every window is a question of its own. Its reads are one for "no answer", where the
sequence is read as a whole, then the context tokens that stand for any character; the softmax of start and of end runs
across them.

A window that holds the whole answer points at it, any other at "no answer". The windows with the answer weigh 1 together,
and so do those without it: a long context does not drown the answers.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.base.errors import BadInput
from warmstart.example.example import Example, Goal
from warmstart.example.record import Answers, Record
from warmstart.tasks.framing import Cut, Frame, Parts
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.words import Speller, spell_text
from warmstart.text.clean import clean

if TYPE_CHECKING:
    from warmstart.text.tokenizer import Tokenizer


class Window(NamedTuple):
    """Context tokens ``start`` to ``stop`` of one window, and those among them that are read."""

    start: int
    stop: int
    read: Ints


def span(record: Record, parts: Parts, frame: Frame) -> list[Example]:
    """One Example per window, each with one question.

    Worked example, with one word a token: ``{"question": "who sings", "context": "today he sings", "answer": "he", "start":
    6}`` gives::

        ids     start  who  sings  delimiter  today  he  sings  extract
        span    reads 7 (no answer), 4, 5, 6; question 0 → start 2, end 2
        lm      read 0 … 6 → who sings delimiter today he sings extract
    """
    question, context = parts.texts
    seen = windows(parts, frame.spec)
    aims = [_aim(record, parts, window) for window in seen]
    weights = _weights(record, aims)
    examples: list[Example] = []
    asked = 0
    for number, (window, aim, weight) in enumerate(zip(seen, aims, weights, strict=True)):
        ids = frame.sequence([question], context[window.start : window.stop])
        reads = np.append(
            frame.summary(ids), len(question) + frame.spec.frame.specials - 1 + window.read - window.start
        )
        goal = Goal(reads, np.full(len(reads), number), np.array([aim]), np.array([weight], np.float32))
        examples.append(frame.example(ids, goal, asked))
        asked += len(ids) - 1
    return examples


def windows(parts: Parts, spec: TaskSpec) -> list[Window]:
    """The windows on a context, the first at its beginning and the last at its end; every token is in one of them."""
    assert parts.places is not None
    read = np.flatnonzero(parts.places[:, 0] >= 0)
    count, room = len(parts.texts[1]), spec.frame.context - spec.frame.specials - len(parts.texts[0])
    step = min(room, spec.span.stride)
    starts = range(0, max(1, count - room + step), step)
    return [Window(start, min(start + room, count), read[(read >= start) & (read < start + room)]) for start in starts]


def _aim(record: Record, parts: Parts, window: Window) -> tuple[int, int]:
    """Which reads of the window are the answer's first and last; both 0, "no answer", where it does not hold it whole."""
    assert parts.places is not None
    if not isinstance(record.label, Answers) or not record.label.texts:
        return 0, 0
    begin = record.label.starts[0]
    end = begin + len(record.label.texts[0])
    inside = np.flatnonzero((parts.places[:, 0] < end) & (parts.places[:, 1] > begin) & (parts.places[:, 0] >= 0))
    if len(inside) == 0 or inside[0] < window.start or inside[-1] >= window.stop:
        return 0, 0
    first, last = np.searchsorted(window.read, inside[[0, -1]]) + 1
    return int(first), int(last)


def _weights(record: Record, aims: Sequence[tuple[int, int]]) -> list[float]:
    """How much each window counts; nothing where the answer is unknown, or where no window holds it."""
    holding = sum(aim != (0, 0) for aim in aims)
    if record.label is None or (record.label != Answers() and not holding):
        return [0.0] * len(aims)
    return [1 / holding if aim != (0, 0) else 1 / (len(aims) - holding) for aim in aims]


def cut_question(record: Record, parts: Parts, frame: Frame) -> Cut:
    """Leaves a question at most half of the room; contexts are not cut but read in windows.

    Raises:
        BadInput: question and context do not fit together and ``long_text`` is ``refuse``.
    """
    question, context = parts.texts
    settings = frame.spec.frame
    room = settings.context - settings.specials
    needed = len(question) + len(context) + settings.specials
    if needed > settings.context and settings.long_text == "refuse":
        raise BadInput(
            "question and context have more tokens than the model's context holds", where=record.where, value=needed,
            allowed=f"at most {settings.context} tokens, special ones included",
            next_step="use --long-text cut, which reads long contexts in windows, or a model with a larger context",
        )  # fmt: skip
    keep = min(len(question), room // 2, settings.segment_limit or room)
    return Cut(parts.kept([keep, len(context)]), needed, len(question) - keep)


def encode_contexts(records: Sequence[Record], tokenizer: "Tokenizer", rules: Sequence[str]) -> Iterator[Parts]:
    """The ids of questions and contexts, and the characters that the tokens of the contexts stand for."""
    speller = Speller(tokenizer, rules)
    known: dict[str, tuple[Ints, Ints]] = {}
    questions = tokenizer.encode_batch([clean(str(record.texts["question"]), rules) for record in records])
    for record, question in zip(records, questions, strict=True):
        context = str(record.texts["context"])
        if context not in known:
            known[context] = spell_text(context, speller)
        ids, places = known[context]
        yield Parts((question, ids), places=places)


def some_unanswered(records: Sequence[Record]) -> bool:
    """Whether some question has no answer in its context (SQuAD 2.0)."""
    return any(record.label == Answers() for record in records)
