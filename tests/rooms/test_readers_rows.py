"""Rows: the standard library's and pyarrow's writers as witnesses; every broken file says where and what."""

import bz2
import csv
import gzip
import io
import json
import lzma
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.base.errors import BadInput
from warmstart.readers.problems import RowProblems, SkippedRows
from warmstart.readers.rows import read_rows

TEXTS = ["plain", 'a "quoted" one, with comma', "zwei\nZeilen", "Ünïcödé 🎉", " blank ends "]


def write_table(path: Path, data: bytes) -> Path:
    """Writes ``data``, compressed as the extension of ``path`` says."""
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def table_bytes(kind: str, texts: list[str]) -> bytes:
    """One table written by another library."""
    if kind == "jsonl":
        return "".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(texts)).encode()
    if kind == "csv":
        out = io.StringIO(newline="")
        csv.writer(out).writerows([("id", "text"), *enumerate(texts)])
        return out.getvalue().encode()
    if kind == "tsv":
        return "".join(f"{i}\t{t}\n" for i, t in [("id", "text"), *enumerate(texts)]).encode()
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"id": list(range(len(texts))), "text": texts}), sink, row_group_size=2)
    return sink.getvalue()


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_every_kind_and_packing_gives_the_same_rows(kind: str, packing: str, tmp_path: Path) -> None:
    """Witness: the texts as written by json, csv, pyarrow, gzip and zstandard."""
    texts = [t for t in TEXTS if kind != "tsv" or "\n" not in t]
    path = write_table(tmp_path / f"t.{kind}{packing}", table_bytes(kind, texts))
    found = list(read_rows(str(path)))
    assert [row.fields["text"] for row in found] == texts
    assert [int(row.fields["id"]) for row in found] == list(range(len(texts)))
    first = {"jsonl": [1, 2, 3], "csv": [2, 3, 4], "tsv": [2, 3, 4], "parquet": [1, 2, 3]}[kind]
    assert [row.where for row in found[:3]] == [f"{path}:{n}" for n in first]


def test_a_csv_row_after_one_of_two_lines_knows_its_line(tmp_path: Path) -> None:
    """Witness: lines counted by hand."""
    path = write_table(tmp_path / "t.csv", b'text\n"one\ntwo"\nthree\n')
    assert [row.where for row in read_rows(str(path))] == [f"{path}:2", f"{path}:4"]


def test_tsv_has_no_quoting_and_columns_can_be_named(tmp_path: Path) -> None:
    """Witness: unbalanced quotes as in MRPC, further columns as in STS-B, a byte order mark, Windows line ends."""
    path = write_table(tmp_path / "t.tsv", '\ufeff5\t"He said\tyes\r\n3\ta\t"b"\tmore\tstill more\r\n\r\n'.encode())
    found = [row.fields for row in read_rows(str(path), columns=("score", "s1", "s2", "*"))]
    assert found == [{"score": "5", "s1": '"He said', "s2": "yes"}, {"score": "3", "s1": "a", "s2": '"b"'}]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_csv_of_semicolons_or_tabs_is_read(mark: str, tmp_path: Path) -> None:
    """Witness: csv.writer with that delimiter, with commas, quotes and line ends in the cells."""
    table = [["text", "label"], ['one, "two"', "a"], [f"three{mark}\nfour", "b"]]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=mark).writerows(table)
    path = write_table(tmp_path / "t.csv", out.getvalue().encode())
    assert [list(row.fields.values()) for row in read_rows(str(path))] == table[1:]
    path = write_table(tmp_path / "u.csv", f'text,"a{mark}b"\n1,2\n'.encode())
    assert next(read_rows(str(path))).fields == {"text": "1", f"a{mark}b": "2"}


def test_commas_at_the_end_of_a_header(tmp_path: Path) -> None:
    """Witness: what spreadsheets write for empty columns; a cell in one of these is refused."""
    path = write_table(tmp_path / "t.csv", b"text,label,,\none,a,,\ntwo,b, ,\n")
    assert [row.fields for row in read_rows(str(path))] == [
        {"text": "one", "label": "a"},
        {"text": "two", "label": "b"},
    ]
    path = write_table(tmp_path / "t.csv", b"text,label,\none,a,\ntwo,b,c\n")
    with pytest.raises(BadInput, match=r"t\.csv:3: a cell in a column without a name; got 'c'"):
        list(read_rows(str(path)))


