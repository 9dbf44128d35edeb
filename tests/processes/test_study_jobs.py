"""A study by several processes at once beside the same study by one: figures, what is run twice, kills."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import warmstart
from tests.rooms.test_study_designs import rows, write
from warmstart.base.errors import BadInput, WarmstartError
from warmstart.base.run_folder import REPORT


@pytest.fixture
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))  # a sum by other threads is another sum
    return {
        "start": "none", "task": "classification", "model": "gpt1-tiny", "vocab_size": 270, "length": "4 steps",
        "batch_size": 4, "precision": "fp32", "retries": 0, "lr": 1e-3, "seeds": 2, "sizes": "2,4",
        "train": write(tmp_path / "train.jsonl", rows(16, 0)), "test": write(tmp_path / "test.jsonl", rows(20, 1)),
    }  # fmt: skip


def figures(study: dict[str, Any]) -> list[Any]:
    """All of a study but the time that it took."""
    for one in [*study["table"], *study["baselines"]]:
        one.pop("seconds")
    return [study[key] for key in ("table", "baselines", "comparisons", "answer")]


def test_two_at_once_are_two_after_each_other(tmp_path: Path, flags: dict[str, Any]):
    """Witness: the study by one process, bit for bit. One whose processes are killed goes on, and repeats nothing."""
    whole = figures(warmstart.run_study("labels", str(tmp_path / "one"), **flags))
    out = tmp_path / "two"
    words = [f"--{name.replace('_', '-')}={value}" for name, value in (flags | {"jobs": 2}).items()]
    command = [sys.executable, "-m", "warmstart", "study", "labels", "--out", str(out), *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "trial 3 of 4" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stood = {path: path.stat().st_mtime_ns for path in out.rglob(REPORT)}
    assert len(stood) >= 2
    assert figures(warmstart.run_study("labels", str(out), **flags, jobs=2)) == whole
    assert {path: path.stat().st_mtime_ns for path in stood} == stood
    assert sorted(path.name for path in (out / "trials").iterdir()) == sorted(
        path.name for path in (tmp_path / "one" / "trials").iterdir()
    )


def test_sigterm_saves_what_all_of_them_train(tmp_path: Path, flags: dict[str, Any]):
    """Witness: the exit code, and that a training which was stopped goes on from what it has saved."""
    out = tmp_path / "study"
    long = flags | {"length": "100000 steps", "seeds": 1, "jobs": 2, "sizes": "2,4"}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in long.items()]
    command = [sys.executable, "-m", "warmstart", "study", "labels", "--out", str(out), *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while len([*out.rglob("metrics.jsonl")]) < 2:
        assert process.poll() is None
        os.sched_yield()
    process.terminate()
    said = process.communicate()[1]
    assert process.returncode == 75 and f"{out}: stopped by SIGTERM; run the same command again to go on." in said
    assert "--resume" not in said
    assert len([*out.rglob("resume")]) == 2


def test_a_trial_that_cannot_be_is_told_as_by_one_process(tmp_path: Path, flags: dict[str, Any]):
    """Witness: the sentence and the exit code of the study by one process."""
    said, vary = [], [f"start={tmp_path / 'nowhere'}"]
    for jobs in (1, 2):
        with pytest.raises(WarmstartError) as found:
            warmstart.run_study(
                "ablation", str(tmp_path / str(jobs)), **flags | {"vary": vary, "seeds": 1, "jobs": jobs}
            )
        said.append((str(found.value), found.value.exit_code))
    assert said[0] == said[1] and said[0][1] == BadInput.exit_code
