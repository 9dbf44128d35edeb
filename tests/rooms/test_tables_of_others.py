"""Tables as spreadsheets, pandas and other people's scripts write them: read as the same rows in plain JSON lines are."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from warmstart.base.errors import BadInput
from warmstart.readers.problems import SkippedRows
from warmstart.readers.rows import read_rows
from warmstart.tasks.catalogue import known_dataset
from warmstart.tasks.dataset import TaskSet, read_task, task_from
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.table import find_kind

ROWS = [("café; noir", "ja"), ('ein "Hut"', "nein"), ("drei, vier", "ja"), ("Zeile\nzwei", "nein")]


def read(path: Path, content: str | bytes, kind: str = "classification", columns: str = "", **options: Any) -> TaskSet:
    """What a file with this content is read as."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_task(kind, path, read=ReadOptions(columns=tuple(filter(None, columns.split(","))), **options))


def complaint(path: Path, content: str | bytes, kind: str = "classification", columns: str = "", **options: Any) -> str:
    """The sentence that refuses it."""
    with pytest.raises(BadInput) as error:
        read(path, content, kind, columns, **options)
    return str(error.value)


def pairs_of(task: TaskSet) -> list[tuple[str, str]]:
    """The texts with the names of their labels."""
    return [(str(one.texts["text"]), task.label_names[int(str(one.label))]) for one in task.records]


def as_csv(delimiter: str, rows: list[Any] = ROWS, header: tuple[str, ...] = ("text", "label")) -> str:
    """A table as Python's csv module writes it, with CRLF."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows([header, *rows] if header else rows)
    return stream.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_the_first_line_of_a_spreadsheet_names_the_separator(delimiter: str, encoding: str, tmp_path: Path) -> None:
    """Witness: the rows that Python's csv module wrote; the lines keep their numbers."""
    for line in (f"sep={delimiter}", f'"SEP={delimiter}"'):
        content = (f"{line}\r\n" + as_csv(delimiter)).encode(encoding)
        assert pairs_of(read(tmp_path / "a.csv", content, encoding=encoding)) == ROWS
    assert next(read_rows(str(tmp_path / "a.csv"), encoding)).where.endswith(":3")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_of_utf_16_is_seen(encoding: str, tmp_path: Path) -> None:
    """Witness: the same text in UTF-8, in every reader of text; other bytes that are no UTF-8 are refused as ever."""
    mark = "" if encoding == "utf-16" else "\ufeff"
    assert pairs_of(read(tmp_path / "a.csv", (mark + as_csv(",")).encode(encoding))) == ROWS
    lines = "".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in ROWS)
    assert pairs_of(read(tmp_path / "a.jsonl", (mark + lines).encode(encoding))) == ROWS
    assert "not utf-8 text" in complaint(tmp_path / "b.csv", b"text,label\n\xff\xfe,a\n")


def test_tables_without_names_have_numbers(tmp_path: Path) -> None:
    """Witness: the same table with a header line; a table whose columns are called by numbers keeps these names."""
    rows = [["3", "Title", "A text, long"], ["1", "Other", "Second"], ["3", "Third", "x"]]
    for delimiter, name in ((",", "a.csv"), ("\t", "a.tsv")):
        content = as_csv(delimiter, rows, header=())
        found = read(tmp_path / name, content, columns="label=1,text=3")
        named = read(tmp_path / name, as_csv(delimiter, rows, ("label", "2", "text")))
        assert pairs_of(found) == pairs_of(named) == [("A text, long", "3"), ("Second", "1"), ("x", "3")]
        assert found.records[0].extra == {"2": "Title"}
    joined = read(tmp_path / "a.csv", as_csv(",", rows, header=()), columns="label=1,text=2+3")
    assert joined.records[0].texts["text"] == "Title A text, long"
    called = read(tmp_path / "b.csv", "0,1\na,x\nb,y\n", columns="text=0,label=1")
    assert pairs_of(called) == [("a", "x"), ("b", "y")]
    path, table = tmp_path / "a.csv", as_csv(",", rows, header=())
    assert "no such column; got '4'; allowed: 1, 2, 3" in complaint(path, table, columns="text=4,label=1")
    assert "number its columns: --columns text=2,…" in complaint(path, table)
    assert "no such column" in complaint(tmp_path / "a.jsonl", '{"a": "x"}\n', columns="text=1,label=2")


