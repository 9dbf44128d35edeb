"""Record: one document or one labelled example, as read from a file: named strings and a label, nothing tokenised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answers:
    """The right answers to a question: pieces of its context, by text and first character; none where it holds no answer."""

    texts: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be generated: a text, or its sub-words where these are given; ``spans`` numbers blocks of sub-words."""

    text: str = ""
    pieces: tuple[str, ...] | None = None
    spans: tuple[int, ...] | None = None


Label = int | float | tuple[int, ...] | Answers | Target | None


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled example.

    Attributes:
        texts: the named strings that a frame reads, e.g. ``{"premise": …, "hypothesis": …}``; choices and the words of a
            sentence are a tuple.
        label: class number, score, tuple of class numbers (multi-label; tagging: one per word), index of the right
            choice, :class:`Answers`, :class:`Target`, or ``None``.
        extra: the row's other columns, carried through to the predictions untouched.
        where: file and line, for messages.
    """

    texts: Mapping[str, str | tuple[str, ...]]
    label: Label = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
