"""Soft labels: a teacher's probabilities of the classes, learned beside the labels (Hinton et al. 2015; Liu et al. 2019b).

They stand in a column of the training rows, as ``predict`` writes them: label name → probability, or one for each label in
the order of the names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.build.labelled_data import LabelledData
from warmstart.example.example import SOFT, Example
from warmstart.example.record import Record
from warmstart.tasks.kind import TrainingData
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of

TOLERANCE = 1e-3
"""How far probabilities may be from 1 together: files have few digits."""


def with_soft_labels(training: TrainingData, data: LabelledData, spec: TaskSpec, column: str | None) -> TrainingData:
    """What is read of the training Records, with a goal for the soft labels in ``column``; as it is without a column.

    Raises:
        BadInput: the task has no classes or is read in windows, or a row has no such probabilities.
    """
    if column is None:
        return training
    answer = answer_of(spec)
    if not answer.has_classes or training.redraw is not None or len(training.items) != len(data.train):
        raise BadInput(
            "soft labels are for tasks with one class for each example", where="--soft-labels", value=spec.kind,
            allowed="classification, entailment, similarity with labels; without --long-text windows",
            next_step="leave it out",
        )  # fmt: skip
    items = [
        _with_goal(item, answer.goal, _probabilities(record, spec.label_names, column))
        for item, record in zip(training.items, data.train, strict=True)
    ]
    return training._replace(items=items)


def _with_goal(item: Sequence[Example], goal: str, shares: Floats) -> list[Example]:
    """The Examples of a Record, whose question is asked once more, of the same head."""
    found = []
    for example in item:
        own = example.goals[goal]
        targets = np.repeat(shares[None], len(own.targets), 0)
        soft = replace(own, targets=targets, head=goal, answer=SOFT)
        found.append(replace(example, goals={**example.goals, SOFT: soft}))
    return found


def _probabilities(record: Record, names: Sequence[str], column: str) -> Floats:
    """[C] the probabilities in a row.

    Raises:
        BadInput: there are none, of other classes, or they do not sum to one.
    """
    where = f"{record.where}, key {column!r}"
    value: Any = record.extra.get(column)
    if isinstance(value, Mapping) and {*value} == {*names}:
        value = [value[name] for name in names]
    allowed = f"a probability for each of {', '.join(names)}"
    if not isinstance(value, list | tuple) or len(value) != len(names):
        raise BadInput(
            "no soft labels of these classes", where=where, value=value, allowed=allowed,
            next_step="write them with warmstart predict, by a run with the same labels",
        )  # fmt: skip
    try:
        shares = np.array(value, np.float32)
    except (TypeError, ValueError):
        shares = np.full(len(names), np.nan, np.float32)
    if not (shares >= 0).all() or abs(float(shares.sum()) - 1) > TOLERANCE:
        raise BadInput(
            "soft labels that are no probabilities", where=where, value=value, allowed=f"{allowed}, 1 in all",
            next_step="correct the row",
        )  # fmt: skip
    shares /= shares.sum()
    return shares