def test_json_is_a_list_or_lines(tmp_path: Path) -> None:
    """Witness: Python's json module."""
    rows = [{"text": text, "label": label} for text, label in ROWS]
    for content in (json.dumps(rows), json.dumps(rows, indent=2), "".join(json.dumps(row) + "\n" for row in rows)):
        assert pairs_of(read(tmp_path / "a.json", content)) == ROWS
    for more in ({}, {"version": "1.0", "features": ["text", "label"]}):  # under whatever name
        for indent in (None, 2):
            assert pairs_of(read(tmp_path / "a.json", json.dumps(more | {"data": rows}, indent=indent))) == ROWS
    both = complaint(tmp_path / "a.json", json.dumps({"train": rows, "test": rows}))
    assert "several lists of rows; got 'train, test'" in both
    assert "read with --format json" in complaint(tmp_path / "a.jsonl", json.dumps(rows))
    choices = [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]
    one = json.dumps(
        {"context": "x", "question": "y", "choices": choices, "label": "B"}
    )  # a row, though it holds a list
    assert [r.label for r in read(tmp_path / "a.json", f"{one}\n{one}\n", "choice").records] == [1, 1]
    assert "a.json, row 2: not a JSON object; got 3" in complaint(
        tmp_path / "a.json", '[{"text": "a", "label": "x"}, 3]'
    )
    assert "not a complete JSON object" in complaint(tmp_path / "a.json", '[{"text": "a"')
    assert "export it as CSV" in complaint(tmp_path / "a.xlsx", b"PK\x03\x04")


def test_headers_and_labels_are_read_without_blanks_around_them(tmp_path: Path) -> None:
    """Witness: the same table without blanks; indexes without names are carried along under pandas' names."""
    assert pairs_of(read(tmp_path / "a.csv", "text, label\nx, j\ny,n \nz,j\n")) == [("x", "j"), ("y", "n"), ("z", "j")]
    found = read(tmp_path / "a.csv", ",,text,label\n0,7,x,j\n1,8,y,n\n")
    assert found.records[1].extra == {"Unnamed: 0": "1", "Unnamed: 1": "8"}
    assert "the label is empty" in complaint(tmp_path / "a.csv", "text,label\nx, \ny,n\n")
    tags = read(tmp_path / "a.conll", "EU   B-ORG  \nrejects\t O\n\n", kind="tagging")
    assert tags.label_names == ("B-ORG", "O")


def test_whole_numbers_are_labels_however_they_are_written(tmp_path: Path) -> None:
    """Witness: the same labels as whole numbers; a scale stays a scale."""
    rows = [{"text": f"t{n}", "label": float(n % 3)} for n in range(6)]
    found = task_from("classification", rows)
    assert (found.label_names, found.label_values) == (("0", "1", "2"), (0, 1, 2))
    with pytest.raises(BadInput, match=r"not a label; got 0\.5"):
        task_from("classification", [*rows, {"text": "x", "label": 0.5}])
    pair = {"sentence1": "a", "sentence2": "b"}
    with pytest.raises(BadInput, match=r"a score where a class is expected; got 3\.0; .*--columns score=label"):
        task_from("similarity", [pair | {"label": 3.0}, pair | {"label": 1.0}])


