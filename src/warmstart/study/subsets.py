"""Fewer labels: nested subsets of the training examples, drawn anew for each seed, each class in proportion.

A trial sees no label but its own: its dev comes from its subset, as that of any fine-tuning does (none of fewer than 200
examples), and all trials are tested on the same examples.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.base.overflow import select
from warmstart.base.seeds import generator
from warmstart.build.labelled_data import LabelledData, divide_rows
from warmstart.config.task_recipe import TaskRecipe
from warmstart.example.record import Label, Record
from warmstart.tasks.dataset import TaskSet
from warmstart.tasks.table import KINDS

SIZE = re.compile(r"([0-9]*\.?[0-9]+)(%?)")


@dataclass(frozen=True, slots=True)
class Size:
    """How many examples: so many of each class, or a share of them all.

    Attributes:
        text: as it was asked for.
        count: of each class; 0 where a share is asked for.
        share: of each class.
    """

    text: str
    count: int
    share: float

    @staticmethod
    def parse(text: str) -> "Size":
        """``8`` or ``10%``.

        Raises:
            BadInput: neither, nothing, or more than all.
        """
        match = SIZE.fullmatch(text.strip())
        number = float(match[1]) if match else 0.0
        is_share = match is not None and match[2] == "%"
        if not 0 < number <= (100 if is_share else math.inf) or not (is_share or number.is_integer()):
            raise BadInput(
                "not a number of examples", where="--sizes", value=text, allowed="a whole number, or a share up to 100%",
                next_step="write for example --sizes 8,32,128 or --sizes 1%,10%,100%",
            )  # fmt: skip
        return Size(text.strip(), 0 if is_share else int(number), number / 100 if is_share else 0.0)

    def of(self, count: int) -> int:
        """How many of ``count`` examples: one at least, and all at most."""
        return min(count, self.count or max(1, round(self.share * count)))


def with_test(data: LabelledData) -> LabelledData:
    """The data with a part that no trial learns from: its test or, without one, its dev.

    Raises:
        BadInput: there is neither.
    """
    if data.test is None and data.dev_is_train:
        raise BadInput(
            "nothing to compare trials on", where="--test", allowed="labelled examples that no trial learns from",
            next_step="add --test FILE",
        )  # fmt: skip
    return data if data.test is not None else replace(data, test=data.dev)


def check_sizes(data: LabelledData, sizes: Sequence[Size]) -> None:
    """Refuses a number of examples that no class has.

    Raises:
        BadInput: the first such size.
    """
    most = max(map(len, _classes(data, range(len(data.train))).values()))
    for size in sizes:
        if size.count > most:
            raise BadInput(
                "more examples than there are", where="--sizes", value=size.text, allowed=f"up to {most:,}, or 100%",
                next_step="leave it out, or write 100% for all",
            )  # fmt: skip


def subset(data: LabelledData, task: TaskRecipe, size: Size, seed: int) -> LabelledData:
    """The first examples of each class in an order that the seed draws: a larger subset of one seed holds a smaller one."""
    order = generator(seed, "subset").permutation(len(data.train))
    classes = _classes(data, order.tolist())
    chosen = sorted(number for members in classes.values() for number in members[: size.of(len(members))])
    return _divided(data, task, select(data.train, np.array(chosen)), seed)


def _classes(data: LabelledData, numbers: Iterable[int]) -> dict[Label, list[int]]:
    """The numbers of the training examples of each class, in the given order; of scores and tags all are of one."""
    kind, classes = KINDS[data.kind], dict[Label, list[int]]()
    for number in numbers:
        classes.setdefault(kind.stratum(data.train[number]) if data.label_names else None, []).append(number)
    return classes


def _divided(data: LabelledData, task: TaskRecipe, records: Sequence[Record], seed: int) -> LabelledData:
    rows = TaskSet(data.kind, records, data.label_names, label_values=data.label_values)
    found = divide_rows(task.model_copy(update={"train_frac": 1.0}), seed, rows, None, labels=data.open_labels)
    return replace(found, test=data.test, metric=data.metric, name=data.name, label_names=data.label_names)
