"""A tagger with a CRF on the whole road: trained, evaluated, told, gone on with, and refused where no form holds it."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from seqeval.metrics import f1_score

import warmstart
from warmstart.base.errors import BadInput
from warmstart.run.loading import load_run

FAST: dict[str, Any] = {
    "start": "none", "task": "tagging", "model": "gpt1-tiny", "vocab_size": 300, "batch_size": 8, "lr": 3e-3,
    "precision": "fp32", "head_crf": True, "lm_weight": 0,
}  # fmt: skip


def rows_of(count: int, seed: int) -> list[dict[str, Any]]:
    """A name is two words behind "mr" or "of", whichever words these are; which of the two it is says what it is of."""
    draw, rows = random.Random(seed), []
    for number in range(count):
        kind, cue = draw.choice([("PER", "mr"), ("LOC", "of")])
        names = draw.choices(["lima", "rio", "ada", "sol", "nil"], k=2)
        before = draw.choices(["we", "saw", "lima", "ada"], k=draw.randrange(3))
        tokens, tags = [*before, cue, *names, "today"], [*"O" * len(before), "O", f"B-{kind}", f"I-{kind}", "O"]
        rows.append({"id": number, "tokens": tokens, "tags": tags})
    return rows


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Training and dev examples."""
    folder = tmp_path_factory.mktemp("files")
    for name, rows in (("train", rows_of(64, 0)), ("dev", rows_of(24, 1))):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {name: str(folder / f"{name}.jsonl") for name in ("train", "dev")}


@pytest.fixture(scope="module")
def run(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BiLSTM-CRF over a Transformer."""
    folder = str(tmp_path_factory.mktemp("runs") / "crf")
    warmstart.finetune(folder, **files, **FAST, head_lstm=16, length="6 epochs")
    return folder


def test_it_learns_and_tells(run: str, files: dict[str, str], tmp_path: Path) -> None:
    """Witness: seqeval on the tags that are written; the same from Python, and one sentence at a time."""
    found = warmstart.evaluate(run, files["dev"], precision="fp32")["metrics"]
    out = tmp_path / "out.jsonl"
    warmstart.predict(run, files["dev"], str(out))
    told = [json.loads(line)["tags"] for line in out.read_text().splitlines()]
    rows = [json.loads(line) for line in Path(files["dev"]).read_text().splitlines()]
    assert found["f1"] == pytest.approx(f1_score([row["tags"] for row in rows], told)) and found["f1"] > 0.8
    tagger = warmstart.load(run)
    assert tagger.predict([row["tokens"] for row in rows]) == told
    assert [tagger.predict([row["tokens"]])[0] for row in rows[:5]] == told[:5]


def test_no_tag_stands_where_none_ever_stood(run: str, files: dict[str, str]) -> None:
    """Invariant: an inside follows its own beginning only, in sentences of any words: pairs began as they were counted."""
    draw = random.Random(5)
    words = ["we", "saw", "mr", "of", "lima", "rio", "ada", "today"]
    tags = warmstart.load(run).predict([draw.choices(words, k=draw.randrange(1, 9)) for _ in range(60)])
    pairs = {pair for sentence in tags for pair in zip(["O", *sentence], sentence, strict=False)}
    assert {before for before, own in pairs if own == "I-PER"} <= {"B-PER"}
    assert {before for before, own in pairs if own == "I-LOC"} <= {"B-LOC"}


def test_frozen_features_stay(files: dict[str, str], tmp_path: Path, run: str) -> None:
    """Invariant: with the scheme head everything below the LSTM is the start's, bit for bit."""
    start, again = str(tmp_path / "start"), str(tmp_path / "again")
    warmstart.finetune(start, **files, **{**FAST, "head_crf": False}, length="1 step")
    given = {key: value for key, value in FAST.items() if key not in ("start", "model", "vocab_size", "lm_weight")}
    warmstart.finetune(again, **files, **given, start=start, scheme="head", head_lstm=4, length="3 steps")
    before, after = (load_run(one).model.state_dict() for one in (start, again))
    below = [name for name in after if name.startswith("backbone.")]
    assert below and all(torch.equal(before[name], after[name]) for name in below)
    assert {name.split(".")[3] for name in after if name.startswith("heads.tags.cells")} == {"0", "1"}


@pytest.mark.parametrize("form", ["hf", "onnx", "peft"])
def test_forms_that_cannot_hold_it(run: str, tmp_path: Path, form: str) -> None:
    """Witness: the sentence; nothing is written."""
    with pytest.raises(BadInput) as error:
        warmstart.convert(run, str(tmp_path / "out"), to=form)
    assert "allowed: --to warmstart" in str(error.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"task": "classification"},
            "--head-crf: only answers that follow each other are a chain; got 'classification'",
        ),
        ({"head_crf": False, "head_lstm": 8}, "--head-lstm: the LSTM over the words stands before a CRF; got 8"),
    ],
)
def test_what_is_no_chain(files: dict[str, str], tmp_path: Path, given: dict[str, Any], sentence: str) -> None:
    """Witness: the sentences."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"sea {n}", "label": n % 2}) + "\n" for n in range(8)))
    data = {"train": str(rows), "dev": str(rows)} if "task" in given else files
    with pytest.raises(BadInput) as error:
        warmstart.finetune(str(tmp_path / "run"), **{**FAST, **data, **given}, length="1 step")
    assert sentence in str(error.value) and not (tmp_path / "run").exists()
