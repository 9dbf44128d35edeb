"""Word vectors: both forms of the file, a start from them, and what is refused."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from safetensors.numpy import save_file

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.readers.fasttext_model import MAGIC
from warmstart.readers.word_vectors import read_word_vectors
from warmstart.transfer.vectors import check_width, start_from_vectors


def every(word: str) -> bool:
    return True


def write_word2vec(path: Path, vectors: dict[str, Floats], end: bytes = b"\n") -> None:
    """word2vec's binary form, written as its C program does (``end``: after each vector)."""
    rows = b"".join(word.encode() + b" " + vector.astype("<f4").tobytes() + end for word, vector in vectors.items())
    path.write_bytes(f"{len(vectors)} {len(next(iter(vectors.values())))}\n".encode() + rows)


@pytest.mark.parametrize("head", ["", "3 2\n"])
def test_both_forms(tmp_path: Path, head: str) -> None:
    """Witness: the numbers as they were written; the first of two vectors of one word."""
    file = tmp_path / "v.txt"
    file.write_text(f"{head}the 1.5 -2\n, 0 3e-2\nthe 9 9\n", encoding="utf-8")
    found = read_word_vectors(str(file))
    assert (found.words, found.num_duplicates) == (["the", ","], 1)
    assert found.matrix.tolist() == [[1.5, -2.0], [0.0, pytest.approx(0.03)]]
    assert read_word_vectors(str(file), ",".__eq__).words == [","]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a 1 2\nb 1\n",
            "v.txt:2: this vector has another width than those before; got '1 numbers'; allowed: a word and 2 numbers",
        ),
        ("2 3\na 1 2\n", "v.txt:2: this vector has another width"),
        ("a 1 x\n", "v.txt:1: not a vector; got '1 x'; allowed: numbers"),
        ("a 1 nan\n", "v.txt:1: not a vector; got '1 nan'; allowed: finite numbers"),
        ("a 1 1e39\n", "v.txt:1: not a vector; got '1 1e39'; allowed: finite numbers of float32"),
        ("3 2\na 1 2\nb 1 2\n", "the file has fewer vectors than its first line says; got 2; allowed: 3"),
        ("a\n", "v.txt:1: this vector has another width"),
        ("1 2\na 1 2\nb 1 2\n", "the file has more vectors than its first line says; got 2; allowed: 1"),
        ("a b 1 2\nb 1 2 3\n", "v.txt:1: not a vector; got 'b 1 2'"),
        ("2 2\nb c 1 2\nb 1 2 3\n", "v.txt:3: this vector has another width than those before; got '3 numbers'"),
        (" 1 2 3\n", "v.txt:1: this vector has another width"),
        ("", "no word of the vocabulary has a vector here"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """Bad input."""
    (tmp_path / "v.txt").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_word_vectors(str(tmp_path / "v.txt"), every)
    assert message in str(caught.value)


SOME: dict[str, Floats] = {
    "the": np.array([1.5, -2, 3e-5], np.float32), "hà_nội": np.array([0, 7, 1 / 3], np.float32),
    "\u2028x": np.array([1, 1, 1], np.float32),
}  # fmt: skip


def test_text_is_read_as_python_reads_numbers(tmp_path: Path) -> None:
    """Witness: ``float``, for numbers in every form, blanks at ends, tabs, a word with blanks, words from other scripts."""
    forms = ["0.1", "-1e-7", "+3", "1E5", ".5", "5.", "123456789.123456789", "3.4e38", "1e-46", "-0.000000"]
    lines = [f"w{n} {' '.join(forms[n:] + forms[:n])}" for n in range(10)]
    lines[3] += " \r"
    lines[4] = lines[4].replace(" ", "\t")
    lines[5] = lines[5].replace("w5", ". . .")
    lines[6] = lines[6].replace("w6", "hà\u2028")
    (tmp_path / "v.vec").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    found = read_word_vectors(str(tmp_path / "v.vec"))
    assert found.words == ["w0", "w1", "w2", "w3", "w4", ". . .", "hà\u2028", "w7", "w8", "w9"]
    expected = [[np.float32(float(form)) for form in forms[n:] + forms[:n]] for n in range(10)]
    assert found.matrix.dtype == np.float32 and found.matrix.tolist() == np.array(expected).tolist()


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("ending", [".bin", ".bin.gz"])
def test_word2vecs_binary_form(tmp_path: Path, end: bytes, ending: str) -> None:
    """Witness: the arrays that were written, byte by byte."""
    path = tmp_path / "v.bin"
    write_word2vec(path, SOME, end)
    if ending == ".bin.gz":
        path = tmp_path / "v.bin.gz"
        path.write_bytes(gzip.compress((tmp_path / "v.bin").read_bytes()))
    found = read_word_vectors(str(path))
    assert found.words == list(SOME) and np.array_equal(found.matrix, np.stack(list(SOME.values())))
    assert read_word_vectors(str(path), "the".__eq__).words == ["the"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-3], "v.bin: the file has fewer vectors than its first line says; got 2; allowed: 3"),
        (lambda data: data + b"a more", "v.bin: the file has more vectors than its first line says"),
        (lambda data: data.replace(b"the", b"th\xff"), "v.bin, vector 1: a word that is not utf-8 text"),
        (lambda data: b"x" + data, "v.bin: no binary vectors"),
        (lambda data: b"", "v.bin: no binary vectors"),
        (lambda data: MAGIC + data, "v.bin: "),
    ],
)
def test_a_damaged_binary_file_is_refused(tmp_path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    """Bad input."""
    write_word2vec(tmp_path / "v.bin", SOME)
    (tmp_path / "v.bin").write_bytes(change((tmp_path / "v.bin").read_bytes()))
    with pytest.raises(BadInput) as caught:
        read_word_vectors(str(tmp_path / "v.bin"))
    assert message in str(caught.value)


def write_fasttext(path: Path, words: dict[str, Floats], buckets: Floats, shortest: int = 2, longest: int = 3) -> None:
    """A fastText model of version 12, field by field as its ``saveModel`` writes them."""
    width, num_words = buckets.shape[1], len(words)
    head = struct.pack("<14id", 793712314, 12, width, 5, 5, 1, 5, 1, 1, 2, len(buckets), shortest, longest, 100, 1e-4)
    entries = b"".join(word.encode() + b"\0" + struct.pack("<qb", 1, 0) for word in words)
    rows = np.concatenate([np.stack(list(words.values())), buckets]).astype("<f4")
    path.write_bytes(
        head + struct.pack("<iiiqq", num_words, num_words, 0, 9, -1) + entries + b"\0"
        + struct.pack("<qq", *rows.shape) + rows.tobytes()
    )  # fmt: skip


def test_fasttext_composes_words(tmp_path: Path) -> None:
    """Witness: n-grams by hand, rows by the published FNV-1a hashes of these, the mean of the rows."""
    buckets = np.random.default_rng(0).normal(size=(11, 3)).astype(np.float32)
    write_fasttext(tmp_path / "m.bin", {"</s>": SOME["the"], "ab": SOME["hà_nội"]}, buckets)
    found = read_word_vectors(str(tmp_path / "m.bin"))
    assert found.words == ["</s>", "ab"] and found.matrix[0].tolist() == SOME["the"].tolist()

    def fnv1a(text: bytes) -> int:
        value = 0x811C9DC5
        for byte in text:
            value = (value ^ byte) * 0x01000193 % 2**32
        return value

    assert fnv1a(b"foobar") == 0xBF9CF968  # published
    grams = [buckets[fnv1a(gram) % 11] for gram in (b"<a", b"<ab", b"ab", b"ab>", b"b>")]
    np.testing.assert_allclose(found.matrix[1], np.mean([SOME["hà_nội"], *grams], axis=0), rtol=1e-6)
    assert found.compose is not None
    unseen = found.compose("b")
    assert unseen is not None
    grams = [buckets[fnv1a(gram) % 11] for gram in (b"<b", b"<b>", b"b>")]
    np.testing.assert_allclose(unseen, np.mean(grams, axis=0), rtol=1e-6)


def test_fasttext_as_gensim_reads_it(tmp_path: Path) -> None:
    """Witness: gensim, for seen and unseen words, bytes above 127 among them."""
    models = pytest.importorskip("gensim.models.fasttext")
    buckets = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    write_fasttext(
        tmp_path / "m.bin", {"</s>": SOME["the"], "hà_nội": SOME["hà_nội"], "ab": SOME["the"]}, buckets, 1, 4
    )
    theirs = models.load_facebook_vectors(str(tmp_path / "m.bin"))
    ours = read_word_vectors(str(tmp_path / "m.bin"))
    assert ours.compose is not None
    np.testing.assert_allclose(ours.matrix[1:], [theirs[word] for word in ours.words[1:]], rtol=1e-5)
    for word in ("đà_nẵng", "a", "abba"):
        np.testing.assert_allclose(ours.compose(word), theirs[word], rtol=1e-5)


def test_arrays_and_their_words(tmp_path: Path) -> None:
    """Witness: NumPy, safetensors and pyarrow, which write the files."""
    words, matrix = list(SOME), np.stack(list(SOME.values()))
    np.savez(tmp_path / "a.npz", words=np.array(words), vectors=matrix)
    np.savez(tmp_path / "b.npz", embeddings=matrix)  # as ETNLP has it
    save_file({"any": matrix}, tmp_path / "c.safetensors")
    (tmp_path / "words.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    (tmp_path / "c.vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    columns = {"word": words, "vector": list(matrix)}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "d.parquet")
    for name in ("a.npz", f"b.npz,{tmp_path}/words.txt", "c.safetensors", "d.parquet"):
        found = read_word_vectors(f"{tmp_path}/{name}")
        assert found.words == words and np.array_equal(found.matrix, matrix), name
        assert read_word_vectors(f"{tmp_path}/{name}", "hà_nội".__eq__).matrix.tolist() == [matrix[1].tolist()]
    (tmp_path / "words.txt").write_text("one\n")
    refused = {
        f"b.npz,{tmp_path}/words.txt": "words.txt: another number of words than vectors; got '1 words'; allowed: 3",
        "b.npz": "b.npz: vectors without their words", "words.npz": "words.npz: this .npz file cannot be read",
        "words.safetensors": "words.safetensors: not a readable safetensors file",
        "words.parquet": "words.parquet: no word vectors in this Parquet file", "none.npz": "none.npz: file not found",
    }  # fmt: skip
    for ending in ("npz", "safetensors", "parquet"):
        (tmp_path / f"words.{ending}").write_text("one\n")
    for name, message in refused.items():
        with pytest.raises(BadInput) as caught:
            read_word_vectors(f"{tmp_path}/{name}")
        assert message in str(caught.value)


def test_rows_begin_as_their_vectors_and_all_else_is_as_drawn() -> None:
    """Witness: the same model initialised again; the account counts every weight."""
    settings = ModelSettings(backbone=preset("lstm-tiny", vocab_size=20, embedding_width=3))
    model, original = (Model.fresh(settings, 1) for _ in range(2))
    account = start_from_vectors(model, {4: np.ones(3, np.float32), 7: np.zeros(3, np.float32)})
    table, before = model.backbone.tokens.weight, original.backbone.tokens.weight
    assert table[4].tolist() == [1, 1, 1] and table[7].tolist() == [0, 0, 0]
    others = [row for row in range(20) if row not in (4, 7)]
    assert torch.equal(table[others], before[others])
    assert account.weights_loaded == 6 and account.weights_initialised == model.num_parameters - 6
    with pytest.raises(BadInput, match=r"not as wide.*got 4.*--set model.embedding_width=4"):
        check_width({0: np.zeros(4, np.float32)}, settings.backbone, "v.txt")
