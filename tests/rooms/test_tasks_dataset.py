"""Rows to Records: every accepted key, label names, and every bad row with the whole of its sentence."""

import io
import json
import math
import sys
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from warmstart.base.errors import BadInput
from warmstart.base.formatting import with_article
from warmstart.example.record import Record
from warmstart.tasks.columns import sort_names
from warmstart.tasks.dataset import read_records, read_task, records_from, task_from
from warmstart.tasks.frames import frame_records
from warmstart.tasks.pairs import TextSettings
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS
from warmstart.text.tokenizer import DELIMITER, EXTRACT, START, TASK_TOKENS, Tokenizer


@pytest.fixture
def jsonl(tmp_path):
    def write(*rows):
        path = tmp_path / "train.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def complaint(call):
    with pytest.raises(BadInput) as error:
        call()
    return error.value


def test_a_file_becomes_records_with_learned_label_names(jsonl):
    """Witness: written out by hand; names sorted, other columns carried along, file and line kept."""
    path = jsonl({"id": 7, "text": "good", "label": "pos"}, {"id": 8, "text": "bad", "label": "neg", "x": [1]})
    task = read_task("classification", path)
    assert task.label_names == ("neg", "pos")
    assert task.columns == ("text", "label")
    assert task.records == [
        Record({"text": "good"}, 1, {"id": 7}, f"{path}:1"),
        Record({"text": "bad"}, 0, {"id": 8, "x": [1]}, f"{path}:2"),
    ]


@pytest.mark.parametrize(
    ("kind", "row", "texts"),
    [
        ("classification", {"sentence": "a", "label": 1}, {"text": "a"}),
        ("classification", {"text": "a", "labels": 1}, {"text": "a"}),
        ("multilabel", {"sentence": "a", "labels": [1]}, {"text": "a"}),
        ("entailment", {"premise": "a", "hypothesis": "b", "label": 1}, {"premise": "a", "hypothesis": "b"}),
        ("entailment", {"sentence1": "a", "sentence2": "b", "label": 1}, {"premise": "a", "hypothesis": "b"}),
        ("entailment", {"text_a": "a", "text_b": "b", "label": 1}, {"premise": "a", "hypothesis": "b"}),
        ("entailment", {"sentence": "b", "question": "a", "label": 1}, {"premise": "a", "hypothesis": "b"}),
        ("similarity", {"sentence1": "a", "sentence2": "b", "score": 1}, {"sentence1": "a", "sentence2": "b"}),
        ("similarity", {"text_a": "a", "text_b": "b", "label": 1}, {"sentence1": "a", "sentence2": "b"}),
        ("regression", {"text": "a", "score": 1}, {"text": "a"}),
        ("regression", {"text_a": "a", "label": 1}, {"text": "a"}),
        ("regression", {"text_a": "a", "text_b": "b", "score": 1}, {"text_a": "a", "text_b": "b"}),
        ("choice", {"context": "a", "choices": ["x", "y"], "label": 1}, {"context": "a", "question": ""}),
        ("choice", {"article": "a", "question": "q", "options": ["x", "y"], "answer": "B"},
         {"context": "a", "question": "q"}),
        ("choice", {"sent1": "a", "sent2": "q", "ending1": "y", "ending0": "x", "label": "1"},
         {"context": "a", "question": "q"}),
        ("choice", {"context": "a", "choices": '["x", "y"]', "answer": "y"}, {"context": "a", "question": ""}),
    ],
)  # fmt: skip
def test_every_accepted_key_is_read(kind, row, texts):
    """Witness: the tables of keys in the documentation, row by row."""
    other = {**row, **{key: [0] if kind == "multilabel" else 0 for key in ("label", "labels", "score") if key in row}}
    task = task_from(kind, [row, other])
    found = dict(task.records[0].texts)
    if kind == "choice":
        assert found.pop("choices") == ("x", "y")
        assert task.records[0].label == 1 and task.label_names == ()
    assert found == texts
    assert list(found) == list(texts)  # reading order
    assert task.records[0].extra == {}


