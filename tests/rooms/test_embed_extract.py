"""Extraction, neighbours and every written form: NumPy by hand, scikit-learn, and our own readers."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from warmstart.cli.main import main
from warmstart.embed.extract import extract, principal_components
from warmstart.embed.neighbours import nearest_rows
from warmstart.embed.space import Space, to_unit
from warmstart.embed.writing import WRITERS, write_vectors
from warmstart.readers.vector_table import WordVectors
from warmstart.readers.word_vectors import read_word_vectors

STEPS = ("word", "lower")


def space(words: str, seed: int, width: int) -> Space:
    matrix = np.random.default_rng(seed).normal(size=(len(words.split()), width)).astype(np.float32)
    return Space(f"s{seed}", WordVectors(words.split(), matrix))


def test_sources_side_by_side() -> None:
    """Witness: the rows by hand; zeros where one source lacks a word, the word left out where all do."""
    first, second = space("a b c", 0, 3), space("a B d", 1, 2)
    found = extract([first, second], ["a", "c", "B", "gone", "d"], STEPS)
    one, two = first.vectors.matrix, second.vectors.matrix
    expected = [[*one[0], *two[0]], [*one[2], 0, 0], [*one[1], *two[1]], [0, 0, 0, *two[2]]]
    assert found.terms == ["a", "c", "B", "d"] and found.left_out == ["gone"]
    np.testing.assert_array_equal(found.vectors_TD, np.array(expected, np.float32))
    assert found.counts == {"s0": {"word": 2, "lower": 1, "none": 2}, "s1": {"word": 3, "none": 2}}
    parts = extract([first, second], ["a", "B"], STEPS, "parts").vectors_TD
    np.testing.assert_allclose(np.linalg.norm(parts[:, :3], axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(parts[:, 3:], axis=1), 1, rtol=1e-6)
    whole = extract([first, second], ["a", "gone"], STEPS, "whole", keep_unknown=True)
    assert whole.terms == ["a", "gone"] and not whole.vectors_TD[1].any()
    assert np.linalg.norm(whole.vectors_TD[0]) == pytest.approx(1)


def test_principal_components() -> None:
    """Witness: scikit-learn, but for the sign of each axis."""
    vectors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32) * [5, 3, 1, 1, 0.5, 0.1]
    found, theirs = principal_components(vectors.astype(np.float32), 3), PCA(3).fit_transform(vectors)
    np.testing.assert_allclose(np.abs(found), np.abs(theirs), atol=1e-4)
    assert np.allclose(np.abs((np.sign(found) * np.sign(theirs)).mean(axis=0)), 1)


def test_neighbours_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: scikit-learn's brute force, over several blocks of words and of queries; equal rows in their order."""
    monkeypatch.setattr("warmstart.embed.neighbours._WORDS", 7)
    monkeypatch.setattr("warmstart.embed.neighbours._QUERIES", 4)
    units = to_unit(np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32))
    found = nearest_rows(units, units[:9], 6)
    distances, rows = (
        NearestNeighbors(n_neighbors=6, metric="cosine", algorithm="brute").fit(units).kneighbors(units[:9])
    )
    assert found.rows.tolist() == rows.tolist()
    np.testing.assert_allclose(found.cosines, 1 - distances, atol=1e-6)
    assert nearest_rows(np.ones((20, 1), np.float32), np.ones((1, 1), np.float32), 3).rows.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("ending", WRITERS)
def test_what_is_written_is_read(ending: str, tmp_path: Path) -> None:
    """Witness: the reader of that form; the same numbers bit for bit."""
    matrix = (np.random.default_rng(0).normal(size=(3, 4)) * 10.0 ** np.arange(-20, 20, 10)).astype(np.float32)
    words = ["a", "hà_nội", "3.5"]
    write_vectors(str(tmp_path / f"v{ending}"), words, matrix)
    found = read_word_vectors(str(tmp_path / f"v{ending}"))
    assert found.words == words and np.array_equal(found.matrix, matrix)


def test_the_verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: by hand: four words in two dimensions, their nearest, the mean of a text's words."""
    monkeypatch.chdir(tmp_path)
    Path("v.txt").write_text("north 0 1\neast 1 0\nnearly 0.1 1\nwest -1 0\n")
    Path("words.txt").write_text("East\nnorth\ngone\n")
    assert main(["embed", "extract", "v.txt", "--vocabulary", "words.txt", "--out", "o.vec", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "out": "o.vec",
        "words": 2,
        "width": 2,
        "left_out": 1,
        "found": {"v": {"lower": 1, "word": 1, "none": 1}},
    }
    assert Path("o.vec").read_text() == "2 2\nEast 1.0 0.0\nnorth 0.0 1.0\n"
    Path("texts.txt").write_text("north east!\nwest\n")
    assert main(["embed", "extract", "v.txt", "--texts", "texts.txt", "--out", "t.npz"]) == 0
    found = read_word_vectors("t.npz")
    assert found.words == ["north east!", "west"] and found.matrix.tolist() == [[0.5, 0.5], [-1, 0]]
    Path("table.csv").write_text('id,text\n1,"north east!"\n2,west\n')
    assert main(["embed", "extract", "v.txt", "--texts", "table.csv", "--out", "t2.npz"]) == 0
    assert read_word_vectors("t2.npz").matrix.tolist() == found.matrix.tolist()
    capsys.readouterr()
    assert main(["embed", "neighbours", "v.txt", "--words", "north", "gone", "--top", "2", "--json"]) == 0
    first, last = json.loads(capsys.readouterr().out)["neighbours"]
    assert [word for word, _ in first["sources"]["v"]["nearest"]] == ["nearly", "east"]
    assert last["sources"]["v"] == {"found": "none", "nearest": []}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["extract", "v.txt", "--vocabulary", "w.txt", "--out", "v.txt"], "v.txt: the output file exists"),
        (["extract", "v.txt", "--vocabulary", "w.txt", "--out", "o.docx"], "--out: unknown ending; got '.docx'"),
        (["extract", "v.txt", "--out", "o.vec"], "words or texts, one of the two"),
        (["extract", "v.txt", "--vocabulary", "no.txt", "--out", "o.vec"], "v: no word of the vocabulary has a vector"),
        (
            ["extract", "v.txt", "--vocabulary", "w.txt", "--out", "o.vec", "--pca", "9"],
            "--pca: more principal components",
        ),
        (["extract", "v.txt", "--texts", "w.txt", "--out", "o.vec"], "o.vec: a word with a blank or a line end"),
        (["neighbours", "v.txt"], "no word; allowed: --words WORD"),
        (["neighbours", ".", "--words", "a"], ".: a model has no list of words of its own; allowed: with --vocabulary"),
        (["neighbours", "v.txt", "--input", "empty.txt"], "empty.txt: a file without words"),
    ],
)
def test_bad_input(
    argv: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input: one sentence, exit code 2, nothing written."""
    monkeypatch.chdir(tmp_path)
    files = {"v.txt": "a 1 2\nb 2 1\n", "w.txt": "a\nb\na b\n", "no.txt": "x\n", "empty.txt": "\n"}
    for name, text in files.items():
        Path(name).write_text(text)
    assert main(["embed", *argv]) == 2
    assert message in capsys.readouterr().err and {path.name for path in tmp_path.iterdir()} == {*files}
