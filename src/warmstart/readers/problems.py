"""Rows that cannot be used: gathered to the end of their file, so that one error names all of them and not one per run.

Standard input has no end that one may wait for: who writes it may want an answer first, so the first such row is an error.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from warmstart.base.errors import BadInput
from warmstart.readers.text_io import STDIN

MAX_PROBLEMS = 1000
"""After so many the file is not read on."""
SHOWN_PLACES, SHOWN_KINDS = 3, 3

P = ParamSpec("P")
T = TypeVar("T")


class RowProblems:
    """What is wrong with the rows of one source.

    Args:
        where: the source, for the message.
    """

    def __init__(self, where: str) -> None:
        self._where, self._errors, self._num_rows = where, list[BadInput](), 0
        self._most = 1 if where == STDIN else MAX_PROBLEMS

    def attempt(self, use: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What ``use`` makes of a row; ``None`` where it refuses the row, and for every row after one that was refused.

        Raises:
            BadInput: this is refused row number :data:`MAX_PROBLEMS`, or any of standard input.
        """
        self._num_rows += 1
        try:
            result = use(*args, **kwargs)
        except BadInput as error:
            self._errors.append(error)
            if len(self._errors) >= self._most:
                self.raise_all()
            return None
        return None if self._errors else result

    def __bool__(self) -> bool:
        return bool(self._errors)

    def includes(self, error: BadInput) -> bool:
        """Whether a row was refused for the same reason."""
        return any(known.what == error.what for known in self._errors)

    def raise_all(self) -> None:
        """Raises what was gathered, if anything: a single error, or one that all rows share, as it is."""
        if not self._errors:
            return
        first, kinds = self._errors[0], list(dict.fromkeys(map(_kind, self._errors)))
        if len(self._errors) == 1 or (len(kinds) == 1 and len(self._errors) == self._num_rows):
            raise first
        described = [f"{kind} ({self._places(kind)})" for kind in kinds[:SHOWN_KINDS]]
        more = f", and {len(kinds) - SHOWN_KINDS} more kinds of fault" if len(kinds) > SHOWN_KINDS else ""
        count = f"{len(self._errors):,}{' or more' * (len(self._errors) >= MAX_PROBLEMS)}"
        raise BadInput(
            f"{count} rows cannot be used: {', '.join(described)}{more}", where=self._where, value=first.value,
            allowed=first.allowed, next_step=first.next_step,
        )  # fmt: skip

    def _places(self, kind: str) -> str:
        places = [error.where for error in self._errors if _kind(error) == kind]
        rest = len(places) - SHOWN_PLACES
        return "; ".join(places[:SHOWN_PLACES]) + (f"; and {rest:,} more" if rest > 0 else "")


def _kind(error: BadInput) -> str:
    """What is wrong, without the details in brackets."""
    return error.what.partition(" (")[0]
