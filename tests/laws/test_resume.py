"""Law 3, Order: n + m steps in one go = n steps, kill -9, m steps: bit for bit on a CPU."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput, DivergenceError, TerminationError
from warmstart.base.run_folder import RunFolder
from warmstart.build.training import build_criterion
from warmstart.evaluation.perplexity import evaluate_language_model
from warmstart.example.example import Example, Goal
from warmstart.models.attention import Kernels
from warmstart.models.head import LossOptions
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.objectives.causal import causal
from warmstart.streams.carry import CarriedRowSource
from warmstart.streams.mixture import MixedStream, plan_mixture
from warmstart.streams.settings import MixtureSettings
from warmstart.streams.sources import ListSource, RowSource
from warmstart.streams.stream import BatchStream, Stream
from warmstart.train import checkpoint, loop
from warmstart.train.checkpoints import find_newest
from warmstart.train.loop import Trainer
from warmstart.train.precision import ComputeSettings
from warmstart.train.progress import Validation
from warmstart.train.settings import OptimizerSettings, ScheduleSettings, SmoothnessSettings, TrainSettings
from warmstart.train.step import Criterion

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


class Text:
    """A corpus of random documents in memory."""

    def __init__(self) -> None:
        draw = np.random.default_rng(0)
        lengths = draw.integers(3, 60, 30)
        self.ids = draw.integers(0, 64, lengths.sum())
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.num_tokens = len(self.ids)

    def tokens(self, start: int, stop: int) -> np.ndarray:
        return self.ids[start:stop]


class Deadly:
    """RowSource, or lanes of rows, whose ``take`` number ``dies_at`` is the process's last."""

    def __init__(self, carry_rows: int, dies_at: int) -> None:
        self.source: RowSource | CarriedRowSource = RowSource(Text(), 16, causal, held_out=3)
        if carry_rows:
            self.source = CarriedRowSource(Text(), 16, causal, 3, carry_rows)
        self.dies_at, self.by, self.taken = dies_at, signal.SIGKILL, 0

    def __len__(self) -> int:
        return len(self.source)

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        return self.source.lengths(indices)

    def take(self, epoch: int, indices: np.ndarray) -> list[list[Example]]:
        self.taken += 1
        if self.taken == self.dies_at:
            os.kill(os.getpid(), self.by)
        return self.source.take(epoch, indices)


DECAYS = {"adamax": "linear", "adamw": "cosine", "muon": "wsd", "adam-2018": "linear-2018"}


BODIES: dict[str, dict[str, Any]] = {
    "gpt1-tiny": {},
    # every dropout, and states that are carried within a row of 16 tokens
    "lstm-tiny": {"bptt": 6, "layers": 2, "embedding_dropout": 0.2, "word_dropout": 0.1, "layer_dropout": 0.2,
                  "output_dropout": 0.2, "weight_dropout": 0.2},
    "lstm-tiny in lanes": {"bptt": 6, "layers": 2, "output_dropout": 0.2},  # states that outlive a step
    "gpt1-tiny of tasks": {},  # steps of two tasks, mixed anew in each epoch
}  # fmt: skip

SAMPLES = {"lstm-tiny": 20}  # of 64 tokens, that the softmax learns from


