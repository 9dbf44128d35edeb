"""What answers Records: a model, several that answer together, or a model that generates. One interface for all."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.tasks.answer import RawOutput
from warmstart.tasks.parts import Account
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary

Advance = Callable[[float], None]


def no_progress(records: float) -> None:
    """Nobody looks on."""


class Member(NamedTuple):
    """A model with its vocabulary and the task as it knows it."""

    model: Model
    vocabulary: Vocabulary
    spec: TaskSpec


class EvaluationRecords(NamedTuple):
    """The Records whose outputs are evaluated, how many there are in all, and metrics that need no outputs."""

    records: Iterable[Record]
    num_records: int | None
    metrics: dict[str, float]


class Predictor(Protocol):
    """A model, or several, ready to answer Records of one task.

    Attributes:
        spec: the task.
        vocabulary: of the model (of several, the first).
        account: of the Records read so far.
        advance: is told how many Records more are answered (parts of one, too), while :meth:`outputs` runs.
    """

    spec: TaskSpec
    vocabulary: Vocabulary
    account: Account
    advance: Advance

    def outputs(self, records: Iterable[Record]) -> Iterator[RawOutput]:
        """One output per Record, in input order, as they come; memory does not grow with the Records.

        Raises:
            BadInput: from the Records' source, or a text too long where ``long_text`` is ``refuse``.
            DivergenceError: an output is not a finite number.
        """
        ...

    def begin_evaluation(self, records: Iterable[Record], metrics: tuple[str, ...], limit: int) -> EvaluationRecords:
        """What of the Records is answered to be evaluated.

        Args:
            records: all labelled.
            metrics: names; empty for those of the task.
            limit: answer only so many of the Records, spread evenly, where answers are slow; 0: all.
        """
        ...
