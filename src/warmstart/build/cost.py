"""What a training costs on this machine: steps, tokens, memory, and the time of each of its parts.

Times are measured, in a second or two: a model of the same shapes with a layer or two, from random weights, makes real
steps and answers real Records. A further layer costs what the second of the two added. What depends on the course of a
training (an early stop, how long generated texts get) cannot be known before it.
"""

import contextlib
import resource
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from warmstart.base.console import silence
from warmstart.base.formatting import format_duration
from warmstart.models.model import Model
from warmstart.models.settings import ModelSettings
from warmstart.streams.stream import BatchStream, Stream
from warmstart.train.optimizer import Optimizer
from warmstart.train.precision import ComputeSettings, default_device
from warmstart.train.schedule import Lengths
from warmstart.train.schemes import apply_scheme
from warmstart.train.settings import SchemeSettings, TrainSettings
from warmstart.train.step import Criterion, accumulate
from warmstart.train.weights import Weights

T = TypeVar("T")

ENOUGH_S = 0.1
"""One measurement takes so much of the processor's time, which on a busy machine is a longer while, or all there is."""
PATIENCE_S = 0.4
"""But it ends after so long."""
LONG_S = 1.0
"""A first step that takes longer is not made again."""
MOST_STEPS = 16
"""Steps that are measured at most."""
SAMPLE = 512
"""Items whose tokens are counted for the mean."""


class Spent(NamedTuple):
    """Seconds that passed, and those of them that this thread had the processor."""

    wall_s: float = 0.0
    computed_s: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":  # type: ignore[override]
        return Spent(self.wall_s + other.wall_s, self.computed_s + other.computed_s)

    @property
    def is_enough(self) -> bool:
        """Whether it says what more of the same takes."""
        return self.computed_s >= ENOUGH_S or self.wall_s >= PATIENCE_S

    @property
    def growth(self) -> int:
        """How many times as much is enough, at least twice."""
        return max(2, int(ENOUGH_S / max(self.computed_s, 1e-6)))


class _Step(NamedTuple):
    """What the gradient of a step took, its update, and its tokens."""

    gradient: Spent
    update_s: float
    tokens: int


class _Clock:
    """Begins when it is made."""

    def __init__(self) -> None:
        self._began_at_s, self._computed_s = time.perf_counter(), time.thread_time()

    def read(self) -> Spent:
        """What has been spent since."""
        return Spent(time.perf_counter() - self._began_at_s, time.thread_time() - self._computed_s)


EvaluationTimes = Callable[[Model], dict[str, float]]
"""A model → seconds of one evaluation of each name; that on dev (:data:`DEV`) comes again and again, others once."""
DEV = "evaluations on dev"


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a training.

    Attributes:
        lengths: in steps.
        tokens: read in all.
        memory_bytes: of weights and activations, at most.
        seconds: part of the training → what it takes.
        compute: how it computes.
    """

    lengths: Lengths
    tokens: int
    memory_bytes: int
    seconds: Mapping[str, float]
    compute: ComputeSettings


def times_in_words(seconds: Mapping[str, float]) -> str:
    """``training 4m, evaluations on dev 1m``."""
    return ", ".join(f"{name} {format_duration(value)}" for name, value in seconds.items() if value > 0)


def total_line(seconds: Mapping[str, float], trainings: int = 1) -> str:
    """The line about the time of everything together and of each part, of so many trainings."""
    total = format_duration(sum(seconds.values()))
    several = f" for {trainings} trainings" if trainings > 1 else ""
    return f"time       about {total} on this machine{several}: {times_in_words(seconds)}"


def disk_line(num_bytes: int) -> str:
    """The line about what the run folder takes."""
    return f"disk       at most {num_bytes / 1e6:,.1f} MB in the run folder"


def seconds_since(began_at_s: float | None) -> float:
    """Seconds since then, by ``time.monotonic``; 0 where nothing has begun."""
    return 0.0 if began_at_s is None else time.monotonic() - began_at_s


def resident_bytes() -> tuple[int, int]:
    """Memory that the program takes now, with its libraries and its data, and the most that it took until now."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize(), most
    return most, most


