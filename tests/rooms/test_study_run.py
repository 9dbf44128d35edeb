"""A study that is stopped and goes on: in the same data, with the same compute settings, and in one process at a time."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import warmstart
from warmstart.base.errors import BadInput, TerminationError
from warmstart.base.run_folder import COMPUTE, REPORT, RunFolder
from warmstart.models.attention import Kernels
from warmstart.models.files import read_tensors
from warmstart.study import run as study
from warmstart.train import loop, precision
from warmstart.train.precision import ComputeSettings

FLAGS: dict[str, Any] = {
    "task": "classification", "start": "none", "model": "gpt1-tiny", "vocab_size": 270, "length": "3 steps",
    "batch_size": 4, "precision": "fp32", "dev_frac": 0.25, "retries": 0,
}  # fmt: skip


def write(path: Path, names: Sequence[str] = ("cold", "warm"), word: str = "day") -> str:
    rows = [{"text": f"{('ice', 'sun')[n % 2]} on {word} {n}", "label": names[n % 2]} for n in range(16)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def run_and_stop(out: Path, flags: dict[str, Any]) -> TerminationError:
    """SIGTERM comes when the first training of a study is done."""
    real = study.run_trial

    def stopping(*args: Any) -> dict[str, Any]:
        report = real(*args)
        signal.raise_signal(signal.SIGTERM)
        return report

    with pytest.MonkeyPatch.context() as patch, pytest.raises(TerminationError, match="--resume") as caught:
        patch.setattr(study, "run_trial", stopping)
        warmstart.finetune(str(out), **flags)
    return caught.value


def run_and_stop_training(out: Path, flags: dict[str, Any]) -> None:
    """SIGTERM comes between the last step of a training and its last evaluation."""
    real = loop.Trainer.run

    def stopping(self: loop.Trainer) -> None:
        real(self)
        signal.raise_signal(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(TerminationError):
        patch.setattr(loop.Trainer, "run", stopping)
        warmstart.finetune(str(out), **flags)


def weights(folder: Path) -> dict[str, bytes]:
    return {
        str(path.parent.relative_to(folder)): b"".join(v.numpy().tobytes() for v in read_tensors(path).values())
        for path in folder.rglob("model.safetensors")
    }


def test_a_study_stopped_between_two_seeds_goes_on_as_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the uninterrupted study. Meanwhile the figures of this processor have come to say otherwise."""
    flags = FLAGS | {"train": write(tmp_path / "rows.jsonl"), "seeds": 2}
    warmstart.finetune(str(tmp_path / "whole"), **flags)
    assert run_and_stop(tmp_path / "cut", flags).exit_code == 75
    assert [path.parent.name for path in (tmp_path / "cut").rglob(REPORT)] == ["scratch-seed1"]
    other = ComputeSettings(torch.bfloat16, "highest", Kernels(0, group=1))
    for module in (loop, precision):
        monkeypatch.setattr(module, "compute_settings", lambda *_: other)
    warmstart.finetune(str(tmp_path / "cut"), resume=True, **flags)
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole") and len(weights(tmp_path / "cut")) == 3
    settings = {path.read_text() for path in tmp_path.rglob(COMPUTE)}
    assert len(settings) == 1 and "float32" in settings.pop()


@pytest.mark.parametrize("change", [{"names": ("cold", "zesty")}, {"names": ("warm", "cold")}, {"word": "night"}])
def test_a_run_goes_on_in_no_other_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """Invariant: a label's name, labels the other way round or one word; nothing in the folder is touched."""
    flags = FLAGS | {"train": write(tmp_path / "rows.jsonl"), "seeds": 2}
    run_and_stop(tmp_path / "run", flags)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    write(tmp_path / "rows.jsonl", **change)
    with pytest.raises(
        BadInput, match=r"what this run learns from has changed since it began: .*(records|label names)"
    ):
        warmstart.finetune(str(tmp_path / "run"), resume=True, **flags)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def test_an_unfinished_run_has_no_model_yet(tmp_path: Path) -> None:
    """Invariant: one sentence that says how to go on, from every verb that takes a model; nothing is written."""
    flags = FLAGS | {"train": write(tmp_path / "rows.jsonl"), "seeds": 2}
    run_and_stop(tmp_path / "run", flags)
    run, rows, out = (str(tmp_path / name) for name in ("run", "rows.jsonl", "out"))
    for call in (
        lambda: warmstart.predict(run, rows, out), lambda: warmstart.evaluate(run, rows),
        lambda: warmstart.generate(run, "ice"), lambda: warmstart.load(run), lambda: warmstart.convert(run, out),
        lambda: warmstart.finetune(out, **flags | {"start": run, "model": None}),
    ):  # fmt: skip
        with pytest.raises(
            BadInput, match=r"run: this run is not finished, .* with the command that began it and --resume"
        ):
            call()
    assert not Path(out).exists()


