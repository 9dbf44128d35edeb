"""What ``predict`` reads and writes: forms of standard input, answers as they come, texts beside answers."""

import io
import json
import os
import re
import sys
import threading
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import warmstart
from warmstart.base import console
from warmstart.base.errors import BadInput
from warmstart.evaluation.arrivals import FEW, Arrivals
from warmstart.example.record import Record

ROWS = [{"id": n, "text": f"{('dry', 'wet')[n % 2]} day, number {n}", "label": n % 2} for n in range(20)]
FAST: dict[str, Any] = {"model": "gpt1-tiny", "vocab_size": 270, "length": "2 steps", "precision": "fp32"}


def json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of one text, ``run``, and one of pairs, ``pairs``."""
    home = tmp_path_factory.mktemp("predict")
    pairs = [{"premise": row["text"], "hypothesis": "it rains", "label": row["label"]} for row in ROWS]
    for name, task, rows in (("run", "classification", ROWS), ("pairs", "entailment", pairs)):
        (home / f"{name}.jsonl").write_text(json_lines(rows))
        train = str(home / f"{name}.jsonl")
        warmstart.finetune(str(home / name), start="none", task=task, train=train, dev=train, **FAST)
    return home


def answers(
    home: Path, monkeypatch: pytest.MonkeyPatch, given: str, run: str = "run", **flags: Any
) -> list[dict[str, Any]]:
    """What predict writes about standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    out = home / f"out{len(list(home.iterdir()))}.jsonl"
    warmstart.predict(str(home / run), "-", str(out), **flags)
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_standard_input_is_read_as_its_first_line_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the same rows from a file of JSON lines."""
    out = home / "from_file.jsonl"
    warmstart.predict(str(home / "run"), str(home / "run.jsonl"), str(out))
    wanted = [json.loads(line) for line in out.read_text().splitlines()]
    table = "id,text\n" + "".join(f'{row["id"]},"{row["text"]}"\n' for row in ROWS)
    forms = {
        "JSON lines": "\n" + json_lines(ROWS),
        "CSV": table,
        "TSV": "id\ttext\n" + "".join(f"{row['id']}\t{row['text']}\n" for row in ROWS),
        "CSV with semicolons": table.replace(",", ";").replace("; ", ", "),
        "lines": "".join(row["text"] + "\n\n" for row in ROWS),
    }
    for form, given in forms.items():
        found = answers(home, monkeypatch, given)
        assert [row["text"] for row in found] == [row["text"] for row in ROWS], form
        assert [row["probabilities"] for row in found] == [row["probabilities"] for row in wanted], form


@pytest.mark.parametrize(("ending", "separator"), [("csv", ","), ("TSV", "\t")])
def test_a_table_has_what_the_lines_have(home: Path, tmp_path: Path, ending: str, separator: str) -> None:
    """Witness: pandas reads the table, the JSON lines of the same rows are what it has to hold, quotes and all."""
    rows = [{"id": 7, "text": 'a "dry" day, é\tü;\nand wet', "note": None}, {"id": 8, "text": "", "note": [1, "ö"]}]
    (tmp_path / "rows.jsonl").write_text(json_lines(rows))
    for name in ("out.jsonl", f"out.{ending}"):
        warmstart.predict(str(home / "run"), str(tmp_path / "rows.jsonl"), str(tmp_path / name))
    wanted = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    table = pd.read_csv(tmp_path / f"out.{ending}", sep=separator, keep_default_na=False, dtype=str).to_dict("records")
    assert [[*row] for row in table] == [[*row] for row in wanted]
    for found, row in zip(table, wanted, strict=True):
        for name, value in row.items():
            cell = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | float | int) else value
            assert found[name] == (cell or "")


@pytest.mark.parametrize(
    ("name", "rows", "sentence"),
    [
        ("out.csv", [{"text": "a"}, {"text": "b", "note": "c"}], "a column that the first row has not; got 'note'"),
        ("out.jsonl.gz", [{"text": "a"}], "a form that is not written; got '.gz'; allowed: JSON lines"),
        ("out.xlsx", [{"text": "a"}], "a form that is not written; got '.xlsx'"),
    ],
)  # fmt: skip
def test_a_form_that_cannot_hold_the_rows_is_refused(
    home: Path, tmp_path: Path, name: str, rows: list[dict[str, Any]], sentence: str
) -> None:
    """Invariant: nothing is written."""
    (tmp_path / "rows.jsonl").write_text(json_lines(rows))
    with pytest.raises(BadInput, match=re.escape(sentence)):
        warmstart.predict(str(home / "run"), str(tmp_path / "rows.jsonl"), str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("text", ["a\rb,c", 'he said "no, never', "x" * 200_000, "text"[:3] + ";,\t"])
def test_a_text_is_read_whatever_marks_it_has(home: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Witness: the line itself."""
    assert [row["text"] for row in answers(home, monkeypatch, f"{text}\nand more\n")] == [text, "and more"]


def test_lines_are_no_pairs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the sentence; a table of pairs is read."""
    with pytest.raises(BadInput, match="-:1: missing key 'premise'"):
        answers(home, monkeypatch, "a dry day\n", "pairs")
    [found] = answers(home, monkeypatch, "premise,hypothesis\na dry day,it rains\n", "pairs")
    assert (found["premise"], found["hypothesis"]) == ("a dry day", "it rains")
    with pytest.raises(BadInput, match="-: the file has no rows"):
        answers(home, monkeypatch, "\n \n")


def test_texts_stand_beside_the_answers_unless_they_are_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the rows as given; a column that an answer has too is kept under another name."""
    found = answers(home, monkeypatch, json_lines(ROWS))
    assert [{"id": row["id"], "text": row["text"], "label": row["input_label"]} for row in found] == ROWS
    assert list(found[0])[:2] == ["id", "text"]
    short = answers(home, monkeypatch, json_lines(ROWS), no_texts=True)
    assert short == [{key: value for key, value in row.items() if key != "text"} for row in found]


