"""Labels come back as they were given: whole numbers, truth values, texts; from files and from Python."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import MultiLabelBinarizer

import warmstart
from warmstart.base.errors import BadInput
from warmstart.tasks.dataset import task_from
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.verbs.arraylike import indicator_columns

TEXTS = [f"{('calm', 'stormy', 'icy')[n % 3]} sea {n}" for n in range(24)]
FAST: dict[str, Any] = {"model": "gpt1-tiny", "vocab_size": 270, "length": "2 steps", "precision": "fp32"}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("labels", [(0, 1, 7), (True, False), ("1", "0"), (3, "three"), (10, 9)], ids=str)
def test_labels_of_a_file_come_back_as_they_were(tmp_path: Path, labels: tuple[Any, ...]) -> None:
    """Witness: the JSON values of the training file; by the command's function, by Python, and after loading."""
    rows = [{"text": text, "label": labels[n % len(labels)]} for n, text in enumerate(TEXTS)]
    train = write(tmp_path / "train.jsonl", rows)
    run, out = str(tmp_path / "run"), tmp_path / "out.jsonl"
    warmstart.finetune(run, start="none", task="classification", train=train, dev=train, **FAST)
    warmstart.predict(run, train, str(out))
    written = [json.loads(line)["label"] for line in out.read_text().splitlines()]
    model = warmstart.load(run)
    assert written == model.predict(TEXTS).tolist()
    given = {(type(label), label) for label in labels}
    assert {(type(label), label) for label in written} <= given
    assert {(type(label), label) for label in model.classes_.tolist()} == given
    best = model.classes_[model.predict_proba(TEXTS).argmax(1)]
    assert best.tolist() == written


def test_labels_of_lists_come_back_as_they_were() -> None:
    """Witness: the given values; tags and several labels that are numbers."""
    rows = [{"text": text, "labels": [n % 3, 5]} for n, text in enumerate(TEXTS)]
    assert task_from("multilabel", rows).label_values == (0, 1, 2, 5)
    tagged = [{"tokens": text.split(), "tags": [4, 2, 2]} for text in TEXTS]
    fitted = warmstart.Classifier(task="tagging", **FAST).fit(tagged)
    assert {type(tag) for tags in fitted.predict([TEXTS[0].split()]) for tag in tags} == {int}
    several = warmstart.Classifier(task="multilabel", **FAST).fit(TEXTS, [[n % 3, 5] for n in range(24)])
    assert set(several.predict(TEXTS)[0]) <= {0, 1, 2, 5} and several.classes_.tolist() == [0, 1, 2, 5]


def test_an_indicator_matrix_is_lists_of_labels() -> None:
    """Witness: scikit-learn's MultiLabelBinarizer; the same model as of the lists, and the labels of its columns."""
    lists = [[n % 3, 3] if n % 4 else [] for n in range(24)]
    matrix = MultiLabelBinarizer().fit_transform(lists)
    of_lists = warmstart.Classifier(task="multilabel", **FAST).fit(TEXTS, lists)
    fitted = warmstart.Classifier(task="multilabel", **FAST).fit(TEXTS, matrix)
    assert fitted.classes_.tolist() == of_lists.classes_.tolist() == [0, 1, 2, 3]
    assert np.array_equal(fitted.predict_proba(TEXTS), of_lists.predict_proba(TEXTS))
    assert fitted.score(TEXTS, matrix) == of_lists.score(TEXTS, lists) == fitted.score(TEXTS, lists)
    with pytest.raises(BadInput, match="row 2, column 1: not whether a label holds; got 2; allowed: 1 or 0"):
        fitted.score(TEXTS[:2], np.array([[0, 1], [1, 2]]))
    with pytest.raises(BadInput, match="row 1: several columns where one label is expected"):
        warmstart.Classifier(**FAST).fit(TEXTS, matrix)


