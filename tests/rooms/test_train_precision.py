"""Settings of computation from figures, the file that remembers them, and runs that go on as they began."""

import json
import os
from pathlib import Path

import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.base.run_folder import COMPUTE, RunFolder
from warmstart.models.attention import Kernels
from warmstart.train import machine, precision
from warmstart.train.machine import MachineSpeeds, machine_speeds
from warmstart.train.precision import ON_GPU, ComputeSettings, compute_settings, fastest_settings, settings_of_run

CPU = torch.device("cpu")
FAST = {"float32": {256: 3.0, 512: 0.9, 1024: 1.2}, "bfloat16": {256: 5.0, 512: 2.0, 1024: 1.1}}


def figures(**changes: object) -> MachineSpeeds:
    return MachineSpeeds.model_validate(
        {"onednn": 2.0, "onednn_error": 3e-7, "bf16": 2.5, "plain": FAST, "turns": 8} | changes
    )


@pytest.mark.parametrize(
    ("asked", "changes", "dtype", "products", "longest"),
    [
        ("auto", {}, torch.bfloat16, "medium", 1024),
        ("fp32", {}, torch.float32, "medium", 256),  # a kernel that loses at 512 is not trusted at 1024
        ("auto", {"bf16": 1.0}, torch.float32, "medium", 256),  # digits are not given for nothing
        ("bf16", {"bf16": 1.0}, torch.bfloat16, "medium", 1024),  # but where they are, they are
        ("fp32", {"onednn_error": 2e-3}, torch.float32, "highest", 256),  # AMX: not float32's own error
        ("fp32", {"onednn": 1.0}, torch.float32, "highest", 256),
        ("auto", {"turns": 7}, torch.float32, "highest", Kernels().eager_max_len),  # chance
        ("bf16", {"turns": 7}, torch.bfloat16, "highest", Kernels().eager_max_len),
        ("fp32", {"plain": {}}, torch.float32, "medium", Kernels().eager_max_len),
        ("fp32", {"plain": {"float32": {256: 0.8}}}, torch.float32, "medium", 0),
    ],
)
def test_choices_follow_from_figures(
    asked: str, changes: dict[str, object], dtype: torch.dtype, products: str, longest: int
) -> None:
    """Witness: the rule as its words say it, case by case."""
    assert fastest_settings(asked, figures(**changes)) == ComputeSettings(dtype, products, Kernels(longest))


def test_bf16_that_would_be_emulated_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant: one clear sentence; auto means float32 there."""
    monkeypatch.setattr(precision, "has_fast_bf16", lambda _: False)
    with pytest.raises(BadInput, match="no bf16 arithmetic"):
        compute_settings("bf16", CPU)
    assert compute_settings("auto", torch.device("cuda")) == ComputeSettings(torch.float32, "highest", ON_GPU)


def test_choices_survive_a_file() -> None:
    """Invariant: JSON there and back."""
    found = fastest_settings("auto", figures())
    assert ComputeSettings.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_a_run_computes_as_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Invariant: what stands beside the recipe, whatever is measured now; bf16 only where it is computed."""
    began, now = (
        ComputeSettings(torch.bfloat16, "highest", Kernels(0)),
        ComputeSettings(torch.float32, "medium", ON_GPU),
    )
    monkeypatch.setattr(precision, "compute_settings", lambda *_: now)
    run = RunFolder(tmp_path)
    assert settings_of_run(run, "auto", CPU) == now
    run.create("a recipe", {}, began.to_dict())
    for has_bf16, expected in ((True, began), (False, now)):
        monkeypatch.setattr(precision, "has_fast_bf16", lambda _, found=has_bf16: found)
        assert settings_of_run(run, "auto", CPU) == expected
    assert "goes on in float32" in capsys.readouterr().err
    (tmp_path / COMPUTE).write_text("[]")
    with pytest.raises(BadInput, match=r"compute\.json: these are no compute settings"):
        settings_of_run(run, "auto", CPU)


def test_measuring_gives_every_figure() -> None:
    """Invariant: ratios above 0, float32's own error or not, and torch as it was; no figure is expected of a machine."""
    before = torch.get_float32_matmul_precision()
    found = machine.measure(bf16=False)
    assert torch.get_float32_matmul_precision() == before
    assert found.onednn > 0 and found.bf16 == 0 and 0 < found.onednn_error < 0.1
    assert found.turns >= 1 and (found.turns < machine.ENOUGH or set(found.plain) == {"float32"})
    for table in found.plain.values():
        assert set(table) == set(machine.LENGTHS) and all(speed > 0 for speed in table.values())


