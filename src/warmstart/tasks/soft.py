"""Soft labels: what a teacher answers, learned beside the labels (Hinton et al. 2015; Liu et al. 2019b).

They stand in a column of the training rows, as ``predict --soft`` writes them. Each kind of answer has one form: of classes
an object of names with their probabilities, or a list in the order of the names; of several labels such an object; of a
score a number; of choices a list; of tags an object for each word; of a span one object for its start and one for its end.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.example.record import Record
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import FrameSettings

TOLERANCE = 1e-3
"""How far probabilities may be from 1 together: files have few digits."""
SMALLEST = 1e-6
"""A probability that is less is left out, where there are many."""
NEXT_STEP = "write them with warmstart predict --soft, by a run with the same labels"


class SoftLabel(NamedTuple):
    """A teacher's answer to a Record, as it is written, and what it is read with.

    Attributes:
        value: as it is written.
        where: file, line and column.
        names: of the labels.
        record: the Record.
        parts: its texts as ids, or those of one window.
        settings: how it is framed.
        options: of the kind of task.
    """

    value: Any
    where: str
    names: tuple[str, ...]
    record: Record
    parts: Parts
    settings: FrameSettings
    options: Settings

    def error(self, what: str, allowed: str, next_step: str = NEXT_STEP) -> BadInput:
        """The error that says what is wrong with the value."""
        return BadInput(what, where=self.where, value=self.value, allowed=allowed, next_step=next_step)

    def probabilities(self, values: Sequence[Any], allowed: str) -> Floats:
        """[n] float32 some values of it, which are probabilities with the sum 1.

        Raises:
            BadInput: they are none.
        """
        found = self.shares(values, allowed + ", 1 in all")
        if abs(float(found.sum()) - 1) > TOLERANCE:
            raise self.error("soft labels that are no probabilities", f"{allowed}, 1 in all", "correct the row")
        found /= found.sum()
        return found

    def shares(self, values: Sequence[Any], allowed: str) -> Floats:
        """[n] float32 some values of it, each of which is a probability.

        Raises:
            BadInput: one is none.
        """
        try:
            found = np.array(values, np.float32)
        except (TypeError, ValueError):
            found = np.full(1, np.nan, np.float32)
        if not ((found >= 0) & (found <= 1 + TOLERANCE)).all():
            raise self.error("soft labels that are no probabilities", allowed, "correct the row")
        return found

    def by_name(self) -> list[Any]:
        """What it says of each label, in the order of the names.

        Raises:
            BadInput: it is of other labels.
        """
        value = self.value
        if isinstance(value, Mapping) and {*value} == {*self.names}:
            return [value[name] for name in self.names]
        if not isinstance(value, list | tuple) or len(value) != len(self.names):
            raise self.error("no soft labels of these classes", f"a probability for each of {', '.join(self.names)}")
        return list(value)


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """[…, C] float64 probabilities along the last axis."""
    numbers = logits.astype(np.float64)
    found: NDArray[np.float64] = np.exp(numbers - np.logaddexp.reduce(numbers, -1, keepdims=True))
    return found


def mean_values(values: Sequence[Any]) -> Any:
    """The mean of the answers of several teachers, number by number; what only some of them say counts as 0 for the others.

    Where a teacher says nothing (``None``), it is the mean of those that do.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], Mapping):
        return {
            name: mean_values([one.get(name, 0.0) for one in known])
            for name in dict.fromkeys(n for v in known for n in v)
        }
    if isinstance(known[0], list):
        return [mean_values(column) for column in zip(*known, strict=True)]
    return sum(known) / len(known)
