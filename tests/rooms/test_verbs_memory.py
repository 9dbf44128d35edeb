"""A fine-tuning on rows that do not fit into memory; what is left of one when the next begins."""

import gc
import json
import os
import threading
from pathlib import Path

import pytest

import warmstart
from warmstart.base import overflow
from warmstart.tasks import framed_items


def test_a_run_on_rows_beyond_memory_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the same rows in memory: weights, losses and what is said of each example of dev, bit for bit."""
    rows = [{"text": f"the {n % 23} houses by river {n % 7}", "label": f"l{n % 3}", "n": n} for n in range(300)]
    (tmp_path / "train.csv").write_text(
        "text,label,n\n" + "".join(f'"{r["text"]}",{r["label"]},{r["n"]}\n' for r in rows)
    )

    def run(name: str) -> list[object]:
        out = tmp_path / name
        warmstart.finetune(
            train=str(tmp_path / "train.csv"), out=str(out), start="none", task="classification", model="lstm-tiny",
            vocab_size=300, length="12 steps", batch_size=8,
        )  # fmt: skip
        lines = (out / "metrics.jsonl").read_text().splitlines()
        losses = [
            {k: v for k, v in json.loads(line).items() if k in ("kind", "step", "loss", "metrics")} for line in lines
        ]
        return [(out / "model.safetensors").read_bytes(), losses, (out / "examples.json").read_text()]

    whole = run("whole")
    monkeypatch.setattr(overflow, "MEMORY_BYTES", 20_000)
    monkeypatch.setattr(framed_items, "MEMORY_BYTES", 20_000)
    assert run("parts") == whole


def test_what_is_done_again_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the kernel's list of open files and Python's of threads, after each of two whole rounds."""
    monkeypatch.setattr(overflow, "MEMORY_BYTES", 2_000)
    monkeypatch.setattr(framed_items, "MEMORY_BYTES", 2_000)
    rows = str(tmp_path / "rows.jsonl")
    Path(rows).write_text("".join(json.dumps({"text": f"no {n % 7}", "label": f"l{n % 2}"}) + "\n" for n in range(60)))
    left = []
    for number in range(2):
        out = str(tmp_path / f"run{number}")
        warmstart.finetune(
            train=rows, dev=rows, out=out, start="none", task="classification", model="lstm-tiny", vocab_size=270,
            length="2 steps", batch_size=4, retries=0,
        )  # fmt: skip
        warmstart.predict(run=out, input=rows, output=str(tmp_path / f"answers{number}.jsonl"))
        warmstart.evaluate(run=out, data=rows)
        gc.collect()
        left.append((sorted(os.listdir("/proc/self/fd")), threading.active_count()))
    assert left[0] == left[1]
