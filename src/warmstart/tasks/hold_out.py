"""A share of the examples set aside: for dev where there is no file, or for a run on fewer labels."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from warmstart.base.arrays import Ints
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
    members_of, first = _groups(kind, records)
    classes: dict[Label, list[int]] = {}
    for group, number in enumerate(first.tolist()):
        classes.setdefault(kind.stratum(records[number]), []).append(group)
    is_aside = np.zeros(len(records), bool)
    owed = 0.0  # what earlier classes rounded away is made up by later ones, so that small classes count too
    for label, found in classes.items():
        owed += share * sum(len(members_of(group)) for group in found)
        for place in generator(seed, "set aside", name, label).permutation(len(found)):
            if owed < 0.5:
                break
            members = members_of(found[place])
            is_aside[members] = True
            owed -= len(members)
    if is_aside.all() or not is_aside.any():
        raise BadInput(
            f"too few examples to set {share:g} of them aside", where=records[0].where, value=len(records),
            allowed="enough for at least one on either side", next_step="give a file of its own or another share",
        )  # fmt: skip
    return select(records, np.flatnonzero(~is_aside)), select(records, np.flatnonzero(is_aside))


def _groups(kind: TaskKind, records: Sequence[Record]) -> tuple[Callable[[int], Ints], Ints]:
    """The numbers of the Records of each content, and of the first of each; contents are in the order of the first."""
    digests = np.fromiter((content_digest(kind.content(record)) for record in records), np.int64, len(records))
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    order = np.argsort(first)
    members = np.argsort(np.argsort(order)[group], kind="stable")
    stops = np.cumsum(np.bincount(group)[order])
    return lambda number: members[stops[number - 1] if number else 0 : stops[number]], first[order]


def content_digest(content: tuple[object, ...]) -> int:
    """64 bits that equal contents have in common, in every process; an image is told by its own digest."""
    said = repr(tuple(str(part) if isinstance(part, Pixels) else part for part in content))
    digest = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
