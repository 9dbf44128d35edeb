"""Words to ids that know their words: what tagging and span questions are aligned by.

A word is cleaned and encoded by itself, with the blank before it. So no rule that adds, joins or takes away characters
can shift a word against its neighbours, and no token spans two words. For vocabularies that split a text at blanks (all
byte-level ones do) the ids are those of the whole text. A vocabulary that puts a blank before every text (Llama 2's) puts
that one itself.

A token stands for the characters of its word as it was written: by the tokenizer's own offsets where cleaning left the word
as it was or changed single characters (small letters, other dashes, blanks put in), else for the whole word. A token of
blanks alone stands for none.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.text.clean import clean
from warmstart.text.tokenizer import Tokenizer

UNALIGNED = -1
_WORD = re.compile(r"\S+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese letters: no blank stands between two words that meet in them."""


class WordTokens(NamedTuple):
    """The tokens of one word: ids, and the first character each stands for and the one behind its last."""

    ids: list[int]
    begins: list[int]
    ends: list[int]


class WordTokenizer:
    """Tokenizes words by one vocabulary and one list of cleaning rules, each distinct word once."""

    def __init__(self, tokenizer: Tokenizer, rules: Sequence[str]) -> None:
        self._tokenizer, self._rules = tokenizer, rules
        self._cache: dict[tuple[str, str], WordTokens] = {}

    def tokenize(self, gap: str, word: str) -> WordTokens:
        """The tokens of ``word`` with the blanks ``gap`` before it; none where cleaning leaves nothing of the word."""
        found = self._cache.get((gap, word))
        if found is None:
            found = self._cache[gap, word] = self._tokenize(gap, word)
        return found

    def _tokenize(self, gap: str, word: str) -> WordTokens:
        cleaned = clean(word, self._rules)
        if not cleaned.strip():
            return WordTokens([], [], [])
        blanks = clean(f"x{gap}x", self._rules)[1:-1] if gap else ""
        if self._tokenizer.prepends_blank:
            blanks = blanks.removeprefix(" ")
        ids, offsets = self._tokenizer.encode_with_offsets(blanks + cleaned)
        places = _places(word, cleaned)
        found = WordTokens(ids.tolist(), [], [])
        for first, last in offsets:
            span = range(max(0, first - len(blanks)), max(0, last - len(blanks)))
            seen = [place for i in span if (place := places[i]) is not None]
            found.begins.append(seen[0][0] if seen else UNALIGNED)
            found.ends.append(seen[-1][1] if seen else UNALIGNED)
        return found


def _places(word: str, cleaned: str) -> list[tuple[int, int] | None]:
    """For each character of the cleaned word the characters of the word that it stands for; ``None`` for a blank."""
    visible = [i for i, character in enumerate(word) if not character.isspace()]
    shown = [not character.isspace() for character in cleaned]
    if sum(shown) != len(visible):
        return [(0, len(word)) if show else None for show in shown]
    each = iter(visible)
    places = [next(each) if show else None for show in shown]
    return [None if place is None else (place, place + 1) for place in places]


def gaps(words: Sequence[str]) -> list[str]:
    """What stands before each word of a sentence: a blank, or nothing at its beginning and in scripts without blanks.

    >>> gaps(["EU", "rejects", "call"]), gaps(["东京", "大学", "2024"])
    (['', ' ', ' '], ['', '', ' '])
    """
    return [""] * bool(words) + [
        "" if _UNSPACED.match(before[-1:]) and _UNSPACED.match(word) else " " for before, word in pairwise(words)
    ]


def join_words(words: Sequence[str]) -> str:
    """A sentence as text."""
    return "".join(gap + word for gap, word in zip(gaps(words), words, strict=True))


def tokenize_sentence(words: Sequence[str], word_tokenizer: WordTokenizer) -> tuple[Ints, Ints]:
    """[T] ids of a sentence and [W] for each word the place of its first token, :data:`UNALIGNED` where it has none."""
    ids: list[int] = []
    first: list[int] = []
    for gap, word in zip(gaps(words), words, strict=True):
        found = word_tokenizer.tokenize(gap, word)
        own = next((i for i, begin in enumerate(found.begins) if begin != UNALIGNED), None)
        first.append(UNALIGNED if own is None else len(ids) + own)
        ids += found.ids
    return np.array(ids, np.int64), np.array(first, np.int64)


def tokenize_text(text: str, word_tokenizer: WordTokenizer) -> tuple[Ints, Ints]:
    """[T] ids of a text and [T, 2] the first character each stands for and the one behind its last.

    Blanks behind the last word are left out.
    """
    ids: list[int] = []
    places: list[tuple[int, int]] = []
    for gap, word, at in _split_words(text):
        found = word_tokenizer.tokenize(gap, word)
        ids += found.ids
        places += [
            (UNALIGNED, UNALIGNED) if begin == UNALIGNED else (at + begin, at + end)
            for begin, end in zip(found.begins, found.ends, strict=True)
        ]
    return np.array(ids, np.int64), np.array(places, np.int64).reshape(-1, 2)


def _split_words(text: str) -> Iterator[tuple[str, str, int]]:
    """Each word of a text with the blanks before it and the place where it begins."""
    behind = 0
    for match in _WORD.finditer(text):
        yield text[behind : match.start()], match[0], match.start()
        behind = match.end()
