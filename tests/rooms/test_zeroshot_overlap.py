"""Overlap with a corpus: brute force over sets of word tuples as witness."""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.cli.main import main
from warmstart.corpora.prepare import prepare
from warmstart.corpora.settings import PrepareSettings
from warmstart.zeroshot import gram_set, overlap
from warmstart.zeroshot.gram_set import GramSet
from warmstart.zeroshot.ngrams import Unit, grams_of_texts
from warmstart.zeroshot.overlap import Grams, read_grams

WORDS = ["the", "heron", "stands", "in", "reeds", "and", "naïve", "fish", "ÉTÉ", "3", "7th"]


def random_text(rng: np.random.Generator, count: int) -> str:
    marks = [" ", " ", " ", ", ", ".\n", "-", "  "]
    return "".join(str(rng.choice(WORDS)) + str(rng.choice(marks)) for _ in range(count))


def words_of(text: str) -> list[str]:
    """Lower-cased letters and digits, by Python's own word for them."""
    return [word.lower() for word in re.split(r"[\W_]+", text) if word]


def tuples(text: str, n: int) -> list[tuple[str, ...]]:
    words = words_of(text)
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


@pytest.mark.parametrize("n", [1, 3, 8])
def test_grams_are_equal_where_their_words_are(n: int) -> None:
    """Witness: tuples of words: equal ones have equal numbers, others different ones; none goes over the end of a text."""
    rng = np.random.default_rng(n)
    text = random_text(rng, 400)
    expected = tuples(text, n)
    numbers = grams_of_texts([text], n).numbers.tolist()
    assert len(numbers) == len(expected)
    assert len({*zip(numbers, expected, strict=True)}) == len({*numbers}) == len({*expected})
    parts = [text[:100], "", text[100:101], text[101:]]
    found, expected = grams_of_texts(parts, n), [[*map(tuple, tuples(part, n))] for part in parts]
    assert found.owners.tolist() == [number for number, own in enumerate(expected) for _ in own]
    alone = [grams_of_texts([part], n).numbers for part in parts]
    assert found.numbers.tolist() == np.concatenate(alone).tolist()


def test_characters_stand_in_for_words() -> None:
    """Witness: a text without blanks, whose n-grams are its characters but for marks."""
    numbers = grams_of_texts(["鷺が葦に立つ。鷺が待つ"], 2, "characters").numbers
    expected = ["鷺が葦に立つ鷺が待つ"[i : i + 2] for i in range(9)]
    assert len(numbers) == 9 and len({*zip(numbers.tolist(), expected, strict=True)}) == len({*expected})


@pytest.mark.parametrize("least", [10, 700, 1 << 22])
def test_a_set_is_that_of_python(least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: Python's own set, of numbers that come twice, in parts, with the smallest and the largest."""
    monkeypatch.setattr(gram_set, "LEAST", least)
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 1 << 64, 4000, dtype=np.uint64)
    parts = [*np.split(rng.choice(numbers, 6000), 30), np.array([0, 0, (1 << 64) - 1], np.uint64), numbers[:0]]
    found = GramSet.collect(parts)
    expected = {number for part in parts for number in part.tolist()}
    assert found.numbers.tolist() == sorted(expected) and found.rate == len(expected) / 2**64
    asked = np.concatenate([numbers, numbers + np.uint64(1), parts[-2]])
    assert found.contains(asked).tolist() == [number in expected for number in asked.tolist()]
    assert not GramSet.collect([]).contains(numbers).any() and not len(found.contains(numbers[:0]))


def test_a_million_random_numbers_are_not_found() -> None:
    """Invariant: with 100,000 of 2⁶⁴ numbers in the set the chance of one is 5e-9."""
    rng = np.random.default_rng(0)
    found = GramSet.collect([rng.integers(0, 1 << 64, 100_000, dtype=np.uint64)])
    assert not found.contains(rng.integers(0, 1 << 64, 1_000_000, dtype=np.uint64)).any()


