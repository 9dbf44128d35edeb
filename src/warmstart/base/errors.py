"""The errors that warmstart raises, each with a message of one sentence.

An error that the user can correct is a :class:`BadInput`. Whoever raises it has written nothing yet. Its message says what
is wrong, where, the value, what is allowed and what to do next. Only the command line turns errors into exit codes.
"""

import difflib
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
    """``'did you mean X?'`` where one of ``names`` is close to ``word``, else the empty string."""
    close = difflib.get_close_matches(word, list(names), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


def unknown_name_error(kind: str, word: str, names: Iterable[str], where: str = "") -> BadInput:
    """The error for a ``word`` that is none of ``names``, such as an unknown preset, task, key or option."""
    names = sorted(names)
    return BadInput(
        f"unknown {kind}", where=where, value=word, allowed=", ".join(names), next_step=suggest(word, names)
    )
