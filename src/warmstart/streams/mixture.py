"""Mixtures: which task each step of a training is of, and which batch of it, as a function of (seed, step).

Each batch is of one task (Liu et al. 2019, algorithm 1). An epoch has a fixed number of steps. How many of them each task
has follows from the sizes of all; in which order they come follows from (seed, epoch). Number i of a task's steps reads
batch i of the task's own stream, so the cursor of the whole is one integer, the step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints
from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.example.batch import Batch
from warmstart.streams.order import permute
from warmstart.streams.settings import MixtureSettings
from warmstart.streams.stream import Stream, StreamPart

Weights = NDArray[np.float64]
LAST_POWER = 0.2  # of sizes, in the last epoch of an annealed mixture


class Place(NamedTuple):
    """A task by its number, and the number of one of its batches."""

    task: int
    batch: int


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """The order of tasks.

    Attributes:
        counts: [E, T] how many steps each task has in each epoch, each row with one sum; later epochs are as the last.
        seed: names the order.
        last: the task whose steps come last in each epoch, in their own order; ``None``: all are shuffled.
    """

    counts: Ints
    seed: int
    last: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Of every epoch."""
        return int(self.counts[0].sum())

    def locate(self, step: int) -> Place:
        """The task that ``step`` is of, and its batch."""
        epoch, inside = divmod(step, self.steps_per_epoch)
        shuffled = self.counts[min(epoch, len(self.counts) - 1)].copy()
        if self.last is not None:
            shuffled[self.last] = 0
        count = int(shuffled.sum())
        if self.last is not None and inside >= count:
            return Place(self.last, self._before(epoch, self.last) + inside - count)
        number = int(permute(np.array([inside]), count, self.seed, "tasks", epoch)[0])
        stops = np.cumsum(shuffled)
        task = int(np.searchsorted(stops, number, side="right"))
        return Place(task, self._before(epoch, task) + number - int(stops[task] - shuffled[task]))

    def _before(self, epoch: int, task: int) -> int:
        """How many steps a task has had before an epoch."""
        known = min(epoch, len(self.counts))
        return int(self.counts[:known, task].sum() + (epoch - known) * self.counts[-1, task])

    def shares(self) -> Weights:
        """[T] the share of all steps that each task has."""
        found: Weights = self.counts.sum(0) / self.counts.sum()
        return found


@dataclass(frozen=True, slots=True)
class MixedStream:
    """Batches of several tasks, one task a step.

    Attributes:
        streams: of each task.
        mixture: which comes when.
    """

    streams: tuple[Stream, ...]
    mixture: Mixture

    @property
    def steps_per_epoch(self) -> int:
        """Of all tasks together."""
        return self.mixture.steps_per_epoch

    @property
    def parts(self) -> tuple[StreamPart, ...]:
        """Each task's stream with its share of the steps."""
        shares = self.mixture.shares().tolist()
        return tuple(StreamPart(share, stream) for share, stream in zip(shares, self.streams, strict=True))

    def batches(self, step: int, rank: int = 0, world: int = 1) -> list[Batch]:
        """The micro-batches of ``step`` for one rank."""
        place = self.mixture.locate(step)
        return self.streams[place.task].batches(place.batch, rank, world)

    def with_max_tokens(self, max_tokens: int) -> "MixedStream":
        """The same steps, split into micro-batches of at most so many tokens."""
        return replace(self, streams=tuple(stream.with_max_tokens(max_tokens) for stream in self.streams))

    def describe(self, step: int) -> str:
        """What ``step`` reads of its task, which is counted from 1."""
        place = self.mixture.locate(step)
        return f"{self.streams[place.task].describe(place.batch)} of task {place.task + 1}"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the parts of tasks follow from: their names and their own steps [T] an epoch, and how far the run is, 0 to 1."""

    settings: MixtureSettings
    names: Sequence[str]
    sizes: Weights
    progress: float

    @property
    def main(self) -> int:
        """The number of the main task."""
        if self.settings.main is None:
            raise BadInput(
                "no main task", where="--main-task", allowed=", ".join(self.names), next_step="add --main-task NAME"
            )
        if self.settings.main not in self.names:
            raise unknown_name_error("main task", self.settings.main, self.names, "--main-task")
        return self.names.index(self.settings.main)


def _annealed(plan: _Plan) -> Weights:
    powers: Weights = plan.sizes ** (1 - (1 - LAST_POWER) * plan.progress)
    return powers


def _by_ratio(plan: _Plan) -> Weights:
    """The main task's own steps, and R times as many of the others, or all of these where they have fewer."""
    main, rest = plan.main, float(plan.sizes.sum() - plan.sizes[plan.main])
    wanted = min(rest, plan.settings.ratio * plan.sizes[main])
    found: Weights = plan.sizes * (wanted / max(rest, 1.0))
    found[main] = plan.sizes[main]
    return found


