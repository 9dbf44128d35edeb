"""How much the demo trains: as much as this machine, busy as it is, does in the time that the demo has.

A few steps of pre-training are timed. From that speed follow the tokens of pre-training and the epochs of fine-tuning; they
are kept in a file, so that a demo that goes on keeps to them.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from warmstart.base.files import read_json, write_json
from warmstart.base.formatting import format_duration
from warmstart.base.seeds import generator
from warmstart.base.settings import resolved
from warmstart.build.cost import measure_seconds, tokens_per_step
from warmstart.build.training import stream_of
from warmstart.config.schema import PretrainRecipe
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal
from warmstart.streams.sources import ListSource
from warmstart.train.precision import compute_settings, default_device
from warmstart.train.schedule import plan_lengths
from warmstart.train.settings import SchemeSettings
from warmstart.train.step import Criterion

TIME_S = 310.0
"""For both trainings; with the installation, reading the text and the page the whole is to take 8 minutes."""

TUNING_TOKENS = {2: 300_000, 3: 420_000}
"""Epochs → what fine-tuning of all seeds of both arms, with its evaluation, costs in tokens of pre-training."""

LEAST_TOKENS, MOST_TOKENS = 500_000, 2_500_000


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of pre-training and epochs of fine-tuning, and the tokens per second that they were chosen by."""

    speed: float
    tokens: int
    epochs: int

    @property
    def seconds(self) -> float:
        """That both trainings take at that speed."""
        return (self.tokens + TUNING_TOKENS[self.epochs]) / self.speed

    def sentence(self) -> str:
        """For the person who waits."""
        return (
            f"This machine trains {self.speed:,.0f} tokens/s: {self.tokens / 1e6:.1f}M tokens of pre-training and "
            f"{self.epochs} epochs of fine-tuning, in about {format_duration(self.seconds)}."
        )


def choose_budget(speed: float) -> Budget:
    """The most that fits into :data:`TIME_S`, fine-tuning first; on a slow machine the least that shows something."""
    at_all = speed * TIME_S
    epochs = max((n for n, cost in TUNING_TOKENS.items() if cost + LEAST_TOKENS <= at_all), default=min(TUNING_TOKENS))
    tokens = int((at_all - TUNING_TOKENS[epochs]) // 100_000 * 100_000)
    return Budget(speed, min(MOST_TOKENS, max(LEAST_TOKENS, tokens)), epochs)


def read_or_choose_budget(file: Path, recipe: PretrainRecipe) -> Budget:
    """That of ``file``, where a demo has begun; else from the speed of ``recipe`` now, and kept there."""
    if file.is_file():
        return Budget(**read_json(file))
    chosen = choose_budget(measure_speed(recipe))
    write_json(file, asdict(chosen))
    return chosen


def measure_speed(recipe: PretrainRecipe) -> float:
    """Tokens per second of steps as ``recipe`` takes them, on rows of random ids."""
    train, compute = recipe.train, compute_settings("auto", default_device())
    assert recipe.model.preset is not None
    backbone = preset(recipe.model.preset, vocab_size=recipe.corpus.vocab_size)
    random = generator(train.seed, "demo", "speed")
    rows = random.integers(0, backbone.vocab_size, (4 * resolved(train.batch_size), backbone.context + 1), np.int64)
    stream = stream_of(ListSource([causal(row) for row in rows]), train)
    lengths = plan_lengths(train, stream)
    seconds = measure_seconds(
        ModelSettings(backbone=backbone), stream, train, Criterion({"lm": 1.0}), SchemeSettings(), compute, lengths
    )
    return tokens_per_step(stream) * lengths.steps / seconds["training"]