@pytest.mark.parametrize(("n", "unit"), [(3, "words"), (1, "words"), (4, "characters")])
def test_a_set_is_the_same_for_any_number_of_cores(
    n: int, unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: sets of tuples of a text that comes in many blocks; its bytes by one core are those by three."""
    rng = np.random.default_rng(3)
    texts = [random_text(rng, 900), random_text(rng, 12), random_text(rng, 200)]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text)
    monkeypatch.setattr(overlap, "BLOCK_CHARS", 300)
    tables = []
    for cores in (1, 3):
        monkeypatch.setattr(overlap, "num_cores", lambda cores=cores: cores)
        found = read_grams([str(tmp_path)], Grams(n, unit))
        assert all(one.share == 1 for one in found.overlaps([text] for text in texts))
        tables.append(found.sets[0].numbers.tobytes())
    assert tables[0] == tables[1]
    other = random_text(rng, 500)
    units = [words_of(text) if unit == "words" else [*"".join(words_of(text))] for text in (*texts, other)]
    *rows, asked = [[tuple(row[i : i + n]) for i in range(len(row) - n + 1)] for row in units]
    held = {gram for row in rows for gram in row}
    assert found.overlap([other]).found == sum(gram in held for gram in asked)


def shown(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main([*map(str, words), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_overlap_of_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: sets of word tuples, for each example and for all, of text files and of a corpus of the same."""
    rng = np.random.default_rng(2)
    train = [random_text(rng, 200) for _ in range(3)]
    examples = [random_text(rng, 20) for _ in range(10)] + [train[1][40:300], "too short"]
    (tmp_path / "train").mkdir()
    for number, text in enumerate(train):
        (tmp_path / "train" / f"{number}.txt").write_text(text)
    data, rows = tmp_path / "test.jsonl", tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps({"text": text, "label": 1}) + "\n" for text in examples))
    held = {gram for text in train for gram in tuples(text, 3)}
    expected = [(sum(gram in held for gram in tuples(text, 3)), len(tuples(text, 3))) for text in examples]
    words = ("--data", data, "--n", 3)
    found = shown(capsys, "overlap", "--corpus", tmp_path / "train", *words, "--output", rows)
    assert [(row["found"], row["grams"]) for row in map(json.loads, rows.read_text().splitlines())] == expected
    assert found["metrics"]["overlap"] == sum(f for f, _ in expected) / sum(g for _, g in expected)
    assert found["short"] == 1 and found["examples"] == 12 and found["false_positive_rate"] < 1e-15
    corpus = tmp_path / "corpus"
    prepare(PrepareSettings(paths=(str(tmp_path / "train"),), out=str(corpus), vocab_size=300))
    kept = corpus / "overlap-3-words.grams"
    assert shown(capsys, "overlap", "--corpus", corpus, *words)["metrics"] == found["metrics"] and kept.is_file()
    before = kept.stat().st_mtime_ns
    assert shown(capsys, "overlap", "--corpus", corpus, *words)["metrics"] == found["metrics"]
    assert kept.stat().st_mtime_ns == before
    kept.write_bytes(kept.read_bytes()[:-8])
    assert shown(capsys, "overlap", "--corpus", corpus, *words)["metrics"] == found["metrics"]
    assert main(["overlap", "--corpus", str(corpus), "--data", str(data), "--n", "64"]) == 2
    assert "no example is as long as an n-gram; got '12 examples'" in capsys.readouterr().err


def test_each_member_of_an_archive_is_an_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: sets of word tuples, for each member."""
    rng = np.random.default_rng(4)
    train, texts = random_text(rng, 100), [random_text(rng, 30) for _ in range(2)]
    (tmp_path / "train.txt").write_text(train)
    with tarfile.open(tmp_path / "test.tar.gz", "w:gz") as archive:
        for number, text in enumerate([*texts, train[20:200]]):
            (tmp_path / f"{number}.txt").write_text(text)
            archive.add(tmp_path / f"{number}.txt", f"{number}.txt")
    words = ("--corpus", tmp_path / "train.txt", "--data", tmp_path / "test.tar.gz", "--n", 2)
    shown(capsys, "overlap", *words, "--output", tmp_path / "rows.jsonl")
    held = {*tuples(train, 2)}
    expected = [(f"{tmp_path / 'test.tar.gz'}:{number}.txt", sum(gram in held for gram in tuples(text, 2)))
                for number, text in enumerate([*texts, train[20:200]])]  # fmt: skip
    rows = map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())
    assert [(row["where"], row["found"]) for row in rows] == expected


@pytest.mark.data
def test_film_sentences_are_found_again(data_dir: Path) -> None:
    """Witness: three quarters of SST-2's dev sentences stand in Rotten Tomatoes' (known of the two sets)."""
    polarity = read_grams([str(data_dir / "rt_polarity" / f"rt-polarity.{kind}.gz") for kind in ("pos", "neg")], Grams(),
                          "latin-1")  # fmt: skip
    lines = (data_dir / "sst2" / "dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    found = list(polarity.overlaps([line.split("\t")[0]] for line in lines))
    shares = [one.share for one in found if one.grams]
    assert np.mean([share == 1 for share in shares]) > 0.7
