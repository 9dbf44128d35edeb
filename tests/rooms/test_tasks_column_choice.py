"""Columns by other names: every kind reads a renamed row as it reads the row with its own keys."""

from collections.abc import Mapping
from typing import Any

import pytest

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.tasks.column_choice import choose_columns
from warmstart.tasks.dataset import records_from, task_from
from warmstart.tasks.table import KINDS

ROWS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "classification": ({"text": "a", "label": "x"}, {"text": "b", "label": "y"}),
    "entailment": ({"premise": "a", "hypothesis": "b", "label": 0}, {"premise": "c", "hypothesis": "d", "label": 1}),
    "similarity": (
        {"sentence1": "a", "sentence2": "b", "score": 1.5}, {"sentence1": "c", "sentence2": "d", "score": 2.5},
    ),
    "regression": ({"text": "a", "score": 1}, {"text": "b", "score": 2}),
    "choice": (
        {"context": "z", "question": "a", "choices": ["b", "c"], "label": 1},
        {"context": "y", "question": "a", "choices": ["d", "e"], "label": 0},
    ),
    "multilabel": ({"text": "a", "labels": ["x"]}, {"text": "b", "labels": ["x", "y"]}),
    "tagging": ({"tokens": ["a", "b"], "tags": ["X", "Y"]}, {"tokens": ["c"], "tags": ["X"]}),
    "span": (
        {"context": "a b", "question": "c", "answer": "b", "start": 2}, {"context": "a", "question": "c", "answer": ""},
    ),
    "seq2seq": ({"source": "a", "target": "b"}, {"source": "c", "target": "d"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_every_kind_reads_renamed_columns(kind: str) -> None:
    """Witness: the same rows by the kind's own keys, among columns that the kind would otherwise read."""
    rows = [dict(row) for row in ROWS[kind]]
    keys = list(rows[0])
    rivals = {
        column: "rival"
        for columns in (*KINDS[kind].text_columns, KINDS[kind].label_columns)
        for column in columns
        if column not in keys
    }
    other = [rivals | {f"the {key}": row.get(key) for key in keys} | {"id": 7} for row in rows]
    pairs = [f"{key}=the {key}" for key in keys]
    plain, renamed = task_from(kind, rows), task_from(kind, other, columns=pairs)
    assert renamed.label_names == plain.label_names
    assert [(r.texts, r.label) for r in renamed.records] == [(r.texts, r.label) for r in plain.records]
    assert [r.extra for r in renamed.records] == [{"id": 7} | rivals] * 2


def test_without_labels_the_column_of_the_label_is_carried_along() -> None:
    """Invariant: it may be missing, and where it is there it keeps its name."""
    pairs = ("text=review", "label=mood")
    rows = [{"review": "a"}, {"review": "b", "mood": "glad", "text": "other"}]
    found = list(records_from("classification", rows, ("x", "y"), labelled=False, columns=pairs))
    assert [record.texts["text"] for record in found] == ["a", "b"]
    assert [record.extra for record in found] == [{}, {"mood": "glad", "text": "other"}]


def test_messages_name_the_columns_of_the_file() -> None:
    """Witness: the sentences."""
    rows = [{"review": 5, "mood": "glad"}, {"review": "b", "mood": ""}]
    for row, expected in zip(
        rows, ("row 1, key 'review': not text", "row 1, key 'mood': the label is empty"), strict=True
    ):
        with pytest.raises(BadInput) as error:
            task_from("classification", [row], columns=["text=review", "label=mood"])
        assert str(error.value).startswith(expected)
    with pytest.raises(BadInput, match=r"missing key 'label' .*got \['mood', 'review'\]"):
        task_from("classification", rows[1:], columns=["text=review"])


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["txt=a"], "--columns: unknown key of a classification task; got 'txt'; .* did you mean 'text'"),
        (["text"], "--columns: not a key with its column; got 'text'; allowed: key=column"),
        (["text="], "not a key with its column"),
        (["text=a", "text=b"], "a key is named twice"),
        (["text=bb"], r"row 1, --columns: no such column; got 'bb'; allowed: a, b, label; .*name the file's columns"),
    ],
)
def test_bad_choices_are_refused(pairs: list[str], expected: str) -> None:
    """Witness: the sentences."""
    with pytest.raises(BadInput, match=expected):
        list(choose_columns(KINDS["classification"], [Row({"a": "x", "b": "y", "label": 1}, "row 1")], pairs))
