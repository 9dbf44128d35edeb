"""Rows and labels from NumPy, pandas and Arrow: for every kind the same answers as from plain Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.tasks.table import KINDS
from warmstart.verbs.arraylike import read_column, read_table

FAST: dict[str, Any] = {"model": "gpt1-tiny", "vocab_size": 270, "length": "1 step", "precision": "fp32"}
WORDS = ("dune", "reef", "moor", "fjord")


def text(n: int) -> str:
    return f"{WORDS[n % 4]} {WORDS[n % 3]} {n}"


def answer(n: int) -> dict[str, Any]:
    return {"text": [WORDS[n % 4]], "answer_start": [0]}


MADE: dict[str, tuple[Callable[[int], dict[str, Any]], Callable[[int], Any], str]] = {
    "classification": (lambda n: {"text": text(n)}, lambda n: n % 2, "label"),
    "entailment": (lambda n: {"premise": text(n), "hypothesis": text(n + 1)}, lambda n: n % 3 == 0, "label"),
    "similarity": (lambda n: {"sentence1": text(n), "sentence2": text(n + 1)}, lambda n: n / 4, "score"),
    "regression": (lambda n: {"text": text(n)}, lambda n: n / 4, "score"),
    "multilabel": (lambda n: {"text": text(n)}, lambda n: ["wet", "dry"][n % 2 :], "labels"),
    "choice": (
        lambda n: {"context": text(n), "choices": ["sand", "rock", "peat"][: 2 + n % 2]},
        lambda n: n % 2,
        "label",
    ),
    "tagging": (lambda n: {"tokens": text(n).split()}, lambda n: ["O", "B-LOC", "O"], "tags"),
    "span": (lambda n: {"context": text(n), "question": f"what {n % 2}"}, answer, "answers"),
    "seq2seq": (lambda n: {"source": text(n)}, lambda n: WORDS[n % 4], "target"),
}
"""Kind → a row without its label, the label, the label's key."""


def plain(found: Any) -> list[Any]:
    return found if isinstance(found, list) else found.tolist()


@pytest.mark.parametrize("task", MADE)
def test_every_kind_takes_tables_columns_and_bare_values(task: str) -> None:
    """Witness: the same rows as mappings of Python, with the label in them."""
    make_row, make_label, key = MADE[task]
    rows, labels = [make_row(n) for n in range(12)], [make_label(n) for n in range(12)]
    whole = [row | {key: label} for row, label in zip(rows, labels, strict=True)]
    flags = FAST | ({"target_limit": 4} if task == "seq2seq" else {})
    wanted = warmstart.Classifier(task=task, **flags).fit(whole)
    told = plain(wanted.predict(rows))
    frame, arrow = pd.DataFrame(rows), pa.Table.from_pylist(rows)
    column = pd.Series(labels)
    fitted = warmstart.Classifier(task=task, **flags).fit(frame, column)
    assert fitted.feature_names_in_.tolist() == list(rows[0]) and fitted.n_features_in_ == len(rows[0])
    assert fitted.score(arrow, pa.array(labels)) == wanted.score(whole) == wanted.score(frame, column)
    for given in (rows, frame, arrow, np.array(rows), arrow.to_batches()[0], pd.DataFrame(whole)):
        assert plain(fitted.predict(given)) == told == plain(wanted.predict(given))
    if task == "choice" or len(rows[0]) == 1:
        bare = [tuple(row.values()) if len(row) > 1 else next(iter(row.values())) for row in rows]
        assert plain(wanted.predict(bare)) == told
    assert len(told) == 12 and task in KINDS


def test_columns_of_texts() -> None:
    """Witness: the plain lists; labels of a category and whole numbers that may be missing."""
    texts, labels = [text(n) for n in range(12)], [n % 2 for n in range(12)]
    columns = [pd.Series(texts), pa.array(texts), pa.chunked_array([texts[:5], texts[5:]]), np.array(texts, object)]
    answers = [pd.Series(labels, dtype="Int64"), pa.array(labels), np.array(labels), pd.DataFrame({"label": labels})]
    assert all(read_table(column).rows == texts for column in columns)
    assert all(read_column(answer) == labels for answer in answers)
    one = warmstart.Classifier(**FAST).fit(np.array(texts)[:, None], pd.Series(labels, dtype="category"))
    assert one.n_features_in_ == 1 and one.classes_.tolist() == [0, 1]
    for column in (*columns, pd.DataFrame(texts)):
        assert np.array_equal(one.predict_proba(column), one.predict_proba(texts))


def test_pairs_in_an_array() -> None:
    """Witness: the pairs as tuples."""
    pairs = [(text(n), text(n + 1)) for n in range(12)]
    fitted = warmstart.Classifier(task="entailment", **FAST).fit(np.array(pairs), [n % 2 for n in range(12)])
    assert fitted.n_features_in_ == 2 and not hasattr(fitted, "feature_names_in_")
    assert np.array_equal(fitted.predict_proba(pairs), fitted.predict_proba(pd.DataFrame(np.array(pairs))))


def test_missing_values_are_none_and_bad_tables_are_refused() -> None:
    """Witness: pandas' own account of what is missing; bad input: an empty cell, two columns of one name."""
    frame = pd.DataFrame({"text": ["a", None], "n": [1.0, np.nan], "when": [pd.NaT, pd.Timestamp(0)]})
    assert [
        [value is None for value in row.values()] for row in read_table(frame).rows
    ] == frame.isna().to_numpy().tolist()
    assert read_column(pd.Series(["x", pd.NA])) == ["x", None]
    assert read_table(pa.table({"ids": [[1, 2], None]})).rows == [{"ids": [1, 2]}, {"ids": None}]
    with pytest.raises(BadInput, match="row 2, key 'text': not text"):
        warmstart.Classifier(**FAST).fit(frame, [1, 2])
    with pytest.raises(BadInput, match="two columns have one name"):
        read_table(pd.DataFrame([["a", "b"]], columns=["text", "text"]))


def test_a_missing_text_is_named_by_its_row() -> None:
    """Invariant: the same sentence whatever the library's word for missing is; an empty text is a text."""
    for texts in (
        ["a", None, "c"],
        np.array(["a", None, "c"], dtype=object),
        pd.Series(["a", np.nan, "c"]),
        pa.array(["a", None, "c"]),
    ):
        with pytest.raises(BadInput, match=r"rows, row 2: a row without a text; got 'a missing value'.*fillna"):
            warmstart.Classifier(**FAST).fit(texts, ["x", "y", "x"])


def test_values_of_numpy_become_those_of_python() -> None:
    """Invariant: also inside of mappings and lists; an image stays an array."""
    image = np.zeros((2, 2, 3), np.uint8)
    [row] = read_table(
        [{"a": np.int64(3), "b": {"c": np.array(["x"], object)}, "d": (np.float32(0.5),), "image": image}]
    ).rows
    assert (
        (row["a"], row["b"], row["d"]) == (3, {"c": ["x"]}, (0.5,)) and type(row["a"]) is int and row["image"] is image
    )