def test_several_labels_stand_in_one_cell_or_in_columns_of_their_own(tmp_path: Path) -> None:
    """Witness: the same labels as lists of JSON; NumPy's form of a list, which Python reads as one text, is refused."""
    lists = [["b", "a"], ["b"], [], ["c", "a"]]
    wanted = task_from("multilabel", [{"text": "t", "labels": names} for names in lists])
    for write in ("|".join, ";".join, ", ".join, json.dumps, repr):
        table = as_csv(",", [("t", write(names)) for names in lists], ("text", "labels"))
        found = read(tmp_path / "a.csv", table, "multilabel")
        assert [r.label for r in found.records] == [r.label for r in wanted.records], write
        assert found.label_names == wanted.label_names
    flags = as_csv(
        ",", [("t", *(str(int(name in names)) for name in "abc")) for names in lists], ("body", "a", "b", "c")
    )
    found = read(tmp_path / "a.csv", flags, "multilabel", "text=body,labels=a+b+c")
    assert [r.label for r in found.records] == [r.label for r in wanted.records]
    assert "not whether a label holds; got '2'" in complaint(
        tmp_path / "a.csv", "t,a,b\nx,1,2\n", "multilabel", "text=t,labels=a+b"
    )
    array = as_csv(",", [("t", str(np.array(["a", "b"])))], ("text", "labels"))
    assert "not a list; got \"['a' 'b']\"" in complaint(tmp_path / "a.csv", array, "multilabel")
    commas = 'text,labels\nt,"red, dark|blue"\nt,"red, dark"\n'
    assert read(tmp_path / "a.csv", commas, "multilabel").label_names == ("blue", "red, dark")


def test_columns_are_joined_and_found_in_objects() -> None:
    """Witness: the same rows with the task's own keys."""
    rows = [{"goal": "open it", "sol1": "pull", "sol2": "push", "right": n % 2} for n in range(3)]
    found = task_from("choice", rows, columns=("question=goal", "choices=sol1+sol2", "label=right"))
    plain = [{"question": "open it", "choices": ["pull", "push"], "label": n % 2} for n in range(3)]
    assert [(r.texts, r.label) for r in found.records] == [
        (r.texts, r.label) for r in task_from("choice", plain).records
    ]
    texts = [{"translation": {"en": "one", "de": "eins"}}, {"translation": {"en": "two", "de": "zwei"}}]
    pairs = task_from("seq2seq", texts, columns=("source=translation.en", "target=translation.de"))
    assert [r.texts["source"] for r in pairs.records] == ["one", "two"]
    with pytest.raises(BadInput, match=r"no such column; got 'translation\.fr'; allowed: en, de"):
        task_from("seq2seq", texts, columns=("source=translation.fr", "target=translation.de"))
    with pytest.raises(BadInput, match="not texts that can be joined"):
        task_from("classification", [{"a": "x", "b": 3, "label": 1}], columns=("text=a+b",))


CHOICES = [{"text": "iron", "label": "A"}, {"text": "ice", "label": "B"}, {"text": "salt", "label": "C"}]


@pytest.mark.parametrize(
    "row",
    [
        {"question": {"stem": "What melts?", "choices": CHOICES}, "answerKey": "B"},
        {
            "question": "What melts?",
            "choices": {"text": ["iron", "ice", "salt"], "label": ["A", "B", "C"]},
            "answerKey": "B",
        },
        {
            "question_stem": "What melts?",
            "choices": {"text": ["iron", "ice", "salt"], "label": [1, 2, 3]},
            "answerKey": "2",
        },
        {"question": "What melts?", "choices": CHOICES, "label": "B"},
    ],
)
def test_choices_have_labels_of_their_own(row: dict[str, Any]) -> None:
    """Witness: the plain row; a label that no choice has, or that two have, is refused."""
    plain = {"question": "What melts?", "choices": ["iron", "ice", "salt"], "label": 1}
    found, wanted = (task_from("choice", [one]).records[0] for one in (row, plain))
    assert (found.texts, found.label) == (wanted.texts, wanted.label)
    key = "answerKey" if "answerKey" in row else "label"
    with pytest.raises(BadInput, match=r"no choice has this label; got 'E'; allowed: [A1], [B2], [C3]"):
        task_from("choice", [row | {key: "E"}])
    with pytest.raises(BadInput, match="not one label for each choice"):
        task_from("choice", [{"question": "x", "choices": [CHOICES[0], CHOICES[0]], "answerKey": "A"}])


def test_stems_are_read_alike_in_a_folder_and_as_files(tmp_path: Path) -> None:
    """Witness: the known data set, which reads the same files; the stem is the whole question of both."""
    lines = "".join(
        json.dumps({"id": "1", "question": {"stem": "What melts?", "choices": CHOICES}, "answerKey": k}) + "\n"
        for k in "BC"
    )
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.jsonl").write_text(lines)
    known = known_dataset("openbookqa").load(tmp_path).records["train"]
    own = read_task("choice", tmp_path / "train.jsonl").records
    assert [r.label for r in known] == [r.label for r in own] == [1, 2]
    assert [(r.texts["context"] or r.texts["question"], r.texts["choices"]) for r in known] == [
        (r.texts["context"] or r.texts["question"], r.texts["choices"]) for r in own
    ]