def test_columns_of_a_table_are_labels_by_name() -> None:
    """Witness: the columns of pandas and a matrix of SciPy; a label that holds nowhere is one too, in its column."""
    table = pd.DataFrame({"wet": [1, 0] * 12, "never": [0] * 24, "dry": [False, True] * 12})
    fitted = warmstart.Classifier(task="multilabel", **FAST).fit(TEXTS, table)
    assert fitted.classes_.tolist() == ["wet", "never", "dry"] and fitted.predict_proba(TEXTS).shape == table.shape
    assert fitted.score(TEXTS, table) == fitted.score(TEXTS, [["wet"], ["dry"]] * 12)
    sparse = csr_matrix(table.to_numpy().astype(int))
    assert fitted._read_labels(sparse) == [[0], [2]] * 12 and indicator_columns(sparse) == (0, 1, 2)


def test_a_label_written_in_two_ways_is_a_text_and_another_name_is_one_too() -> None:
    """Invariant: 1 and "1" are one label, whose form nobody can know; --label-map gives names."""
    rows = [{"text": text, "label": (1, "1", 2)[n % 3]} for n, text in enumerate(TEXTS)]
    found = task_from("classification", rows)
    assert (found.label_names, found.label_values) == (("1", "2"), ("1", 2))
    spec = TaskSpec(kind="classification", label_names=("0", "1"), label_values=(0, 1), frame=FrameSettings(context=8))
    assert spec.rename_labels(["0=no"]).values_of(["no", "1"]) == ["no", 1]
    assert TaskSpec.model_validate_json(spec.model_dump_json()).label_values == (0, 1)


def test_texts_and_labels_as_scikit_learn_has_them() -> None:
    """Witness: scikit-learn's accuracy, and the same examples given as rows; labels as an array of NumPy."""
    labels = np.array([n % 3 for n in range(24)])
    by_texts = warmstart.Classifier(**FAST).fit(np.array(TEXTS), labels, dev=(TEXTS, labels))
    rows = [{"text": text, "label": int(label)} for text, label in zip(TEXTS, labels, strict=True)]
    by_rows = warmstart.Classifier(**FAST).fit(rows, dev=rows)
    assert np.array_equal(by_texts.predict_proba(TEXTS), by_rows.predict_proba(TEXTS))
    told = by_texts.predict(TEXTS)
    assert by_texts.score(TEXTS, labels) == pytest.approx(accuracy_score(labels, told)) == by_rows.score(rows)
    assert by_texts.evaluate(TEXTS, labels)["metrics"]["accuracy"] == by_texts.score(TEXTS, labels)
    with pytest.raises(BadInput, match="the number of labels is not the number of rows"):
        warmstart.Classifier().fit(TEXTS, labels[:3])
    with pytest.raises(BadInput, match="one example where several are expected"):
        by_texts.predict("calm sea")


def test_pairs_and_scores_without_keys() -> None:
    """Witness: the same pairs as rows with keys."""
    pairs = [(text, TEXTS[-n]) for n, text in enumerate(TEXTS)]
    scored = warmstart.Classifier(task="similarity", **FAST).fit(pairs, [n / 4 for n in range(24)])
    rows = [{"sentence1": first, "sentence2": second} for first, second in pairs]
    assert scored.predict(pairs).tolist() == scored.predict(rows).tolist() and scored.classes_.tolist() == []
    entails = warmstart.Classifier(task="entailment", **FAST).fit(pairs, [n % 2 == 0 for n in range(24)])
    assert set(entails.predict(pairs)) <= {True, False}


def test_a_choice_is_said_by_its_number_and_its_text(tmp_path: Path) -> None:
    """Witness: the choices of the row itself."""
    rows = [
        {"context": text, "choices": ["sail", "wait", "skate"][: 2 + n % 2], "label": n % 2}
        for n, text in enumerate(TEXTS)
    ]
    train, run, out = write(tmp_path / "train.jsonl", rows), str(tmp_path / "run"), tmp_path / "out.jsonl"
    warmstart.finetune(run, start="none", task="choice", train=train, dev=train, **FAST)
    warmstart.predict(run, train, str(out))
    for row, line in zip(rows, out.read_text().splitlines(), strict=True):
        told = json.loads(line)
        assert told["choice"] == row["choices"][told["label"]]
