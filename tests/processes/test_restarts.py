"""``torchrun`` starts again after a process has died. Witness: torch's own launcher, and the same command in one process."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

TEXT = "A stream of words that says little, again and again, and yet not always the same: {}. "


def test_torchrun_restarts_after_a_kill(tmp_path: Path) -> None:
    """One of two processes is killed once it has saved; the second attempt goes on from there and ends the run."""
    (tmp_path / "text.txt").write_text("".join(TEXT.format(number) for number in range(200)))
    warmstart = [sys.executable, "-m", "warmstart"]
    prepare = ["prepare", tmp_path / "text.txt", "--vocab-size", "280", "--out", tmp_path / "corpus", "--quiet"]
    subprocess.run([*warmstart, *prepare], check=True, capture_output=True)
    out = tmp_path / "run"
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "--max-restarts",
        "1",
    ]
    train = [
        "pretrain",
        "--corpus",
        tmp_path / "corpus",
        "--model",
        "gpt1-tiny",
        "--batch-size",
        "4",
        "--save-every",
        "0",
    ]
    length = ["--length", "60 steps", "--evaluate-every", "60 steps", "--device", "cpu", "--out", out, "--resume"]
    process = subprocess.Popen(
        [*launch, "-m", "warmstart", *train, *length],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    killer = threading.Thread(target=_kill_second, args=(process, out))
    killer.start()
    _, words = process.communicate()
    killer.join()
    assert process.returncode == 0, words
    assert "resumed after step" in words
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().split("\n")[:-1]]
    assert steps == [*range(1, 61), 60]
    assert json.loads((out / "report.json").read_text())["steps"] == 60


def _kill_second(process: "subprocess.Popen[str]", out: Path) -> None:
    """Kills the second child of the launcher as soon as the run has a checkpoint."""
    pause = threading.Event()
    while process.poll() is None and not any((out / "resume").glob("step-*")):
        pause.wait(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[1]), signal.SIGKILL)


if not Path("/proc/self/task").is_dir():
    pytest.skip("finds the processes in /proc", allow_module_level=True)