def test_the_words_are_the_second_column_where_the_first_counts_them(tmp_path: Path) -> None:
    """Witness: GermEval's columns by their description: number, word, outer and inner tag; a first word 1 is a word."""
    text = "#\thttp://x [2010-01-01]\n1\tKöln\tB-LOC\tO\n\n#\thttp://y\n1\tFC\tB-ORG\tO\n2\tKöln\tI-ORG\tB-LOC\n\n"
    found = read(tmp_path / "a.tsv", text, "tagging", options=find_kind("tagging").options_class(column=3))  # type: ignore[call-arg]
    assert [r.texts["tokens"] for r in found.records] == [("Köln",), ("FC", "Köln")]
    assert found.label_names == ("B-LOC", "B-ORG", "I-ORG")
    plain = read(tmp_path / "b.conll", "1 CD B-NP\nman NN I-NP\n\n2 CD B-NP\n\n", "tagging")
    assert [r.texts["tokens"] for r in plain.records] == [("1", "man"), ("2",)]


def test_rows_that_cannot_be_used_are_skipped_and_counted_where_asked(tmp_path: Path) -> None:
    """Witness: the number of broken rows by hand, in every form; a file is refused where none is left."""
    objects = ['{"text": "a", "label": 1}', '{"text": "b", "label": NaN}', '{"text": 3, "label": 2}']
    pair = '{"premise": "a", "hypothesis": "b", "label": "%s"}'
    cases = [
        ("a.csv", "text,label\na,x\nb,\nc,y\nd\n", "classification", 2),
        ("a.jsonl", "\n".join([*objects, '{"text": "c", "label": 0}']), "classification", 2),
        ("b.jsonl", "\n".join(pair % label for label in "-xyx"), "entailment", 1),
        ("a.conll", "a\tO\n\tO\n\nb\tB-X\nc\n\nd\tO\ne\tB-X\n\n", "tagging", 2),
    ]
    for name, content, kind, count in cases:
        refused = complaint(tmp_path / name, content, kind)
        skipped = SkippedRows()
        found = read(tmp_path / name, content, kind, skipped=skipped)
        assert found.records and skipped.describe()[0].startswith(f"{count} row{'s' * (count > 1)} left out: "), name
        assert name in refused and name in skipped.describe()[0]
    assert SkippedRows().describe() == []
    nothing = complaint(tmp_path / "a.csv", "text,label\na,\nb,\n", skipped=SkippedRows())
    assert f"no examples are left: 2 rows left out: the label is empty ({tmp_path / 'a.csv'}:2" in nothing
    scores = complaint(tmp_path / "a.csv", "text,score\na,x\n", "regression", skipped=SkippedRows())
    assert "1 row left out: the score is not a finite number" in scores and "without --bad-rows skip" in scores


def test_so_many_rows_may_be_left_out_and_no_more(tmp_path: Path) -> None:
    """Witness: the rows of the file: three without a label, one with too many columns, and what each reason counts."""
    content = "text,label\na,x\nb,\nc,y\nd,\ne,\nf,x,z\n"
    skipped = SkippedRows(4)
    assert len(read(tmp_path / "a.csv", content, "classification", skipped=skipped).records) == 2
    assert sorted(skipped.counts.values()) == [1, 3]
    refused = complaint(tmp_path / "a.csv", content, "classification", skipped=SkippedRows(3))
    assert refused.startswith(f"{tmp_path / 'a.csv'}") and "more than 3 rows cannot be used" in refused
    assert "--max-bad-rows" in refused


