"""A share of the examples set aside: for dev where there is no file, or for a run on fewer labels."""

from collections.abc import Sequence

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.example.record import Label, Record
from warmstart.tasks.kind import TaskKind


def hold_out(
    kind: TaskKind, records: Sequence[Record], share: float, seed: int, name: str = "dev"
) -> tuple[list[Record], list[Record]]:
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
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, record in enumerate(records):
        groups.setdefault(kind.content(record), []).append(number)
    classes: dict[Label, list[list[int]]] = {}
    for members in groups.values():
        classes.setdefault(kind.stratum(records[members[0]]), []).append(members)
    aside: set[int] = set()
    owed = 0.0  # what earlier classes rounded away is made up by later ones, so that small classes count too
    for label, found in classes.items():
        owed += share * sum(map(len, found))
        for place in generator(seed, "set aside", name, label).permutation(len(found)):
            if owed < 0.5:
                break
            aside.update(found[place])
            owed -= len(found[place])
    if not 0 < len(aside) < len(records):
        raise BadInput(
            f"too few examples to set {share:g} of them aside", where=records[0].where, value=len(records),
            allowed="enough for at least one on either side", next_step="give a file of its own or another share",
        )  # fmt: skip
    rest = np.setdiff1d(np.arange(len(records)), list(aside))
    return [records[i] for i in rest], [records[i] for i in sorted(aside)]
