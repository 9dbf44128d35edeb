"""The scikit-learn-like face divides its rows as the command divides those of a file."""

import json
from pathlib import Path
from typing import Any

import pytest

import warmstart
from warmstart.base.errors import BadInput

FLAGS: dict[str, Any] = {"model": "gpt1-tiny", "vocab_size": 270, "length": "1 step", "precision": "fp32"}


@pytest.mark.parametrize("name", ["train", "dev", "test"])
def test_files_beside_rows_are_refused(tmp_path: Path, name: str) -> None:
    """Invariant: a file that would not be read is not taken in silence."""
    (tmp_path / "rows.jsonl").write_text("{}")
    with pytest.raises(BadInput, match=rf"Classifier\({name}=…\): the rows are given to fit"):
        warmstart.Classifier(**FLAGS, **{name: str(tmp_path / "rows.jsonl")}).fit([])


@pytest.mark.parametrize("shares", [{}, {"dev_frac": 0.25}, {"train_frac": 0.5}, {"dev_frac": 0.5, "train_frac": 0.25}])
@pytest.mark.parametrize("own_dev", [False, True])
def test_shares_of_the_rows_are_those_of_a_file(tmp_path: Path, shares: dict[str, float], own_dev: bool) -> None:
    """Witness: the same rows in a file, fine-tuned by the verb: equal fingerprints of training and dev Records."""
    rows = [{"text": f"{('ice', 'sun')[n % 2]} on day {n}", "label": ("cold", "warm")[n % 2]} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {"train": str(tmp_path / "rows.jsonl")} | ({"dev": str(tmp_path / "rows.jsonl")} if own_dev else {})
    warmstart.finetune(str(tmp_path / "run"), start="none", task="classification", **FLAGS, **files, **shares)
    fitted = warmstart.Classifier(**FLAGS, **shares).fit(rows, dev=rows if own_dev else None)
    fitted.save(tmp_path / "saved")
    of_file, in_memory = (
        json.loads((tmp_path / name / "manifest.json").read_text())["data"] for name in ("run", "saved")
    )
    places = [len(found.pop("warnings")) for found in (of_file, in_memory)]  # their words name files and rows
    assert in_memory == of_file and places[0] == places[1]
    held_out = 0 if own_dev else 40 * shares.get("dev_frac", 0)
    train = (40 - held_out) * shares.get("train_frac", 1)
    dev = 40 if own_dev else held_out or train
    assert of_file["records"] == {"train": pytest.approx(train, abs=1), "dev": dev}