def test_parquet_cells_that_are_no_text_are_skipped_too(tmp_path: Path) -> None:
    """Witness: pyarrow: the rows around the one whose bytes are no UTF-8."""
    cells = pyarrow.Array.from_buffers(
        pyarrow.string(), 3, [None, pyarrow.py_buffer(np.array([0, 1, 2, 3], np.int32)), pyarrow.py_buffer(b"a\xe9c")]
    )
    table = pyarrow.table({"text": cells, "label": pyarrow.array(["x", "y", "y"])})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    skipped = SkippedRows()
    found = read_task("classification", tmp_path / "a.parquet", read=ReadOptions(skipped=skipped))
    assert pairs_of(found) == [("a", "x"), ("c", "y")]
    assert skipped.describe() == [f"1 row left out: not utf-8 text ({tmp_path / 'a.parquet'}:2, key 'text')"]


def test_a_pair_without_a_gold_label_is_no_class(tmp_path: Path) -> None:
    """Witness: SNLI's description of its label "-"; a class of texts may be called so."""
    rows = [{"premise": "a", "hypothesis": "b", "label": label} for label in ("yes", "-", "no")]
    with pytest.raises(BadInput, match=r"a pair without a gold label.*--bad-rows skip"):
        task_from("entailment", rows)
    assert task_from("classification", [{"text": "a", "label": x} for x in "-+"]).label_names == ("+", "-")


def test_standard_input_with_other_columns_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: by hand: what begins a table is refused or read as one; a text stays one, and so does what is called one."""

    def records(text: str, **options: Any) -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        kind = find_kind("classification")
        rows = kind.read_rows("-", ReadOptions(labelled=False, **options))
        return [str(row.fields["text"]) for row in rows]

    for head in ("id,review,mood", "id;review", "id\treview", '"id","review"'):
        with pytest.raises(BadInput, match="the first line seems to name columns, and none that this task reads"):
            records(f"{head}\n1,a,b\n")
    assert records("Well, well\nagain\n") == ["Well, well", "again"]
    assert records("id,review\nagain\n", format="text") == ["id,review", "again"]
    assert records("sep=;\ntext;id\na;1\n") == ["a"]
    assert records("word\nagain\n") == ["word", "again"]


def test_labels_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    """Witness: the same rows with their labels, as PIQA's description joins them: line by line."""
    rows = [{"goal": f"open {n}", "sol1": "pull", "sol2": "push"} for n in range(4)]
    names = ("goal.jsonl", "goal-labels.lst", "more.jsonl", "more.lst")
    for place, name in enumerate(names):
        half = rows[2 * (place // 2) : 2 * (place // 2) + 2]
        lines = [json.dumps(row) for row in half] if name.endswith("jsonl") else ["1", "0"]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    files = ",".join(str(tmp_path / name) for name in names)
    columns = ("question=goal", "choices=sol1+sol2")
    found = read_task("choice", Path(files), read=ReadOptions(columns=columns)).records
    plain = task_from("choice", [row | {"label": 1 - n % 2} for n, row in enumerate(rows)], columns=columns).records
    assert [(r.texts, r.label) for r in found] == [(r.texts, r.label) for r in plain]
    (tmp_path / "more.lst").write_text("1\n")
    with pytest.raises(BadInput, match=r"more.lst: not one label for each row; got '1 for 2'"):
        read_task("choice", Path(files), read=ReadOptions(columns=columns))
    (tmp_path / "more.jsonl").write_text("{\n" + json.dumps(rows[3]))
    with pytest.raises(
        BadInput, match="not a complete JSON object"
    ):  # skipped, it would give its label to the next row
        read_task("choice", Path(files), read=ReadOptions(columns=columns, skipped=SkippedRows()))


def test_scores_with_a_comma_before_their_fraction(tmp_path: Path) -> None:
    """Witness: the numbers by hand; a comma that may part thousands is refused."""
    table = as_csv(";", [("a", "3,5"), ("b", "-0,125"), ("c", "4"), ("d", "12,25")], ("text", "score"))
    assert [r.label for r in read(tmp_path / "a.csv", table, "regression").records] == [3.5, -0.125, 4.0, 12.25]
    for number in ("1,000", "12,345", "1,2,3"):
        wrong = complaint(tmp_path / "a.csv", as_csv(";", [("a", number), ("b", "2")], ("text", "score")), "regression")
        assert f"the score is not a finite number; got '{number}'" in wrong
