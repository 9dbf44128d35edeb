"""The kinds of failure, and the one sentence each of them says.

A failure that the user can mend is a :class:`BadInput`. It is raised before anything is written, and says what happened,
where, what the value was, what is allowed and what to do next. The command line turns kinds into exit codes; nothing
else does.
"""

import difflib
from collections.abc import Iterable


class WarmstartError(Exception):
    """Base of all failures that warmstart raises on purpose; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class BadInput(WarmstartError):
    """Bad usage or bad input: exit code 2, nothing written.

    Args:
        what: what is wrong, in words, without a closing full stop.
        where: file and line, option, or field.
        value: the offending value; shown shortened.
        allowed: what would have been accepted.
        next_step: what the user can do now.
    """

    exit_code = 2

    def __init__(
        self, what: str, *, where: str = "", value: object = None, allowed: str = "", next_step: str = ""
    ) -> None:
        self.what, self.where, self.value, self.allowed, self.next_step = what, where, value, allowed, next_step
        super().__init__(self.sentence())

    def with_where(self, where: str) -> "BadInput":
        """The same, said of another place."""
        return BadInput(self.what, where=where, value=self.value, allowed=self.allowed, next_step=self.next_step)

    def sentence(self) -> str:
        """All the parts that were given, as one line."""
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.value is not None:
            parts.append(f"got {shorten(self.value)}")
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.next_step:
            parts.append(self.next_step)
        sentence = "; ".join(" ".join(part.split()) for part in parts)
        return sentence if sentence.endswith(("?", "…")) else f"{sentence}."


class DivergenceError(WarmstartError):
    """The loss or the gradient stopped being finite; the weights before that step are kept."""


class TerminationError(WarmstartError):
    """SIGTERM arrived: the run was saved and can be continued with ``--resume``."""

    exit_code = 75


class InterruptError(WarmstartError):
    """Ctrl-C arrived: the run was saved and can be continued with ``--resume``."""

    exit_code = 130


def shorten(value: object, limit: int = 80) -> str:
    """``repr`` of ``value`` cut to ``limit`` characters, so that a whole document never lands in an error."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def suggest(word: str, known: Iterable[str]) -> str:
    """``'did you mean X?'`` where something known is close to ``word``, else the empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


def unknown_name_error(kind: str, word: str, known: Iterable[str], where: str = "") -> BadInput:
    """The error for a name that is not in a table: unknown preset, task, key, option."""
    names = sorted(known)
    return BadInput(
        f"unknown {kind}", where=where, value=word, allowed=", ".join(names), next_step=suggest(word, names)
    )