def test_an_answer_does_not_wait_for_the_end_of_the_input(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: a pipe that stays open until its rows are answered, one at a time and then some together."""
    (read_in, write_in), (read_out, write_out) = os.pipe(), os.pipe()
    ends = os.fdopen(read_in), os.fdopen(write_out, "w")
    monkeypatch.setattr(sys, "stdin", ends[0])
    monkeypatch.setattr(sys, "stdout", ends[1])
    verb = threading.Thread(target=lambda: warmstart.predict(str(home / "run"), "-", "-"))
    verb.start()
    with os.fdopen(write_in, "w", buffering=1) as given, os.fdopen(read_out) as told:
        for rows in (ROWS[:1], ROWS[1:2], ROWS[2:]):
            given.write(json_lines(rows))
            given.flush()
            assert [json.loads(told.readline())["id"] for _ in rows] == [row["id"] for row in rows]
        given.close()
        verb.join(10)
    assert not verb.is_alive()
    for end in ends:
        end.close()


def test_a_broken_row_does_not_wait_for_the_end_of_the_input(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: a pipe that stays open; the answers before the row are there, and the sentence names its line."""
    for broken in ('{"text": \n', '{"text": 7}\n'):
        read_in, write_in = os.pipe()
        with os.fdopen(read_in) as end, os.fdopen(write_in, "w") as given, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", end)
            patch.setattr(sys, "stdout", told := io.StringIO())
            given.write(json_lines(ROWS[:2]) + broken + json_lines(ROWS[2:]))
            given.flush()
            with pytest.raises(BadInput, match=r"^-:3"):
                warmstart.predict(str(home / "run"), "-", "-")
            assert [json.loads(line)["id"] for line in told.getvalue().splitlines()] == [0, 1]


def test_groups_grow_while_records_come_faster_than_they_are_taken() -> None:
    """Invariant: all Records, in order, in groups that double to the most that is asked for; an error comes after them."""
    waiting = threading.Event()

    def source() -> Any:
        yield from (Record({"text": str(n)}) for n in range(300))
        waiting.set()
        raise BadInput("broken", where="-:301")

    arrivals = Arrivals(source())
    assert waiting.wait(10)
    groups = []
    with pytest.raises(BadInput, match="broken"):
        while group := arrivals.take(100):
            groups.append([int(str(record.texts["text"])) for record in group])
    assert list(chain(*groups)) == list(range(300))
    assert [len(group) for group in groups] == [FEW, 2 * FEW, 4 * FEW, 100, 88]


def test_a_data_set_is_predicted_in_its_own_form(tmp_path: Path) -> None:
    """Witness: the same texts as JSON lines; CoLA's files have no header and their label in the second column."""
    lines = [f"gj04\t{n % 2}\t\tThe cup {('is', 'are')[n % 2]} number {n}.\n" for n in range(24)]
    folder = tmp_path / "cola"
    folder.mkdir()
    (folder / "train.tsv").write_text("".join(lines))
    (folder / "dev.tsv").write_text("".join(lines[:6]))
    run = str(tmp_path / "run")
    warmstart.finetune(run, start="none", task="cola", data=str(folder), **FAST)
    texts = [line.split("\t")[3].strip() for line in lines[:6]]
    (tmp_path / "plain.jsonl").write_text(json_lines([{"text": text} for text in texts]))
    found = {}
    for name, flags in {"dev.tsv": {}, "": {"split": "dev"}, "plain": {}}.items():
        source = str(tmp_path / "plain.jsonl") if name == "plain" else str(folder / name)
        warmstart.predict(run, source, str(tmp_path / f"{name}.out"), **flags)
        found[name] = [json.loads(line) for line in (tmp_path / f"{name}.out").read_text().splitlines()]
        assert [row["text"] for row in found[name]] == texts
        assert [row["probabilities"] for row in found[name]] == [row["probabilities"] for row in found["dev.tsv"]]
    assert [row["input_label"] for row in found[""]] == ["unacceptable", "acceptable"] * 3
    (tmp_path / "dev.tsv").write_text(
        "n\treview\n" + "".join(f"0\t{text}\n" for text in texts)
    )  # the same name, another form
    warmstart.predict(run, str(tmp_path / "dev.tsv"), str(tmp_path / "own"), columns={"text": "review"})
    assert [json.loads(line)["review"] for line in (tmp_path / "own").read_text().splitlines()] == texts
    with pytest.raises(BadInput, match="a known data set has columns and formats of its own"):
        warmstart.predict(run, str(folder), str(tmp_path / "y"), columns={"text": "b"})
    with pytest.raises(BadInput, match="--split is for the folder"):
        warmstart.predict(run, str(tmp_path / "plain.jsonl"), str(tmp_path / "x"), split="dev")


def test_progress_is_shown(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the lines on standard error, one for each row where no time has to pass between two."""
    monkeypatch.setattr(console, "INTERVAL_S", 0.0)
    warmstart.predict(str(home / "run"), str(home / "run.jsonl"), str(home / "shown.jsonl"))
    warmstart.evaluate(str(home / "run"), str(home / "run.jsonl"), precision="fp32")
    told = capsys.readouterr().err
    for title in ("predicting", "evaluating"):
        assert re.search(rf"^{title} 20  [\d,]+ examples/s$", told, re.MULTILINE), told
