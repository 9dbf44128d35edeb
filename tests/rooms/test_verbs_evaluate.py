"""Evaluation on labels that the run has never seen: refused, or counted as errors."""

import json
from pathlib import Path
from typing import Any

import pytest
from seqeval.metrics import f1_score as entity_f1
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

import warmstart
from warmstart.base.errors import BadInput

FAST: dict[str, Any] = {"model": "gpt1-tiny", "vocab_size": 270, "length": "6 steps", "lr": 3e-3, "precision": "fp32"}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def trained(home: Path, task: str, rows: list[dict[str, Any]]) -> str:
    train = write(home / "train.jsonl", rows)
    warmstart.finetune(str(home / "run"), start="none", task=task, train=train, dev=train, **FAST)
    return str(home / "run")


@pytest.mark.parametrize("count", [2, 3])
def test_an_unseen_class_is_an_error(tmp_path: Path, count: int) -> None:
    """Witness: scikit-learn, where the unseen label is a class of its own; of two classes an error of either."""
    run = trained(tmp_path, "classification", [{"text": f"rope {n % count}", "label": n % count} for n in range(24)])
    rows = [{"text": f"rope {n}", "label": n % (count + 1)} for n in range(20)]
    data = write(tmp_path / "new.jsonl", rows)
    with pytest.raises(BadInput, match=r"label unseen in training.*--unseen-labels count"):
        warmstart.evaluate(run, data)
    found = warmstart.evaluate(run, data, unseen_labels="count", precision="fp32")
    told, truth = warmstart.load(run).predict([row["text"] for row in rows]), [row["label"] for row in rows]
    assert found["metrics"]["accuracy"] == pytest.approx(accuracy_score(truth, told)) and found["examples"] == 20
    names = list(range(count + 1))
    assert found["confusion"] == {
        "labels": [str(name) for name in names], "counts": confusion_matrix(truth, told, labels=names).tolist()
    }  # fmt: skip
    if count == 2:
        truth = [right if right < 2 else 1 - said for right, said in zip(truth, told, strict=True)]
    wanted = f1_score(truth, told, average="binary" if count == 2 else "macro", zero_division=0)
    assert found["metrics"]["f1" if count == 2 else "f1_macro"] == pytest.approx(wanted)
    assert found["unseen_labels"] == {str(count): sum(row["label"] == count for row in rows)}


def test_an_unseen_tag_is_an_error(tmp_path: Path) -> None:
    """Witness: seqeval on the tags as they stand in the file; the first tag of that entity was learned."""
    sentence = {"tokens": ["one", "ton", "of", "Kiel"], "tags": ["B-NUM", "O", "O", "B-LOC"]}
    run = trained(tmp_path, "tagging", [sentence, {"tokens": ["in", "Oslo"], "tags": ["O", "B-LOC"]}] * 8)
    rows = [sentence, {"tokens": ["one", "million", "in", "Oslo"], "tags": ["B-NUM", "I-NUM", "O", "B-LOC"]}]
    data = write(tmp_path / "new.jsonl", rows)
    with pytest.raises(BadInput, match="label unseen in training; got 'I-NUM'"):
        warmstart.evaluate(run, data)
    found = warmstart.evaluate(run, data, unseen_labels="count", precision="fp32")
    told = warmstart.load(run).predict([row["tokens"] for row in rows])
    assert found["metrics"]["f1"] == pytest.approx(entity_f1([row["tags"] for row in rows], told))
    assert found["unseen_labels"] == {"I-NUM": 1}


def test_an_unseen_label_among_several_is_an_error(tmp_path: Path) -> None:
    """Witness: scikit-learn on a column more, which is never predicted."""
    run = trained(tmp_path, "multilabel", [{"text": f"rope {n}", "labels": ["a", "b"][: 1 + n % 2]} for n in range(24)])
    rows = [{"text": f"rope {n}", "labels": ["a", "c"] if n % 3 else ["b"]} for n in range(12)]
    found = warmstart.evaluate(run, write(tmp_path / "new.jsonl", rows), unseen_labels="count", precision="fp32")
    told = warmstart.load(run).predict([row["text"] for row in rows])
    marks = [
        [[int(name in each) for name in "abc"] for each in some] for some in ([row["labels"] for row in rows], told)
    ]
    for average in ("micro", "macro"):
        assert found["metrics"][f"f1_{average}"] == pytest.approx(f1_score(*marks, average=average, zero_division=0))
    assert found["unseen_labels"] == {"c": 8}
