"""Example and Goal: one token sequence ready to be read, and the questions put to it.

Every pre-training objective and every task produces these and nothing else, so a model does not know its task.

A question may span several Examples (both orders of a similarity pair, one Example per choice). The Examples of one Record
travel together as a list; a goal numbers its questions within that Record, and the target of a question stands in the
first Example that reads for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats, Ints, count_up, shared_ones, shared_zeros

LM, NEXT_VECTOR = "lm", "next_vector"
"""The goals that predict what comes next: a token, or a vector where the model reads vectors."""
SOURCE_LM, TARGET_LM = "source_lm", "target_lm"
"""The same of texts of one side alone, beside pairs of source and target."""
LM_TEXT = "lm_text"
"""The same of raw text beside tasks."""
SOFT = "soft"
"""The goal that learns a teacher's probabilities, of the task's own head; and the kind of its answers."""
SEVERAL = "several"
"""The kind of answers that several reads of a question share."""
PAIRS = "label_pairs"
"""The goal that learns which texts have the same label, from their vectors."""
NEXT_GOALS = (LM, NEXT_VECTOR, SOURCE_LM, TARGET_LM, LM_TEXT)


def next_goal(ids: NDArray[Any]) -> str:
    """The name of the goal that predicts what comes next in ``ids``: [T] ids, or [T, E] vectors."""
    return LM if ids.ndim == 1 else NEXT_VECTOR


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """Questions to one head.

    Attributes:
        reads: [M] positions in the Example whose state the head reads.
        question: [M] the number, within the Record, of the question that each read belongs to.
        targets: [Q] class numbers or token ids (int64), scores (float32), or [Q, K] marks (multi-label), probabilities or
            vectors (float32), of the questions that this Example owns; the questions an Example owns are consecutive.
        weights: [Q] how much each owned question counts in the loss; 0 where the answer is unknown.
        head: the head that answers; empty: the one of the goal's own name.
        answer: what the targets are, one of the kinds that the head learns from (e.g. ``soft``: ``targets`` [Q, C] are
            probabilities); empty: what the head usually learns from.
        shares: [M, S] of each read the probability that a teacher gives it among those of its question, S times; ``None``
            where there is no teacher, or its answer is no read.
        text: [M] which of two texts each read stands in, 0 or 1; ``None`` where the head does not ask.
    """

    reads: Ints
    question: Ints
    targets: NDArray[Any]
    weights: Floats
    head: str = ""
    answer: str = ""
    shares: Floats | None = None
    text: Ints | None = None

    def __post_init__(self) -> None:
        if self.reads.shape != self.question.shape or self.reads.ndim != 1:
            raise ValueError(f"reads {self.reads.shape} and question {self.question.shape} must be equal and flat")
        if len(self.targets) != len(self.weights):
            raise ValueError(f"{len(self.targets)} targets but {len(self.weights)} weights")
        if self.shares is not None and len(self.shares) != len(self.reads):
            raise ValueError(f"{len(self.shares)} shares but {len(self.reads)} reads")

    def reads_within(self, length: int) -> bool:
        """Whether all reads are places of a sequence of this length."""
        if len(self.reads) < 2:  # of thousands of short texts: numpy's extremes of one number take longer than all else
            return all(0 <= read < length for read in self.reads.tolist())
        return bool(0 <= self.reads.min() <= self.reads.max() < length)

    @staticmethod
    def each(reads: Ints, targets: NDArray[Any], weights: Floats | None = None) -> "Goal":
        """One question per read, e.g. the next token at every position."""
        if weights is None:
            weights = shared_ones(len(reads))
        return Goal(reads, count_up(len(reads)), targets, weights)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One token sequence: what is read, in which order, and the goals.

    Attributes:
        ids: [T] token ids, or [T, E] float32 vectors where there is no vocabulary (the rows of an image).
        turns: [T] who sees whom (:mod:`warmstart.example.sight`).
        positions: [T] rows of the position table.
        goals: name → Goal.
        segments: [T] rows of the segment table (BERT's first and second text); ``None`` where all are 0.
        carry_in: the row of carried states (:mod:`warmstart.streams.carry`) that this sequence begins from; -1: from none.
        carry_out: the row that takes the state after this sequence, for the next step; -1: none.
        branches: [T] which of several continuations of one beginning (0) each token is of; ``None`` where all are 0.
    """

    ids: NDArray[Any]
    turns: Ints
    positions: Ints
    goals: dict[str, Goal]
    segments: Ints | None = None
    carry_in: int = -1
    carry_out: int = -1
    branches: Ints | None = None

    def __post_init__(self) -> None:
        if self.segments is not None and len(self.segments) != len(self.ids):
            raise ValueError(f"ids and segments differ in length: {len(self.ids)}, {len(self.segments)}")
        if not len(self.ids) == len(self.turns) == len(self.positions):
            raise ValueError(
                f"ids, turns and positions differ in length: {len(self.ids)}, {len(self.turns)}, {len(self.positions)}"
            )
        if len(self.ids) == 0:
            raise ValueError("an Example holds at least one token")
        if self.branches is not None and len(self.branches) != len(self.ids):
            raise ValueError(f"ids and branches differ in length: {len(self.ids)}, {len(self.branches)}")
        for name, goal in self.goals.items():
            if not goal.reads_within(len(self.ids)):
                raise ValueError(f"goal {name!r} reads outside its {len(self.ids)} tokens")

    def __len__(self) -> int:
        return len(self.ids)

    @staticmethod
    def branching(beginning: Ints, ends: Sequence[Ints], goals: dict[str, Goal]) -> "Example":
        """Continuations of one beginning, end to end: each token sees the beginning, and what came before in its own."""
        lengths = [len(end) for end in ends]
        branches = np.repeat(np.arange(len(ends) + 1), [len(beginning), *lengths])
        ahead = [len(beginning) + np.arange(length) for length in lengths]
        places = np.concatenate([np.arange(len(beginning)), *ahead])
        return Example(np.concatenate([beginning, *ends]), places, places, goals, branches=branches)

    @staticmethod
    def left_to_right(ids: NDArray[Any], goals: dict[str, Goal]) -> "Example":
        """Turns and positions 0 1 2 …: each token sees itself and what came before."""
        count = count_up(len(ids))
        return Example(ids, count, count, goals)

    def reverse(self) -> "Example":
        """The same tokens in the opposite order; each keeps its turn and its position.

        An Example in the order of reading becomes one in the order of the text that is read from its end.
        """
        ids, turns, positions = (row[::-1].copy() for row in (self.ids, self.turns, self.positions))
        goals = {name: replace(goal, reads=len(self) - 1 - goal.reads) for name, goal in self.goals.items()}
        return Example(ids, turns, positions, goals, None if self.segments is None else self.segments[::-1].copy())

    def rename_goal(self, old: str, new: str, head: str) -> "Example":
        """The same with one goal, where it is asked, under another name, and of another head what asks the head ``old``."""
        goals = {
            new if name == old else name: replace(goal, head=head) if (goal.head or name) == old else goal
            for name, goal in self.goals.items()
        }
        return replace(self, goals=goals)

    @staticmethod
    def read_and_write(ids: NDArray[Any], first_question: int = 0) -> "Example":
        """A sequence autoencoder: reads ids w₁ … wₙ, the last of which ends them, and predicts them again.

        Dai and Le 2015, section 2, as their released code builds it: the 2n - 1 tokens w₁ … wₙ w₁ … wₙ₋₁, where the state
        after wₙ predicts w₁, and each later one the next token: n questions, numbered from ``first_question`` on.
        """
        count = len(ids)
        reads = count_up(2 * count - 1)[count - 1 :]
        goal = Goal(reads, count_up(first_question + count)[first_question:], ids, shared_ones(count))
        return Example.left_to_right(np.concatenate([ids, ids[:-1]]), {next_goal(ids): goal})

    @staticmethod
    def full_sight(ids: Ints, goals: dict[str, Goal], segments: Ints | None = None) -> "Example":
        """All turns 0: each token sees all of them."""
        return Example(ids, shared_zeros(len(ids)), count_up(len(ids)), goals, segments)
