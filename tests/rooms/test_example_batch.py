"""Goals in a Batch: which head answers, and what kind of answer it learns from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal


def goal(target: int, head: str = "", answer: str = "") -> Goal:
    return Goal(np.array([1]), np.array([0]), np.array([target]), np.ones(1, np.float32), head, answer)


def record(goals: dict[str, Goal]) -> list[Example]:
    return [Example.left_to_right(np.arange(3), goals)]


def test_a_goal_asks_the_head_of_its_name_or_another() -> None:
    """Witness: the fields as the goals name them."""
    batch = collate([record({"a": goal(0), "b": goal(1, head="a", answer="soft")}), record({"a": goal(2)})])
    assert [(g.head, g.answer) for g in batch.goals.values()] == [("a", ""), ("a", "soft")]
    assert batch.goals["a"].targets.tolist() == [0, 2] and batch.goals["a"].reads.tolist() == [1, 4]
    there = batch.to("cpu").goals["b"]
    assert (there.head, there.answer) == ("a", "soft") and torch.equal(there.targets, batch.goals["b"].targets)


@pytest.mark.parametrize("other", [{"head": "b"}, {"answer": "soft"}])
def test_one_goal_has_one_head_and_one_kind_of_answer(other: dict[str, str]) -> None:
    """Invariant: what differs within a Batch is refused, and the goal is named."""
    with pytest.raises(ValueError, match="different heads or answers for goal 'a'"):
        collate([record({"a": goal(0)}), record({"a": goal(0, **other)})])


def test_reads_go_through_their_questions() -> None:
    """Invariant: every question has a read, and every read a question with a target."""
    with pytest.raises(ValueError, match="reads for question 1, but only 1"):
        collate([record({"a": replace(goal(0), question=np.array([1]))})])
    with pytest.raises(ValueError, match="leaving none out"):
        collate([record({"a": replace(goal(0), targets=np.array([0, 1]), weights=np.ones(2, np.float32))})])
    with pytest.raises(ValueError, match="at least one Example"):
        collate([])
