"""Files to documents: packing, archives, encodings, pieces; unsafe and broken input is refused."""

import gzip
import io
import json
import random
import sys
import tarfile
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.base.errors import BadInput
from warmstart.readers.archives import read_members
from warmstart.readers.documents import DOCUMENT_EXTENSIONS, read_documents, split_chunks
from warmstart.readers.paths import expand_paths
from warmstart.readers.text_io import read_lines, read_text_blocks

TEXT = "Première ligne\n\nsecond line, naïve café\n"


def texts(*paths: Path | str, encoding: str = "utf-8", key: str = "text") -> list[str]:
    return ["".join(d.chunks) for d in read_documents([str(p) for p in paths], encoding, key)]


def tar_of(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for info, data in entries:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def entry(name: str, data: bytes = b"text", kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info.linkname = "/etc/passwd"
    return info, data


def sentence(*paths: Path | str, encoding: str = "utf-8") -> str:
    with pytest.raises(BadInput) as caught:
        texts(*paths, encoding=encoding)
    return str(caught.value)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_text_file_is_one_document(bom: bytes, packing: str, end: str, tmp_path: Path) -> None:
    """Witness: the text as written by gzip and zstandard; mark and line ends do not matter."""
    data = bom + TEXT.replace("\n", end).encode()
    data = {"": data, ".gz": gzip.compress(data), ".zst": zstandard.compress(data)}[packing]
    path = tmp_path / f"a.txt{packing}"
    path.write_bytes(data)
    assert texts(path) == [TEXT]
    assert list(read_lines(str(path))) == TEXT.splitlines(keepends=True)


def test_zst_and_gz_of_several_frames_are_read_to_the_end(tmp_path: Path) -> None:
    """Witness: zstandard.compress and gzip.compress, called twice."""
    for extension, pack in ((".zst", zstandard.compress), (".gz", gzip.compress)):
        path = tmp_path / f"a.txt{extension}"
        path.write_bytes(pack(b"one ") + pack(b"two"))
        assert texts(path) == ["one two"]


def test_rows_are_documents_with_key_or_alias(tmp_path: Path) -> None:
    """Witness: the rows as written."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"content": "two", "id": 7}\n')
    assert texts(path) == ["one", "two"]
    path.write_text('{"body": "three", "text": "no"}\n')
    assert texts(path, key="body") == ["three"]


def test_a_row_without_text_names_its_keys(tmp_path: Path) -> None:
    """Witness: the sentence: file, line, keys there, keys wanted."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"id": 1, "title": "two"}\n')
    assert sentence(path).startswith(
        f"{path}:2: this row has no key 'text'; got 'id, title'; allowed: a row with 'text'"
    )
    path.write_text('{"text": 5}\n')
    assert sentence(path) == f"{path}:1: 'text' is not a text; got 5; allowed: a string."


def test_members_of_an_archive_are_documents_in_its_order(tmp_path: Path) -> None:
    """Witness: tarfile's own writer; folders, hidden members and other kinds are passed over."""
    folder = entry("x", b"", tarfile.DIRTYPE)
    path = tar_of(
        tmp_path / "a.tar.gz",
        folder,
        entry("x/b.txt", b"second"),
        entry("x/._b.txt", b"\xff\xfe"),
        entry("x/p.jpg", b"\xff\xd8"),
        entry("x/" + "long" * 60 + ".txt", TEXT.encode()),
    )
    assert texts(path) == ["second", TEXT]
    assert [next(read_documents([str(path)])).where] == [f"{path}:x/b.txt"]


@pytest.mark.data
def test_the_real_archive_of_reviews(data_dir: Path) -> None:
    """Witness: tarfile reading the same archive at once."""
    path = data_dir / "imdb/imdb_test.tar.gz"
    with tarfile.open(path) as archive:
        expected = [archive.extractfile(m).read() for m in archive.getmembers() if m.isfile()]  # type: ignore[union-attr]
    assert [b"".join(blocks) for _, blocks in read_members(str(path))] == expected
    assert len(texts(path)) == 5000


@pytest.mark.parametrize(
    ("entry_of_tar", "parts"),
    [
        (entry("../out.txt"), ["a name that leads out of the archive", "'../out.txt'"]),
        (entry("/abs.txt"), ["a name that leads out of the archive", "'/abs.txt'"]),
        (entry("link.txt", b"", tarfile.SYMTYPE), ["a link, a device or a sparse file", "plain files and folders"]),
        (entry("link.txt", b"", tarfile.LNKTYPE), ["a link, a device or a sparse file"]),
        (entry("pipe.txt", b"", tarfile.FIFOTYPE), ["a link, a device or a sparse file"]),
        (entry("sparse.txt", b"", tarfile.GNUTYPE_SPARSE), ["a link, a device or a sparse file"]),
        (entry("huge", b"x" * (1 << 21), tarfile.GNUTYPE_LONGNAME), ["a header of 2097152 bytes"]),
        (entry("a.jpg"), ["this archive has no .txt file"]),
    ],
)
def test_unsafe_archives_are_refused(
    entry_of_tar: tuple[tarfile.TarInfo, bytes], parts: list[str], tmp_path: Path
) -> None:
    """Witness: archives crafted with tarfile."""
    path = tar_of(tmp_path / "a.tar", entry_of_tar)
    found = sentence(path)
    assert found.startswith(f"{path}: ")
    for part in parts:
        assert part in found


@pytest.mark.parametrize("extension", [".txt.gz", ".txt.zst", ".jsonl.gz", ".jsonl.zst", ".tar.gz"])
def test_an_archive_cut_at_any_place_is_refused(extension: str, tmp_path: Path) -> None:
    """Witness: every kind of archive, whole, then cut short at several places, then with other bytes inside."""
    noise = random.Random(0)
    text = " ".join(str(noise.random()) for _ in range(20_000))
    path = tmp_path / f"a{extension}"
    if extension == ".tar.gz":
        tar_of(path, entry("a.txt", text.encode()))
    else:
        data = text.encode() if "txt" in extension else json.dumps({"text": text}).encode()
        zstd = zstandard.ZstdCompressor(write_checksum=True)
        path.write_bytes(gzip.compress(data) if extension.endswith("gz") else zstd.compress(data))
    assert texts(path) == [text]
    whole = path.read_bytes()
    for length in (3, len(whole) // 3, len(whole) - 9, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert sentence(path).startswith(f"{path}: the compressed file is cut short or damaged")
    path.write_bytes(whole[:100] + bytes(100) + whole[200:])
    assert str(path) in sentence(path)


def test_another_encoding_is_named_with_line_and_byte(tmp_path: Path) -> None:
    """Witness: the place counted by hand, beyond the first block read; and cp1252 reads it."""
    path = tmp_path / "a.txt"
    head = "line\r\n" * 100_000
    path.write_bytes((head + "a caf\u00e9\n").encode("cp1252"))
    found = sentence(path)
    assert found.startswith(f"{path}:100001: not utf-8 text (")
    assert f"at byte {len(head) + 5}); got b'\\xe9'; set the encoding of the file, for example --encoding" in found
    assert texts(path, encoding="cp1252")[0].endswith("a caf\u00e9\n")
    path.write_bytes("h\u00e9".encode()[:-1])
    assert f"{path}:1: not utf-8 text (unexpected end of data at byte 1)" in sentence(path)


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "rot13"])
def test_an_unknown_encoding_is_refused(encoding: str, tmp_path: Path) -> None:
    """Witness: codecs that do not exist or are not of text."""
    path = tmp_path / "a.txt"
    path.write_text("x")
    assert sentence(path, encoding=encoding).startswith(
        f"--encoding: unknown encoding; got '{encoding}'; allowed: utf-8"
    )


def test_utf16_is_read(tmp_path: Path) -> None:
    """Witness: Python's encoder."""
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT.encode("utf-16"))
    assert texts(path, encoding="utf-16") == [TEXT]


