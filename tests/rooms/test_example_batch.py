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


def test_reads_and_questions_are_numbered_on() -> None:
    """Witness: brute force, one Example after the other; questions may be read in several Examples."""
    rng = np.random.default_rng(3)
    records, reads, questions, first, start = [], [], [], 0, 0
    for num_examples in rng.integers(1, 4, size=30).tolist():
        own: list[Example] = []
        owned = 0
        for _ in range(num_examples):
            length, count = int(rng.integers(1, 9)), int(rng.integers(0, 3))
            count = max(count, int(not own))  # the first Example owns a question, so that the others may read for it
            asked = np.sort(rng.integers(owned, owned + count, size=5)) if count else np.array([owned - 1])
            asked = np.unique(np.append(asked, np.arange(owned, owned + count)))
            places = rng.integers(0, length, size=len(asked))
            goals = {"a": Goal(places, asked, np.zeros(count, np.int64), np.ones(count, np.float32))}
            own.append(Example.left_to_right(np.arange(length), goals))
            reads += [start + place for place in places.tolist()]
            questions += [first + number for number in asked.tolist()]
            owned, start = owned + count, start + length
        records.append(own)
        first += owned
    found = collate(records).goals["a"]
    assert found.reads.tolist() == reads and found.question.tolist() == questions and len(found.targets) == first


@pytest.mark.parametrize("reads", [[3], [-1], [0, 3], [2, -1]])
def test_a_read_outside_of_its_sequence_is_refused(reads: list[int]) -> None:
    """Witness: the three places of a sequence of three."""
    questions = np.arange(len(reads))
    asked = Goal(np.array(reads), questions, 0 * questions, np.ones(len(reads), np.float32))
    with pytest.raises(ValueError, match="reads outside its 3 tokens"):
        Example.left_to_right(np.arange(3), {"a": asked})
    inside = Goal(np.clip(reads, 0, 2), questions, 0 * questions, np.ones(len(reads), np.float32))
    assert len(Example.left_to_right(np.arange(3), {"a": inside})) == 3