def test_numbers_and_truth_values_are_names_too():
    """Invariant: names are strings, whole numbers sorted by size; 1 in one file is "1" in another."""
    assert task_from("classification", [{"text": "a", "label": n} for n in (10, 9, 2)]).label_names == ("2", "9", "10")
    task = task_from("classification", [{"text": "a", "label": value} for value in (True, False)])
    assert task.label_names == ("False", "True")
    later = list(records_from("classification", [{"text": "a", "label": "9"}], labels=("2", "9")))
    assert later[0].label == 1


@pytest.mark.parametrize("names", [("7", "07", "+7"), ("0", "-0", "3"), ("a7", "7", "07"), ("٧", "7", "2")])
def test_labels_have_one_order_in_every_process(names):
    """Witness: every order in which a set may hand out names, which the process's hash seed decides."""
    assert len({sort_names(order) for order in permutations(names)}) == 1


def test_similarity_has_classes_or_scores_as_the_file_has_them():
    """Invariant: the first training row settles it; later files follow the label names."""
    pair = {"sentence1": "a", "sentence2": "b"}
    scores = task_from("similarity", [pair | {"score": 1}, pair | {"score": "2.5"}])
    assert (scores.label_names, [r.label for r in scores.records]) == ((), [1.0, 2.5])
    classes = task_from("similarity", [pair | {"label": 1}, pair | {"label": 0}])
    assert (classes.label_names, [r.label for r in classes.records]) == (("0", "1"), [1, 0])
    assert "missing key 'score'" in str(complaint(lambda: task_from("similarity", [pair | {"label": 1}], labels=())))


def test_marks_are_numbers_in_order():
    """Witness: written out by hand; an empty list is a row without marks."""
    rows = [{"text": "a", "labels": ["z", "b"]}, {"text": "b", "labels": []}, {"text": "c", "labels": '["b"]'}]
    task = task_from("multilabel", rows)
    assert task.label_names == ("b", "z")
    assert [r.label for r in task.records] == [(0, 1), (), (0,)]


def test_prediction_needs_no_label_and_does_not_read_one(jsonl):
    """Invariant: a label column, even with unknown names, is just another column."""
    path = jsonl({"text": "a", "label": "?", "id": 1}, {"text": "b"})
    found = list(read_records("classification", path, labels=("neg", "pos"), read=ReadOptions(labelled=False)))
    assert [r.label for r in found] == [None, None]
    assert found[0].extra == {"label": "?", "id": 1}


def test_reading_streams(tmp_path):
    """Invariant: a bad last row does not keep the rows before it from coming out."""
    rows = read_records("classification", tmp_path / "none.jsonl", labels=("a",))
    assert "file not found" in str(complaint(lambda: next(rows)))
    endless = iter(lambda: {"text": "a", "label": "a"}, None)
    assert next(records_from("classification", endless, labels=("a",))).label == 0


def test_a_missing_key_names_the_line_the_keys_and_the_slip(jsonl):
    """Witness: the whole sentence."""
    path = jsonl({"text": "a", "label": 1}, {"txt": "b", "label": 0})
    assert str(complaint(lambda: read_task("classification", path))) == (
        f"{path}:2: missing key 'text' for a classification task; got ['txt', 'label']; "
        "allowed: text or sentence; with label; rename 'txt' to 'text', or name its column: --columns text=txt."
    )


@pytest.mark.parametrize(
    ("kind", "row", "flag"),
    [
        ("classification", {"Text": "a", "Bewertung": "gut"}, "text=Text,label=NAME"),
        ("classification", {"Text": "a", "label": "gut"}, "text=Text"),
        ("multilabel", {"text": "a", "id": "x", "Zimmer": "1", "Essen": "0"}, "labels=Zimmer+Essen"),
        ("multilabel", {"text": "a", "Label": "Zimmer"}, "labels=Label"),
        (
            "entailment",
            {"Premise": "a", "Hypothesis": "b", "Label": "c"},
            "premise=Premise,hypothesis=Hypothesis,label=Label",
        ),
    ],
)
def test_one_flag_names_all_columns_that_are_missing(kind, row, flag):
    """Invariant: who does as the sentence says is not told of the next column after that."""
    assert str(complaint(lambda: task_from(kind, [row]))).endswith(f"--columns {flag}.")