def _by_shares(plan: _Plan) -> Weights:
    given: dict[str, float] = {}
    for text in plan.settings.shares:
        name, _, part = text.partition("=")
        if name not in plan.names:
            raise unknown_name_error("task with a share of the steps", name, plan.names, "--mixture-shares")
        given[name] = _part(text, part)
    if missing := [name for name in plan.names if name not in given]:
        raise BadInput(
            "tasks without a share of the steps", where="--mixture-shares", value=", ".join(missing),
            allowed="NAME=PART for each task", next_step=f"add {missing[0]}=1, or leave the task out",
        )  # fmt: skip
    return np.array([given[name] for name in plan.names])


def _part(text: str, part: str) -> float:
    try:
        found = float(part)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise BadInput("not a task with its part", where="--mixture-shares", value=text, allowed="NAME=PART, PART > 0")
    return found


MIXTURES: dict[str, Callable[[_Plan], Weights]] = {
    "size": lambda plan: plan.sizes,
    "temperature": lambda plan: plan.sizes ** (1 / plan.settings.temperature),
    "annealed": _annealed,
    "shares": _by_shares,
    "ratio": _by_ratio,
}
"""Kind of mixture → how much of an epoch each task has, in any unit."""


def plan_mixture(sizes: Mapping[str, int], settings: MixtureSettings, seed: int, epochs: int = 1) -> Mixture:
    """The mixture of some tasks.

    Args:
        sizes: task → steps of its own epoch.
        settings: how they are mixed.
        seed: names the order.
        epochs: of the run.

    Raises:
        BadInput: a share of no task, a task without one, a main task that is missing or unknown, or what is not used.
    """
    _check_used(settings)
    own = np.array([*sizes.values()], np.float64)
    plans = [_Plan(settings, [*sizes], own, epoch / max(1, epochs - 1)) for epoch in range(epochs)]
    weights = [MIXTURES[settings.kind](plan) for plan in plans]
    total = round(float(weights[0].sum())) if settings.kind == "ratio" else int(own.sum())
    counts = np.stack([divide_steps(each, total) for each in weights])
    return Mixture(counts, seed, plans[0].main if settings.main_last else None)


def _check_used(settings: MixtureSettings) -> None:
    """Refuses settings that would change nothing."""
    if settings.shares and settings.kind != "shares":
        raise BadInput(
            "shares that are not used", where="--mixture-shares", value=", ".join(settings.shares),
            allowed="with --mixture shares", next_step="add --mixture shares, or leave them out",
        )  # fmt: skip
    if settings.main is not None and settings.kind != "ratio" and not settings.main_last:
        raise BadInput(
            "a main task that nothing is said of", where="--main-task", value=settings.main,
            allowed="with --mixture ratio or --main-last", next_step="add one of them, or leave it out",
        )  # fmt: skip


def divide_steps(weights: Weights, total: int) -> Ints:
    """[T] whole numbers with the sum ``total`` in proportion to ``weights``: one each, then by largest remainders."""
    total = max(total, len(weights))
    wanted = weights / weights.sum() * total
    found: Ints = np.maximum(1, np.floor(wanted)).astype(np.int64)
    while (missing := total - int(found.sum())) != 0:
        step = 1 if missing > 0 else -1
        able = found > 1 if step < 0 else np.ones(len(found), bool)
        gaps = np.where(able, (wanted - found) * step, -np.inf)
        found[int(np.argmax(gaps))] += step
    return found
