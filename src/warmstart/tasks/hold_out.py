"""A share of the examples set aside: for dev where there is no file, or for a run on fewer labels."""

import hashlib
from array import array
from collections.abc import Callable, Sequence

import numpy as np

from warmstart.base.arrays import Ints, Repeats, find_repeats
from warmstart.base.errors import BadInput
from warmstart.base.overflow import select
from warmstart.base.seeds import generator
from warmstart.example.record import Label, Pixels, Record
from warmstart.tasks.kind import TaskKind


def hold_out(
    kind: TaskKind, records: Sequence[Record], share: float, seed: int, name: str = "dev"
) -> tuple[Sequence[Record], Sequence[Record]]:
    """The rest, and about ``share`` of the examples, each class in proportion, both in their old order.

    Examples of the same content stay on one side, so that nothing is evaluated on what it was trained on.

    Args:
        kind: of the task.
        records: with labels.
        share: between 0 and 1.
        seed: of the drawing.
        name: of the drawing: different names are drawn independently.

    Raises:
        BadInput: there are too few examples, so that one side would be empty.
    """
    digests = np.fromiter((content_digest(kind.content(record)) for record in records), np.int64, len(records))
    repeats = find_repeats(digests)
    others_of = _others(repeats)
    is_aside = np.zeros(len(records), bool)
    owed = 0.0  # what earlier classes rounded away is made up by later ones, so that small classes count too
    for label, first in _by_class(kind, records, repeats).items():
        owed += share * (len(first) + int(np.isin(repeats.first, first).sum()))
        for place in generator(seed, "set aside", name, label).permutation(len(first)):
            if owed < 0.5:
                break
            others = others_of(first[place])
            is_aside[first[place]] = is_aside[others] = True
            owed -= 1 + len(others)
    if is_aside.all() or not is_aside.any():
        raise BadInput(
            f"too few examples to set {share:g} of them aside", where=records[0].where, value=len(records),
            allowed="enough for at least one on either side", next_step="give a file of its own or another share",
        )  # fmt: skip
    return select(records, np.flatnonzero(~is_aside)), select(records, np.flatnonzero(is_aside))


def _by_class(kind: TaskKind, records: Sequence[Record], repeats: Repeats) -> dict[Label, Ints]:
    """Class → the numbers of its Records whose content stands nowhere before them."""
    is_first = np.ones(len(records), bool)
    is_first[repeats.numbers] = False
    classes: dict[Label, array[int]] = {}
    for number, record in enumerate(records):
        if is_first[number]:
            classes.setdefault(kind.stratum(record), array("q")).append(number)
    return {label: np.asarray(numbers) for label, numbers in classes.items()}


def _others(repeats: Repeats) -> Callable[[int], Ints]:
    """Number of a Record → those of the later ones of the same content."""
    order = np.argsort(repeats.first, kind="stable")
    first, numbers = repeats.first[order], repeats.numbers[order]
    return lambda number: numbers[slice(*np.searchsorted(first, [number, number + 1]))]


def content_digest(content: tuple[object, ...]) -> int:
    """64 bits that equal contents have in common, in every process; an image is told by its own digest."""
    said = repr(tuple(str(part) if isinstance(part, Pixels) else part for part in content))
    digest = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
