"""Vectors of words from raw text: gensim called by hand, and our own readers."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.embed.word_training import Sentences, WordTraining, check_gensim, train_words
from warmstart.readers.word_vectors import read_word_vectors

LINES = [f"Der Hund_{n % 3} sieht, was die Katze {'nicht ' * (n % 4)}sieht." for n in range(60)]


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) + "\n\n", encoding="utf-8")
    return str(path)


def test_sentences(tmp_path: Path, text: str) -> None:
    """Words by hand; empty lines give none; a line of 25,000 words is three sentences, as often as it is asked for."""
    sentences = list(Sentences([text], lower=True))
    assert len(sentences) == 60
    assert sentences[1] == ["der", "hund_1", "sieht", ",", "was", "die", "katze", "nicht", "sieht", "."]
    (tmp_path / "long.txt").write_text("a " * 25_000)
    long = Sentences([str(tmp_path / "long.txt")])
    assert [*map(len, long)] == [*map(len, long)] == [10_000, 10_000, 5_000]


@pytest.mark.parametrize("kind", ["word2vec", "fasttext"])
def test_vectors_are_gensims(kind: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: gensim itself, with the same settings, to the last bit; of fastText also words that are not in the text."""
    models = pytest.importorskip("gensim.models", reason="the extra word2vec is not installed")
    counts = Counter(word for sentence in Sentences([text]) for word in sentence)
    theirs = {"word2vec": models.Word2Vec, "fasttext": models.FastText}[kind](
        vector_size=8, window=3, min_count=5, sg=1, seed=7, workers=1, epochs=2
    )
    theirs.build_vocab_from_freq(dict(sorted(counts.items())))
    theirs.train(Sentences([text]), total_examples=60, epochs=2)
    out = tmp_path / {"word2vec": "words.vec", "fasttext": "words.bin"}[kind]
    flags = ["--size", "8", "--window", "3", "--length", "2 epochs", "--seed", "7", "--out", str(out), "--json"]
    assert main(["embed", "train", text, "--kind", kind, *flags]) == 0
    assert json.loads(capsys.readouterr().out)["words"] == len(counts) == len(theirs.wv)
    found = read_word_vectors(str(out))
    assert [word for word in found.words if word != "</s>"] == theirs.wv.index_to_key
    np.testing.assert_allclose(found.matrix[-len(theirs.wv) :], theirs.wv.vectors, atol=1e-7)
    if found.compose is not None:
        np.testing.assert_allclose(found.compose("Hunde"), theirs.wv["Hunde"], atol=1e-7)
    assert (found.compose is not None) == (kind == "fasttext")


def test_bad_input(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, exit code 2, nothing written."""
    out, there = str(tmp_path / "words.vec"), tmp_path / "there.vec"
    there.write_text("")
    cases = [
        (["--out", out, "--length", "9 steps"], "read as a whole here"),
        (["--out", str(there)], "exists"),
        (["--out", str(tmp_path / "words.doc")], "ending"),
    ]
    try:
        check_gensim()
    except BadInput:
        cases.append((["--out", out], r"needs the gensim package; pip install 'warmstart[word2vec]'"))
    else:
        (tmp_path / "empty.txt").write_text("\n\n")
        few = "no word comes often enough"
        cases += [(["--out", out, "--min-count", "1000"], few), ([str(tmp_path / "empty.txt"), "--out", out], few)]
    for flags, message in cases:
        given = flags if flags[0] != "--out" else [text, *flags]
        assert main(["embed", "train", *given]) == 2
        assert message in capsys.readouterr().err.replace("\n", " ")
    assert not Path(out).exists() and there.read_text() == ""


def test_the_same_text_gives_the_same_vectors(text: str) -> None:
    """Invariant; and other seeds give others."""
    pytest.importorskip("gensim", reason="the extra word2vec is not installed")

    def vectors(seed: int) -> np.ndarray:
        options = WordTraining("word2vec", "cbow", 4, 2, 1, 1, seed, 1)
        return np.array(train_words(Sentences([text]), options).wv.vectors)

    np.testing.assert_array_equal(vectors(1), vectors(1))
    assert np.abs(vectors(1) - vectors(2)).max() > 1e-3