def test_a_pretraining_goes_on_in_no_other_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: a corpus of one other word, prepared in the place of the first with the same vocabulary."""
    text, corpus, run = tmp_path / "text.txt", tmp_path / "corpus", tmp_path / "run"
    text.write_text("river and hill\n" * 40)
    warmstart.prepare(str(text), str(corpus), vocab_size=262)
    flags = {"corpus": str(corpus), "model": "gpt1-tiny", "length": "2 steps", "precision": "fp32"}
    with monkeypatch.context() as patch, pytest.raises(TerminationError, match="--resume"):
        patch.setattr(loop.Trainer, "run", lambda _: signal.raise_signal(signal.SIGTERM))
        warmstart.pretrain(str(run), **flags)
    first = corpus.rename(tmp_path / "first")
    text.write_text("river and forest\n" * 40)
    warmstart.prepare(str(text), str(corpus), tokenizer=str(first))
    with pytest.raises(BadInput, match="since it began: corpus; restore it"):
        warmstart.pretrain(str(run), resume=True, **flags)


def test_sigterm_while_data_are_read_says_that_nothing_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant: exit code 75, and no folder."""
    monkeypatch.setattr(study, "build_arms", lambda *_: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TerminationError, match=r"nothing is saved: run the same command again\.") as caught:
        warmstart.finetune(str(tmp_path / "run"), **FLAGS, train=write(tmp_path / "rows.jsonl"))
    assert caught.value.exit_code == 75 and not (tmp_path / "run").exists()


@pytest.mark.parametrize(("count", "metric"), [(3, "f1"), (2, "f1_macro"), (3, "mse"), (3, "f1_micro")])
def test_a_metric_of_another_number_of_classes_is_refused_first(tmp_path: Path, count: int, metric: str) -> None:
    """Invariant: before anything is trained or written; F1 of one class is for two, the mean of several for more."""
    names = ("cold", "warm", "grey")[:count]
    rows = [{"text": f"{names[n % count]} day {n}", "label": names[n % count]} for n in range(18)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BadInput, match=rf"--metric: .*; got '{metric}'; allowed: accuracy, f1"):
        warmstart.finetune(str(tmp_path / "run"), **FLAGS, train=str(tmp_path / "rows.jsonl"), metric=metric)
    assert not (tmp_path / "run").exists()


def test_a_second_start_is_refused(tmp_path: Path) -> None:
    """Witness: the lock that another start holds."""
    with RunFolder(tmp_path / "run").hold(), pytest.raises(BadInput, match="another process works on this run"):
        warmstart.finetune(str(tmp_path / "run"), **FLAGS, train=write(tmp_path / "rows.jsonl"))


def test_the_space_that_a_run_has_taken_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: a disk that is full but for what the run has still to write."""
    flags = FLAGS | {"train": write(tmp_path / "rows.jsonl")}
    asked: list[int] = []
    monkeypatch.setattr("warmstart.study.trial.check_free_space", lambda _, size: asked.append(size))
    run_and_stop_training(tmp_path / "run", flags)
    taken = sum(path.stat().st_size for path in (tmp_path / "run").rglob("*") if path.is_file())
    warmstart.finetune(str(tmp_path / "run"), resume=True, **flags)
    assert asked[0] - asked[1] == taken > 0


def test_damaged_best_weights_are_not_exported(tmp_path: Path) -> None:
    """Witness: a file of zeros in the place of the weights that did best on dev; the run says so and trains no step."""
    flags = FLAGS | {"train": write(tmp_path / "rows.jsonl")}
    run_and_stop_training(tmp_path / "run", flags)
    best = tmp_path / "run" / "best" / "model.safetensors"
    best.write_bytes(bytes(best.stat().st_size))
    logged = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    with pytest.raises(BadInput, match=r"best/model\.safetensors: the weights file is damaged"):
        warmstart.finetune(str(tmp_path / "run"), resume=True, **flags)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == logged
    assert not (tmp_path / "run" / "model.safetensors").exists()
