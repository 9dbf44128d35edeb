"""Words to ids: whatever the words, the vocabulary and the cleaning rules, tokens stand for the words they came from."""

from collections.abc import Sequence

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from warmstart.tasks.words import UNALIGNED, WordTokenizer, gaps, join_words, tokenize_sentence, tokenize_text
from warmstart.text.clean import CLEANING_RULES, clean
from warmstart.text.tokenizer import Tokenizer

TEXT = [
    "The naïve fox — said: “don't!” It's 1920s.[8]:1 <br /> ÆØÅ",
    "EU rejects German call … to boycott British lamb .",
]


def word_piece() -> Tokenizer:
    """BERT's way: small letters, no accents, words it cannot spell become one unknown token."""
    backend = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(
        TEXT * 3, trainers.WordPieceTrainer(vocab_size=90, special_tokens=["[UNK]"], show_progress=False)
    )
    return Tokenizer(backend)


def unigram() -> Tokenizer:
    """SentencePiece's way: blanks are letters (▁), characters are composed first."""
    backend = tokenizers.Tokenizer(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=80, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False)
    backend.train_from_iterator(TEXT * 3, trainer)
    return Tokenizer(backend)


VOCABULARIES = {"bytes": Tokenizer.train(TEXT, 300), "wordpiece": word_piece(), "unigram": unigram()}
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WORD = st.one_of(st.sampled_from(" ".join(TEXT).split()), ANYTHING)
RULE_LISTS = st.lists(st.sampled_from(sorted(CLEANING_RULES)), max_size=3, unique=True)


def whole(tokenizer: Tokenizer, words: Sequence[str], rules: Sequence[str]) -> tuple[list[int], list[int]]:
    """Ids, and for each word its first token, found in the text made of all cleaned words by the tokenizer's own offsets."""
    text, ends, ids, firsts = "", [], [], []
    for gap, word in zip(gaps(words), words, strict=True):
        cleaned = clean(word, rules)
        begin = len(text)
        if cleaned.strip():
            text += (clean(f"x{gap}x", rules)[1:-1] if gap else "") + cleaned
        ends.append((begin, len(text)))
    found, offsets = tokenizer.encode_with_offsets(text)
    ids = found.tolist()
    for begin, end in ends:
        own = (
            i
            for i, (a, b) in enumerate(offsets)
            if any(begin <= c < end and not text[c].isspace() for c in range(a, b))
        )
        firsts.append(next(own, UNALIGNED))
    return ids, firsts


@settings(deadline=None, max_examples=300)
@given(st.lists(WORD, max_size=6), RULE_LISTS, st.sampled_from(sorted(VOCABULARIES)))
def test_each_word_is_read_at_its_own_first_token(words: list[str], rules: list[str], name: str) -> None:
    """Witness: each word encoded alone: its tokens lie between those of the words around it, and the first that covers a
    character that is no blank is the one that is read; a word without such a token is read nowhere."""
    tokenizer = VOCABULARIES[name]
    ids, first = tokenize_sentence(words, WordTokenizer(tokenizer, rules))
    assert len(first) == len(words)
    behind = 0
    for place, gap, word in zip(first.tolist(), gaps(words), words, strict=True):
        cleaned = clean(word, rules)
        piece = (clean(f"x{gap}x", rules)[1:-1] if gap else "") + cleaned if cleaned.strip() else ""
        own, offsets = tokenizer.encode_with_offsets(piece)
        assert ids[behind : behind + len(own)].tolist() == own.tolist()
        covering = [i for i, (a, b) in enumerate(offsets) if piece[a:b].strip()]
        assert place == (behind + covering[0] if covering else UNALIGNED)
        behind += len(own)
    assert behind == len(ids)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(" ".join(TEXT).split()), max_size=8), RULE_LISTS)
def test_byte_level_ids_are_those_of_the_whole_text(words: list[str], rules: list[str]) -> None:
    """Witness: the words cleaned, join_words and encoded at once, aligned by the tokenizer's offsets in the whole text."""
    ids, first = tokenize_sentence(words, WordTokenizer(VOCABULARIES["bytes"], rules))
    assert (ids.tolist(), first.tolist()) == whole(VOCABULARIES["bytes"], words, rules)


@pytest.mark.parametrize("rules", [(), ("lower",), ("gpt1",), ("whitespace",), ("ftfy", "lower")])
@pytest.mark.parametrize(
    "text", [" ".join(TEXT), "a  b\n\nc\td \n e", "  spaces around \n", "東京は 日本の首都。", "", " "]
)
def test_byte_level_ids_of_a_text_are_those_of_its_cleaned_whole(rules: tuple[str, ...], text: str) -> None:
    """Witness: the text cleaned and encoded at once (rules cut blanks at its ends, which no token has to stand for)."""
    ids, places = tokenize_text(text, WordTokenizer(VOCABULARIES["bytes"], rules))
    assert VOCABULARIES["bytes"].decode(ids).strip() == clean(text, rules).strip()
    assert ids.tolist() == VOCABULARIES["bytes"].encode(VOCABULARIES["bytes"].decode(ids)).tolist()
    assert len(places) == len(ids)


@settings(deadline=None, max_examples=300)
@given(st.lists(WORD, max_size=5).map(" ".join), RULE_LISTS, st.sampled_from(sorted(VOCABULARIES)))
def test_tokens_stand_for_characters_in_order(text: str, rules: list[str], name: str) -> None:
    """Invariant: places are inside the text, never blank, never run backwards; without rules, bytes leave none out."""
    _, places = tokenize_text(text, WordTokenizer(VOCABULARIES[name], rules))
    seen = places[places[:, 0] != UNALIGNED]
    assert (np.diff(seen[:, 0]) >= 0).all() and (np.diff(seen[:, 1]) >= 0).all()
    for begin, end in seen.tolist():
        assert 0 <= begin < end <= len(text)
        assert text[begin:end] == text[begin:end].strip() != ""
    if name == "bytes" and not rules:
        covered = {place for begin, end in seen.tolist() for place in range(begin, end)}
        assert covered == {place for place, character in enumerate(text) if not character.isspace()}


def test_cleaning_that_changes_characters_shifts_nothing() -> None:
    """Witness: by hand: dashes, three dots and letters that two rules change stand where they stood."""
    text = "Naïve — “Fox” … END"
    ids, places = tokenize_text(text, WordTokenizer(VOCABULARIES["bytes"], ("gpt1", "lower")))
    by_word: dict[str, str] = {}
    for token, (begin, end) in zip(ids.tolist(), places.tolist(), strict=True):
        if begin != UNALIGNED:
            word = text[text.rfind(" ", 0, begin) + 1 : (text.find(" ", end) + len(text) + 1) % (len(text) + 1) or None]
            by_word[word.strip()] = by_word.get(word.strip(), "") + VOCABULARIES["bytes"].decode([token]).strip()
    assert list(by_word) == text.split()
    assert by_word["—"] == "-" and by_word["END"] == "end" and by_word["…"] == "..."


def test_words_are_joined_as_their_language_asks() -> None:
    """Witness: by hand: Chinese, Japanese and Thai leave no blank between words, Vietnamese and Korean do."""
    assert join_words(["EU", "rejects", "call"]) == "EU rejects call"
    assert join_words(["東京", "は", "2024", "年"]) == "東京は 2024 年"
    assert join_words(["ภาษา", "ไทย"]) == "ภาษาไทย"
    assert join_words(["Trả lời", "phỏng vấn"]) == "Trả lời phỏng vấn"
    assert join_words(["한국", "어"]) == "한국 어"
    assert join_words([]) == ""
