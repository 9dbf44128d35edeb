"""Several runs that answer together: two directions, two backbones, and runs that have learned something else."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.tasks.answer import Answer
from warmstart.tasks.choice import CHOICE
from warmstart.tasks.multilabel import LABELS
from warmstart.tasks.regression import SCORE

WORDS = ["a", "fine", "dull", "film", "song", "long", "play", "good", "bad"]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Language models ``gpt``, ``tpg`` and ``mtsl`` (from the end), a run of one task from each, and a run of another."""
    home, draw = tmp_path_factory.mktemp("averaged"), random.Random(0)
    (home / "text.txt").write_text("\n\n".join(" ".join(draw.choices(WORDS, k=12)) for _ in range(60)))
    rows = [{"text": " ".join(draw.choices(WORDS, k=draw.randint(2, 9))), "label": "xyz"[n % 3]} for n in range(24)]
    train = write(home / "rows.jsonl", rows)
    short: dict[str, Any] = {"length": "4 steps", "batch_size": 6, "precision": "fp32", "lr": 1e-2}
    for name, model, objective in (("gpt", "gpt1-tiny", "causal"), ("tpg", "gpt1-tiny", "backward"),
                                   ("mtsl", "lstm-tiny", "backward")):  # fmt: skip
        warmstart.pretrain(str(home / name), corpus=str(home / "text.txt"), vocab_size=270, model=model,
                           objective=objective, **short)  # fmt: skip
        more: dict[str, Any] = {"head_pool": "concat", "head_hidden": 8, "head_norm": "batch", "label_gain": "none"}
        warmstart.finetune(str(home / f"{name}-task"), start=str(home / name), task="classification", train=train,
                           dev=train, **(more if name == "mtsl" else {}), **short)  # fmt: skip
    other = write(home / "other.jsonl", [row | {"label": "xy"[n % 2]} for n, row in enumerate(rows)])
    warmstart.finetune(str(home / "two"), start=str(home / "gpt"), task="classification", train=other, **short)
    return home


def shares(home: Path, *runs: str) -> list[dict[str, Any]]:
    out = home / f"{'+'.join(runs)}.jsonl"
    warmstart.predict([str(home / run) for run in runs], str(home / "rows.jsonl"), str(out))
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_the_mean_of_probabilities(home: Path) -> None:
    """Witness: the mean of what each run says alone; a Transformer and an LSTM, forward and backward."""
    runs = ["gpt-task", "tpg-task", "mtsl-task"]
    alone, both = [shares(home, run) for run in runs], shares(home, *runs)
    for row, *own in zip(both, *alone, strict=True):
        for name, share in row["probabilities"].items():
            assert share == pytest.approx(np.mean([each["probabilities"][name] for each in own]), abs=2e-6)
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)
    told = warmstart.evaluate([str(home / run) for run in runs], str(home / "rows.jsonl"), precision="fp32")
    rows = [json.loads(line) for line in (home / "rows.jsonl").read_text().splitlines()]
    right = [row["label"] == true["label"] for row, true in zip(both, rows, strict=True)]
    assert told["metrics"]["accuracy"] == pytest.approx(np.mean(right)) and told["examples"] == len(rows)


@pytest.mark.parametrize("answer", [LABELS, CHOICE, SCORE])
def test_each_kind_of_answer(answer: Answer) -> None:
    """Witness: sigmoid and softmax written out."""
    raws = [np.array(x, np.float32) for x in ([0.3, -2.0, 40.0], [1.5, -90.0, -3.0])]
    found = answer.average(raws).astype(np.float64)
    if answer is SCORE:
        assert found.tolist() == pytest.approx(np.mean(raws, 0).tolist())
        return
    shape = (lambda x: 1 / (1 + np.exp(-x))) if answer is LABELS else (lambda x: np.exp(x) / np.exp(x).sum())
    with np.errstate(over="ignore"):
        wanted = np.mean([shape(raw.astype(np.float64)) for raw in raws], 0)
        assert shape(found).tolist() == pytest.approx(wanted.tolist(), rel=1e-5)


def test_a_run_is_judged_from_its_folder_as_it_was_judged_in_training(home: Path) -> None:
    """Invariant: direction, batch norm's averages and best weights come back: the report's figures from the folder."""
    for run in ("tpg-task", "mtsl-task"):
        report = json.loads((home / run / "report.json").read_text())
        assert (
            warmstart.evaluate(str(home / run), str(home / "rows.jsonl"), precision="fp32")["metrics"]
            == report["metrics"]
        )


def test_a_backward_language_model_is_judged_from_the_end(home: Path) -> None:
    """Invariant: a run from the end learned that: its loss is below that of the same weights read from the beginning."""
    told = warmstart.evaluate(str(home / "tpg"), str(home / "text.txt"))["metrics"]["loss"]
    path = home / "tpg" / "warmstart.json"
    kept = path.read_text()
    checksums = (home / "tpg" / "checksums.json").rename(
        home / "checksums.json"
    )  # what is changed is not what was written
    path.write_text(kept.replace('"backward"', '"causal"'))
    other = warmstart.evaluate(str(home / "tpg"), str(home / "text.txt"))["metrics"]["loss"]
    path.write_text(kept)
    checksums.rename(home / "tpg" / "checksums.json")
    assert kept != kept.replace('"backward"', '"causal"') and told != other


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda h: warmstart.evaluate([f"{h}/gpt-task", f"{h}/two"], f"{h}/rows.jsonl"), ["different labels", "two"]),
        (lambda h: warmstart.evaluate([f"{h}/gpt-task", f"{h}/gpt"], f"{h}/rows.jsonl"), ["without a task", "gpt"]),
        (lambda h: warmstart.evaluate([f"{h}/gpt", f"{h}/tpg"], f"{h}/text.txt"), ["without a task"]),
        (lambda h: warmstart.generate(f"{h}/tpg", "a fine"), ["from their end", "tpg"]),
        (
            lambda h: warmstart.pretrain(f"{h}/new", corpus=f"{h}/text.txt", start=f"{h}/tpg", length="1 step"),
            ["does not read from this end", "'causal'", "backward"],
        ),
        (
            lambda h: warmstart.pretrain(f"{h}/new", corpus=f"{h}/text.txt", start=f"{h}/gpt", objective="backward"),
            ["does not read from this end", "'backward'"],
        ),
        (
            lambda h: warmstart.finetune(f"{h}/new", start=f"{h}/tpg", task="tagging", train=f"{h}/tags.jsonl"),
            ["from their end", "'tagging'", "classification"],
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together(home: Path, call: Any, parts: list[str]) -> None:
    """Witness: the runs and what they have learned."""
    write(home / "tags.jsonl", [{"tokens": ["a", f"film{n}"], "tags": ["A", "B"]} for n in range(20)])
    with pytest.raises(BadInput) as caught:
        call(str(home))
    assert [part for part in parts if part not in str(caught.value)] == [], str(caught.value)
    assert not (home / "new").exists()
