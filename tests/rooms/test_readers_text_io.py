"""Lines of text: split by hand at LF and CRLF; every other line end of Unicode stays inside its line, in every reader."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.base.errors import BadInput
from warmstart.readers.conll import read_sentences
from warmstart.readers.documents import read_documents
from warmstart.readers.parallel import read_parallel_rows, read_source_lines
from warmstart.readers.rows import read_rows
from warmstart.readers.text_io import decode_blocks, read_lines
from warmstart.readers.word_vectors import read_word_vectors

STRAY = ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
"""What str.splitlines or Python's text files take for the end of a line, LF and CRLF apart."""


def by_hand(text: str) -> list[str]:
    """The lines of a text, each with its newline."""
    lines = [f"{line}\n" for line in text.replace("\r\n", "\n").split("\n")]
    return [*lines[:-1], *([lines[-1][:-1]] if lines[-1] != "\n" else [])]


@given(st.lists(st.sampled_from(["a", "é", "\n", "\r\n", *STRAY]), max_size=12).map("".join), st.data())
@settings(max_examples=150, deadline=None)
def test_blocks_may_end_anywhere(text: str, data: st.DataObject) -> None:
    """Witness: the text with CRLF replaced by hand, however its bytes are cut into blocks."""
    encoded = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(encoded)), max_size=6)))
    blocks = [encoded[a:b] for a, b in zip([0, *cuts], [*cuts, len(encoded)], strict=True)]
    assert "".join(decode_blocks(blocks, "utf-8", "x")) == text.replace("\r\n", "\n")


@pytest.mark.parametrize("stray", STRAY)
def test_lines_end_at_lf_and_crlf_only(stray: str, tmp_path: Path) -> None:
    """Witness: the lines by hand."""
    text = f"one{stray}two\r\nthree\n\nfour{stray}"
    (tmp_path / "x.txt").write_bytes(text.encode())
    assert list(read_lines(str(tmp_path / "x.txt"))) == by_hand(text)


def _parallel(home: Path, word: str) -> list[str]:
    (home / "s.txt").write_bytes(f"{word}\nfree\r\n".encode())
    (home / "t.txt").write_bytes(b"mot\nlibre\n")
    rows = list(read_parallel_rows(f"{home}/s.txt,{home}/t.txt"))
    assert [row.fields["target"] for row in rows] == ["mot", "libre"]
    return [row.fields["source"] for row in rows]


def _sources(home: Path, word: str) -> list[str]:
    (home / "s.txt").write_bytes(f"{word}\nfree\r\n".encode())
    return [row.fields["source"] for row in read_source_lines(f"{home}/s.txt")]


def _document(home: Path, word: str) -> list[str]:
    (home / "s.txt").write_bytes(f"{word}\nfree\r\n".encode())
    (document,) = ("".join(document.chunks) for document in read_documents([f"{home}/s.txt"]))
    return document.split("\n")[:-1]


def _tagged(home: Path, word: str) -> list[str]:
    (home / "s.conll").write_bytes(f"{word}\tNOUN\nfree\tADJ\r\n".encode())
    (row,) = read_sentences(f"{home}/s.conll")
    assert row.fields["tags"] == ["NOUN", "ADJ"]
    return list(row.fields["tokens"])


def _table(name: str, between: str) -> Callable[[Path, str], list[str]]:
    def read(home: Path, word: str) -> list[str]:
        rows = f"text{between}label\r\n{word}{between}a\nfree{between}b\r\n"
        (home / name).write_bytes(rows.encode())
        found = list(read_rows(f"{home}/{name}"))
        assert [row.fields["label"] for row in found] == ["a", "b"] and found[1].where.endswith(":3")
        return [row.fields["text"] for row in found]

    return read


def _jsonl(home: Path, word: str) -> list[str]:
    """Raw control characters are no JSON, so the two readable ones of Unicode stand raw, the others escaped."""
    rows = [json.dumps({"text": text}, ensure_ascii=word[2] < "\x80") for text in (word, "free")]
    (home / "s.jsonl").write_bytes("\r\n".join(rows).encode())
    return [row.fields["text"] for row in read_rows(f"{home}/s.jsonl")]


def _vectors(home: Path, word: str) -> list[str]:
    (home / "v.txt").write_bytes(f"{word} 1 2\nfree 3 4\r\n".encode())
    return read_word_vectors(f"{home}/v.txt").words


READERS: dict[str, Callable[[Path, str], list[str]]] = {
    "parallel": _parallel, "sources": _sources, "document": _document, "conll": _tagged, "csv": _table("s.csv", ","),
    "semicolons": _table("s.csv", ";"), "tsv": _table("s.tsv", "\t"), "jsonl": _jsonl, "vectors": _vectors,
}  # fmt: skip


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_splits_a_word(reader: str, stray: str, tmp_path: Path) -> None:
    """Witness: the word as it was written, with the line that belongs to it."""
    word = f"no{stray}yes"
    assert READERS[reader](tmp_path, word) == [word, "free"]


def test_carriage_returns_alone_are_refused(tmp_path: Path) -> None:
    """Witness: a file of the old Macintosh, which would be one long line."""
    path = tmp_path / "mac.csv"
    path.write_bytes(b"text,label\rone,a\rtwo,b\r")
    with pytest.raises(BadInput, match=r"mac\.csv: the lines of this file end at carriage returns alone; .*LF or CRLF"):
        list(read_rows(str(path)))


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (gzip.compress(b"text", mtime=0), "ends in .gz"),
        (b"PK\x03\x04\x14\x00\xff", "export it as CSV"),  # a workbook of today
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "export it as CSV"),  # and one of 1997
        (b"PAR1\x15\x04\x15\xe0", "--format parquet"),
        (b"caf\xe9", "--encoding cp1252"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(start: bytes, said: str, tmp_path: Path) -> None:
    """Witness: the first bytes that the formats' descriptions name; anything else may be another encoding."""
    (tmp_path / "a.csv").write_bytes(start)
    with pytest.raises(BadInput, match=re.escape(said)):
        list(read_lines(str(tmp_path / "a.csv")))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_byte_order_mark_is_named(tmp_path: Path, encoding: str) -> None:
    """Witness: Python's encoder; the encoding that the sentence names reads the file."""
    path = tmp_path / "rows.csv"
    path.write_bytes("text,label\r\nfine,good\r\n".encode(encoding))
    with pytest.raises(BadInput, match=f"UTF-16 without a byte order mark: --encoding {encoding}") as caught:
        list(read_lines(str(path)))
    assert caught.value.where == str(path)
    assert list(read_lines(str(path), encoding)) == ["text,label\n", "fine,good\n"]


def test_a_file_of_zeros_is_damaged(tmp_path: Path) -> None:
    """Witness: what a disk that lost its power leaves of a file."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(bytes(200))
    with pytest.raises(BadInput, match=r"zero among its first two bytes.*create the file again"):
        list(read_lines(str(path)))
