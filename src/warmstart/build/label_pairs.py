"""SetFit's way with few labels (Tunstall et al. 2022): vectors from pairs of texts, and a head that is fitted to them.

In each epoch every text meets one of its own class and one of another; which follows from (seed, epoch, number). What is
learned is that the first cosine is 1 and the second 0. The head learns nothing meanwhile: it is fitted to the vectors before
each evaluation and at the end (:mod:`warmstart.train.probe`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from warmstart.base.arrays import Ints, shared_zeros
from warmstart.base.errors import BadInput
from warmstart.example.example import PAIRS, Example, Goal
from warmstart.example.record import Record
from warmstart.tasks.answer import Answer
from warmstart.tasks.framed_items import TrainingData
from warmstart.tasks.settings import FrameSettings

EPOCHS = 20
"""How often each text meets others, unless as many steps are enough for as many examples (the paper's R, section 4)."""
TEXTS = 8
"""Texts of a step, which make twice as many pairs: the paper's 16."""


def check_label_pairs(answer: Answer, frame: FrameSettings, items: Sequence[list[Example]], convex: bool) -> None:
    """Refuses what has no pairs of labels, or no head that can be fitted.

    Raises:
        BadInput: a task without classes; a text in windows, apart or from both ends; a head with more than a linear.
    """
    one = all(len(item) == 1 and frame.reads != "rising" for item in items)
    if not (answer.has_classes and answer.reads_text and one and convex):
        raise BadInput(
            "pairs are made of texts with one label each, and the head is one linear", where="--scheme", value="setfit",
            allowed="classification, or two texts read together; without --long-text windows, --label-gain, --head-hidden "
            "and --head-norm", next_step="choose another scheme",
        )  # fmt: skip


def with_label_pairs(training: TrainingData, records: Sequence[Record], goal: str) -> TrainingData:
    """What is read of the Records in training: each text with one of its class and one of another.

    Args:
        training: the Examples of each Record, which ask ``goal``; the head is fitted to them.
        records: with their classes.
        goal: of the task.

    Raises:
        BadInput: one class alone.
    """
    labels = np.array([record.label for record in records], np.int64)
    if len(np.unique(labels)) < 2:
        raise BadInput("pairs of labels need two classes", where="--scheme", value="setfit", allowed="2 or more")
    texts = [item[0] for item in training.items]

    def redraw(number: int, draws: np.random.Generator) -> list[Example]:
        alike = labels == labels[number]
        same = np.flatnonzero(alike & (np.arange(len(labels)) != number))
        partners = [_draw(same, draws) if len(same) else number, _draw(np.flatnonzero(~alike), draws)]
        order = [number, partners[0], number, partners[1]]
        return [_asking(texts[one], goal, place // 2, place % 2 == 0) for place, one in enumerate(order)]

    return training._replace(redraw=redraw)


def _draw(numbers: Ints, draws: np.random.Generator) -> int:
    return int(numbers[draws.integers(len(numbers))])


def _asking(example: Example, goal: str, question: int, owns: bool) -> Example:
    """An Example read where its label is, for one of two questions; the first text of each owns it: 1 alike, 0 not."""
    reads = example.goals[goal].reads
    targets, weights = np.array([1.0 - question], np.float32), np.ones(1, np.float32)
    own = slice(None) if owns else slice(0)
    pairs = Goal(reads, shared_zeros(len(reads)) + question, targets[own], weights[own], answer="cosine")
    return replace(example, goals={PAIRS: pairs})
