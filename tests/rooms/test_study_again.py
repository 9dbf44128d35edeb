"""A training that ends with one answer for everything is begun again, beside the first."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

import warmstart
from warmstart.base.files import read_json
from warmstart.models.files import read_tensors
from warmstart.train import loop

pytestmark = pytest.mark.usefixtures("one_thread")

RATES = (0.045, 0.05, 0.054, 0.052, 0.042, 0.048, 0.06)


@pytest.fixture(scope="module")
def high(tmp_path_factory: pytest.TempPathFactory) -> float:
    """A rate at which the first draw below collapses, and at half of which another draw learns all.

    Which one it is hangs on the last bits of a processor's arithmetic.
    """

    def accuracy(seed: int, lr: float) -> float:
        folder = tmp_path_factory.mktemp("rates")
        found = warmstart.finetune(str(folder / "run"), **flags(folder, seed=seed, lr=lr, retries=0))
        return 0.0 if found["collapsed"] else found["metrics"]["accuracy"]

    return next(rate for rate in RATES if accuracy(1, rate) == 0 and accuracy(1001, rate / 2) == 1)


def flags(folder: Path, **more: Any) -> dict[str, Any]:
    path = folder / "rows.jsonl"
    rows = [{"text": f"{('ice', 'sun')[n % 2]} {n}", "label": ("cold", "warm")[n % 2]} for n in range(32)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given: dict[str, Any] = {
        "start": "none", "task": "classification", "train": str(path), "dev": str(path), "model": "gpt1-tiny",
        "vocab_size": 270, "length": "16 steps", "batch_size": 8, "lm_weight": 0.0,
        "warmup": "1 steps", "evaluate_every": "1 run", "precision": "fp32",
    }  # fmt: skip
    return given | more


def everything(run: Path) -> dict[str, Any]:
    """What a run folder holds, but for the clock and its own name."""
    found: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.suffix == ".safetensors":
            found[name] = {key: tensor.numpy().tobytes() for key, tensor in read_tensors(path).items()}
        elif path.name in ("report.json", "metrics.jsonl", "collapsed.json"):
            rows = [json.loads(line) for line in path.read_text().splitlines()] if path.suffix == ".jsonl" else []
            found[name] = _without_clock(rows or read_json(path))
    return found


def _without_clock(value: Any) -> Any:
    if isinstance(value, dict):
        clock = ("seconds", "elapsed_s", "tokens_per_s", "run", "best")
        return {key: _without_clock(inner) for key, inner in value.items() if key not in clock}
    return [_without_clock(inner) for inner in value] if isinstance(value, list) else value


def test_the_second_attempt_has_another_seed_and_half_the_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], high: float
) -> None:
    """Witness: two runs by hand, the first with the rate and seed of the recipe, the second as the sentence says."""
    report = warmstart.finetune(str(tmp_path / "run"), **flags(tmp_path, lr=high))
    assert f"begun again with seed 1001 and rate {high / 2:g}" in capsys.readouterr().err
    by_hand = [
        warmstart.finetune(str(tmp_path / str(seed)), **flags(tmp_path, seed=seed, lr=lr, retries=0))
        for seed, lr in ((1, high), (1001, high / 2))
    ]
    assert [attempt["collapsed"] for attempt in report["attempts"]] == [True, False]
    assert [_without_clock(attempt) for attempt in report["attempts"]] == [_without_clock(one) for one in by_hand]
    assert report["metrics"] == by_hand[1]["metrics"] and report["attempt"] == "again" and not report["collapsed"]
    weights = [read_tensors(tmp_path / name / "model.safetensors") for name in ("run", "1001")]
    assert all((tensor == weights[1][name]).all() for name, tensor in weights[0].items())
    settings = yaml.safe_load((tmp_path / "run" / "again" / "config.yaml").read_text())
    assert (settings["train"]["seed"], settings["train"]["optimizer"]["lr"]) == (1001, high / 2)
    assert warmstart.evaluate(str(tmp_path / "run"), str(tmp_path / "rows.jsonl"))["metrics"] == report["metrics"]


def test_of_two_that_collapse_the_better_stays(tmp_path: Path) -> None:
    """Witness: the same training without another attempt, where both end alike."""
    high = flags(tmp_path, lr=1.0)
    report = warmstart.finetune(str(tmp_path / "run"), **high)
    alone = warmstart.finetune(str(tmp_path / "alone"), **high | {"retries": 0})
    assert "attempts" not in alone and report["attempt"] == "." and report["collapsed"]
    weights = [read_tensors(tmp_path / name / "model.safetensors") for name in ("run", "alone")]
    assert all((tensor == weights[1][name]).all() for name, tensor in weights[0].items())


def test_more_attempts_are_made_where_more_are_allowed(tmp_path: Path) -> None:
    """Invariant: half the rate of the one before each time, until one does not collapse."""
    report = warmstart.finetune(str(tmp_path / "more"), **flags(tmp_path, lr=0.12, retries=3))
    rates = [attempt["lr"] for attempt in report["attempts"]]
    assert rates == [0.12 / 2**n for n in range(len(rates))] and len(rates) > 2
    assert report["attempt"] == "/".join(["again"] * (len(rates) - 1)) and not report["collapsed"]


def test_the_control_is_begun_again_too(tmp_path: Path) -> None:
    """Invariant: each training for itself; the comparison is of the attempts that count, and the page shows all."""
    warmstart.finetune(str(tmp_path / "start"), **flags(tmp_path, lr=1e-3))
    given = flags(tmp_path, start=str(tmp_path / "start"), control=True, lr=0.08, new_head=True) | {"model": None}
    report = warmstart.finetune(str(tmp_path / "run"), **given)
    begun = [one for one in report["runs"] if "attempts" in one]
    assert begun and [one["seed"] for one in report["runs"]] == [1, 1]
    for one in begun:
        assert [attempt["seed"] for attempt in one["attempts"]] == [one["seed"], one["seed"] + 1000]
        assert one["metrics"]["accuracy"] == max(attempt["metrics"]["accuracy"] for attempt in one["attempts"])
    values = [*report["pretrained"]["values"], *report["scratch"]["values"]]
    assert sorted(values) == sorted(one["metrics"]["accuracy"] for one in report["runs"])
    page = tmp_path / "page.html"
    warmstart.report([str(tmp_path / "run")], str(page))
    assert page.read_text().count("(collapsed)</") >= len(begun) and "begun in their place" in page.read_text()


def test_a_run_killed_in_the_second_attempt_goes_on_exactly(tmp_path: Path, high: float) -> None:
    """Witness: the uninterrupted run."""
    given = flags(tmp_path, lr=high, sets=["train.save_every_s=0.001"])
    warmstart.finetune(str(tmp_path / "whole"), **given)
    child = os.fork()
    if child == 0:
        real, taken = loop.train_step, [0]

        def deadly(*args: Any) -> Any:
            taken[0] += 1
            if taken[0] == 16 + 8:  # steps of the first attempt, and of the second
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args)

        loop.train_step = deadly  # type: ignore[assignment]
        warmstart.finetune(str(tmp_path / "cut"), **given)
        os._exit(3)  # it was to die before
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "cut" / "report.json").exists()
    warmstart.finetune(str(tmp_path / "cut"), resume=True, **given)
    assert everything(tmp_path / "cut") == everything(tmp_path / "whole")
    assert not (tmp_path / "cut" / "resume").exists()
