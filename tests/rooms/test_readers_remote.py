"""Addresses in the place of paths, on fsspec's local and memory file systems."""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.readers.documents import DOCUMENT_EXTENSIONS, read_documents
from warmstart.readers.paths import expand_paths
from warmstart.readers.rows import read_rows

TEXTS = {
    "a.txt": "the first text. " * 30,
    "b/c.txt": "another one, further down. " * 20,
    "b/.hidden.txt": "x",
    "notes.md": "no",
}


@pytest.fixture
def memory() -> Iterator[str]:
    """A folder in memory; its address."""
    system = fsspec.filesystem("memory")
    for name, text in TEXTS.items():
        system.pipe(f"/shelf/{name}", text.encode())
    system.pipe("/shelf/d.txt.gz", gzip.compress(b"compressed. " * 9))
    yield "memory://shelf"
    system.rm("/shelf", recursive=True)


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """The same on the disk."""
    for name, text in TEXTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(b"compressed. " * 9))
    return tmp_path


def texts(path: str) -> list[str]:
    return ["".join(document.chunks) for document in read_documents([path])]


@pytest.mark.parametrize("part", ["", "/b", "/*.txt", "/**/*.txt"])
def test_folders_and_globs_name_the_files_that_they_name_here(part: str, memory: str, local: Path) -> None:
    """Witness: the same files on the disk, named by their path; ``file://`` too."""
    here = [str(Path(f).relative_to(local)) for f in expand_paths([f"{local}{part}"], DOCUMENT_EXTENSIONS)]
    for place in (memory, f"file://{local}"):
        there = expand_paths([place + part], DOCUMENT_EXTENSIONS)
        assert [name.removeprefix(f"file://{local}/").removeprefix("memory:///shelf/") for name in there] == here
        assert texts(place + part) == texts(f"{local}{part}")


def test_a_corpus_of_addresses_is_that_of_files(memory: str, local: Path, tmp_path: Path) -> None:
    """Witness: the corpus of the same files on the disk, byte for byte, and what its manifest says of the sources."""
    made = {}
    for name, source in (("there", memory), ("here", str(local))):
        warmstart.prepare(source, out=str(tmp_path / "corpora" / name), vocab_size=300)
        folder = tmp_path / "corpora" / name
        made[name] = {
            f.name: f.read_bytes() for f in folder.iterdir() if f.suffix in (".bin", ".npy") or "token" in f.name
        }
        sources = json.loads((folder / "corpus.json").read_text())["sources"]
        made[name]["sources"] = [(s["bytes"], s["sha256"]) for s in sources]
    assert made["there"] == made["here"] and len(made["here"]) > 2


def test_fine_tuning_on_rows_at_an_address(memory: str, tmp_path: Path) -> None:
    """Witness: the run on the same rows in a file: the same weights."""
    rows = "".join(json.dumps({"text": f"text {n % 9} of {n}", "label": n % 2}) + "\n" for n in range(40))
    (tmp_path / "rows.jsonl").write_text(rows)
    fsspec.filesystem("memory").pipe("/shelf/rows.jsonl", rows.encode())
    same = {"start": "none", "task": "classification", "model": "lstm-tiny", "vocab_size": 280, "length": "3 steps"}
    for name, train in (("here", str(tmp_path / "rows.jsonl")), ("there", f"{memory}/rows.jsonl")):
        warmstart.finetune(train=train, out=str(tmp_path / name), **same)
    here, there = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("here", "there"))
    assert here == there
    found = warmstart.evaluate(str(tmp_path / "there"), data=f"{memory}/rows.jsonl")
    assert found["examples"] == 40


def test_parquet_begins_at_its_end(tmp_path: Path) -> None:
    """Witness: pyarrow's own file, read at an address, which has to be read at any place."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"text": ["a", "b"]}), tmp_path / "rows.parquet")
    data = (tmp_path / "rows.parquet").read_bytes()
    fsspec.filesystem("memory").pipe("/rows.parquet", data)
    rows = list(read_rows("memory://rows.parquet"))
    assert [row.fields["text"] for row in rows] == ["a", "b"] and rows[0].where == "memory://rows.parquet:1"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("memory://shelf/none.txt", "nothing is at this address"),
        ("memory://shelf/*.parquet", "there is no file to read"),
        ("smoke://signal/a.txt", "no such kind of address"),
        ("s3://bucket/a.txt", r"needs another package .*pip install 'warmstart\[remote\]'"),
    ],
)
def test_addresses_that_lead_nowhere(
    address: str, sentence: str, memory: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Witness: one sentence and exit code 2; nothing is written."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    assert main(["prepare", address, "--out", str(tmp_path / "corpus")]) == 2
    said = capsys.readouterr().err
    assert address in said and said.count("\n") == 1
    with pytest.raises(BadInput, match=sentence):
        expand_paths([address], DOCUMENT_EXTENSIONS)
    assert not (tmp_path / "corpus").exists()


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: Python's way to say that a package is not there."""
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(BadInput, match=r"needs the fsspec package.*pip install 'warmstart\[remote\]'"):
        expand_paths(["s3://bucket/a.txt"], DOCUMENT_EXTENSIONS)