class Core:
    """A core of which this thread has a share; one of two works takes 3 ms of it, the other 1 ms."""

    def __init__(self, shares: list[float]) -> None:
        self.now_s = self.computed_s = 0.0
        self.left = iter(shares)
        self.share = 1.0

    def work(self, seconds: float) -> None:
        self.computed_s += seconds
        self.now_s += seconds / self.share

    def first(self) -> None:
        self.share = next(self.left, self.share)
        self.work(3e-3)

    def second(self) -> None:
        self.work(1e-3)


@pytest.mark.parametrize(
    ("shares", "slower", "turns"),
    [([1.0], 1, 13), ([0.5], 2, 1), ([1.0, 0.5, 0.4, 1.0], 1, 8), ([1.0, *[0.5] * 30, 1.0], 1, 8)],
)
def test_turns_count_where_the_thread_has_its_core(
    monkeypatch: pytest.MonkeyPatch, shares: list[float], slower: float, turns: int
) -> None:
    """Witness: a core whose share is known; the first turn does not count, and 50 ms are for eight turns or more."""
    core = Core(shares)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: core.now_s)
    monkeypatch.setattr(machine.time, "thread_time", lambda: core.computed_s)
    found = machine.race([core.first, core.second])
    assert found.best_s == pytest.approx((3e-3 * slower, 1e-3 * slower)) and found.turns == turns


class Clock:
    """Counts how often a machine is measured, and gives other figures each time."""

    def __init__(self) -> None:
        self.count, self.turns = 0, machine.ENOUGH

    def measure(self, bf16: bool) -> MachineSpeeds:
        self.count += 1
        return figures(onednn=float(self.count), turns=self.turns)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(machine, "measure", made.measure)
    monkeypatch.setenv("WARMSTART_CACHE", str(tmp_path / "cache"))
    return made


def again() -> MachineSpeeds:
    """What another process would find."""
    machine._metadata.cache_clear()
    return machine_speeds(bf16=True)


def test_a_machine_is_measured_once(clock: Clock, tmp_path: Path) -> None:
    """Invariant: later processes read the file; another number of threads is another machine, and keeps the first."""
    assert again() == again() == machine_speeds(bf16=True) == figures(onednn=1.0)
    entries = json.loads((tmp_path / "cache" / "machine.json").read_text())
    assert list(entries) == [machine.key(torch.get_num_threads())]
    (tmp_path / "cache" / "machine.json").write_text(json.dumps({"another, 64 threads": entries.popitem()[1]}))
    assert again() == figures(onednn=2.0)
    assert len(json.loads((tmp_path / "cache" / "machine.json").read_text())) == 2
    assert clock.count == 2


def test_what_a_busy_machine_shows_is_not_remembered(clock: Clock, tmp_path: Path) -> None:
    """Invariant: figures of too few turns serve their own process only."""
    clock.turns = machine.ENOUGH - 1
    assert again().onednn == 1.0 and not (tmp_path / "cache").exists()
    clock.turns = machine.ENOUGH
    assert again().onednn == again().onednn == 2.0


@pytest.mark.parametrize("damage", ["", "{", "[1]", "null", '{"KEY": 3}', '{"KEY": {"onednn": -1}}', "\x00\xff"])
def test_a_damaged_file_is_made_anew(clock: Clock, tmp_path: Path, damage: str) -> None:
    """Invariant: never an error; afterwards the file is whole."""
    file = tmp_path / "cache" / "machine.json"
    file.parent.mkdir()
    file.write_text(damage.replace("KEY", machine.key(torch.get_num_threads())), encoding="latin-1")
    assert again() == again() == figures(onednn=1.0)


def test_a_cache_that_cannot_be_written_is_no_error(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant: a file where the folder should be, or no home at all: measured in every process, and that is all."""
    (tmp_path / "cache").write_text("a file")
    assert again() == figures(onednn=1.0)
    assert again() == figures(onednn=2.0)
    monkeypatch.delenv("WARMSTART_CACHE")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert again() == figures(onednn=3.0)
    assert sorted(os.listdir(tmp_path)) == ["cache"]
