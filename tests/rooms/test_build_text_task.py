"""Raw text as one of the tasks: rows that are learned in steps of their own, by the head of the language model."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from warmstart.build.finetuning import build_finetuning
from warmstart.cli.main import main
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.run.loading import load_run

ROWS = [{"text": f"the sea on day {n}", "label": "ab"[n % 2]} for n in range(12)]
TEXT = "the wind is low and the sea is calm . " * 12


def words(folder: Path, model: str, *more: str) -> list[str]:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "text.txt").write_text(TEXT)
    given = ["--start", "none", "--model", model, "--vocab-size", "280", "--task", "classification", "--lr", "1e-3"]
    given += [
        "--train",
        str(folder / "rows.jsonl"),
        "--dev",
        str(folder / "rows.jsonl"),
        "--context",
        "32",
        "--batch-size",
        "4",
    ]
    return [*given, "--batch-size", "4", "--length", "1 epochs", "--precision", "fp32", *more]


@pytest.mark.parametrize(("model", "lm"), [("bert-tiny", "0"), ("gpt1-tiny", "0.5")])
def test_each_step_is_of_the_task_or_of_the_text(model: str, lm: str, tmp_path: Path) -> None:
    """Witness: the log: three steps of the task, as many of the text as it has batches of rows, each with its own loss.

    The auxiliary language model on the task's texts keeps its weight, whatever that of the raw text.
    """
    asked = words(
        tmp_path, model, "--lm-text", str(tmp_path / "text.txt"), "--lm-text-weight", "0.25", "--lm-weight", lm
    )
    assert main(["finetune", *asked, "--out", str(tmp_path / "run")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().strip().split("\n")]
    steps = [line for line in lines if line["kind"] == "train"]
    count = Counter("text" if "lm_text" in line["losses"] else "task" for line in steps)
    recipe = compose(FinetuneRecipe, flags=dict(zip(asked[::2], asked[1::2], strict=True)))
    built = build_finetuning(recipe)
    assert built.raw_text is not None
    assert count == {"task": 3, "text": built.raw_text.stream(recipe).steps_per_epoch} and count["text"] > 1
    for line in steps:
        if "lm_text" in line["losses"]:
            assert line["loss"] == pytest.approx(0.25 * line["losses"]["lm_text"]) and len(line["losses"]) == 1
        else:
            assert {*line["losses"]} == {"label"} | ({"lm"} if float(lm) else set())
    asked = ["--run", str(tmp_path / "run"), "--data", str(tmp_path / "rows.jsonl")]
    assert main(["evaluate", *asked]) == 0
    assert "lm" in load_run(tmp_path / "run").model.heads


def test_rows_hold_the_text(tmp_path: Path) -> None:
    """Witness: the number of tokens of the text; next tokens are asked of the head of the language model."""
    asked = words(tmp_path, "gpt1-tiny", "--lm-text", str(tmp_path / "text.txt"))
    recipe = compose(FinetuneRecipe, flags=dict(zip(asked[::2], asked[1::2], strict=True)))
    built = build_finetuning(recipe)
    assert built.raw_text is not None
    source = built.raw_text.source
    goals = [example.goals for item in source.take(0, np.arange(len(source))) for example in item]
    assert all({*one} == {"lm_text"} and one["lm_text"].head == "lm" for one in goals)
    targets = sum(len(one["lm_text"].targets) for one in goals)
    tokens = len(built.tokenizer.encode_batch([TEXT])[0])  # type: ignore[union-attr]
    assert targets == tokens  # each but the first, and the end


@pytest.mark.parametrize("model", ["gpt1-tiny", "bert-tiny"])
def test_a_prepared_corpus_is_the_same_text(model: str, tmp_path: Path) -> None:
    """Witness: the rows of the file itself, under the vocabulary that was prepared, though the model has more tokens."""
    asked = words(tmp_path, model)
    del asked[asked.index("--vocab-size") : asked.index("--vocab-size") + 2]
    corpus = str(tmp_path / "corpus")
    assert main(["prepare", str(tmp_path / "text.txt"), "--out", corpus, "--vocab-size", "270"]) == 0
    found = []
    for text in (corpus, str(tmp_path / "text.txt")):
        flags = dict(zip(asked[::2], asked[1::2], strict=True)) | {"--tokenizer": corpus, "--lm-text": [text]}
        built = build_finetuning(compose(FinetuneRecipe, flags=flags))
        assert built.raw_text is not None
        source = built.raw_text.source
        found.append([e.ids.tolist() for item in source.take(1, np.arange(len(source))) for e in item])
    assert found[0] == found[1] and len(found[0]) > 1


REFUSED = {
    "no text": (["--lm-text", "empty.txt"], ["empty.txt"]),
    "no file": (["--lm-text", "txet.txt"], ["--lm-text", "txet.txt"]),
    "two stacks": (["--lm-text", "text.txt", "--model", "encoder-decoder-tiny"], ["--lm-text", "a model of one stack"]),
    "a share": (["--lm-text", "text.txt", "--mixture", "shares", "--mixture-shares", "label=1"], ["lm_text"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: exit code 2, one line, nothing written."""
    monkeypatch.chdir(tmp_path)
    asked, wanted = words(tmp_path, "bert-tiny"), REFUSED[name]
    (tmp_path / "empty.txt").write_text("")
    if "--model" in wanted[0]:
        del asked[asked.index("--model") : asked.index("--model") + 2]
    assert main(["finetune", *asked, *wanted[0], "--out", "run"]) == 2
    said = capsys.readouterr().err.strip()
    assert all(word in said for word in wanted[1]) and not Path("run").exists(), said
