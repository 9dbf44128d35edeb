"""Mixtures of tasks: which task each step is of, and which of its batches. Witness: counting whole epochs."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.base.errors import BadInput
from warmstart.example.example import Example, Goal
from warmstart.streams.mixture import MixedStream, Mixture, Place, divide_steps, plan_mixture
from warmstart.streams.settings import MixtureSettings
from warmstart.streams.sources import ListSource, RenamedSource
from warmstart.streams.stream import Stream

SIZES = {"large": 40, "middle": 10, "small": 5}


def mixture(epochs: int = 1, **asked: Any) -> Mixture:
    return plan_mixture(SIZES, MixtureSettings(**asked), seed=3, epochs=epochs)


def places(found: Mixture, epoch: int = 0) -> list[Place]:
    count = found.steps_per_epoch
    return [found.locate(step) for step in range(epoch * count, (epoch + 1) * count)]


def steps_of_each(found: Mixture, epoch: int = 0) -> list[int]:
    counts = Counter(place.task for place in places(found, epoch))
    return [counts[task] for task in range(len(SIZES))]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_by_size_every_batch_of_every_task_comes_once_an_epoch(sizes: list[int], epoch: int, seed: int) -> None:
    """Invariant, by counting; the numbers of a task's batches go on from epoch to epoch."""
    found = plan_mixture({f"task{n}": size for n, size in enumerate(sizes)}, MixtureSettings(), seed)
    wanted = {(task, epoch * size + n) for task, size in enumerate(sizes) for n in range(size)}
    assert sorted(places(found, epoch)) == sorted(wanted)


@pytest.mark.parametrize("asked", [{}, {"kind": "annealed"}, {"kind": "ratio", "main": "small", "ratio": 3.0},
                                   {"main": "middle", "main_last": True}])  # fmt: skip
def test_no_batch_of_a_task_is_left_out_or_read_twice(asked: dict[str, Any]) -> None:
    """Invariant: over a run the numbers of each task's batches are 0, 1, 2, … without a gap."""
    found = mixture(4, **asked)
    every = [place for epoch in range(5) for place in places(found, epoch)]
    for task in range(len(SIZES)):
        numbers = sorted(place.batch for place in every if place.task == task)
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, [40, 10, 5]),
        ({"kind": "temperature", "temperature": 1.0}, [40, 10, 5]),
        ({"kind": "temperature", "temperature": 2.0}, [30, 15, 10]),  # 55 by √40 : √10 : √5 = 29.7, 14.8, 10.5
        ({"kind": "temperature", "temperature": 1e9}, [19, 18, 18]),
        ({"kind": "shares", "shares": ("large=1", "small=3", "middle=1")}, [11, 11, 33]),
        ({"kind": "ratio", "main": "small", "ratio": 2.0}, [8, 2, 5]),
        ({"kind": "ratio", "main": "large", "ratio": 9.0}, [40, 10, 5]),  # no more than there are
    ],
)  # fmt: skip
def test_each_task_has_its_share(asked: dict[str, Any], wanted: list[int]) -> None:
    """Witness: the shares by hand; what is left over by rounding goes to the largest remainders."""
    assert steps_of_each(mixture(**asked)) == wanted


def test_annealed_goes_from_sizes_to_nearly_equal_parts() -> None:
    """Witness: Stickland and Murray 2019: powers 1, 0.6 and 0.2 of the sizes, in three epochs."""
    found = mixture(3, kind="annealed")
    for epoch, power in enumerate((1.0, 0.6, 0.2)):
        wanted = np.array([*SIZES.values()]) ** power
        assert np.abs(np.array(steps_of_each(found, epoch)) - 55 * wanted / wanted.sum()).max() <= 1
    assert steps_of_each(found, 7) == steps_of_each(found, 2)


def test_the_main_task_comes_last() -> None:
    """Invariant: all others before it, in an order that differs from epoch to epoch."""
    found = mixture(main="large", main_last=True)
    for epoch in (0, 1):
        tasks = [place.task for place in places(found, epoch)]
        assert tasks[15:] == [0] * 40 and 0 not in tasks[:15]
    assert [p.task for p in places(found, 0)] != [p.task for p in places(found, 1)]


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8), st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_steps_are_divided_whole(weights: list[float], total: int) -> None:
    """Invariant: the sum is kept, each has one, and none is more than one step from its share, unless it has one."""
    own = np.array(weights)
    found = divide_steps(own, total)
    assert found.sum() == max(total, len(weights)) and found.min() >= 1
    if (found > 1).all():
        assert np.abs(found - own / own.sum() * found.sum()).max() < len(weights)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"kind": "shares", "shares": ("large=1", "tiny=1")}, ["tiny", "--mixture-shares", "middle"]),
        ({"kind": "shares", "shares": ("large=1",)}, ["without a share", "middle, small"]),
        ({"kind": "shares", "shares": ("large=0", "middle=1", "small=1")}, ["large=0"]),
        ({"shares": ("large=1",)}, ["not used", "--mixture shares"]),
        ({"kind": "ratio"}, ["no main task", "large, middle, small"]),
        ({"kind": "ratio", "main": "lrage"}, ["did you mean 'large'?"]),
        ({"main": "large"}, ["--main-last"]),
    ],
)
def test_impossible_mixtures_are_refused(asked: dict[str, Any], words: list[str]) -> None:
    """Witness: the sentence."""
    with pytest.raises(BadInput) as refused:
        mixture(**asked)
    assert all(word in str(refused.value) for word in words)


def test_a_step_reads_one_task_and_its_next_batch() -> None:
    """Witness: the tasks' own streams, batch by batch; goals have the names of their tasks."""

    def stream(count: int, size: int, name: str) -> Stream:
        one = Goal.each(np.zeros(1, np.int64), np.zeros(1, np.int64))
        items = [[Example.left_to_right(np.full(3, n), {"label": one, "lm": one})] for n in range(count)]
        return Stream(RenamedSource(ListSource(items), "label", name, name), size, 5)

    streams = (stream(9, 2, "a"), stream(7, 3, "b"))
    mixed = MixedStream(streams, plan_mixture({"a": 5, "b": 3}, MixtureSettings(), 1))
    assert mixed.steps_per_epoch == 8
    for step in range(16):
        place = mixed.mixture.locate(step)
        [batch], [wanted] = mixed.batches(step), streams[place.task].batches(place.batch)
        assert batch.ids.equal(wanted.ids) and {*batch.goals} == {"ab"[place.task], "lm"}
        assert batch.goals["ab"[place.task]].head == "ab"[place.task]