def test_sources_are_sorted_and_named_once(tmp_path: Path) -> None:
    """Witness: the files on disk, without hidden files, hidden folders and other extensions."""
    for name in ("b.txt", "a/z.txt.gz", "a/k.jsonl", "a-b/c.txt", ".h/x.txt", "a/.y.txt", "a/m.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    everything = [str(tmp_path / n) for n in ("a/k.jsonl", "a/z.txt.gz", "a-b/c.txt", "b.txt")]
    assert expand_paths([str(tmp_path)], DOCUMENT_EXTENSIONS) == everything
    assert (
        expand_paths([str(tmp_path / "b.txt"), str(tmp_path / "**/*"), str(tmp_path)], DOCUMENT_EXTENSIONS)
        == everything
    )
    assert expand_paths([str(tmp_path / "*.txt"), "-"], DOCUMENT_EXTENSIONS) == ["-", str(tmp_path / "b.txt")]


def test_sources_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """Witness: the sentences."""
    (tmp_path / "book.txt").write_text("x")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "a.pdf").write_text("x")
    (tmp_path / "folder").mkdir()
    assert sentence(tmp_path / "bok.txt") == f"{tmp_path / 'bok.txt'}: file not found; did you mean 'book.txt'?"
    assert "the file is empty" in sentence(tmp_path / "empty.txt")
    assert "unknown file extension; got '.pdf'; allowed: .txt, .tar, .jsonl" in sentence(tmp_path / "a.pdf")
    assert "there is no file to read; allowed: .txt" in sentence(tmp_path / "folder")
    assert "there is no file to read" in sentence(tmp_path / "*.md")
    assert "no input is named" in sentence()
    with pytest.raises(BadInput, match="a folder, where a file is needed"):
        list(read_text_blocks(str(tmp_path)))


