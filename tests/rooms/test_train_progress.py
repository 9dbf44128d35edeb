"""Steps that go wrong: numbers that are not finite, losses that jump, memory that does not suffice."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import DivergenceError
from warmstart.base.run_folder import RunFolder
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal
from warmstart.streams.mixture import MixedStream, plan_mixture
from warmstart.streams.settings import MixtureSettings
from warmstart.streams.sources import ListSource
from warmstart.streams.stream import Stream
from warmstart.train.loop import Trainer
from warmstart.train.progress import DEVIATIONS, WINDOW, LossHistory, Validation
from warmstart.train.settings import TrainSettings
from warmstart.train.step import Criterion, StepOutOfMemory

Fault = Callable[[int, torch.Tensor], torch.Tensor]
"""Number of a reading, counted from 1, and the states [N, D] of the first layer → what they are instead."""


def trainer(folder: Path, fault: Fault | None = None, length: str = "6 steps", max_tokens: int = 8192) -> Trainer:
    """Two steps an epoch; what dev sees are the weights after each step."""
    draw = np.random.default_rng(0)
    source = ListSource([causal(draw.integers(0, 64, draw.integers(4, 12))) for _ in range(12)])
    no_dropout = dict.fromkeys(("embedding_dropout", "attention_dropout", "residual_dropout"), 0.0)
    model = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=64, context=16, **no_dropout)), 1)
    run = RunFolder(folder)
    if not run.is_started:
        run.create("a recipe", {})
    settings = TrainSettings(
        batch_size=6, evaluate_every="1 step", precision="fp32", length=length, max_tokens=max_tokens, save_every_s=0.0
    )
    evaluate = Validation(lambda m: {"sum": float(sum(p.detach().double().sum() for p in m.parameters()))}, "sum", True)
    stream = Stream(source, 6, 1, max_tokens=max_tokens)
    made = Trainer(model, stream, settings, Criterion({"lm": 1.0}), run, evaluate, torch.device("cpu"))
    readings = []

    def hook(module: object, given: object, states: torch.Tensor) -> torch.Tensor:
        readings.append(1)
        return states if fault is None else fault(len(readings), states)

    model.backbone.blocks[0].register_forward_hook(hook)
    return made


def not_finite(*readings: int) -> Fault:
    return lambda number, states: states * (math.nan if number in readings else 1.0)


def rows(made: Trainer, *names: str) -> list[Any]:
    return [[row.get(name) for name in names] for row in made.folder.read_metrics()]


def masters(made: Trainer) -> torch.Tensor:
    return torch.cat([group.master for group in made.weights.groups])


def test_a_step_that_fails_once_is_as_if_it_had_not(tmp_path: Path) -> None:
    """Witness: the undisturbed run, bit for bit."""
    whole, made = trainer(tmp_path / "whole"), trainer(tmp_path / "made", not_finite(3, 7))
    whole.run()
    made.run()
    assert torch.equal(masters(made), masters(whole))
    names = ("kind", "step", "loss", "grad_norm", "tokens", "metrics")
    assert rows(made, *names) == rows(whole, *names)


def test_a_step_that_fails_twice_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the weights on dev, which do not change in that step; the examples that the stream gives it."""
    made = trainer(tmp_path, not_finite(3, 4))
    made.run()
    seen = [row["metrics"]["sum"] for row in made.folder.read_metrics() if row["kind"] == "dev"]
    assert len(seen) == 6 and seen[2] == seen[1] and len(set(seen)) == 5
    assert [row[0] for row in rows(made, "kind", "step") if row[0] != "dev"] == [
        *("train", "train", "skipped"), *("train",) * 3
    ]  # fmt: skip
    stream = made.stream
    assert isinstance(stream, Stream)
    read = ", ".join(map(str, sorted(stream.indices(2)[1] + 1)))
    assert f"it read examples {read} in epoch 2" in capsys.readouterr().err
    assert float(made.optimizer.state()["decay.step"]) == 5


