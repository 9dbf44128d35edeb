"""GPT-1's released optimizer, transcribed to NumPy, beside ours: the same weights after a dozen steps."""

from typing import Any

import numpy as np
import pytest
import torch

from warmstart.example.example import Example
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal
from warmstart.streams.sources import ListSource
from warmstart.streams.stream import Stream
from warmstart.train.optimizer import Optimizer
from warmstart.train.schedule import Lengths, factor
from warmstart.train.settings import OptimizerSettings, ScheduleSettings
from warmstart.train.step import Criterion, accumulate
from warmstart.train.weights import Weights

LR, B1, B2, EPS, L2, CLIP, STEPS, WARMUP = 1e-2, 0.9, 0.999, 1e-8, 0.1, 0.5, 12, 0.25

Arrays = dict[str, Any]


def warmup_linear(x: float, warmup: float) -> float:
    return (x / warmup if x <= warmup else 1.0) * (1 - x)


def warmup_cosine(x: float, warmup: float) -> float:
    return x / warmup if x <= warmup else 0.5 * (1 + np.cos(np.pi * x))


class Released:
    """Adam with "weight decay fix" in float64; ``t`` is raised after the schedule has read it."""

    def __init__(self, weights: Arrays, schedule: Any, eps: float) -> None:
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}
        self.m = {name: np.zeros_like(value) for name, value in self.weights.items()}
        self.v = {name: np.zeros_like(value) for name, value in self.weights.items()}
        self.t, self.schedule, self.eps = 0, schedule, eps

    def step(self, grads: Arrays) -> None:
        norm = np.sqrt(sum((grad.astype(np.float64) ** 2).sum() for grad in grads.values()))
        grads = {name: grad * (CLIP / max(norm, CLIP)) for name, grad in grads.items()}
        rate = LR * self.schedule(self.t / STEPS, WARMUP)
        self.t += 1
        rate *= np.sqrt(1 - B2**self.t) / (1 - B1**self.t)
        for name, p in self.weights.items():
            self.m[name] = B1 * self.m[name] + (1 - B1) * grads[name]
            self.v[name] = B2 * self.v[name] + (1 - B2) * grads[name] ** 2
            decay = L2 * p if p.ndim > 1 else 0.0
            self.weights[name] = p - rate * (self.m[name] / (np.sqrt(self.v[name]) + self.eps) + decay)


@pytest.mark.parametrize(("eps", "tolerance"), [(EPS, 1e-6), (1e-3, 3e-6)])
@pytest.mark.parametrize(("decay", "schedule"), [("linear-2018", warmup_linear), ("cosine-2018", warmup_cosine)])
def test_a_dozen_steps_give_the_same_weights(decay: str, schedule: Any, eps: float, tolerance: float) -> None:
    """Witness: the transcription above, fed with our gradients; weights agree to 1e-6 of the largest in each tensor.

    The larger eps makes its place beside the second moment count. It also lets the gradient's size through, and ours is
    clipped as torch does it, by the norm plus 1e-6.
    """
    draw = np.random.default_rng(0)
    records: list[list[Example]] = [causal(draw.integers(0, 64, draw.integers(4, 12))) for _ in range(24)]
    still = dict.fromkeys(("embedding_dropout", "attention_dropout", "residual_dropout"), 0.0)
    model = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=64, context=16, **still)), 1)
    settings = OptimizerSettings(kind="adam-2018", lr=LR, weight_decay=L2, clip_norm=CLIP, eps=eps)
    weights = Weights(model, torch.float32)
    optimizer = Optimizer(weights, settings)
    released = Released({name: w.numpy(force=True).copy() for name, w in weights.trainable().items()}, schedule, eps)
    stream, plan = Stream(ListSource(records), 6, 1), Lengths(STEPS, STEPS * WARMUP, 0, 1)
    clipped = 0
    for step in range(STEPS):
        accumulate(model, optimizer, stream.batches(step), Criterion({"lm": 1.0}), 0)
        norm = optimizer.gradient_norm()
        clipped += norm > CLIP
        released.step(
            {n: v.numpy().copy() for g in weights.groups for n, v in zip(g.names, g.views(g.grad), strict=True)}
        )
        optimizer.update(factor(ScheduleSettings(decay=decay), step, plan), norm)  # type: ignore[arg-type]
        for name, ours in weights.trainable().items():
            theirs = released.weights[name]
            assert np.abs(ours.numpy() - theirs).max() <= tolerance * np.abs(theirs).max(), (step, name)
    assert clipped > 0
