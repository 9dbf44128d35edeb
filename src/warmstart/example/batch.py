"""Batch: Examples end to end in one flat row of N tokens. No padding exists outside a kernel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.example.example import Example, Goal
from warmstart.example.sight import Pattern, pattern_of


@dataclass(frozen=True, slots=True, eq=False)
class GoalBatch:
    """One goal of a whole Batch.

    Attributes:
        reads: [M] flat indices into the N tokens.
        question: [M] which of the Q questions each read belongs to, in order: 0 … Q - 1, none left out.
        targets: [Q], [Q, K] or [Q, E].
        weights: [Q] float32.
        total_weight: sum of ``weights``, as a plain number, so that no device has to be asked.
        head: name of the head that answers.
        answer: what the targets are; empty: what the head usually learns from.
        document: [M] which of the B documents each read stands in; ``None`` where nobody asks.
        shares: [M, S] what a teacher gives each read; ``None`` where there is no teacher, or its answer is no read.
        text: [M] which of two texts each read stands in; ``None`` where nobody asks.
    """

    reads: torch.Tensor
    question: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    total_weight: float
    head: str
    answer: str = ""
    document: torch.Tensor | None = None
    shares: torch.Tensor | None = None
    text: torch.Tensor | None = None

    def to(self, device: torch.device | str) -> "GoalBatch":
        """The same goal on another device."""
        return replace(
            self,
            reads=to_device(self.reads, device),
            question=to_device(self.question, device),
            targets=to_device(self.targets, device),
            weights=to_device(self.weights, device),
            document=None if self.document is None else to_device(self.document, device),
            shares=None if self.shares is None else to_device(self.shares, device),
            text=None if self.text is None else to_device(self.text, device),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B documents in one flat row of N tokens.

    Attributes:
        ids: [N] token ids, or [N, E] float32 vectors.
        positions: [N] rows of the position table.
        turns: [N] for the law of sight; on the host always, like ``lengths``: kernels plan from them without asking the
            device.
        lengths: [B] document lengths.
        pattern: what the turns have in common.
        goals: name → its questions.
        num_records: how many Records the documents come from.
        segments: [N] rows of the segment table; ``None`` where all are 0.
        sequential_positions: whether the positions of each document are 0 1 2 …
        carry_in: [B] the row of carried states that each document begins from, or -1; ``None`` where none does.
        carry_out: [B] the row that takes the state after each document, for the next step, or -1; ``None`` where none does.
        branches: [N] for the law of sight, on the host like ``turns``; ``None`` where all are 0.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    turns: torch.Tensor
    lengths: NDArray[np.int64]
    pattern: Pattern
    goals: dict[str, GoalBatch]
    num_records: int
    segments: torch.Tensor | None = None
    sequential_positions: bool = False
    carry_in: NDArray[np.int64] | None = None
    carry_out: NDArray[np.int64] | None = None
    branches: torch.Tensor | None = None

    @property
    def num_tokens(self) -> int:
        """N."""
        return int(self.ids.shape[0])

    def in_order(self, *, full: bool = False, backward: bool = False) -> "Batch":
        """The same documents as plain texts, without goals: each token sees what came before.

        ``full``: it sees all; ``backward``: it sees what comes after.
        """
        starts = np.repeat(np.cumsum(self.lengths) - self.lengths, self.lengths)
        counted = np.arange(self.num_tokens) - starts
        turns = np.repeat(self.lengths, self.lengths) - 1 - counted if backward else counted * (not full)
        return replace(
            self, positions=to_device(torch.from_numpy(counted), self.ids.device), turns=torch.from_numpy(turns),
            pattern=pattern_of(turns, starts), goals={}, segments=None, sequential_positions=True, carry_in=None,
            carry_out=None, branches=None,
        )  # fmt: skip

    def to(self, device: torch.device | str) -> "Batch":
        """The same Batch on another device."""
        segments = None if self.segments is None else to_device(self.segments, device)
        return replace(
            self,
            ids=to_device(self.ids, device),
            positions=to_device(self.positions, device),
            goals={name: goal.to(device) for name, goal in self.goals.items()},
            segments=segments,
        )


def to_device(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """``tensor`` on another device; does not wait for that device."""
    if torch.device(device).type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def collate(records: Sequence[Sequence[Example]]) -> Batch:
    """Joins the Examples of some Records into one Batch.

    Raises:
        ValueError: a read belongs to a question that no Example of its Record owns, one goal has different heads or kinds
            of answer, or there is nothing to join.
    """
    examples = [example for record in records for example in record]
    if not examples:
        raise ValueError("a Batch needs at least one Example")
    lengths = np.array([len(e) for e in examples], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    turns, positions = (np.concatenate([getattr(e, name) for e in examples]) for name in ("turns", "positions"))
    firsts = np.repeat(starts, lengths)
    names = dict.fromkeys(name for e in examples for name in e.goals)
    branches = _optional_rows(examples, "branches")
    return Batch(
        ids=torch.from_numpy(np.concatenate([e.ids for e in examples])),
        positions=torch.from_numpy(positions),
        turns=torch.from_numpy(turns),
        lengths=lengths,
        pattern=pattern_of(turns, firsts) if branches is None else Pattern.GENERAL,
        goals={name: _join(name, records, starts) for name in names},
        num_records=len(records),
        segments=_optional_rows(examples, "segments"),
        sequential_positions=np.array_equal(positions, np.arange(len(positions)) - firsts),
        carry_in=_carry_rows([e.carry_in for e in examples]),
        carry_out=_carry_rows([e.carry_out for e in examples]),
        branches=branches,
    )


def _carry_rows(numbers: Sequence[int]) -> NDArray[np.int64] | None:
    carry_rows = np.array(numbers, np.int64)
    return carry_rows if (carry_rows >= 0).any() else None


def _optional_rows(examples: Sequence[Example], name: str) -> torch.Tensor | None:
    """[N] a field of the Examples, 0 where one has none; ``None`` where none has."""
    rows = [getattr(e, name) for e in examples]
    if all(row is None for row in rows):
        return None
    parts = [np.zeros(len(e), np.int64) if row is None else row for e, row in zip(examples, rows, strict=True)]
    return torch.from_numpy(np.concatenate(parts))


def _join(name: str, records: Sequence[Sequence[Example]], starts: NDArray[np.int64]) -> GoalBatch:
    """The goal ``name`` of all Records: reads shifted by document start, question numbers by those of earlier Records."""
    goals: list[Goal] = []
    documents: list[int] = []  # of each goal
    firsts: list[int] = []  # of each goal, the number of its Record's first question
    owned: list[int] = []  # of each goal, the questions that its Record's Examples up to this one own
    num_questions = document = 0
    for record in records:
        num_owned = 0
        for example in record:
            goal = example.goals.get(name)
            if goal is not None:
                num_owned += len(goal.targets)
                goals.append(goal)
                documents.append(document)
                firsts.append(num_questions)
                owned.append(num_owned)
            document += 1
        num_questions += num_owned
    wanted = {(goal.head or name, goal.answer) for goal in goals}
    if len(wanted) > 1:
        raise ValueError(f"the Examples of a Batch want different heads or answers for goal {name!r}: {sorted(wanted)}")
    [(head, answer)] = wanted
    counts = [len(goal.reads) for goal in goals]
    own_question = np.concatenate([goal.question for goal in goals])
    _check_owned(name, own_question, np.repeat(owned, counts))
    flat_reads = np.concatenate([goal.reads for goal in goals]) + np.repeat(starts[documents], counts)
    flat_question = own_question + np.repeat(firsts, counts)
    flat_weights = np.concatenate([goal.weights for goal in goals]).astype(np.float32)
    if not np.array_equal(np.unique(flat_question), np.arange(num_questions)) or (np.diff(flat_question) < 0).any():
        raise ValueError(f"the reads of goal {name!r} must go through its questions in order, leaving none out")
    return GoalBatch(
        reads=torch.from_numpy(flat_reads),
        question=torch.from_numpy(flat_question),
        targets=torch.from_numpy(np.concatenate([goal.targets for goal in goals])),
        weights=torch.from_numpy(flat_weights),
        total_weight=float(flat_weights.sum(dtype=np.float64)),
        head=head,
        answer=answer,
        document=torch.from_numpy(np.repeat(np.array(documents, np.int64), counts)),
        shares=_concatenate([goal.shares for goal in goals]),
        text=_concatenate([goal.text for goal in goals]),
    )


def _concatenate(parts: Sequence[NDArray[Any] | None]) -> torch.Tensor | None:
    found = [part for part in parts if part is not None]
    return torch.from_numpy(np.concatenate(found)) if found else None


def _check_owned(name: str, question: NDArray[Any], owned: NDArray[Any]) -> None:
    """Refuses reads for questions, numbered within their Record, that none of its Examples owns."""
    if (question >= owned).any():
        place = int((question >= owned).argmax())
        raise ValueError(f"goal {name!r} reads for question {question[place]}, but only {owned[place]} have a target")


def join_goals(goals: Sequence[GoalBatch]) -> GoalBatch:
    """The questions of several Batches as those of one; :attr:`~GoalBatch.reads` stay those of each Batch."""
    documents = [goal.document for goal in goals if goal.document is not None]
    firsts = count_before([len(goal.weights) for goal in goals])
    places = count_before([int(document.max()) + 1 for document in documents])
    return replace(
        goals[0],
        reads=torch.cat([goal.reads for goal in goals]),
        question=torch.cat([goal.question + first for goal, first in zip(goals, firsts, strict=True)]),
        targets=torch.cat([goal.targets for goal in goals]),
        weights=torch.cat([goal.weights for goal in goals]),
        total_weight=sum(goal.total_weight for goal in goals),
        document=torch.cat([own + first for own, first in zip(documents, places, strict=True)]) if documents else None,
    )


def count_before(counts: Sequence[int]) -> list[int]:
    """How many stand before each of several groups.

    >>> count_before([2, 3, 1])
    [0, 2, 5]
    """
    return [0, *np.cumsum(counts).tolist()][: len(counts)]