def test_too_many_in_a_row_stop_the_training(tmp_path: Path) -> None:
    """Witness: the weights after the last good step, and the newest checkpoint, which goes on to the same end."""
    made = trainer(tmp_path, lambda number, states: states * (math.nan if number > 2 else 1.0))
    with pytest.raises(DivergenceError, match="not finite"):
        made.run()
    assert made.state.step == 5 and [row[1] for row in rows(made, "kind", "step") if row[0] == "skipped"] == [3, 4, 5]
    good = trainer(tmp_path / "good")
    good.plan = made.plan._replace(steps=2)
    good.run()
    assert torch.equal(masters(made), masters(good))
    resumed = trainer(tmp_path, lambda _, states: states * math.nan)
    assert resumed.resume() and torch.equal(masters(resumed), masters(good))
    with pytest.raises(DivergenceError, match="not finite"):
        resumed.run()


def short_of_memory(most_tokens: int) -> Fault:
    """Memory for so many tokens at once, in the words in which torch says on a CPU that it has no more."""

    def fault(_: int, states: torch.Tensor) -> torch.Tensor:
        if len(states) > most_tokens:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return states

    return fault


def test_out_of_memory_it_goes_on_with_smaller_parts(tmp_path: Path) -> None:
    """Witness: the run with memory enough: the same losses to 1e-6; resumed, the same parts."""
    whole, made = trainer(tmp_path / "whole"), trainer(tmp_path / "made", short_of_memory(24))
    whole.run()
    made.run()
    losses, wanted = ([row[1] for row in rows(one, "kind", "loss") if row[0] == "train"] for one in (made, whole))
    np.testing.assert_allclose(losses, wanted, rtol=1e-6)
    assert 0 < made.state.max_tokens <= 24
    resumed = trainer(tmp_path / "made")
    assert resumed.resume() and resumed.stream.parts[0].stream.max_tokens == made.state.max_tokens


def test_out_of_memory_with_one_example_it_ends(tmp_path: Path) -> None:
    """Invariant: one sentence, and the checkpoint of before stands."""
    with pytest.raises(StepOutOfMemory, match=r"out of memory with \d+ micro-batch"):
        trainer(tmp_path, short_of_memory(2)).run()


def test_other_errors_are_left_as_they_are(tmp_path: Path) -> None:
    """Invariant: a bug is no want of memory."""

    def broken(*_: object) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        trainer(tmp_path, broken).run()


def test_a_spike_is_what_numpy_finds() -> None:
    """Witness: NumPy over the same window."""
    draw = np.random.default_rng(3)
    losses = draw.normal(3.0, 0.1, 400).tolist()
    for place in (50, 200, 300):
        losses[place] += 2.0
    history = LossHistory()
    found = [number for number, loss in enumerate(losses) if history.add(loss)]
    before = {n: np.array(losses[n - WINDOW : n]) for n in range(WINDOW, len(losses))}
    assert found == [n for n, some in before.items() if losses[n] > some.mean() + DEVIATIONS * some.std()] == [200, 300]


@pytest.mark.parametrize(("before", "marks"), [([0.1, 0.11], [True, True]), ([1.0, 9.0], [None, None])])
def test_a_spike_is_marked_in_the_log(before: list[float], marks: list[bool | None], tmp_path: Path) -> None:
    """Invariant: losses of about 4 are spikes after those of 0.1, and none after those that go up and down."""
    made = trainer(tmp_path, length="2 steps")
    made.losses = LossHistory(before * (WINDOW // 2))
    made.run()
    assert [row[1] for row in rows(made, "kind", "spike") if row[0] == "train"] == marks


def test_a_mixture_says_whose_step_it_is() -> None:
    """Witness: the streams of both tasks."""
    sources = [ListSource([causal(np.arange(4))] * count) for count in (4, 2)]
    mixed = MixedStream(
        tuple(Stream(source, 2, 1) for source in sources), plan_mixture({"a": 2, "b": 1}, MixtureSettings(), 1)
    )
    described = {mixed.describe(step) for step in range(3)}
    assert described == {
        *(f"{mixed.streams[0].describe(step)} of task 1" for step in range(2)),
        f"{mixed.streams[1].describe(0)} of task 2",
    }
    assert all(stream.max_tokens == 7 for stream in mixed.with_max_tokens(7).streams)
