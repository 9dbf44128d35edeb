"""Several models of one task that answer together: the mean of their probabilities, or of their scores.

Howard and Ruder 2018 (section 3.3) average a model that reads from the beginning and one that reads from the end; the
models may differ in everything but the task: backbone, vocabulary, direction, seed.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.evaluation.answers import RawOutput, Reading, raw_answers
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary

TOGETHER = ("label", "labels", "score", "choice")
"""Goals whose answers can be averaged: as many numbers from every model, whatever its vocabulary."""


class Member(NamedTuple):
    """A model with its vocabulary and the task as it knows it."""

    model: Model
    tokenizer: Vocabulary
    spec: TaskSpec


def check_members(members: Sequence[Member], names: Sequence[str]) -> None:
    """Refuses models that do not answer the same question.

    Raises:
        BadInput: another kind of task or other labels, or a kind whose answers cannot be averaged; ``names`` says whose.
    """
    first = members[0].spec
    if len(members) > 1 and first.goal not in TOGETHER:
        raise BadInput(
            "answers of this kind cannot be averaged", where="--run", value=first.kind,
            allowed="one run, or several for classes, choices or scores", next_step="name one run",
        )  # fmt: skip
    for member, name in zip(members[1:], names[1:], strict=True):
        if member.spec.kind != first.kind:
            raise BadInput(
                f"the runs have learned different kinds of task ({names[0]} another)", where=name,
                value=member.spec.kind, allowed=first.kind, next_step="name runs of one task",
            )  # fmt: skip
        if member.spec.label_names != first.label_names:
            raise BadInput(
                f"the runs have learned different labels ({names[0]} others)", where=name,
                value=", ".join(member.spec.label_names) or "none", allowed=", ".join(first.label_names) or "none",
                next_step="name runs of one task",
            )  # fmt: skip


def mean_answers(members: Sequence[Member], records: Iterable[Record], reading: Reading) -> Iterator[RawOutput]:
    """Each Record with what the members say together; ``reading.tell`` hears of the first member's texts.

    ``raw`` holds numbers that give the mean probabilities where those of one head give its own.
    """
    first, *others = members
    if not others:
        yield from raw_answers(*first, records, reading)
        return
    quiet, remaining = Reading(reading.max_tokens, reading.chunk), iter(records)
    while chunk := list(islice(remaining, reading.chunk)):
        answers = [raw_answers(*first, chunk, reading), *(raw_answers(*member, chunk, quiet) for member in others)]
        for said in zip(*answers, strict=True):
            yield said[0]._replace(raw=together(first.spec.goal, [each.raw for each in said]))


def together(goal: str, raws: Sequence[Floats]) -> Floats:
    """The mean score; or logits of the mean probabilities, which for marks are each by itself."""
    numbers = np.stack(raws).astype(np.float64)
    if goal == "score":
        found = numbers.mean(0)
    elif goal == "labels":
        given, not_given = (np.logaddexp.reduce(-np.logaddexp(0, sign * numbers)) for sign in (-1, 1))
        found = given - not_given
    else:
        found = np.logaddexp.reduce(numbers - np.logaddexp.reduce(numbers, 1, keepdims=True)) - np.log(len(raws))
    return np.asarray(found, np.float32)