def test_all_broken_lines_are_named_at_once(tmp_path: Path) -> None:
    """Witness: a file in which lines 3, 5, 7, 9 and 11 are broken, and one of which every line is."""
    lines = ["a,b"] + ["1,2", "3"] * 5
    path = write_table(tmp_path / "t.csv", "\n".join(lines).encode())
    stream = read_rows(str(path))
    assert next(stream).fields == {"a": "1", "b": "2"}
    with pytest.raises(BadInput) as error:
        list(stream)
    places = "; ".join(f"{path}:{n}" for n in (3, 5, 7))
    assert f"{path}: 5 rows cannot be used: wrong number of columns ({places}; and 2 more); got 1" in str(error.value)
    path = write_table(tmp_path / "t.csv", b"a,b\n1\n2\n3\n")
    with pytest.raises(BadInput, match=r"t\.csv:2: wrong number of columns"):
        list(read_rows(str(path)))


def test_a_broken_file_is_not_read_for_ever(tmp_path: Path) -> None:
    """Invariant: after 1,000 broken lines the reader stops."""
    path = write_table(tmp_path / "t.jsonl", b'{"x": 1}\n' + b"{\n" * 5000)
    with pytest.raises(BadInput, match="1,000 or more rows cannot be used"):
        list(read_rows(str(path)))


def test_parquet_texts_that_are_no_text_are_named(tmp_path: Path) -> None:
    """Witness: pyarrow, which checks no bytes when it writes; the rows by hand, over two row groups."""
    cells = [b"fine", b"caf\xe9", "schön".encode(), b"\xff"] * 150
    whole = pyarrow.array(cells)
    text = pyarrow.Array.from_buffers(pyarrow.string(), len(cells), whole.buffers())
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"id": list(range(len(cells))), "text": text}), path, row_group_size=400)
    with pytest.raises(BadInput) as error:
        list(read_rows(str(path)))
    places = f"{path}:2, key 'text'; {path}:4, key 'text'; {path}:6, key 'text'; and 297 more"
    assert f"{path}: 300 rows cannot be used: not utf-8 text ({places})" in str(error.value)
    assert "not utf-8 text" in str(error.value) and "got b'caf\\xe9'" in str(error.value)


cells = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1), min_size=2, max_size=3)


@given(st.lists(cells, min_size=1, max_size=5).filter(lambda t: len({len(r) for r in t}) == 1))
@settings(max_examples=60, deadline=None)
def test_csv_and_jsonl_bring_back_any_text(tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]) -> None:
    """Witness: csv.writer and json.dumps."""
    folder = tmp_path_factory.mktemp("any")
    names = [f"c{i}" for i in range(len(table[0]))]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([names, *table])
    csv_path = write_table(folder / "t.csv", out.getvalue().encode())
    json_lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in table]
    jsonl_path = write_table(folder / "t.jsonl", "\n".join(json_lines).encode())
    expected = [dict(zip(names, row, strict=True)) for row in table]
    assert [row.fields for row in read_rows(str(csv_path))] == expected
    assert [row.fields for row in read_rows(str(jsonl_path))] == expected


