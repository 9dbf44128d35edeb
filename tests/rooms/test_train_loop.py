"""The loop: what it keeps, when it stops, what it refuses."""

import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput, DiskFull, InterruptError, TerminationError
from warmstart.base.run_folder import RunFolder
from warmstart.example.example import Example
from warmstart.models.files import read_tensors
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal
from warmstart.streams.sources import ListSource
from warmstart.streams.stream import Stream
from warmstart.train.loop import Trainer
from warmstart.train.optimizer import Optimizer
from warmstart.train.progress import Validation
from warmstart.train.schedule import Lengths, factor
from warmstart.train.settings import OptimizerSettings, ScheduleSettings, TrainSettings
from warmstart.train.step import Criterion, accumulate
from warmstart.train.weights import Weights


def examples() -> list[list[Example]]:
    draw = np.random.default_rng(0)
    return [causal(draw.integers(0, 64, draw.integers(4, 12))) for _ in range(12)]


def tiny(dropout: float = 0.0) -> Model:
    changes = dict.fromkeys(("embedding_dropout", "attention_dropout", "residual_dropout"), dropout)
    return Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=64, context=16, **changes)), 1)


def trainer(folder: Path, scores: list[float], **changes: Any) -> Trainer:
    """Two steps an epoch, evaluated after every step by the next of ``scores``."""
    left = iter(scores)
    run = RunFolder(folder)
    run.create("a recipe", {})
    settings = TrainSettings(batch_size=6, evaluate_every="1 step", precision="fp32", **changes)
    evaluate = Validation(lambda _: {"score": next(left)}, "score", True)
    return Trainer(
        tiny(),
        Stream(ListSource(examples()), 6, 1),
        settings,
        Criterion({"lm": 1.0}),
        run,
        evaluate,
        torch.device("cpu"),
    )


def test_patience_stops_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    """Invariant: after two judgements without a new best no further step is taken; the best is the second step's."""
    made = trainer(tmp_path / "a", [0.1, 0.9, 0.5, 0.8, 0.95], length="5 steps", patience=2)
    assert (made.run().step, made.state.best_step) == (4, 2)
    short = trainer(tmp_path / "b", [0.1, 0.9], length="5 steps")
    with pytest.raises(StopIteration):  # no third score: the run ends inside its third judgement
        short.run()
    best, same = (read_tensors(t.best_path) for t in (made, short))
    assert all(best[name].equal(same[name]) for name in best)


def test_of_equal_evaluations_the_latest_weights_are_kept(tmp_path: Path) -> None:
    """Invariant: the ties at steps 2, 3 and 5; patience counts from the first of them."""
    made = trainer(tmp_path / "a", [0.5, 0.75, 0.75, 0.5, 0.75], length="5 steps")
    weights = made.run() and {name: value.clone() for name, value in made.weights.trainable().items()}
    assert (made.state.best_step, made.state.stale) == (5, 3)
    made.load_best()
    assert all(torch.equal(value, weights[name]) for name, value in made.weights.trainable().items())
    patient = trainer(tmp_path / "b", [0.5, 0.75, 0.75, 0.75], length="5 steps", patience=2)
    assert (patient.run().step, patient.state.best_step) == (4, 4)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, TerminationError), (signal.SIGINT, InterruptError)])
def test_a_signal_in_the_last_evaluation_is_heard(tmp_path: Path, number: int, error: type[Exception]) -> None:
    """Witness: the uninterrupted run; the run that was stopped there has no step left, and only evaluates."""
    whole = trainer(tmp_path / "whole", [0.5, 0.75], length="2 steps")
    whole.run()
    cut = trainer(tmp_path / "cut", [], length="2 steps")
    assert cut.validation is not None
    done = []

    def evaluate(_: Model) -> dict[str, float]:
        done.append(0.5 if not done else signal.raise_signal(number))
        done.append("does not wait")
        return {"score": 0.5}

    cut.validation = cut.validation._replace(evaluate=evaluate)
    with pytest.raises(error, match="--resume"):
        cut.run()
    assert done == [0.5, "does not wait"]
    again = trainer(tmp_path / "cut", [0.75], length="2 steps")
    assert again.resume() and again.run().step == 2 and again.state.evaluated_step == 2
    again.load_best()
    whole.load_best()
    kept = whole.weights.trainable()
    assert all(torch.equal(value, kept[name]) for name, value in again.weights.trainable().items())


def test_damaged_best_weights_stop_a_run_before_it_goes_on(tmp_path: Path) -> None:
    """Witness: one flipped bit."""
    made = trainer(tmp_path / "a", [0.5, 0.75], length="4 steps")
    with pytest.raises(StopIteration):  # it ends in its third evaluation
        made.run()
    data = bytearray(made.best_path.read_bytes())
    data[-1] ^= 1
    made.best_path.write_bytes(data)
    again = trainer(tmp_path / "a", [], length="4 steps")
    assert again.resume()
    with pytest.raises(BadInput, match="did best on dev are damaged"):
        again.check_best()


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant"])
def test_schedule_against_torch(decay: str) -> None:
    """Witness: torch's own schedulers after a linear warm-up, step by step."""
    steps, warmup = 50, 10
    after = {
        "linear": torch.optim.lr_scheduler.LambdaLR,
        "cosine": torch.optim.lr_scheduler.CosineAnnealingLR,
        "constant": torch.optim.lr_scheduler.ConstantLR,
    }
    dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    made: Any = {
        "linear": lambda: after["linear"](dummy, lambda s: 1 - s / (steps - warmup)),
        "cosine": lambda: after["cosine"](dummy, steps - warmup),
        "constant": lambda: after["constant"](dummy, factor=1.0, total_iters=1),
    }[decay]()
    settings = ScheduleSettings(decay=decay)  # type: ignore[arg-type]
    plan = Lengths(steps, warmup, 0, 1)
    rising = [factor(settings, step, plan) for step in range(warmup)]
    assert rising == pytest.approx(np.arange(1, warmup + 1) / (warmup + 1))
    for step in range(warmup, steps):
        assert factor(settings, step, plan) == pytest.approx(dummy.param_groups[0]["lr"], abs=1e-9)
        dummy.step()
        made.step()