@pytest.mark.parametrize(
    ("kind", "row", "missing"),
    [
        ("entailment", {"premise": "a", "hypotesis": "b", "label": 1}, "hypothesis"),
        ("entailment", {"premise": "a", "sentence2": "b", "label": 1}, "hypothesis"),
        ("choice", {"context": "a", "label": 1}, "choices"),
        ("choice", {"choices": ["a", "b"], "label": 1}, "context"),
        ("choice", {"context": "a", "choices": ["a", "b"]}, "label"),
        ("regression", {"text": "a"}, "score"),
        ("multilabel", {"text": "a", "label": 1}, "labels"),
        ("similarity", {"sentence1": "a", "score": 1}, "sentence2"),
    ],
)
def test_the_key_that_is_missing_is_the_one_named(kind, row, missing):
    """Invariant: of several accepted sets of keys, the one that is nearly there is meant."""
    error = complaint(lambda: task_from(kind, [row]))
    assert error.what == f"missing key {missing!r} for {with_article(kind)} task"
    assert error.where == "row 1" and error.value == list(row) and missing in error.allowed and error.next_step


def test_an_unseen_label_is_refused_with_those_known(jsonl):
    """Witness: the whole sentence."""
    path = jsonl({"text": "a", "label": "positiv"})
    assert str(complaint(lambda: read_task("classification", path, labels=("negative", "positive")))) == (
        f"{path}:1, key 'label': label unseen in training; got 'positiv'; allowed: negative, positive; "
        "did you mean 'positive'?"
    )


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("classification", [{"text": "a", "label": "x"}, {"text": "b", "label": "x"}]),
        ("regression", [{"text": "a", "score": 1}, {"text": "b", "score": 1.0}]),
        ("multilabel", [{"text": "a", "labels": ["x"]}, {"text": "b", "labels": ["x"]}]),
    ],
)
def test_training_labels_that_are_all_the_same_are_refused(kind, rows):
    """Invariant: a training file must have something to learn; a later file may be as it likes."""
    error = complaint(lambda: task_from(kind, rows))
    assert error.what.startswith("all labels are the same")
    assert error.where.startswith("rows, key ") and error.allowed and error.next_step
    names = () if kind == "regression" else ("x", "y")
    assert len(task_from(kind, rows, labels=names).records) == 2


@pytest.mark.parametrize("label", [2, -1, "2", True, "x", 0.0, None])
def test_a_choice_out_of_range_is_refused(label):
    """Invariant: only 0 and 1 choose between two; text is looked up in ``answer`` alone."""
    error = complaint(lambda: task_from("choice", [{"context": "", "choices": ["x", "y"], "label": label}]))
    assert error.what == ("the label is empty" if label is None else "no such choice")
    assert "'label'" in error.where and error.allowed and error.next_step


def test_an_answer_is_an_index_a_text_or_a_letter():
    """Invariant: the text of a choice comes first, even if it looks like a number or a letter."""
    row = {"context": "", "choices": ["A", "7", "B"]}
    answers = ["B", "7", 1, "2", "C"]
    assert [task_from("choice", [row | {"answer": a}]).records[0].label for a in answers] == [2, 1, 1, 2, 2]
    assert "or the text of a choice" in complaint(lambda: task_from("choice", [row | {"answer": "Z"}])).allowed


def test_fewer_than_two_choices_are_refused():
    """Invariant: nothing to choose is bad input, said before the label is looked at."""
    error = complaint(lambda: task_from("choice", [{"context": "", "choices": ["x"], "label": 0}]))
    assert (error.what, error.where, error.value) == ("a question needs choices", "row 1, key 'choices'", ["x"])
    assert error.allowed == "a list of 2 or more" and error.next_step


@pytest.mark.parametrize("score", ["high", math.inf, math.nan, True, [1], "1e999", "1_0"])
def test_a_score_that_is_no_finite_number_is_refused(score):
    """Invariant: file, key, value, what is allowed and what to do."""
    error = complaint(lambda: task_from("regression", [{"text": "a", "score": score}]))
    assert error.what == "the score is not a finite number" and error.where == "row 1, key 'score'"
    assert error.value is score and error.allowed and error.next_step


