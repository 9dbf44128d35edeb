"""The step on a device that is not waited for; compiled parts; what only a GPU can show."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import DivergenceError
from warmstart.base.run_folder import RunFolder
from warmstart.example.batch import Batch, collate
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal
from warmstart.streams.sources import ListSource
from warmstart.streams.stream import Stream
from warmstart.train.compiled import LONG_RUN, compile_parts, is_worth_compiling
from warmstart.train.loop import Trainer
from warmstart.train.optimizer import Optimizer
from warmstart.train.precision import compute_settings
from warmstart.train.settings import OptimizerSettings, TrainSettings
from warmstart.train.step import Criterion, train_step
from warmstart.train.weights import Weights

CPU = torch.device("cpu")


def model_of(norm: str = "post", dropout: float = 0.1) -> Model:
    rates = dict.fromkeys(("embedding_dropout", "attention_dropout", "residual_dropout"), dropout)
    return Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=64, context=16, norm=norm, **rates)), 1)


def stream() -> Stream:
    draw = np.random.default_rng(0)
    return Stream(ListSource([causal(draw.integers(0, 64, draw.integers(3, 16))) for _ in range(24)]), 6, 1, 2)


def trainer(folder: Path, device: torch.device = CPU, **changes: Any) -> Trainer:
    settings = TrainSettings(length="3 epochs", batch_size=6, precision="fp32", **changes)
    made = Trainer(model_of(), stream(), settings, Criterion({"lm": 1.0}), RunFolder(folder), None, device)
    made.folder.create("a recipe", {})
    return made


def rows(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("tokens_per_s", "elapsed_s")} for row in found]


@pytest.mark.parametrize("kind", ["adamw", "muon", "adam-2018"])
def test_asking_a_step_later_changes_nothing(tmp_path: Path, kind: str) -> None:
    """Witness: the run that asks after every step: the same log and the same weights, to the last bit."""
    masters = []
    for ahead in (0, 1):
        made = trainer(tmp_path / str(ahead), optimizer=OptimizerSettings(kind=kind))  # type: ignore[arg-type]
        made.max_pending = ahead
        done = made.run()
        assert (done.step, done.tokens) == (12, rows(tmp_path / str(ahead))[-1]["tokens"])
        masters.append(torch.cat([group.master for group in made.weights.groups]))
    assert rows(tmp_path / "0") == rows(tmp_path / "1") and len(rows(tmp_path / "0")) == 12
    assert torch.equal(*masters)


@pytest.mark.parametrize("kind", ["adamw", "muon", "adam-2018"])
def test_no_update_after_a_gradient_that_is_not_finite(kind: str) -> None:
    """Invariant: weights and moments of the step before stay, though nobody asks and later steps would be sound."""
    model, batches = model_of().train(), stream().batches(0)
    optimizer = Optimizer(Weights(model, torch.float32, matrices=kind == "muon"), OptimizerSettings(kind=kind))  # type: ignore[arg-type]
    train_step(model, optimizer, batches, Criterion({"lm": 1.0}), 1.0, 1).report()
    before = {name: value.clone() for name, value in optimizer.state().items()}
    bad = train_step(model, optimizer, batches, Criterion({"lm": float("inf")}), 1.0, 2)
    sound = train_step(model, optimizer, batches, Criterion({"lm": 1.0}), 1.0, 3)
    for name, value in optimizer.state().items():
        assert torch.equal(value, before[name]), name
    with pytest.raises(DivergenceError, match="not finite"):
        bad.report()
    assert sound.report().losses["lm"] > 0


def test_a_run_that_diverges_stops_one_step_later(tmp_path: Path) -> None:
    """Invariant: what is logged ends before the bad step, whether the device is asked at once or later."""
    for ahead in (0, 1):
        made = trainer(tmp_path / str(ahead))
        made.max_pending = ahead
        with torch.no_grad():
            made.model.backbone.tokens.weight[3] = float("inf")
        before = torch.cat([group.master for group in made.weights.groups])
        with pytest.raises(DivergenceError):
            made.run()
        assert torch.equal(torch.cat([group.master for group in made.weights.groups]), before)
        rows = [json.loads(line) for line in (tmp_path / str(ahead) / "metrics.jsonl").read_text().splitlines()]
        assert {row["kind"] for row in rows} == {"skipped"}


COMPILER = pytest.mark.filterwarnings("ignore:The .grad attribute")  # that torch's compiler looks at, not we


@COMPILER
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_compiled_parts_compute_the_same(norm: str) -> None:
    """Witness: the model as it is; the graphs that torch.compile finds, run without its code generator."""
    model = model_of(norm, dropout=0.0).train()
    batches = stream().batches(0)
    found = []
    for compiled in (False, True):
        if compiled:
            compile_parts(model, backend="eager")
        model.zero_grad()
        losses = [model(batch)["lm"].sum for batch in batches]
        sum(losses).backward()  # type: ignore[union-attr]
        found.append([torch.stack(losses).detach(), *(p.grad for p in model.parameters())])
    torch.testing.assert_close(found[1], found[0])


def test_compiling_pays_on_a_gpu_for_a_long_run() -> None:
    """Witness: 6 operations a weight and token; never on a CPU."""
    model, first = model_of(), sum(batch.num_tokens for batch in stream().batches(0))
    enough = int(LONG_RUN / (6 * model.num_parameters * first)) + 1
    assert is_worth_compiling(model, stream(), enough, torch.device("cuda"))
    assert not is_worth_compiling(model, stream(), enough - 2, torch.device("cuda"))
    assert not is_worth_compiling(model, stream(), enough, CPU)


# ---- on a GPU


def moved(batches: list[Batch]) -> list[Batch]:
    return [batch.to("cuda") for batch in batches]


@pytest.mark.gpu
def test_a_step_on_a_gpu_is_that_of_a_cpu() -> None:
    """Witness: float32 on a CPU, without dropout: losses and masters after three steps."""
    masters = []
    for device in (CPU, torch.device("cuda")):
        model = model_of(dropout=0.0).to(device).train()
        compute_settings("fp32", device).apply(model)
        optimizer = Optimizer(Weights(model, torch.float32), OptimizerSettings())
        for step in range(3):
            batches = [batch.to(device) for batch in stream().batches(step)]
            train_step(model, optimizer, batches, Criterion({"lm": 1.0}), 1.0, step).report()
        masters.append(torch.cat([group.master for group in optimizer.weights.groups]).cpu())
    torch.testing.assert_close(masters[1], masters[0], rtol=1e-3, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("lengths", [(16, 16, 16), (16, 9, 3, 12)])
def test_a_step_never_waits_for_a_gpu(lengths: tuple[int, ...]) -> None:
    """Witness: torch's own detector of host synchronisation, in a step with dropout, moving the batch included."""
    model = model_of().to("cuda").train()
    compute_settings("auto", torch.device("cuda")).apply(model)
    optimizer = Optimizer(Weights(model, torch.bfloat16), OptimizerSettings())
    draw = np.random.default_rng(0)
    batch = collate([causal(draw.integers(0, 64, n + 1)) for n in lengths])
    for step in range(3):
        torch.cuda.set_sync_debug_mode("error" if step else "default")  # the first step makes the moments
        try:
            taken = train_step(model, optimizer, moved([batch, batch]), Criterion({"lm": 1.0}), 1.0, step)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert 0 < taken.report().losses["lm"] < 10