def trainer(
    folder: Path, precision: str, dies_at: int = -1, save_every_s: float = 1e9, optimizer: str = "adamw",
    body: str = "gpt1-tiny",
) -> Trainer:  # fmt: skip
    """Three epochs of 14 steps with dropout and accumulation; dev is evaluated, and all saved, every 5 steps."""
    name, _, carry_rows = body.partition(" in ")
    carry_rows, tasks = ("", True) if name.endswith(" of tasks") else (carry_rows, False)
    name = name.removesuffix(" of tasks")
    source = Deadly(4 if carry_rows else 0, dies_at)
    settings = TrainSettings(
        length="3 epochs", batch_size=4, accumulation=2, precision=precision, evaluate_every="5 steps",  # type: ignore[arg-type]
        save_every_s=save_every_s, optimizer=OptimizerSettings(kind=optimizer),  # type: ignore[arg-type]
        ema=0.9 if optimizer == "adamax" else 0.0,
        smoothness=SmoothnessSettings(proximal=0.5 if optimizer == "adamax" else 0.0, momentum=0.9),
        schedule=ScheduleSettings(decay=DECAYS[optimizer]),  # type: ignore[arg-type]
    )  # fmt: skip
    model = Model.fresh(ModelSettings(backbone=preset(name, vocab_size=64, context=16, **BODIES[body])), 1)
    if carry_rows:
        model.backbone.begin_carry(4)
    dev = Stream(RowSource(Text(), 16, causal, held_out=3, dev=True), 3, 1, shuffle=False)
    evaluate = Validation(lambda m: evaluate_language_model(m, dev.batches(0)).to_dict(), "loss", False)
    stream: BatchStream = Stream(source, 4, settings.seed, settings.accumulation, shuffle=not carry_rows)
    if tasks:
        sizes = {"first": 14, "second": 7}
        mixture = plan_mixture(sizes, MixtureSettings(kind="annealed", main="first", main_last=True), 1, 3)
        stream = MixedStream((Stream(source, 4, 1, 2), Stream(source, 8, 2)), mixture)
    criterion = replace(build_criterion({"lm": 1.0}, settings), options=LossOptions(samples=SAMPLES.get(body, 0)))
    return Trainer(model, stream, settings, criterion, RunFolder(folder), evaluate, CPU)


def everything(done: Trainer) -> dict[str, Any]:
    """Weights, moments, memory, best weights and all that was logged, but for the clock."""
    rows = [
        {k: v for k, v in row.items() if k not in ("tokens_per_s", "elapsed_s")} for row in done.folder.read_metrics()
    ]
    state = {k: v.numpy().tobytes() for k, v in done.optimizer.state().items()}
    return {"rows": rows, "state": state, "best": done.best_path.read_bytes(), "step": done.state.step}


def in_a_process_that_dies(folder: Path, precision: str, dies_at: int, optimizer: str, body: str = "gpt1-tiny") -> None:
    child = os.fork()
    if child == 0:
        os.environ["NO_COLOR"] = "1"
        made = trainer(folder, precision, dies_at, optimizer=optimizer, body=body)
        if folder.exists():
            made.resume()
        else:
            made.folder.create("a recipe", {})
        made.run()
        os._exit(3)  # it was to die before
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("precision", "optimizer", "count", "body"),
    [
        ("fp32", "adamw", 20, "gpt1-tiny"), ("auto", "adamw", 7, "gpt1-tiny"), ("fp32", "muon", 3, "gpt1-tiny"),
        ("auto", "muon", 3, "gpt1-tiny"), ("fp32", "adam-2018", 3, "gpt1-tiny"), ("fp32", "adamw", 4, "lstm-tiny"),
        ("auto", "adamw", 3, "lstm-tiny"), ("auto", "adamw", 4, "lstm-tiny in lanes"),
        ("auto", "adamax", 4, "gpt1-tiny of tasks"),  # and running averages of the weights
    ],
)  # fmt: skip
def test_killed_and_resumed_equals_uninterrupted(
    tmp_path: Path, precision: str, optimizer: str, count: int, body: str
) -> None:
    """Witness: the uninterrupted run; cuts over three epochs, borders of epochs among them, some runs cut twice."""
    whole = trainer(tmp_path / "whole", precision, optimizer=optimizer, body=body)
    whole.folder.create("a recipe", {})
    whole.run()
    wanted = everything(whole)
    steps = whole.plan.steps
    per_epoch = steps // 3
    cuts = [2, per_epoch + 1, steps, per_epoch, per_epoch + 2, 2 * per_epoch + 1]
    cuts += np.random.default_rng(1).integers(2, steps, 20 - len(cuts)).tolist()
    for number, cut in enumerate(cuts[:count]):
        folder = tmp_path / f"cut{number}"
        in_a_process_that_dies(
            folder, precision, cut + 1, optimizer, body
        )  # the first take is the plan's look at a batch
        if number % 4 == 0:
            in_a_process_that_dies(folder, precision, 3, optimizer, body)
        resumed = trainer(folder, precision, optimizer=optimizer, body=body)
        resumed.resume()
        resumed.run()
        assert everything(resumed) == wanted, f"cut before step {cut}"