def test_updates_are_adamw_with_decay_on_matrices_only() -> None:
    """Witness: torch.optim.AdamW on the parameters one by one, clipped by torch, for five steps of ragged batches."""
    ours, theirs = tiny(), tiny()
    settings = OptimizerSettings(lr=1e-2, weight_decay=0.1, clip_norm=0.05)
    optimizer = Optimizer(Weights(ours, torch.float32), settings)
    plain = [p for p in theirs.parameters() if p.dim() < 2]
    matrices = [p for p in theirs.parameters() if p.dim() > 1]
    adam = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=1e-2, betas=(0.9, 0.999)
    )
    stream = Stream(ListSource(examples()), 6, 1)
    for step in range(5):
        batches = stream.batches(step)
        accumulate(ours, optimizer, batches, Criterion({"lm": 1.0}), 0)
        optimizer.update(0.5, optimizer.gradient_norm())
        adam.zero_grad()
        [batch] = batches
        (theirs(batch)["lm"].sum / batch.goals["lm"].total_weight).backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.05)
        for group in adam.param_groups:
            group["lr"] = 0.5e-2
        adam.step()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6, msg=name)


def test_bf16_follows_float32(tmp_path: Path) -> None:
    """Witness: the same training in float32: the losses of bf16 with float32 masters stay within a hundredth."""
    losses = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = tiny()
        optimizer = Optimizer(Weights(model, dtype), OptimizerSettings(lr=3e-3))
        stream = Stream(ListSource(examples()), 6, 1)
        losses[dtype] = []
        for step in range(40):
            losses[dtype].append(
                float(accumulate(model, optimizer, stream.batches(step), Criterion({"lm": 1.0}), 0)["lm"])
            )
            optimizer.update(1.0, optimizer.gradient_norm())
    assert losses[torch.bfloat16] == pytest.approx(losses[torch.float32], rel=1e-2)
    assert losses[torch.float32][-1] < losses[torch.float32][0] - 0.3


def test_metrics_say_what_was_done(tmp_path: Path) -> None:
    """Invariant: one line per step, tokens counted up, the rate of the schedule."""
    made = trainer(tmp_path / "run", [0.0] * 4, length="2 epochs")
    made.run()
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    train = [row for row in rows if row["kind"] == "train"]
    assert [row["step"] for row in train] == [1, 2, 3, 4]
    assert train[1]["tokens"] == sum(len(e) for record in examples() for e in record)
    assert [row["lr"] for row in train] == [2.5e-4 * factor(ScheduleSettings(), s, made.plan) for s in range(4)]


@pytest.mark.usefixtures("one_thread")
def test_a_disk_that_gets_full_ends_the_run(tmp_path: Path) -> None:
    """Witness: the operating system's limit on the size of a file, in a process of its own; the run can go on."""
    child = os.fork()
    if child == 0:
        made = trainer(tmp_path, [0.5] * 400, length="400 steps", save_every_s=0.0)
        assert made.validation is not None

        def evaluate(_: Model) -> dict[str, float]:
            if made.state.step == 2:
                made.writer.wait()
                resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
            return {"score": 1.0 / made.state.step}

        made.validation = made.validation._replace(evaluate=evaluate)
        try:
            made.run()
        except DiskFull:
            os._exit(7 if made.state.step < 50 else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    resumed = trainer(tmp_path, [], length="400 steps")
    assert resumed.resume() and resumed.state.step == 2


def test_a_best_that_the_checkpoint_does_not_know_is_come_to_again(tmp_path: Path) -> None:
    """Witness: the uninterrupted run; this one died after its best of step 2 was written, before a checkpoint said so."""
    whole = trainer(tmp_path / "whole", [0.5, 0.75], length="2 steps")
    whole.run()
    cut = trainer(tmp_path / "cut", [0.5], length="2 steps", save_every_s=0.0)
    with pytest.raises(StopIteration):  # in the evaluation of step 2, of which there is a checkpoint already
        cut.run()
    cut.writer.set_best(2, {name: torch.zeros(3) for name in ("half", "written")})
    cut.writer.write_best()
    again = trainer(tmp_path / "cut", [0.75], length="2 steps")
    assert again.resume() and (again.state.step, again.state.evaluated_step) == (2, 1)
    again.check_best()
    again.run()
    again.load_best()
    best, same = (read_tensors(one.best_path) for one in (again, whole))
    assert all(best[name].equal(same[name]) for name in same)
