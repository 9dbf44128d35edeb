"""Candidates of a question: rows gathered, one softmax, metrics beside scikit-learn's and by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import label_ranking_average_precision_score

from warmstart.base.errors import BadInput
from warmstart.build.finetuning import build_finetuning
from warmstart.cli.main import main
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.batch import collate
from warmstart.metrics.ranking import ranking_ratios
from warmstart.readers.problems import SkippedRows
from warmstart.tasks.dataset import read_task, task_from
from warmstart.tasks.row_source import ReadOptions

PAIRS: list[dict[str, Any]] = [
    {"id": 1, "question": "who sings", "sentence": "he sings by the sea", "label": "entailment"},
    {"id": 2, "question": "who sleeps", "sentence": "the sea is calm", "label": "not_entailment"},
    {"id": 3, "question": "who sings", "sentence": "the wind is low", "label": "not_entailment"},
    {"id": 4, "question": "who sleeps", "sentence": "she sleeps", "label": "entailment"},
    {"id": 5, "question": "who sings", "sentence": "she sings too", "label": "entailment"},
]
QUESTIONS: list[dict[str, Any]] = [
    {
        "query": "who sings",
        "candidates": ["he sings by the sea", "the wind is low", "she sings too"],
        "labels": [1, 0, 1],
    },
    {"query": "who sleeps", "candidates": ["the sea is calm", "she sleeps"], "labels": [0, 1]},
]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_pairs_are_gathered_by_their_query_or_a_key() -> None:
    """Witness: by hand; the order of questions and of candidates is that of the file."""
    found = task_from("ranking", PAIRS).records
    assert [record.texts["query"] for record in found] == ["who sings", "who sleeps"]
    assert found[0].texts["choices"] == ("he sings by the sea", "the wind is low", "she sings too")
    assert [record.label for record in found] == [(0, 2), (1,)]
    assert found[0].extra == {"id": [1, 3, 5]}
    assert [(r.texts, r.label) for r in task_from("ranking", QUESTIONS).records] == [(r.texts, r.label) for r in found]
    numbered = [{**QUESTIONS[1], "label": 1}]
    del numbered[0]["labels"]
    assert task_from("ranking", numbered).records[0].label == (1,)
    keyed = [row | {"question": "which", "group": n % 2} for n, row in enumerate(PAIRS[:4])]
    keyed[2]["label"], keyed[1]["label"] = True, 1
    assert [record.label for record in task_from("ranking", keyed).records] == [(0, 1), (0, 1)]


@pytest.mark.parametrize("changes", [{"question": ["who"]}, {"group": {"n": 1}}])
def test_what_cannot_gather_pairs_is_refused(changes: dict[str, Any]) -> None:
    """Witness: JSON has lists and objects, by which nothing can be looked up; the sentence names row and key."""
    with pytest.raises(BadInput, match=rf"row 2, key '{next(iter(changes))}'"):
        task_from("ranking", [PAIRS[0], PAIRS[1] | changes])


@pytest.mark.parametrize("seed", [0, 1])
def test_metrics_are_those_of_others(seed: int) -> None:
    """Witness: scikit-learn's average precision of one question at a time; reciprocal ranks by counting."""
    draw = np.random.default_rng(seed)
    scores = [draw.standard_normal(draw.integers(2, 9)) for _ in range(20)]
    right = [np.flatnonzero(draw.random(len(own)) < 0.4).tolist() or [0] for own in scores]
    found = ranking_ratios(right, scores)
    marks = [np.isin(np.arange(len(own)), r) for own, r in zip(scores, right, strict=True)]
    each = [label_ranking_average_precision_score([m], [s]) for m, s in zip(marks, scores, strict=True)]
    assert found["map"].value == pytest.approx(np.mean(each))
    ranks = [1 + sum(other > max(s[r]) for other in s) for s, r in zip(scores, right, strict=True)]
    assert found["mrr"].value == pytest.approx(np.mean([1 / rank for rank in ranks]))
    assert found["accuracy"].value == pytest.approx(np.mean([rank == 1 for rank in ranks]))