@pytest.mark.gpu
def test_a_run_on_a_gpu_goes_on_as_it_began(tmp_path: Path) -> None:
    """Invariant: it trains, logs every step, and the model comes back in float32."""
    made = trainer(tmp_path / "run", torch.device("cuda"))
    made.run()
    logged = rows(tmp_path / "run")
    assert [row["step"] for row in logged] == list(range(1, 13))
    assert logged[-1]["loss"] < logged[0]["loss"]
    assert {p.dtype for p in made.model.parameters()} == {torch.float32}


@COMPILER
@pytest.mark.gpu
def test_compiled_parts_on_a_gpu_compute_the_same() -> None:
    """Witness: the model as it is, in bf16, without dropout."""
    model = model_of(dropout=0.0).to("cuda", torch.bfloat16).train()
    batches = moved(stream().batches(0))
    found = []
    for compiled in (False, True):
        if compiled:
            compile_parts(model)
        model.zero_grad()
        sum(model(batch)["lm"].sum for batch in batches).backward()  # type: ignore[union-attr]
        found.append(torch.cat([p.grad.float().flatten() for p in model.parameters()]))  # type: ignore[union-attr]
    assert float((found[1] - found[0]).norm() / found[0].norm()) < 0.02


def test_a_gradient_beyond_the_root_of_float32_is_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the update by the same gradient 1e25 times smaller; only what is not finite itself stops a training."""
    after = []
    for scale in (1.0, 1e25):
        model = model_of()
        optimizer = Optimizer(Weights(model, torch.float32), OptimizerSettings(clip_norm=0.5))
        draw, grads = torch.Generator().manual_seed(3), [group.grad for group in optimizer.weights.groups]
        monkeypatch.setattr(optimizer.weights, "_complete", lambda: None)
        for grad in grads:
            grad.copy_(torch.randn(grad.shape, generator=draw) * scale)
        norm = optimizer.gradient_norm()
        assert torch.isfinite(norm) and (scale == 1.0 or float(norm) > 2e19)
        optimizer.update(1.0, norm)
        after.append(torch.cat([group.master for group in optimizer.weights.groups]))
    torch.testing.assert_close(after[1], after[0])
    grads[0][0] = float("inf")
    assert not torch.isfinite(optimizer.gradient_norm())
