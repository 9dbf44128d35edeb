"""What a zero-shot task is: how its file is read, and what is asked of the model. The table is in ``table.py``."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.zeroshot.outcome import Outcome
from warmstart.zeroshot.scorer import Scorer


class Item(NamedTuple):
    """One example of a task, of whatever it asks.

    Attributes:
        asked: what the task's own function made of the row.
        text: all that is read of the example, in pieces, for the overlap with a corpus.
        where: file and line.
    """

    asked: Any
    text: Iterable[str]
    where: str


class Options(NamedTuple):
    """What may be chosen of a task.

    Attributes:
        encoding: of its files.
        shots: solved examples before each question.
        shots_data: the file that they are drawn from; empty: the one that is judged.
        seed: of the draws.
        unconditional: a context without a question, against which choices are compared; ``None``: they are not.
    """

    encoding: str = "utf-8"
    shots: int = 0
    shots_data: str = ""
    seed: int = 1
    unconditional: str | None = None


OPTIONAL = ("shots", "shots_data", "unconditional", "long_text", "min_context")
"""Options of ``warmstart zeroshot`` that some tasks have no use for."""


class ZeroshotTask(Protocol):
    """A task: a file's examples, and a model's outcomes on them.

    Attributes:
        main: the metric that a curve over a pre-training is drawn of.
        text_metrics: of all texts that are written; the rows of its outcomes then have "prediction" and "references".
        uses: what it reads of the options that are not for all tasks (:data:`OPTIONAL`).
    """

    main: str
    text_metrics: tuple[str, ...]
    uses: tuple[str, ...]

    def items(self, path: str, options: Options) -> Iterator[Item]:
        """The examples of a file.

        Raises:
            BadInput: it is no file of this task.
        """
        ...

    def outcomes(self, items: Iterable[Item], scorer: Scorer, options: Options) -> Iterator[Outcome]:
        """The outcome of each example, in order."""
        ...


Reader = Callable[[str, str], Iterator[Row]]
"""Path and encoding → rows."""


def field(row: Row, name: str, task: str, kinds: type | tuple[type, ...] = str) -> Any:
    """A field of a row.

    Raises:
        BadInput: it is not there or holds something else; then the file is another task's.
    """
    found = row.fields.get(name)
    if not isinstance(found, kinds):
        missing = name not in row.fields
        raise BadInput(
            f"no field {name!r}: not a row of {task}" if missing else f"the field {name!r} does not hold what {task} has",
            where=row.where, value=", ".join(row.fields) if missing else found,
            next_step="name the task that this file belongs to: --task",
        )  # fmt: skip
    return found


def texts_field(row: Row, name: str, task: str) -> list[str]:
    """A field of a row that is a list of texts.

    Raises:
        BadInput: as :func:`field`, or it holds something else than texts.
    """
    found: list[str] = field(row, name, task, list)
    if not all(isinstance(one, str) for one in found):
        raise BadInput(
            "not texts", where=f"{row.where}, field {name!r}", value=found, allowed="a list of texts",
            next_step="correct the row",
        )  # fmt: skip
    return found


def label_field(row: Row, name: str, task: str, count: int, first: int = 0) -> int | None:
    """The number from 0 of the right one of ``count``, numbered from ``first`` on in the file.

    ``None`` where the file does not say it (-1, or no text), as test files do.

    Raises:
        BadInput: as :func:`field`, or a number that none of them has.
    """
    found = field(row, name, task, (int, str))
    if found in ("", -1, "-1"):
        return None
    number = int(found) - first if str(found).isdecimal() else -1
    return check_number(number, found, count, row, name, first)


def check_number(number: int, given: Any, count: int, row: Row, name: str, first: int = 0) -> int:
    """``number``, where it is below ``count``; the field ``name`` has it as ``given``.

    Raises:
        BadInput: it is not.
    """
    if not 0 <= number < count:
        raise BadInput(
            "no choice of this number", where=f"{row.where}, field {name!r}", value=given,
            allowed=f"{first} to {count - 1 + first}", next_step="correct the row",
        )  # fmt: skip
    return number