def wait_for_checkpoints(patch: pytest.MonkeyPatch) -> None:
    """A training that is killed has then all on the disk that it has saved."""
    save = Trainer._save

    def saved(self: Trainer) -> None:
        save(self)
        self.writer.wait()

    patch.setattr(Trainer, "_save", saved)


def test_a_run_goes_on_with_the_choices_that_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the uninterrupted run; meanwhile this processor's figures have come to say otherwise."""
    whole = trainer(tmp_path / "whole", "auto")
    whole.folder.create("a recipe", {})
    whole.run()
    wait_for_checkpoints(monkeypatch)
    in_a_process_that_dies(tmp_path / "cut", "auto", 9, "adamw")
    other = ComputeSettings(torch.float32, "highest", Kernels(0, group=1))
    monkeypatch.setattr(loop, "compute_settings", lambda *_: other)
    resumed = trainer(tmp_path / "cut", "auto")
    assert resumed.compute == other
    assert resumed.resume() and resumed.compute == whole.compute
    resumed.run()
    assert everything(resumed) == everything(whole)


def test_a_run_in_bf16_goes_on_in_float32_where_there_is_no_other_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Invariant: it says so, and goes on."""
    began = ComputeSettings(torch.bfloat16, "highest", Kernels())
    wait_for_checkpoints(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "compute_settings", lambda *_: began)
        in_a_process_that_dies(tmp_path, "auto", 9, "adamw")
    monkeypatch.setattr(loop, "compute_settings", lambda *_: ComputeSettings(torch.float32, "highest", Kernels()))
    monkeypatch.setattr(loop, "has_fast_bf16", lambda _: False)
    resumed = trainer(tmp_path, "auto")
    assert resumed.resume() and resumed.compute.dtype == torch.float32
    assert "goes on in float32" in capsys.readouterr().err


def test_killed_while_saving_finds_a_whole_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant: whatever call of a save the process dies in, the newest whole checkpoint is the old or the new one."""
    folder = tmp_path / "resume"
    tensors = {"a": torch.arange(5.0)}
    checkpoint.save(folder, 1, tensors, {"tokens": 1})
    deaths = 0
    for name in ("replace", "fsync", "unlink", "rename", "chmod", "rmdir"):
        for number in range(1, 4):
            child = os.fork()
            if child == 0:
                calls = 0
                real = getattr(os, name)

                def dying(*args: Any, real: Any = real, number: int = number, **kwargs: Any) -> Any:
                    nonlocal calls
                    calls += 1
                    if calls == number:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*args, **kwargs)

                setattr(os, name, dying)
                checkpoint.save(folder, 2, tensors, {"tokens": 2})
                os._exit(0)
            deaths += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
            found = find_newest(folder)
            assert (
                found is not None
                and found.tensors is not None
                and found.state["step"] in (1, 2)
                and torch.equal(found.tensors["a"], tensors["a"])
            )
            checkpoint.save(folder, 1, tensors, {"tokens": 1})
    assert deaths >= 6


def test_a_damaged_checkpoint_is_not_used(tmp_path: Path) -> None:
    """Witness: one flipped byte, which the file format itself would load silently."""
    checkpoint.save(tmp_path, 1, {"a": torch.zeros(100)}, {})
    file = tmp_path / "step-000000001" / checkpoint.TENSORS
    data = bytearray(file.read_bytes())
    data[-7] ^= 1
    file.write_bytes(data)
    with pytest.raises(BadInput, match="no checkpoint here is whole"):
        find_newest(tmp_path)


