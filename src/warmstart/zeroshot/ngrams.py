"""n-grams of normalised words as 64-bit numbers, by NumPy over whole blocks of text.

Normalised as GPT-2 does (section 4): lower-cased words of letters and digits, with one blank between them. Scripts without
blanks are taken character by character: ``characters``.

A character is a random number r; a word is the sum of r·Bⁱ over its places i, taken from running sums, so no word is ever
cut out; an n-gram is the same sum over its words. All numbers are modulo 2⁶⁴ and mixed (the finaliser of SplitMix64).

L characters, W words.
"""

import functools
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints

Hashes = NDArray[np.uint64]
Unit = Literal["words", "characters"]
BLOCK_CHARS = 1 << 17
"""Characters hashed together: their arrays stay in the cache."""
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2⁶⁴
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
_WORD_BASE = np.uint64(0xD1342543DE82EF95)


def mix(values: Hashes) -> Hashes:
    """SplitMix64's finaliser: every bit of the result depends on every bit of the value (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


@functools.cache
def _characters() -> Hashes:
    """[0x110000] the number of each character, that of its lower case; 0 for what is no letter and no digit."""
    lowered = np.zeros(0x110000, np.uint64)
    for code in range(0x110000):
        character = chr(code)
        if character.isalnum():
            lowered[code] = ord(character.lower()[0])
    return np.where(lowered > 0, mix(lowered + _BASE), 0).astype(np.uint64)


@functools.cache
def _powers(base: int, count: int) -> Hashes:
    """[count] base⁰, base¹, … modulo 2⁶⁴."""
    row = np.full(count, base, np.uint64)
    row[0] = 1
    return np.cumprod(row, dtype=np.uint64)


class Words(NamedTuple):
    """[W] the numbers of some words, and [W] the character at which each begins."""

    numbers: Hashes
    starts: Ints


def word_hashes(text: str, unit: Unit = "words") -> Words:
    """The words of a text, in order."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    values = _characters()[codes]
    inside = values > 0
    if unit == "characters":
        return Words(mix(values[inside]), np.flatnonzero(inside))
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    starts, stops = edges[::2], edges[1::2]
    with np.errstate(over="ignore"):
        sums = np.zeros(len(values) + 1, np.uint64)
        np.cumsum(values * _up_to(_BASE, len(values)), out=sums[1:])
        return Words(mix((sums[stops] - sums[starts]) * _up_to(_INVERSE, len(values) + 1)[starts]), starts)


def last_words(text: str, count: int, unit: Unit = "words") -> str:
    """The end of a text from its last ``count`` words on; all of a text that has no more."""
    length = 64 * (count + 1)
    while True:
        end = text[max(0, len(text) - length) :]
        starts = word_hashes(end, unit).starts
        if len(starts) > count:  # where the end begins a word may be cut, so one more than are wanted
            return end[int(starts[len(starts) - count]) :] if count else ""
        if length >= len(text):
            return text
        length *= 2


def _up_to(base: np.uint64, count: int) -> Hashes:
    """The first powers; those of the longest usual block are kept."""
    return _powers(int(base), max(BLOCK_CHARS + 1, count))[:count]


def gram_hashes(words: Hashes, n: int) -> Hashes:
    """[W - n + 1] the numbers of the n-grams of some words; none where there are fewer than n."""
    count = len(words) - n + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    with np.errstate(over="ignore"):
        total = words[:count].copy()
        for place, factor in enumerate(_powers(int(_WORD_BASE), n)[1:], start=1):
            total += words[place : place + count] * factor
    return mix(total)


class OwnedGrams(NamedTuple):
    """[G] the numbers of the n-grams of several texts, and [G] which text each is of."""

    numbers: Hashes
    owners: Ints


def grams_of_texts(texts: Sequence[str], n: int, unit: Unit = "words") -> OwnedGrams:
    """The n-grams of texts that are short and many, hashed as one; none reaches from one text into another."""
    words = word_hashes("\n".join(texts), unit)
    ends = np.cumsum([len(text) + 1 for text in texts])
    owners = np.searchsorted(ends, words.starts, "right")
    numbers = gram_hashes(words.numbers, n)
    whole = owners[: len(numbers)] == owners[n - 1 :][: len(numbers)]
    return OwnedGrams(numbers[whole], owners[: len(numbers)][whole])
