"""SQuAD's JSON to questions: both versions by hand, and what is not SQuAD."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from warmstart.base.errors import BadInput
from warmstart.readers.squad import read_questions

ANSWER = {"text": "1923", "answer_start": 17}
CONTEXT = "He sang first in 1923."


def squad(*questions: Any, **more: Any) -> dict[str, Any]:
    return {"version": "2.0", "data": [{**more, "paragraphs": [{"context": CONTEXT, "qas": list(questions)}]}]}


def test_questions_become_rows(tmp_path: Path) -> None:
    """Witness: the two published layouts by hand: answered, marked as impossible, and without answers to be predicted."""
    path = tmp_path / "dev.json.gz"
    questions = [
        {"id": "a", "question": "When?", "answers": [ANSWER], "is_impossible": False},
        {"id": "b", "question": "Why?", "answers": [], "is_impossible": True, "plausible_answers": [ANSWER]},
        {"question": "Where?"},
    ]
    path.write_bytes(gzip.compress(json.dumps(squad(*questions, title="Song")).encode()))
    rows = list(read_questions(str(path)))
    common = {"title": "Song", "context": CONTEXT}
    assert [row.fields for row in rows] == [
        {"id": "a", **common, "question": "When?", "answers": [ANSWER]},
        {"id": "b", **common, "question": "Why?", "answers": []},
        {"id": 3, **common, "question": "Where?"},
    ]
    assert [row.where for row in rows] == [f"{path}, question {name}" for name in ("a", "b", 3)]


def test_an_empty_list_is_no_answer_without_a_flag(tmp_path: Path) -> None:
    """Witness: the annotators' own sets (no flag), by hand; to be predicted, anything may stand there."""
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(squad({"id": "a", "question": "Why?", "answers": []})))
    assert [row.fields["answers"] for row in read_questions(str(path))] == [[]]
    nothing = {"text": "", "answer_start": -1}
    path.write_text(json.dumps(squad({"id": "a", "question": "Why?", "answers": [nothing], "is_impossible": True})))
    assert [row.fields["answers"] for row in read_questions(str(path))] == [[]]
    path.write_text(json.dumps(squad({"id": "a", "question": "Why?", "answers": [], "is_impossible": "no"})))
    assert [row.fields["question"] for row in read_questions(str(path), labelled=False)] == ["Why?"]


@pytest.mark.parametrize(
    ("flag", "answers", "parts"),
    [
        ("False", [ANSWER], ["question q1: 'is_impossible' is no truth value", "got 'False'", "true or false"]),
        (0, [ANSWER], ["no truth value", "got 0"]),
        (True, [ANSWER], ["'is_impossible' is true, yet the question has an answer"]),
        (False, [], ["'is_impossible' is false, yet the question has no answer"]),
    ],
)
def test_flags_that_contradict_are_refused(flag: Any, answers: list[Any], parts: list[str], tmp_path: Path) -> None:
    """Witness: SQuAD 2.0's definition: impossible and without answers are the same."""
    (tmp_path / "dev.json").write_text(
        json.dumps(squad({"id": "q1", "question": "?", "answers": answers, "is_impossible": flag}))
    )
    with pytest.raises(BadInput) as error:
        list(read_questions(str(tmp_path / "dev.json")))
    assert [part for part in parts if part not in str(error.value)] == [], str(error.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("{", ["dev.json", "not complete JSON"]),
        ("[" * 100000, ["dev.json", "nested too deeply"]),
        (json.dumps(squad({"question": "\ud800"})), ["dev.json, question 1", "half of a character", "surrogates"]),
        ("[]", ["dev.json: not a file in SQuAD's format", "'data'"]),
        ('{"data": [{}]}', ["dev.json, data[0]", "'paragraphs'"]),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', ["data[0].paragraphs[0]", "'context'"]),
        ('{"data": []}', ["has no questions"]),
        (json.dumps(squad("x")), ["data[0].paragraphs[0]", "got 'x'"]),
        (json.dumps(squad({"id": "q7"})), ["question q7", "'question'"]),
        (json.dumps(squad({"id": "q7", "question": "?", "answers": "1923"})), ["question q7", "'answers'"]),
    ],
)
def test_other_json_is_refused(tmp_path: Path, text: str, parts: list[str]) -> None:
    """Witness: the place that is unlike SQuAD."""
    (tmp_path / "dev.json").write_text(text)
    with pytest.raises(BadInput) as error:
        list(read_questions(str(tmp_path / "dev.json")))
    assert [part for part in parts if part not in str(error.value)] == [], str(error.value)


def test_questions_without_articles_are_rows(tmp_path: Path) -> None:
    """Witness: the rows as they were written; answers in either form of the hub are those of the table's reader."""
    rows = [
        {"id": n, "context": "In 1923.", "question": "When?", "answers": {"text": ["1923"], "answer_start": [3]}}
        for n in (1, 2)
    ]
    for document in (rows, {"version": "1", "data": rows}):
        (tmp_path / "dev.json").write_text(json.dumps(document))
        found = list(read_questions(str(tmp_path / "dev.json")))
        assert [row.fields for row in found] == rows and found[1].where.endswith("dev.json, row 2")
    (tmp_path / "dev.json").write_text(json.dumps([*rows, "x"]))
    with pytest.raises(BadInput, match=r"dev.json, row 3.*got 'x'"):
        list(read_questions(str(tmp_path / "dev.json")))


def test_null_is_no_list_of_answers(tmp_path: Path) -> None:
    """Witness: SQuAD's definition: null is neither answers nor none of them, so the sentence says what to write."""
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(squad({"id": "q1", "question": "?", "answers": None})))
    with pytest.raises(BadInput, match=r"question q1: 'answers' is null; .*write \[\]"):
        list(read_questions(str(path)))
    path.write_text(json.dumps(squad({"id": "q1", "question": "?", "answers": None, "is_impossible": True})))
    assert [row.fields["answers"] for row in read_questions(str(path))] == [[]]
