"""What a training remembers between steps, and how it tells a step that went wrong.

A step whose loss or gradient is not finite changes nothing. It is taken once more (memory may have failed); then it is left
out, with a line that names what it read; and after :data:`MOST_SKIPPED` of them in a row the training stops, with the last
good checkpoint. A loss far above those of the steps before is marked.
"""

import statistics
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from warmstart.base.console import ProgressBar
from warmstart.models.model import Model
from warmstart.train.step import StepOutput, StepReport

MOST_SKIPPED = 3
"""Steps that are left out one after the other: the last of them stops the training."""
WINDOW, DEVIATIONS = 128, 6.0
"""A loss is a spike where it is so many standard deviations above the mean of so many steps before it."""


Evaluate = Callable[[Model], dict[str, float]]


class Validation(NamedTuple):
    """How dev decides: the function that evaluates, the metric that counts, and whether more of it is better."""

    evaluate: Evaluate
    metric: str
    higher_is_better: bool


@dataclass
class Progress:
    """What the loop remembers: saved with every checkpoint, and enough to go on as if nothing had happened.

    Attributes:
        step: updates so far.
        tokens: read so far.
        elapsed_s: seconds of training and evaluation.
        best: dev's best value, greater is better.
        best_step: the last step it was reached at, whose weights are kept: of equals the one that has learned longest.
        stale: evaluations since it was first reached.
        evaluated_step: the step after which dev was last evaluated.
        skipped: steps just before this one that were left out, one after the other.
        max_tokens: of a micro-batch, where memory did not suffice for as many as the settings say; else 0.
    """

    step: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    evaluated_step: int = 0
    skipped: int = 0
    max_tokens: int = 0

    def is_best(self, score: float) -> bool:
        """Takes in what dev says after this step, greater is better; whether nothing has been better yet."""
        self.stale = 0 if self.best is None or score > self.best else self.stale + 1
        if self.best is not None and score < self.best:
            return False
        self.best, self.best_step = score, self.step
        return True


class PendingStep(NamedTuple):
    """A step that a device may still be at, and what its line in the log needs beside what it measures.

    ``buffers`` are what the model had counted before it, by name.
    """

    output: StepOutput
    step: int
    rate_factor: float
    bar: ProgressBar
    buffers: dict[str, torch.Tensor]


def train_row(
    state: Progress, step: int, report: StepReport, loss: float, rate: float, speed: float, *, is_spike: bool
) -> dict[str, Any]:
    """The line of a step in ``metrics.jsonl``; ``rate`` is the learning rate, ``speed`` in tokens per second."""
    mark = {"spike": True} if is_spike else {}
    return {
        "kind": "train", "step": step, "tokens": state.tokens, "loss": loss, "losses": report.losses, "lr": rate,
        "grad_norm": report.grad_norm, "tokens_per_s": round(speed, 1), "elapsed_s": round(state.elapsed_s, 3), **mark,
    }  # fmt: skip


def copy_buffers(model: Model) -> dict[str, torch.Tensor]:
    """What a model counts while it learns, as it is now."""
    return {name: value.clone() for name, value in model.named_buffers()}


def restore_buffers(model: Model, before: dict[str, torch.Tensor]) -> None:
    """Makes it again what it was."""
    for name, value in model.named_buffers():
        value.copy_(before[name])


class LossHistory:
    """The losses of the last steps."""

    def __init__(self, losses: Iterable[float] = ()) -> None:
        self._losses = deque(losses, WINDOW)

    def add(self, loss: float) -> bool:
        """Takes in the loss of a step; whether it is a spike, which the first steps never are."""
        known = list(self._losses)
        self._losses.append(loss)
        if len(known) < WINDOW:
            return False
        return loss > statistics.fmean(known) + DEVIATIONS * statistics.pstdev(known)