def test_the_right_candidates_share_the_target(tmp_path: Path) -> None:
    """Witness: cross-entropy by hand of the softmax across each question's candidates, by the model's own logits."""
    given = {
        "--start": "none", "--model": "bert-tiny", "--vocab-size": "270", "--task": "ranking",
        "--train": write(tmp_path / "pairs.jsonl", PAIRS), "--batch-size": "2", "--length": "1 steps", "--lr": "1e-3",
    }  # fmt: skip
    recipe = compose(FinetuneRecipe, flags=given)
    built = build_finetuning(recipe)
    model = built.fresh(recipe)[0].eval()
    torch.nn.init.normal_(model.head("choice").linear.weight)  # type: ignore[operator]
    [(_, stream)] = built.stream(recipe).parts
    [batch] = stream.batches(0)
    logits, goal = model.answers(batch)["choice"].double().numpy(), batch.goals["choice"]
    wanted = 0.0
    for question in range(2):
        mine = goal.question.numpy() == question
        own, shares = logits[mine], goal.shares.numpy()[mine, 0]  # type: ignore[union-attr]
        assert sorted(shares.tolist()) in ([0.0, 0.5, 0.5], [0.0, 1.0])
        wanted -= (shares * (own - np.log(np.exp(own).sum()))).sum()
    apart = [collate([item]) for item in stream.source.take(0, np.arange(2))]
    with torch.no_grad():
        assert float(model(batch)["choice"].sum) == pytest.approx(wanted, rel=1e-4)
        assert sum(float(model(one)["choice"].sum) for one in apart) == pytest.approx(wanted, rel=1e-4)


def test_from_pairs_to_an_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Invariant: the road: training, evaluation, predictions of pairs without labels, each with its candidates in order."""
    path = write(tmp_path / "pairs.jsonl", PAIRS)
    words = ["--start", "none", "--model", "bert-tiny", "--vocab-size", "270", "--task", "ranking", "--train", path]
    assert main(["finetune", *words, "--length", "2 steps", "--lr", "1e-3", "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--run", str(tmp_path / "run"), "--data", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {*found["metrics"]} == {"map", "mrr", "accuracy"} and found["examples"] == 2
    new = write(tmp_path / "new.jsonl", [{k: v for k, v in row.items() if k != "label"} for row in PAIRS])
    assert (
        main(["predict", "--run", str(tmp_path / "run"), "--input", new, "--output", str(tmp_path / "out.jsonl")]) == 0
    )
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().strip().split("\n")]
    assert [row["id"] for row in rows] == [[1, 3, 5], [2, 4]] and rows[0]["candidates"] == QUESTIONS[0]["candidates"]
    for row in rows:
        shares = list(row["probabilities"].values())
        assert row["ranking"] == sorted(range(len(shares)), key=lambda n, s=shares: -s[n])  # type: ignore[misc]
        assert row["label"] == row["ranking"][0] and row["choice"] == row["candidates"][row["label"]]


REFUSED: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "one candidate": ([*PAIRS[1:4], PAIRS[0] | {"question": "where"}], ["two candidates or more", "--bad-rows skip"]),
    "none is right": ([PAIRS[1], PAIRS[1] | {"sentence": "no"}], ["without a right candidate", "--bad-rows skip"]),
    "another label": ([PAIRS[0], PAIRS[2] | {"label": "maybe"}], ["not whether a candidate is right", "'maybe'"]),
    "two queries": ([row | {"group": 1} for row in PAIRS[:2]], ["different queries"]),
    "labels": ([QUESTIONS[0] | {"labels": [1, 0]}], ["2 labels for 3 candidates"]),
    "no text": ([QUESTIONS[0] | {"candidates": ["a", 3]}], ["two texts or more"]),
    "no label": ([{k: v for k, v in row.items() if k != "label"} for row in PAIRS], ["label"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: exit code 2, one line, nothing written."""
    rows, wanted = REFUSED[name]
    words = ["--start", "none", "--model", "bert-tiny", "--vocab-size", "270", "--task", "ranking", "--train"]
    assert main(["finetune", *words, write(tmp_path / "bad.jsonl", rows), "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert all(word in said for word in wanted) and not (tmp_path / "run").exists(), said


def test_questions_that_ask_nothing_are_left_out(tmp_path: Path) -> None:
    """Witness: by hand: of three questions one has one candidate, and none of another's is right."""
    rows = [*PAIRS, {"question": "where", "sentence": "here", "label": 1}]
    rows += [{"question": "when", "sentence": text, "label": 0} for text in ("now", "then")]
    skipped = SkippedRows()
    found = read_task("ranking", write(tmp_path / "rows.jsonl", rows), read=ReadOptions(skipped=skipped))
    assert [record.texts["query"] for record in found.records] == ["who sings", "who sleeps"]
    assert "2" in skipped.describe()[0]
