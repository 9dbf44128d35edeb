"""A fine-tuning on rows that do not fit into memory."""

import json
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
