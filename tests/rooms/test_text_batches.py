"""Encoding and learning word by word: the tokenizers library, which does it text by text, is the witness."""

import gzip
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models, normalizers, pre_tokenizers

from warmstart.base.errors import BadInput
from warmstart.text import batches, word_table
from warmstart.text.batches import BatchEncoder
from warmstart.text.byte_alphabet import byte_characters
from warmstart.text.merges import train_merges
from warmstart.text.tokenizer import Tokenizer
from warmstart.text.vocabularies import TRAINERS

needs_table = pytest.mark.skipif(not word_table.usable(), reason="the table of words was not built")
SAMPLE = "the cat's hats, they'll say: we've 12 dogs  and\n\n  ½ naïve café日本 don't I'd' 'tis"
PIECES = [
    *" \n\t\r\x0b\x1c\x1f\x85\xa0\u1680\u180e\u2003\u2028\u200b\u3000\ufeff",
    *(
        "'s",
        "'t",
        "'re",
        "'ve",
        "'m",
        "'ll",
        "'d",
        "'S",
        "'x",
        "'",
        "’s",
        "a",
        "Zz",
        "é",
        "e\u0301",
        "ß",
        "Ω",
        "ж",
        "日本",
    ),
    *(
        "7",
        "12",
        "½",
        "Ⅷ",
        "²",
        "٣",
        "一",
        "!",
        "--",
        "_",
        "\"'",
        "<|endoftext|>",
        "🙂",
        "\U0001d400",
        "\U0001d7d8",
        "\0",
    ),
]
texts = st.lists(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def backend() -> tokenizers.Tokenizer:
    return Tokenizer.train([SAMPLE] * 3, 330)._backend


@pytest.fixture
def every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short texts go by the table too."""
    monkeypatch.setattr(batches, "MIN_CHARS", 0)


def beginning(path: Path, size: int) -> str:
    """Of a packed file, or of the first in a folder."""
    path = path if path.is_file() else next(p for p in sorted(path.iterdir()) if p.suffix == ".gz")
    with gzip.open(path) as file:
        return file.read(size).decode("utf-8", "replace")


def by_library(backend: tokenizers.Tokenizer, texts: list[str]) -> list[list[int]]:
    return [list(e.ids) for e in backend.encode_batch(texts, add_special_tokens=False)]


def by_table(backend: tokenizers.Tokenizer, texts: list[str]) -> list[list[int]]:
    encoder = BatchEncoder(backend)
    assert encoder._words is not None
    return [ids.tolist() for ids in encoder._words.encode(texts)]


def test_it_is_built_where_gcc_is(tmp_path: Path) -> None:
    """Witness: gcc, of the file, without a warning."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("no gcc here")
    source, built = Path(word_table.__file__).with_name("words.c"), tmp_path / "words.so"
    command = [gcc, "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", str(source), "-o", str(built)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@needs_table
@settings(max_examples=150, deadline=None)
@given(texts)
def test_ids_are_those_of_the_library(backend: tokenizers.Tokenizer, texts: list[str]) -> None:
    """Witness: encode_batch of the whole texts: blanks of all kinds, endings, signs, scripts, characters beyond 16 bits."""
    assert by_table(backend, texts) == by_library(backend, texts)


@needs_table
def test_the_kind_of_every_character_of_many_scripts(backend: tokenizers.Tokenizer) -> None:
    """Witness: the library's words, with each of the first 12,288 characters behind a letter, a digit, a sign, a blank."""
    text = "".join(f"a{chr(code)}1{chr(code)}!{chr(code)} {chr(code)}" for code in range(0x3000))
    table = word_table.WordTable()
    numbers = table.split([text]).numbers.tolist()
    words = table.words()
    characters = byte_characters()
    found = ["".join(characters[byte] for byte in words[number]) for number in numbers]
    assert found == [word for word, _ in pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)]


@needs_table
@pytest.mark.data
@pytest.mark.parametrize(
    "file", ["books/train/Cbronte_Jane_1847.txt.gz", "europarl_mono_de", "cmrc2018_zh", "orangesum", "rt_polarity"]
)
def test_ids_of_real_texts_with_the_vocabulary_of_gpt2(file: str, data_dir: Path) -> None:
    """Witness: the library, on the beginning of texts in four languages, with 50,257 pieces."""
    text = beginning(data_dir / file, 120_000)
    own = Tokenizer.load(data_dir / "gpt2_bpe")
    lines = [text[:60_000], *text[60_000:].split("\n")]
    assert sum(map(len, by_table(own._backend, lines))) > 10_000
    assert by_table(own._backend, lines) == by_library(own._backend, lines)


@needs_table
def test_the_table_begins_anew_and_threads_share_it(
    backend: tokenizers.Tokenizer, monkeypatch: pytest.MonkeyPatch, every_text: None
) -> None:
    """Witness: the library, after every beginning; and from several threads at once."""
    monkeypatch.setattr(batches, "MAX_WORDS", 20)
    encoder = BatchEncoder(backend)
    texts = [[f"{SAMPLE} word{number} {number * 7}"] * (1 + number % 3) for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(encoder.encode, texts))
    assert encoder._words is not None and len(encoder._words._table) < 80
    assert [[ids.tolist() for ids in some] for some in found] == [by_library(backend, some) for some in texts]


def changed(backend: tokenizers.Tokenizer, change: str) -> tokenizers.Tokenizer:
    copy = tokenizers.Tokenizer.from_str(backend.to_str())
    copy.encode_special_tokens = True
    if change == "normalizer":
        copy.normalizer = normalizers.Lowercase()
    elif change == "first blank":
        copy.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    elif change == "no words":
        copy.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    elif change == "sequence":
        copy.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(), copy.pre_tokenizer])
    elif change == "added":
        copy.add_tokens(["cat's hat"])
    elif change == "words":
        copy.model = models.WordLevel({"the": 0, "[UNK]": 1}, unk_token="[UNK]")
    return copy


