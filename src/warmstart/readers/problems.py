"""Rows that cannot be used: gathered to the end of their file, so that one error names all of them and not one per run.

Standard input has no end that one may wait for: who writes it may want an answer first, so the first such row is an error.
Whoever asks for it has these rows left out and counted instead (:class:`SkippedRows`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, ParamSpec, TypeVar

from warmstart.base.errors import BadInput
from warmstart.readers.text_io import STDIN

MAX_PROBLEMS = 1000
"""After so many the file is not read on."""
SHOWN_PLACES, SHOWN_KINDS = 3, 3

P = ParamSpec("P")
T = TypeVar("T")


class _Fault(NamedTuple):
    """What is wrong with a row, and where it stands."""

    kind: str
    where: str


class SkippedRows:
    """The rows that were left out because they cannot be used, of any number of sources.

    Args:
        most: how many may be left out.
    """

    def __init__(self, most: int = MAX_PROBLEMS) -> None:
        self._faults, self._most = list[_Fault](), most

    def add(self, error: BadInput) -> None:
        """Leaves out one more row.

        Raises:
            BadInput: it is one too many.
        """
        if len(self._faults) == self._most:
            raise BadInput(
                f"more than {self._most:,} rows cannot be used: {_describe([*self._faults, _fault(error)])}",
                where=error.where, next_step="check that this is the file you meant, or allow more: --max-bad-rows N",
            )  # fmt: skip
        self._faults.append(_fault(error))

    @property
    def counts(self) -> dict[str, int]:
        """Kind of fault → rows that were left out for it."""
        return dict(Counter(fault.kind for fault in self._faults))

    def describe(self) -> list[str]:
        """How many rows were left out, and the first places of each kind of fault, in words; nothing where none was."""
        if not self._faults:
            return []
        count = len(self._faults)
        return [f"{count:,} row{'s' * (count > 1)} left out: {_describe(self._faults)}"]


def skipped_rows(bad_rows: str, most: int) -> SkippedRows | None:
    """Where rows that cannot be used go, as ``--bad-rows`` and ``--max-bad-rows`` have it; ``None``: nowhere."""
    return SkippedRows(most) if bad_rows == "skip" else None


class RowProblems:
    """What is wrong with the rows of one source.

    Args:
        where: the source, for the message.
        skipped: takes the rows that cannot be used; ``None``: they are refused.
    """

    def __init__(self, where: str, skipped: SkippedRows | None = None) -> None:
        self._where, self._errors, self._num_rows = where, list[BadInput](), 0
        self._skipped = skipped
        self._most = 1 if where == STDIN else MAX_PROBLEMS

    def attempt(self, use: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What ``use`` makes of a row; ``None`` where it refuses the row, and for every row after one that was refused.

        Where such rows are skipped, the rows after them are used.

        Raises:
            BadInput: this is refused row number :data:`MAX_PROBLEMS`, or any of standard input.
        """
        self._num_rows += 1
        try:
            result = use(*args, **kwargs)
        except BadInput as error:
            if self._skipped is not None:
                self._skipped.add(error)
                return None
            self._errors.append(error)
            if len(self._errors) >= self._most:
                self.raise_all()
            return None
        return None if self._errors else result

    def __bool__(self) -> bool:
        """Whether a row was refused."""
        return bool(self._errors)

    @property
    def skips(self) -> bool:
        """Whether rows that cannot be used are left out."""
        return self._skipped is not None

    def none_left(self) -> BadInput:
        """What to raise where no row is used: of a source without any, or of one whose rows were all left out."""
        left = self._skipped.describe() if self._skipped is not None else []
        if left:
            return BadInput(
                f"no examples are left: {left[0]}", where=self._where, allowed="at least one row that can be used",
                next_step="correct the rows; without --bad-rows skip the first of them is shown in full",
            )  # fmt: skip
        return BadInput(
            "no examples", where=self._where, allowed="at least one row",
            next_step="check that this is the file you meant",
        )  # fmt: skip

    def includes(self, error: BadInput) -> bool:
        """Whether a row was refused for the same reason."""
        return any(known.what == error.what for known in self._errors)

    def raise_all(self) -> None:
        """Raises what was gathered, if anything: a single error, or one that all rows share, as it is."""
        if not self._errors:
            return
        first, faults = self._errors[0], list(map(_fault, self._errors))
        if len(self._errors) == 1 or (len({fault.kind for fault in faults}) == 1 and len(faults) == self._num_rows):
            raise first
        count = f"{len(self._errors):,}{' or more' * (len(self._errors) >= MAX_PROBLEMS)}"
        raise BadInput(
            f"{count} rows cannot be used: {_describe(faults)}", where=self._where, value=first.value,
            allowed=first.allowed, next_step=first.next_step,
        )  # fmt: skip


def _fault(error: BadInput) -> _Fault:
    """The error without the details in brackets."""
    return _Fault(error.what.partition(" (")[0], error.where)


def _describe(faults: Sequence[_Fault]) -> str:
    """The kinds of fault, each with its first places."""
    places: dict[str, list[str]] = {}
    for fault in faults:
        places.setdefault(fault.kind, []).append(fault.where)
    described = [f"{kind} ({_describe_places(found)})" for kind, found in list(places.items())[:SHOWN_KINDS]]
    more = f", and {len(places) - SHOWN_KINDS} more kinds of fault" if len(places) > SHOWN_KINDS else ""
    return ", ".join(described) + more


def _describe_places(places: Sequence[str]) -> str:
    rest = len(places) - SHOWN_PLACES
    return "; ".join(places[:SHOWN_PLACES]) + (f"; and {rest:,} more" if rest > 0 else "")