def test_sigterm_saves_and_says_so(tmp_path: Path) -> None:
    """Witness: the uninterrupted run, after a stop by signal in the middle."""
    whole = trainer(tmp_path / "whole", "fp32")
    whole.folder.create("a recipe", {})
    whole.run()
    stopped = trainer(tmp_path / "stopped", "fp32")
    stopped.folder.create("a recipe", {})
    source = stopped.stream.source
    assert isinstance(source, Deadly)
    source.dies_at, source.by = 12, signal.SIGTERM
    with pytest.raises(TerminationError, match="--resume") as caught:
        stopped.run()
    assert caught.value.exit_code == 75
    resumed = trainer(tmp_path / "stopped", "fp32")
    assert resumed.resume()
    resumed.run()
    assert everything(resumed) == everything(whole)


def test_a_loss_that_is_not_finite_stops_before_the_update(tmp_path: Path) -> None:
    """Invariant: the weights are those of the step before."""
    made = trainer(tmp_path / "run", "fp32")
    made.folder.create("a recipe", {})
    with torch.no_grad():
        made.model.backbone.tokens.weight[3] = float("inf")
    before = made.weights.groups[0].master.clone()
    with pytest.raises(DivergenceError, match="not finite"):
        made.run()
    assert torch.equal(made.weights.groups[0].master, before)


# ---- running averages


class Stopping(ListSource):
    """Examples whose taking number ``at`` asks the training to stop."""

    at, taken = -1, 0

    def take(self, epoch: int, indices: np.ndarray) -> list[list[Example]]:
        self.taken += 1
        if self.taken == self.at:
            signal.raise_signal(signal.SIGTERM)
        return super().take(epoch, indices)


def classifier(folder: Path, at: int = -1) -> Trainer:
    """Three epochs of four steps of a head with batch norm; dev is the mean of its running averages."""
    draw = np.random.default_rng(0)
    examples = []
    for number in range(16):
        ids = draw.integers(0, 64, draw.integers(3, 16))
        goal = Goal(np.array([len(ids) - 1]), np.array([0]), np.array([number % 2]), np.ones(1, np.float32))
        examples.append([Example.left_to_right(ids, {"label": goal})])
    source = Stopping(examples)
    source.at = at
    head = HeadSettings(kind="class", size=2, hidden=6, norm="batch")
    settings = ModelSettings(backbone=preset("gpt1-tiny", vocab_size=64, context=16), heads={"label": head})
    evaluate = Validation(lambda m: {"mean": float(torch.cat([b.flatten() for b in m.buffers()]).mean())}, "mean", True)
    train = TrainSettings(length="3 epochs", batch_size=4, accumulation=2, precision="fp32", evaluate_every="2 steps")
    stream = Stream(source, 4, 1, 2)
    return Trainer(Model.fresh(settings, 1), stream, train, Criterion({"label": 1.0}), RunFolder(folder), evaluate, CPU)


@pytest.mark.parametrize("at", [2, 6, 9])
def test_running_averages_are_resumed_to_the_last_bit(tmp_path: Path, at: int) -> None:
    """Witness: the uninterrupted run: weights, moments, best weights and the running averages of batch norm."""
    found = []
    for name, stops_at in (("whole", -1), ("cut", at)):
        made = classifier(tmp_path / name, stops_at)
        made.folder.create("a recipe", {})
        if stops_at > 0:
            with pytest.raises(TerminationError):
                made.run()
            made = classifier(tmp_path / name)
            assert made.resume() and 0 < made.state.step < made.plan.steps
        made.run()
        buffers = {n: b.numpy().tobytes() for n, b in made.model.named_buffers()}
        made.load_best()
        best = {n: b.numpy().tobytes() for n, b in made.model.named_buffers()}
        found.append((everything(made), buffers, best))
    assert found[0] == found[1]
    assert len(found[0][1]) == 4