@needs_table
@pytest.mark.parametrize("change", ["normalizer", "first blank", "no words", "sequence", "added", "words"])
def test_other_tokenizers_are_left_to_the_library(backend: tokenizers.Tokenizer, change: str, every_text: None) -> None:
    """Witness: the library; a table's words would be others for each of these but the vocabulary of whole words."""
    other = changed(backend, change)
    assert BatchEncoder(other)._words is None
    assert [ids.tolist() for ids in BatchEncoder(other).encode([SAMPLE])] == by_library(other, [SAMPLE])
    assert BatchEncoder(changed(backend, ""))._words is not None


@needs_table
def test_half_a_character_is_named_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the same sentence for little text and for much, and of a vocabulary that learns from it."""
    own = Tokenizer.train([SAMPLE], 300)
    sentences = []
    for least in (0, sys.maxsize):
        monkeypatch.setattr(batches, "MIN_CHARS", least)
        with pytest.raises(BadInput) as caught:
            own.encode_batch(["fine", "half \ud800"])
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1] and "character 6 is half a character" in sentences[0]


def learned_by_library(texts: list[str], size: int, least: int, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as without:
        without.setattr(word_table, "usable", lambda: False)
        return str(TRAINERS["bpe"](texts, size, least).to_str())


@needs_table
@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("aab c", max_size=12), max_size=12), st.integers(256, 300), st.integers(0, 4))
def test_a_vocabulary_is_that_of_the_library(texts: list[str], size: int, least: int) -> None:
    """Witness: the library's trainer: ties, runs of one letter, pieces that come about in two ways, no text at all."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        expected = learned_by_library(texts, size, least, monkeypatch)
    assert TRAINERS["bpe"](texts, size, least).to_str() == expected


@needs_table
@pytest.mark.data
@pytest.mark.parametrize("file", ["books/train/Anon_Clara_1864.txt.gz", "europarl_mono_de"])
def test_a_vocabulary_of_real_text(file: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the library's trainer, on 200 KB, with merges down to pairs that occur twice."""
    text = beginning(data_dir / file, 200_000)
    texts = [text[start : start + 4000] for start in range(0, len(text), 4000)]
    assert TRAINERS["bpe"](texts, 4000, 2).to_str() == learned_by_library(texts, 4000, 2, monkeypatch)


def test_merges_by_hand() -> None:
    """Sennrich et al. 2016, section 3.2, without its ends of words: e·r occurs 9 times, l·o 7, lo·w 7, e·w 6, n·ew 6."""
    merges = train_merges([b"low", b"lowest", b"newer", b"wider"], [5, 2, 6, 3], 261, 2)
    assert merges.pairs == [("e", "r"), ("l", "o"), ("lo", "w"), ("e", "w"), ("n", "ew")]
    assert [merges.vocab[piece] for piece in ("er", "lo", "low", "ew", "new")] == [256, 257, 258, 259, 260]