def test_other_values_that_cannot_be_are_refused():
    """Witness: cases made by hand."""
    assert complaint(lambda: task_from("classification", [{"text": 5, "label": 1}])).what == "not text"
    assert complaint(lambda: task_from("classification", [{"text": "a", "label": 1.5}])).what == "not a label"
    assert complaint(lambda: task_from("classification", [{"text": "a", "label": ""}])).what == "the label is empty"
    assert complaint(lambda: task_from("multilabel", [{"text": "a", "labels": 3}])).what == "not a list"
    assert complaint(lambda: task_from("multilabel", [{"text": "a", "labels": [1, 0, 0]}])).what == (
        "a label is named twice"
    )
    assert complaint(lambda: task_from("choice", [{"context": "", "choices": ["x", 1], "label": 0}])).what == (
        "a choice is not text"
    )


def test_an_empty_file_and_an_unknown_task_are_refused(tmp_path):
    """Witness: what the sentences must name."""
    (tmp_path / "empty.jsonl").write_text("")
    assert str(tmp_path / "empty.jsonl") in str(
        complaint(lambda: read_task("classification", tmp_path / "empty.jsonl"))
    )
    assert complaint(lambda: task_from("classification", [])).what == "no examples"
    error = complaint(lambda: read_records("clasification", tmp_path / "empty.jsonl", labels=()))
    assert error.what == "unknown task" and error.next_step == "did you mean 'classification'?"


def test_all_unusable_rows_are_named_at_once(tmp_path: Path) -> None:
    """Witness: the rows by hand: labels that are missing in one way or another, a text that is none."""
    rows: list[dict[str, Any]] = [{"text": f"row {n}", "label": "ab"[n % 2]} for n in range(1, 11)]
    rows[2]["label"], rows[4]["label"], rows[6]["text"] = "", None, 7
    found = str(complaint(lambda: task_from("classification", rows)))
    assert found.startswith(
        "rows: 3 rows cannot be used: the label is empty (row 3, key 'label'; row 5, key 'label'), "
        "not text (row 7, key 'text'); "
    )
    rows[2]["label"], rows[4]["label"], rows[6]["text"] = [1], 0.5, "seven"
    found = str(complaint(lambda: task_from("classification", rows)))
    assert "2 rows cannot be used: not a label (row 3, key 'label'; row 5, key 'label')" in found
    rows[2]["label"], rows[4]["label"] = "c", "d"
    stream = records_from("classification", rows, ("a", "b"))
    assert [next(stream).texts["text"] for _ in range(2)] == ["row 1", "row 2"]
    found = str(complaint(lambda: list(stream)))
    assert "2 rows cannot be used: label unseen in training (row 3, key 'label'; row 5, key 'label')" in found


@pytest.mark.parametrize(
    ("name", "header", "expected"),
    [
        ("t.tsv", "text,label", "the columns seem to be separated by commas"),
        ("t.csv", "text|label", "the columns seem to be separated by bars"),
        ("t.csv", "id,txt,label", "rename 'txt' to 'text'"),
    ],
)
def test_columns_that_are_not_separated_are_said(name: str, header: str, expected: str, tmp_path: Path) -> None:
    """Witness: headers by hand."""
    (tmp_path / name).write_text(f"{header}\n{header.upper()}\n")
    assert expected in str(complaint(lambda: read_task("classification", tmp_path / name)))


def test_an_error_lists_all_columns() -> None:
    """Witness: thirty names, far more than a value that is shortened."""
    row = {f"column {n}": "x" for n in range(30)}
    assert str(list(row)) in str(complaint(lambda: task_from("classification", [row])))


