"""A corpus on disk: NumPy's own reading as witness; whatever was done to its files is found."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from warmstart.base.errors import BadInput
from warmstart.corpora.corpus import BLOCK, Corpus, read_manifest
from warmstart.corpora.prepare import prepare
from warmstart.corpora.settings import PrepareSettings
from warmstart.text.special_tokens import END
from warmstart.text.tokenizer import Tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small corpus of three documents."""
    source = tmp_path / "t.jsonl"
    source.write_text("".join(json.dumps({"text": f"some text {i} " * 20 * i}) + "\n" for i in range(1, 4)))
    prepare(PrepareSettings(paths=(str(source),), out=str(tmp_path / "c"), vocab_size=270, workers=1))
    return tmp_path / "c"


def refused(folder: Path, verify: bool = False) -> str:
    with pytest.raises(BadInput) as caught:
        Corpus.open(folder, verify)
    return str(caught.value)


def test_any_stretch_is_what_numpy_reads(folder: Path) -> None:
    """Witness: numpy.fromfile over the same files; each document ends with the end token."""
    corpus = Corpus.open(folder, verify=True)
    ids, offsets = np.fromfile(folder / "tokens.bin", "<u2"), np.fromfile(folder / "documents.bin", "<i8")
    assert (corpus.num_tokens, corpus.num_documents) == (len(ids), len(offsets) - 1) == (len(ids), 3)
    assert corpus.offsets.tolist() == offsets.tolist()
    for start, stop in [(0, len(ids)), (0, 0), (5, 17), (len(ids) - 1, len(ids)), (len(ids), len(ids))]:
        found = corpus.tokens(start, stop)
        assert found.dtype == np.int64
        assert found.tolist() == ids[start:stop].tolist()
    assert ids[offsets[1:] - 1].tolist() == [corpus.tokenizer().token_to_id(END)] * 3
    for start, stop in [(-1, 3), (3, 2), (0, len(ids) + 1)]:
        with pytest.raises(IndexError, match="outside of"):
            corpus.tokens(start, stop)


