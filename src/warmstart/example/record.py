"""Record: one document or one labelled example, as read from a file: named strings and a label, nothing tokenised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Label = int | float | tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled example.

    Attributes:
        texts: the named strings that a frame reads, e.g. ``{"premise": …, "hypothesis": …}``; choices are a tuple.
        label: class number, score, tuple of class numbers (multi-label), index of the right choice, or ``None``.
        extra: the row's other columns, carried through to the predictions untouched.
        where: file and line, for messages.
    """

    texts: Mapping[str, str | tuple[str, ...]]
    label: Label = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
