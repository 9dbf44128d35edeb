"""A teacher's probabilities, from the rows that predict writes to the loss."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.build.finetuning import build_finetuning
from warmstart.cli.main import main
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.models.head import LossOptions


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def rows(shares: list[Any]) -> list[dict[str, Any]]:
    return [{"text": f"day {n}", "label": "ab"[n % 2], "soft": share} for n, share in enumerate(shares)]


def flags(path: str) -> dict[str, Any]:
    return {
        "--start": "none", "--model": "bert-tiny", "--vocab-size": "260", "--task": "classification", "--train": path,
        "--soft-labels": "soft", "--soft-weight": "2", "--soft-temperature": "3", "--batch-size": "4",
        "--length": "2 steps", "--lr": "1e-3", "--precision": "fp32", "--head-dropout": "0",
    }  # fmt: skip


def test_the_loss_is_that_of_softened_distributions(tmp_path: Path) -> None:
    """Witness: Hinton et al. 2015, section 2, in NumPy, by the model's own logits; the labels are learned beside it."""
    shares = [{"a": 0.9, "b": 0.1}, [0.2, 0.8], {"b": 0.5, "a": 0.5}, [1.0, 0.0]]
    recipe = compose(FinetuneRecipe, flags=flags(write(tmp_path / "rows.jsonl", rows(shares))))
    built = build_finetuning(recipe)
    model = built.fresh(recipe)[0].eval()
    assert built.criterion.coefficients == {"label": 1.0, "soft": 2.0}
    [(_, stream)] = built.stream(recipe).parts
    [batch] = stream.batches(0)
    with torch.no_grad():
        loss = model(batch, LossOptions(temperature=3.0))["soft"]
    logits = model.answers(batch)["label"].double().numpy()
    targets = batch.goals["soft"].targets.double().numpy()
    assert sorted(map(tuple, targets.round(6).tolist())) == sorted([(0.9, 0.1), (0.2, 0.8), (0.5, 0.5), (1.0, 0.0)])
    softened = targets ** (1 / 3) / (targets ** (1 / 3)).sum(1, keepdims=True)
    told = np.exp(logits / 3) / np.exp(logits / 3).sum(1, keepdims=True)
    assert float(loss.sum) == pytest.approx(-9 * (softened * np.log(told)).sum(), rel=1e-3) and loss.weight == 4


def test_what_predict_writes_is_learned(tmp_path: Path) -> None:
    """Invariant: the road from a teacher's predictions to a student, and the losses of both in its log."""
    first = flags(write(tmp_path / "rows.jsonl", rows([[0.5, 0.5]] * 8)))
    words = [word for pair in first.items() for word in pair if not pair[0].startswith("--soft")]
    assert main(["finetune", *words, "--out", str(tmp_path / "teacher")]) == 0
    asked = ["--input", str(tmp_path / "rows.jsonl"), "--output", str(tmp_path / "soft.jsonl")]
    assert main(["predict", "--run", str(tmp_path / "teacher"), *asked]) == 0
    gold = [json.loads(line) for line in (tmp_path / "soft.jsonl").read_text().strip().split("\n")]
    taught = write(tmp_path / "taught.jsonl", [row | {"label": "ab"[n % 2]} for n, row in enumerate(gold)])
    words[words.index("--train") + 1] = taught
    words += ["--soft-labels", "probabilities", "--out", str(tmp_path / "student")]
    assert main(["finetune", *words]) == 0
    log = [json.loads(line) for line in (tmp_path / "student" / "metrics.jsonl").read_text().strip().split("\n")]
    assert {*log[0]["losses"]} == {"label", "soft"}


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ([0.5, 0.4], ["no probabilities", "1 in all"]),
        ([0.5, 0.3, 0.2], ["no soft labels of these classes", "a, b"]),
        ({"a": 0.5, "c": 0.5}, ["no soft labels of these classes"]),
        ([1.5, -0.5], ["no probabilities"]),
        (["half", "half"], ["no probabilities"]),
        (None, ["no soft labels of these classes", "warmstart predict"]),
    ],
)
def test_bad_soft_labels_are_one_sentence(
    tmp_path: Path, share: Any, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the row, exit code 2, nothing written."""
    path = write(tmp_path / "rows.jsonl", rows([[0.5, 0.5], share, [0.5, 0.5], [0.5, 0.5]]))
    given = [word for pair in flags(path).items() for word in pair]
    assert main(["finetune", *given, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert all(word in said for word in [*words, "rows.jsonl:2"]) and not (tmp_path / "run").exists()