@pytest.mark.parametrize("name", ["tokens.bin", "documents.bin"])
def test_a_file_cut_extended_missing_or_changed_is_refused(name: str, folder: Path) -> None:
    """Witness: the file, cut by a byte, grown by a byte, taken away, with one bit turned (found by ``verify`` alone where
    the corpus knows no blocks)."""
    path = folder / name
    whole = path.read_bytes()
    for data in (whole[:-1], whole[: len(whole) // 2], b"", whole + b"\0"):
        path.write_bytes(data)
        assert refused(folder) == (
            f"{path}: the file was cut short or changed; got '{len(data)} bytes'; allowed: {len(whole)} bytes; "
            "make the corpus again with: warmstart prepare."
        )
    path.write_bytes(whole[:8] + bytes([whole[8] ^ 1]) + whole[9:])
    manifest = json.loads((folder / "corpus.json").read_text())
    manifest["tokens"]["blocks"] = manifest["documents"]["blocks"] = []
    (folder / "corpus.json").write_text(json.dumps(manifest))
    Corpus.open(folder)
    assert refused(folder, verify=True).startswith(f"{path}: the file was changed: its SHA-256 differs; make")
    path.unlink()
    assert refused(folder).startswith(f"{path}: file not found; make the corpus again")


@pytest.mark.parametrize("name", ["tokens.bin", "documents.bin"])
def test_files_of_two_corpora_that_were_exchanged_are_found(name: str, folder: Path, tmp_path: Path) -> None:
    """Witness: the file of a whole corpus of the same documents in another order, so of the same size."""
    texts = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    source = tmp_path / "other.jsonl"
    source.write_text("".join(json.dumps(text) + "\n" for text in reversed(texts)))
    prepare(PrepareSettings(paths=(str(source),), out=str(tmp_path / "o"), tokenizer=str(folder), workers=1))
    other = (tmp_path / "o" / name).read_bytes()
    assert len(other) == (folder / name).stat().st_size and other != (folder / name).read_bytes()
    (folder / name).write_bytes(other)
    assert refused(folder).startswith(f"{folder / name}: the file was changed")


def test_a_few_blocks_are_checked_at_every_opening(folder: Path) -> None:
    """Witness: hashlib over each block; one bit turned, which is found without ``verify`` where all blocks are drawn."""
    manifest = read_manifest(folder)
    for file in (manifest.tokens, manifest.documents):
        data = (folder / file.path).read_bytes()
        assert list(file.blocks) == [
            hashlib.sha256(data[at : at + BLOCK]).hexdigest()[:16] for at in range(0, len(data), BLOCK)
        ]
        (folder / file.path).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert "its SHA-256 differs" in refused(folder)
        (folder / file.path).write_bytes(data)
    Corpus.open(folder)


def test_a_file_cut_while_it_is_read_is_an_error_and_no_crash(folder: Path) -> None:
    """Witness: the file, truncated behind the reader's back."""
    corpus = Corpus.open(folder)
    with open(folder / "tokens.bin", "r+b") as file:
        file.truncate(10)
    assert len(corpus.tokens(0, 5)) == 5
    with pytest.raises(BadInput, match="the file was cut short"):
        corpus.tokens(0, 6)


def test_a_description_that_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    """Witness: corpus.json, changed field by field."""
    path = folder / "corpus.json"
    whole = json.loads(path.read_text())
    assert refused(tmp_path / "none") == f"{tmp_path / 'none'}: no corpus here; make one with: warmstart prepare."
    for field, value, part in [
        ("format", 2, "a corpus of another format; got 2; allowed: 1"),
        ("num_tokens", 7, "corpus.json and documents.bin disagree"),
        ("num_documents", 7, "corpus.json and documents.bin disagree"),
        ("dtype", "uint32", "corpus.json and documents.bin disagree"),
        ("dtype", "float", "not a readable corpus description (dtype: "),
        ("text_bytes", None, "not a readable corpus description (text_bytes: "),
    ]:
        path.write_text(json.dumps(whole | {field: value}))
        assert part in refused(folder)
    path.write_text("[1]")
    assert "a corpus of another format" in refused(folder)
    path.write_text('{"format"')
    assert "not a readable JSON file" in refused(folder)


def test_an_exchanged_vocabulary_is_found(folder: Path) -> None:
    """Witness: tokenizer.json with one merge taken out."""
    path = folder / "tokenizer.json"
    vocabulary = json.loads(path.read_text())
    del vocabulary["model"]["merges"][-1]
    path.write_text(json.dumps(vocabulary))
    with pytest.raises(BadInput, match="the corpus was made with another tokenizer"):
        Corpus.open(folder).tokenizer()


def test_the_fingerprint_follows_the_content(folder: Path, tmp_path: Path) -> None:
    """Witness: the same text from another file, and another text."""
    source = (tmp_path / "t.jsonl").read_text()
    (tmp_path / "same.jsonl").write_text(source)
    (tmp_path / "other.jsonl").write_text(source.replace("some text 1", "some more 1", 1))
    asked = {"vocab_size": 270, "workers": 1}
    made = [
        prepare(PrepareSettings(paths=(str(tmp_path / f"{n}.jsonl"),), out=str(tmp_path / n), **asked))  # type: ignore[arg-type]
        for n in ("same", "other")
    ]
    assert made[0].fingerprint == Corpus.open(folder).fingerprint != made[1].fingerprint


def test_a_large_vocabulary_takes_four_bytes(tmp_path: Path) -> None:
    """Witness: NumPy's reading of uint32; the vocabulary is stretched beyond 65,536 by tokens nobody writes."""
    small = Tokenizer.train(["some text"], 260)
    small.with_special_tokens([f"<|{i}|>" for i in range(65_600)]).save(tmp_path / "v")
    (tmp_path / "t.txt").write_text("some text")
    corpus = prepare(
        PrepareSettings(paths=(str(tmp_path / "t.txt"),), out=str(tmp_path / "c"), tokenizer=str(tmp_path / "v"))
    )
    assert corpus.manifest.dtype == "uint32"
    assert np.fromfile(tmp_path / "c/tokens.bin", "<u4").tolist() == corpus.tokens(0, corpus.num_tokens).tolist()
    assert corpus.tokens(0, corpus.num_tokens).tolist() == [*small.encode("some text"), small.token_to_id(END)]