def test_standard_input_is_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the bytes given."""
    stdin = io.TextIOWrapper(io.BytesIO(TEXT.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert texts("-") == [TEXT]
    stdin.detach()


@given(st.text(alphabet="ab \n", max_size=300), st.integers(2, 40), st.lists(st.integers(1, 50), max_size=10))
@settings(max_examples=300, deadline=None)
def test_pieces_follow_from_the_text_alone(text: str, size: int, blocks: list[int]) -> None:
    """Witness: invariants: whole again when joined, never too long, the same however the text arrives."""
    pieces = list(split_chunks([text], size))
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= size for piece in pieces)
    parts, start = [], 0
    for length in blocks:
        parts.append(text[start : start + length])
        start += length
    assert list(split_chunks([*parts, text[start:]], size)) == pieces


def test_pieces_end_at_paragraphs_where_they_can() -> None:
    """Witness: a text of paragraphs, cut by hand."""
    assert list(split_chunks(["aa bb\n\ncc dd\nee ff gg"], 12)) == ["aa bb\n", "\ncc dd", "\nee ff gg"]
    assert list(split_chunks(["aaaa bb cccc"], 8)) == ["aaaa bb", " cccc"]
    assert list(split_chunks(["x" * 10], 4)) == ["xxxx", "xxxx", "xx"]


def test_memory_stays_flat_for_a_large_file(tmp_path: Path) -> None:
    """Witness: tracemalloc; 48 MB of text in a small archive take less than 12 MB to read."""
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"some words in a line\n" * 2_300_000, compresslevel=1))
    tracemalloc.start()
    try:
        size = sum(len(piece) for document in read_documents([str(path)]) for piece in document.chunks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 21 * 2_300_000
    assert peak < 12e6


def test_all_rows_without_text_are_named(tmp_path: Path) -> None:
    """Witness: the rows by hand; what stands before the first of them is read."""
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"text": None if n in (2, 4) else f"row {n}"}) + "\n" for n in range(1, 6)))
    stream = read_documents([str(path)])
    assert "".join(next(stream).chunks) == "row 1"
    with pytest.raises(BadInput, match=r"2 rows cannot be used: 'text' is not a text \(.*:2; .*:4\)"):
        list(stream)