def count_evaluations(lengths: Lengths) -> int:
    """How often dev is evaluated: at each of its steps, and at the end."""
    return -(-lengths.steps // lengths.evaluate_steps)


def measure_seconds(
    settings: ModelSettings, stream: BatchStream, train: TrainSettings, criterion: Criterion, scheme: SchemeSettings,
    compute: ComputeSettings, lengths: Lengths, evaluation: EvaluationTimes | None = None,
) -> dict[str, float]:  # fmt: skip
    """Part of a training → seconds, by real steps and evaluations of a model with few layers.

    Args:
        settings: of the model.
        stream: what it learns from.
        train: how.
        criterion: what is minimised.
        scheme: which weights are trained.
        compute: number format and kernels.
        lengths: of the training.
        evaluation: times what is evaluated; called with a model that computes as in training.
    """
    layers = settings.backbone.layers
    least = settings.backbone.FEWEST_LAYERS + (scheme.layers or 0)
    depths = (layers,) if layers <= least + 1 else (least, least + 1)

    def of_depth(depth: int) -> dict[str, float]:
        model = Model.fresh(_with_layers(settings, depth), 0).to(default_device())
        apply_scheme(model, scheme, 0)
        compute.apply(model)
        weights = Weights(model, compute.dtype, matrices=train.optimizer.updates_matrices, by_layer=False)
        optimizer = Optimizer(weights, train.optimizer)
        step_s = sum(share * _step_seconds(model, optimizer, part, criterion) for share, part in stream.parts)
        seconds = {"training": step_s * lengths.steps}
        model.eval()
        for name, each in ({} if evaluation is None else evaluation(model)).items():
            seconds[name] = each * (count_evaluations(lengths) if name == DEV else 1)
        weights.release()
        return seconds

    with silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # metrics of a handful of Records
        first = of_depth(depths[0])
        last = of_depth(depths[-1]) if len(depths) > 1 else {}
    more = layers - depths[0]
    return {name: value + max(0.0, last.get(name, value) - value) * more for name, value in first.items()}


def _with_layers(settings: ModelSettings, layers: int) -> ModelSettings:
    heads = {name: head.model_copy(update={"layer": None}) for name, head in settings.heads.items()}
    backbone = settings.backbone.model_copy(update={"layers": layers})
    return settings.model_copy(update={"backbone": backbone, "heads": heads})


def _step_seconds(model: Model, optimizer: Optimizer, stream: Stream, criterion: Criterion) -> float:
    """Seconds of a usual step: of whole steps, or of as many rows as are enough, by the tokens in them."""
    device = next(model.parameters()).device
    model.train()

    def seconds(step: int, rows: int) -> _Step:
        batches = [batch.to(device) for batch in replace(stream, batch_size=rows).batches(step)]
        clock = _Clock()
        losses = accumulate(model, optimizer, batches, criterion, step)
        float(sum(losses.values(), torch.zeros((), device=device)))  # waits for the device
        gradient = clock.read()
        norm = optimizer.gradient_norm()
        optimizer.update(0.0, norm)
        float(norm)
        return _Step(gradient, clock.read().wall_s - gradient.wall_s, sum(b.num_tokens for b in batches))

    def second_time(rows: int) -> _Step:
        found = seconds(0, rows)
        return found if found.gradient.computed_s >= LONG_S else seconds(0, rows)  # most may have been what is set up

    whole = min(stream.batch_size, len(stream.source))
    rows = min(whole, 2)
    found = second_time(rows)
    if rows < whole and found.gradient.wall_s * whole / rows < LONG_S:  # so small a model is measured in whole steps
        rows = whole
        found = second_time(rows)
    while rows < whole and not found.gradient.is_enough:
        rows = min(whole, rows * found.gradient.growth)
        found = second_time(rows)
    per_epoch = replace(stream, batch_size=rows).steps_per_epoch
    steps = [found] if found.gradient.is_enough else []
    while len(steps) < MOST_STEPS and not sum((step.gradient for step in steps), Spent()).is_enough:
        steps.append(seconds((1 + len(steps)) * max(1, per_epoch // (MOST_STEPS + 1)) % per_epoch, rows))
    each_s = sum(step.gradient.wall_s for step in steps) / sum(step.tokens for step in steps)
    return each_s * _step_tokens(stream) + sum(step.update_s for step in steps) / len(steps)


def tokens_per_step(stream: BatchStream) -> float:
    """The mean over the parts, and in each over many items."""
    return sum(share * _step_tokens(part) for share, part in stream.parts)


def _step_tokens(stream: Stream) -> float:
    """The mean over many items."""
    count = min(len(stream.source), max(SAMPLE, stream.batch_size))
    items = replace(stream, batch_size=count, by_length=False)
    found = items.source.take(*items.indices(0))
    examples = [example for item in found for example in item]
    share = min(stream.batch_size, len(stream.source)) / count / len(stream.turns)
    return float(np.sum([len(example) for example in examples])) * share


def extrapolate(items: Sequence[T], work: Callable[[Sequence[T]], object]) -> float:
    """Seconds that ``work`` takes for all ``items``, from as many of them, evenly spread, as are enough, and from half."""

    def spend(count: int) -> Spent:
        sample = [items[i * len(items) // count] for i in range(count)]
        clock = _Clock()
        work(sample)
        return clock.read()

    count = min(len(items), 4)
    spend(min(count, 2))
    took = spend(count)
    while count < len(items) and not took.is_enough:
        count = min(len(items), count * took.growth)
        took = spend(count)
    if count == len(items):
        return took.wall_s
    mean_s = took.wall_s / count
    each_s = (took.wall_s - spend(count // 2).wall_s) / (count - count // 2)  # without what all have in common
    return took.wall_s + min(mean_s, max(0.3 * mean_s, each_s)) * (len(items) - count)