BROKEN: list[tuple[str, bytes, list[str]]] = [
    ("t.jsonl", b'{"text": "a"}\n{"text": "b', [":2: not a complete JSON object", "got '{\"text\": \"b'", "correct"]),
    ("t.jsonl", b'{"x": NaN}\n', [":1:", "NaN is not a JSON number", "allowed: one JSON object per line"]),
    ("t.jsonl", b'{"x": -Infinity}\n', [":1:", "-Infinity is not a JSON number"]),
    ("t.jsonl", b'{"x": 1e999}\n', [":1:", "1e999 is not a JSON number"]),
    ("t.jsonl", b'{"x": "\\ud800"}\n', [":1:", "surrogates not allowed"]),
    ("t.jsonl", b'{"x": 1}\n\n["a"]\n', [":3: not a JSON object", "got ['a']"]),
    ("t.jsonl", b"[" * 100_000 + b"\n", [":1:", "nested too deeply"]),
    ("t.jsonl", b"", ["the file has no rows", "check the path"]),
    ("t.csv", b"a,b\n1,2\n3\n", [":3: wrong number of columns; got 1; allowed: 2 (a, b); correct or remove this line"]),
    ("t.csv", b"a,b\n1,2,3\n", [":2: wrong number of columns; got 3"]),
    ("t.csv", b'a,b\n1,2\n3,"open\n5,6\n', [":3: not a readable CSV row", "quotes", "use TSV"]),
    ("t.csv", b"a,a\n1,2\n", [":1: two columns have the same name; got 'a'"]),
    ("t.csv", b"a,b\n", ["the file has no rows"]),
    ("t.csv", bz2.compress(b"a,b\n1,2\n" * 9), ["it begins as bzip2 does: unpack it"]),
    ("t.csv", lzma.compress(b"a,b\n1,2\n" * 9), ["it begins as xz does: unpack it"]),
    ("t.tsv", b"a\tb\n1\n", [":2: wrong number of columns; got 1; allowed: 2 (a, b)"]),
    ("t.parquet", b"PAR1 not really", ["this Parquet file cannot be read"]),
    ("t.txt", b"x", ["unknown file extension for a table", ".csv[.gz|.zst], .json[.gz|.zst], .jsonl[.gz|.zst]"]),
    ("t.jsonl", b'{"x": "a"}\n{"x": "\xe9"}\n', [":2: not utf-8 text", "byte 18", "got b'\\xe9'", "--encoding cp1252"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "parts"), BROKEN)
def test_broken_files_are_refused_with_file_line_and_reason(
    name: str, data: bytes, parts: list[str], tmp_path: Path
) -> None:
    """Witness: the parts that a sentence must have."""
    path = write_table(tmp_path / name, data)
    with pytest.raises(BadInput) as caught:
        list(read_rows(str(path)))
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    for part in parts:
        assert part in sentence


def test_a_broken_line_comes_after_the_good_ones(tmp_path: Path) -> None:
    """Witness: streaming: what stands before the break is given out first."""
    path = write_table(tmp_path / "t.jsonl", b'{"x": 1}\n{"x": ')
    stream = read_rows(str(path))
    assert next(stream).fields == {"x": 1}
    with pytest.raises(BadInput):
        next(stream)


def test_columns_are_for_tables_without_names(tmp_path: Path) -> None:
    """Witness: the sentence."""
    path = write_table(tmp_path / "t.jsonl", b'{"x": 1}\n')
    with pytest.raises(BadInput, match="allowed: CSV or TSV"):
        list(read_rows(str(path), columns=("x",)))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: Python's own way of saying that a module is not there (None in sys.modules)."""
    path = write_table(tmp_path / "t.parquet", table_bytes("parquet", TEXTS))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInput, match=r"pip install 'warmstart\[parquet\]'"):
        list(read_rows(str(path)))


def test_rows_from_standard_input_are_jsonl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: json.loads."""
    stdin = io.TextIOWrapper(io.BytesIO(b'{"x": 1}\n{"x": 2}'))
    monkeypatch.setattr(sys, "stdin", stdin)
    found: list[Any] = [(row.fields, row.where) for row in read_rows("-")]
    assert found == [(json.loads('{"x": 1}'), "-:1"), ({"x": 2}, "-:2")]
    stdin.detach()


def test_rows_beyond_the_limit_are_refused_with_their_reasons() -> None:
    """Witness: the rows counted here: two may be left out, the third is one too many."""

    def refuse(number: int) -> None:
        raise BadInput("no text" if number < 2 else "no label", where=f"line {number}", next_step="mend it")

    skipped = SkippedRows(2)
    problems = RowProblems("rows.jsonl", skipped)
    for number in range(2):
        assert problems.attempt(refuse, number) is None
    assert problems.attempt(str, 7) == "7"
    assert skipped.counts == {"no text": 2}
    with pytest.raises(BadInput) as refused:
        problems.attempt(refuse, 2)
    for part in ("more than 2 rows", "no text (line 0; line 1)", "no label (line 2)", "--max-bad-rows"):
        assert part in str(refused.value)


def test_two_values_under_one_name_are_refused(tmp_path: Path) -> None:
    """Witness: pyarrow and json, which write and read both without a word; which one is meant nobody knows."""
    path = tmp_path / "twice.parquet"
    columns = [pyarrow.array(["a"]), pyarrow.array(["b"])]
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, names=["text", "text"]), path)
    with pytest.raises(BadInput, match=r"twice\.parquet: two columns have the same name; got 'text'"):
        list(read_rows(str(path)))
    lines = tmp_path / "twice.jsonl"
    lines.write_text('{"text": "a", "label": 1}\n{"text": "b", "label": 0, "text": "c"}\n')
    with pytest.raises(BadInput, match=r"twice\.jsonl:2: .*the key 'text' stands in it twice"):
        list(read_rows(str(lines)))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_that_were_put_one_behind_the_other_are_refused(mark: str, tmp_path: Path) -> None:
    """Witness: what cat makes of two tables; the second header would be an example of a class called label."""
    path = tmp_path / "both.csv"
    path.write_text(f"text,label\ngood,pos\n{mark}text,label\nbad,neg\n")
    with pytest.raises(BadInput, match=r"both\.csv:3: the header stands here once more"):
        list(read_rows(str(path)))
    skipped = SkippedRows()
    assert [row.fields["text"] for row in read_rows(str(path), skipped=skipped)] == ["good", "bad"]
    path.write_text("text\ngood\ntext\n")  # of one column it may be a text as any other
    assert len(list(read_rows(str(path)))) == 2
