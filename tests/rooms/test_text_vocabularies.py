"""Words, characters and bytes as vocabularies."""

import re
from collections import Counter
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from warmstart.text.settings import VocabularyKind
from warmstart.text.special_tokens import END
from warmstart.text.tokenizer import Tokenizer
from warmstart.text.vocabularies import UNKNOWN

TEXTS = [
    "A fine film, truly fine.",
    "Not a fine film; café naïve",
    "It's a film -- a FILM!",
    "zwölf Boxkämpfer, a FILM",
]


def test_words_follow_the_rule_for_rare_words() -> None:
    """Witness: a count by regular expression: words and single punctuation marks, that occur twice."""
    found = Tokenizer.train(TEXTS, 400, vocabulary="words")
    count = Counter(token for text in TEXTS for token in re.findall(r"\w+|[^\w\s]", text))
    frequent = {token for token, times in count.items() if times > 1}
    assert found.vocab_size == len(frequent) + 2 and all(found.has_token(token) for token in (*frequent, UNKNOWN, END))
    ids = found.encode("a fine thing, a FILM")
    assert found.decode(ids, skip_special_tokens=False) == f"a fine {UNKNOWN} , a FILM"
    assert found.special_token("unk") == UNKNOWN and found.end_id == found.vocab_size - 1


@pytest.mark.parametrize("kind", ["words", "known-words"])
def test_the_most_frequent_words_are_kept(kind: VocabularyKind) -> None:
    """Witness: a count."""
    texts = [" ".join(f"w{n}" for n in range(400) for _ in range(2 + (n < 250)))]
    found = Tokenizer.train(texts, 257, vocabulary=kind)
    assert found.vocab_size == 257 and all(f"w{n}" in found.ids_by_text for n in range(250))


def test_words_that_are_not_kept_are_left_out(tmp_path: Path) -> None:
    """Witness: a count by regular expression, and transformers on the same files; letters of other words are no words."""
    texts = ["a I . a I . the film", "the film ▁ 'tis Amazing the"]
    found = Tokenizer.train(texts, 400, vocabulary="known-words")
    count = Counter(token for text in texts for token in re.findall(r"\w+|[^\w\s]", text))
    frequent = {token for token, times in count.items() if times > 1}
    assert frequent == {"a", "I", ".", "the", "film"} == set(found.ids_by_text) - {END}
    found.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(str(tmp_path))
    for text in (*texts, "a tax on film, I think.", "apple", "", "\n the\tFilm"):
        expected = [token for token in re.findall(r"\w+|[^\w\s]", text) if token in frequent]
        assert found.decode(found.encode(text)) == " ".join(expected)
        ids, offsets = found.encode_with_offsets(text)
        assert [text[start:stop] for start, stop in offsets] == expected
        assert ids.tolist() == found.encode(text).tolist() == theirs(text, add_special_tokens=False)["input_ids"]


def test_characters() -> None:
    """Witness: Python's own characters."""
    found = Tokenizer.train([*TEXTS, *TEXTS], 400, vocabulary="characters")
    assert found.vocab_size == len(set("".join(TEXTS))) + 2
    assert len(found.encode("café, naïve\nZ")) == 13
    assert found.decode(found.encode("zwölf naïve")) == "zwölf naïve"
    _, offsets = found.encode_with_offsets("naïve")
    assert offsets == [(n, n + 1) for n in range(5)]


@pytest.mark.parametrize("text", ["zwölf\n\tBoxkämpfer 十二", "", "<|endoftext|>", "\x00\r\n"])
def test_bytes_are_bytes(text: str) -> None:
    """Witness: UTF-8."""
    found = Tokenizer.train([], 8192, vocabulary="bytes")
    ids = found.encode(text)
    assert found.vocab_size == 257 and len(ids) == len(text.encode()) and found.decode(ids) == text


@pytest.mark.parametrize("kind", ["bpe", "words", "known-words", "characters"])
@pytest.mark.parametrize("cut", [0, 1, 3])
def test_text_behind_a_prompt_stands_as_in_one_piece(kind: VocabularyKind, cut: int) -> None:
    """Witness: the text of all ids in one go."""
    found = Tokenizer.train([*TEXTS, *TEXTS], 400, vocabulary=kind)
    ids = found.encode(TEXTS[0])
    assert found.decode(ids[:cut]) + found.decode_continuation(ids[:cut], ids[cut:]) == found.decode(ids)


@pytest.mark.parametrize("kind", ["words", "known-words", "characters", "bytes"])
def test_saved_and_loaded_it_is_the_same(kind: str, tmp_path: Path) -> None:
    """Invariant: fingerprint and ids."""
    found = Tokenizer.train([*TEXTS, *TEXTS], 400, vocabulary=kind)  # type: ignore[arg-type]
    found.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert again.fingerprint == found.fingerprint
    assert all(again.encode(text).tolist() == found.encode(text).tolist() for text in TEXTS)