def test_a_choice_needs_no_context() -> None:
    """Witness: the framed text by hand: start, question, delimiter, choice, extract."""
    row = {"question": "who", "choices": ["he", "she"], "label": 1}
    task = task_from("choice", [row])
    assert task.records[0].texts == {"context": "", "question": "who", "choices": ("he", "she")}
    tokenizer = Tokenizer.train(["ab"], 257).with_special_tokens(TASK_TOKENS)
    spec = TaskSpec(kind="choice", frame=FrameSettings(context=32))
    (examples,) = frame_records(spec, task.records, tokenizer).examples
    written = [tokenizer.decode(example.ids, skip_special_tokens=False) for example in examples]
    assert written == [f"{START}who{DELIMITER}{choice}{EXTRACT}" for choice in ("he", "she")]
    assert "missing key 'context'" in str(complaint(lambda: task_from("choice", [{"choices": ["a", "b"], "label": 0}])))


def test_a_very_long_word_does_not_hold_up_the_vocabulary() -> None:
    """Witness: the vocabulary of the same word cut by hand into pieces of 4,096 letters; whole it would take minutes."""
    word = "ab" * 100_000
    kind = KINDS["classification"]
    found = kind.learn_vocabulary([Record({"text": word})], 300, "bpe")
    pieces = [word[start : start + 4096] for start in range(0, len(word), 4096)]
    assert found.fingerprint == Tokenizer.train(pieces, 300).fingerprint


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("classification", {"text": "a\ud800b", "label": 1}),
        ("tagging", {"tokens": ["a", "\udcff"], "tags": ["X", "Y"]}),
    ],
)
def test_half_a_character_is_named_with_its_row(kind: str, row: dict[str, Any]) -> None:
    """Witness: what Python's own encoder refuses."""
    found = str(complaint(lambda: task_from(kind, [row])))
    assert found.startswith(f"row 1, key {next(iter(row))!r}: a text with half of a character (surrogates not allowed)")
    found.encode("utf-8")


def test_pairs_of_a_foreign_classifier_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the rows as written, under the names that the columns have there."""
    pairs = ReadOptions(labelled=False, keeps_texts=True, options=TextSettings(pairs=True))
    for given, columns, names in (
        ("id,premise,hypothesis\n7,it rains,it is wet\n", (), ("premise", "hypothesis")),
        ("id;one;two\n7;it rains;it is wet\n", ("premise=one", "hypothesis=two"), ("one", "two")),
    ):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        [record] = read_records("classification", "-", ("no", "yes"), replace(pairs, columns=columns))
        assert record.texts == {"premise": "it rains", "hypothesis": "it is wet"}
        row = dict(zip(names, record.texts.values(), strict=True))
        [other] = records_from("classification", [row], ("no", "yes"), False, pairs.options, columns)
        assert other.texts == record.texts
        assert record.extra == {"id": "7", names[0]: "it rains", names[1]: "it is wet"}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("café", "cafe\u0301", "x"), r"two labels look the same: 'cafe\\u0301' and 'caf\\xe9'"),
        (("pos", "pos\u00a0", "neg"), r"two labels look the same: 'pos' and 'pos\\xa0'"),
        (("pos", "\ufeffpos", "neg"), "two labels look the same"),
        (("pos", "neg", "neg\u200b\t"), "two labels look the same"),
        (("New York", "New\u2009York"), "two labels look the same"),
        (("0", "1", "1.0"), "two labels are the same number: '1' and '1.0'"),
        (("0.0", "1.0", "nan"), "the label is empty; got 'nan'"),
    ],
)
def test_labels_that_nobody_takes_for_two_are_refused(labels: tuple[str, ...], said: str) -> None:
    """Witness: unicodedata's normal forms and categories, and float(); each would be a class that is never told apart."""
    rows = [{"text": str(number), "label": label} for number, label in enumerate(labels)]
    with pytest.raises(BadInput, match=said):
        task_from("classification", rows)
    with pytest.raises(BadInput, match=said):
        task_from("tagging", [{"tokens": [row["text"]], "tags": [row["label"]]} for row in rows])


def test_labels_that_only_resemble_each_other_stay_apart() -> None:
    """Witness: by hand; codes with zeros, versions, a language whose code is nan, letters of both cases."""
    for labels in (("1", "01", "1.5"), ("1.1", "1.10"), ("nan", "deu", "3"), ("A", "a"), ("ab", "a b")):
        rows = [{"text": str(number), "label": label} for number, label in enumerate(labels)]
        assert sorted(task_from("classification", rows).label_names) == sorted(labels)
