"""The errors that warmstart raises, each with a message of one sentence.

An error that the user can correct is a :class:`BadInput`. Whoever raises it has written nothing yet. Its message says what
is wrong, where, the value, what is allowed and what to do next. Only the command line turns errors into exit codes.
"""

import re
from collections.abc import Iterable


class WarmstartError(Exception):
    """Base class; the command line ends with ``exit_code``."""

    exit_code = 1


class BadInput(WarmstartError):
    """Bad usage or bad input: exit code 2, nothing written.

    Args:
        what: what is wrong, without a full stop at the end.
        where: file and line, option, or field.
        value: the wrong value; the message shortens it.
        allowed: what is accepted.
        next_step: what the user can do.
        limit: characters of the value that the message shows.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        value: object = None,
        allowed: str = "",
        next_step: str = "",
        limit: int = 80,
    ) -> None:
        self.what, self.where, self.value, self.allowed, self.next_step = what, where, value, allowed, next_step
        self.limit = limit
        super().__init__(self.sentence())

    def with_where(self, where: str) -> "BadInput":
        """The same error at another place."""
        return BadInput(
            self.what, where=where, value=self.value, allowed=self.allowed, next_step=self.next_step, limit=self.limit
        )

    def sentence(self) -> str:
        """The message: all parts that are there, in one line."""
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.value is not None:
            parts.append(f"got {shorten(self.value, self.limit)}")
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.next_step:
            parts.append(self.next_step)
        sentence = "; ".join(" ".join(part.split()) for part in parts)
        return sentence if sentence.endswith(("?", "…")) else f"{sentence}."


class DiskFull(BadInput):
    """The disk is full while something is written: exit code 1; what stood there before is whole."""

    exit_code = 1


class DivergenceError(WarmstartError):
    """The loss or the gradient is no longer finite; the weights are those from before this step."""


class TerminationError(WarmstartError):
    """SIGTERM arrived: the run is saved, and ``--resume`` continues it."""

    exit_code = 75


class InterruptError(WarmstartError):
    """Ctrl-C arrived: the run is saved, and ``--resume`` continues it."""

    exit_code = 130


def shorten(value: object, limit: int = 80) -> str:
    """``repr`` of ``value``, at most ``limit`` characters of it: a message never holds a whole document."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def suggest(word: str, names: Iterable[str]) -> str:
    """``'did you mean X?'`` where one of ``names`` is near ``word`` (:func:`nearest_name`), else the empty string."""
    found = nearest_name(word, names)
    return f"did you mean {found!r}?" if found else ""


def nearest_name(word: str, names: Iterable[str]) -> str | None:
    """The name that ``word`` is most likely a slip of, or ``None``: a wrong suggestion costs more than none.

    Near is, case and dashes apart: one slip (a letter too many, too few, another, or two in each other's place) for each
    four letters; the same parts in another order; or a common beginning of four letters and three quarters of the shorter.
    Another number is no slip but another thing.
    Of equally near names one of the same letters, else the first.
    """
    own = _letters(word)
    letters = sorted(own)
    ranked = [
        (rank, letters != sorted(_letters(name)), place, name)
        for place, name in enumerate(names)
        if (rank := _distance(own, name)) is not None
    ]
    return min(ranked)[-1] if ranked else None


def _letters(word: str) -> str:
    return word.lower().strip("-_").replace("_", "-")


def _distance(own: str, name: str) -> float | None:
    """Slips between ``own`` and ``name``, or ``None`` where they are not near."""
    other = _letters(name)
    if own == other:
        return 0.0
    longer, shorter = max(len(own), len(other)), min(len(own), len(other))
    numbers = [re.findall(r"[0-9]+", text) for text in (own, other)]
    if longer < 3 or not shorter or (all(numbers) and numbers[0] != numbers[1]):
        return None
    slips = _slips(own, other)
    if slips <= max(1, (longer + 1) // 4):
        return float(slips)
    if sorted(re.split(r"[-. ]", own)) == sorted(re.split(r"[-. ]", other)):
        return 1.0
    common = next((i for i in range(shorter) if own[i] != other[i]), shorter)
    return float(slips) if common >= max(4, 0.75 * shorter) else None


def _slips(own: str, other: str) -> int:
    """How many letters are added, left out, changed or swapped with their neighbour (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(own, start=1):
        row = [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and own[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def unknown_name_error(kind: str, word: str, names: Iterable[str], where: str = "") -> BadInput:
    """The error for a ``word`` that is none of ``names``, such as an unknown preset, task, key or option."""
    names = sorted(names)
    return BadInput(
        f"unknown {kind}", where=where, value=word, allowed=", ".join(names), next_step=suggest(word, names)
    )
