"""n-grams of normalised words as 64-bit numbers, by NumPy over whole blocks of text.

Normalised as GPT-2 does (section 4): lower-cased words of letters and digits, with one blank between them. Scripts without
blanks are taken character by character: ``characters``.

A character is a random number r; a word is the sum of r·Bⁱ over its places i, taken from running sums, so no word is ever
cut out; an n-gram is the same sum over its words. All numbers are modulo 2⁶⁴ and mixed (the finaliser of SplitMix64).

L characters, W words.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from warmstart.readers.documents import split_chunks

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


def word_hashes(text: str, unit: Unit = "words") -> Hashes:
    """[W] the number of each word of a text, in order."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    values = _characters()[codes]
    if unit == "characters":
        return mix(values[values > 0])
    inside = values > 0
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    starts, stops = edges[::2], edges[1::2]
    with np.errstate(over="ignore"):
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values * _up_to(_BASE, len(values)), dtype=np.uint64)])
        return mix((sums[stops] - sums[starts]) * _up_to(_INVERSE, len(values) + 1)[starts])


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


def grams_of(text: Iterable[str], n: int, unit: Unit = "words") -> Iterator[Hashes]:
    """The n-grams of a text that comes in blocks, those over the borders of blocks included.

    A word longer than :data:`BLOCK_CHARS` is cut.
    """
    held = np.zeros(0, np.uint64)
    for block in split_chunks(text, BLOCK_CHARS):
        words = np.concatenate([held, word_hashes(block, unit)])
        yield gram_hashes(words, n)
        held = words[max(0, len(words) - n + 1) :]
