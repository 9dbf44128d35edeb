"""Training of byte-level BPE from counted words (Sennrich et al. 2016, Algorithm 1): the merges of the most frequent pairs.

The merges are those that the ``tokenizers`` library finds, in their order, though it counts the words of the text by
itself: of equal counts the pair with the lower ids comes first, and each step looks only at the words that have the pair.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from warmstart.text.byte_alphabet import byte_characters

Pair = tuple[int, int]


class Merges(NamedTuple):
    """A vocabulary, piece → id, and the pairs of pieces that are merged, in their order."""

    vocab: dict[str, int]
    pairs: list[tuple[str, str]]


def train_merges(words: Sequence[bytes], counts: Sequence[int], size: int, min_frequency: int) -> Merges:
    """The merges of words that occur so often.

    Args:
        words: different words, UTF-8.
        counts: of each.
        size: most pieces in the vocabulary, with the 256 bytes.
        min_frequency: of a pair that is merged.
    """
    characters = byte_characters()
    pieces = sorted(characters)
    ids = {piece: number for number, piece in enumerate(pieces)}
    id_of_byte = [ids[character] for character in characters]
    queue = _Queue([[id_of_byte[byte] for byte in word] for word in words], counts)
    merges: dict[Pair, None] = {}
    while len(pieces) < size and (pair := queue.pop(max(1, min_frequency))) is not None:
        left, right = pieces[pair[0]], pieces[pair[1]]
        new = ids.setdefault(left + right, len(pieces))
        if new == len(pieces):
            pieces.append(left + right)
        merges.pop(pair, None)  # a pair that comes a second time counts from there
        merges[pair] = None
        queue.merge(pair, new)
    return Merges(ids, [(pieces[left], pieces[right]) for left, right in merges])


class _Queue:
    """The pairs in some words, the most frequent first; of each the words that have it.

    A piece may come about by two pairs (``ab`` + ``c``, ``a`` + ``bc``), so a pair of pieces may come up again after it was
    merged. Its count goes on from what it was then: so the library does it.
    """

    def __init__(self, words: list[list[int]], counts: Sequence[int]) -> None:
        self._words, self._counts = words, counts
        self._totals: defaultdict[Pair, int] = defaultdict(int)
        where: defaultdict[Pair, set[int]] = defaultdict(set)
        for number, (word, count) in enumerate(zip(words, counts, strict=True)):
            for pair in itertools.pairwise(word):
                self._totals[pair] += count
                where[pair].add(number)
        self._turns = itertools.count()  # so that sets are never compared
        self._heap = [(-self._totals[pair], pair, next(self._turns), found) for pair, found in where.items()]
        self._found: set[int] = set()
        heapq.heapify(self._heap)

    def pop(self, least: int) -> Pair | None:
        """The most frequent pair; ``None`` where none is as frequent as ``least``."""
        while self._heap:
            negative, pair, turn, found = self._heap[0]
            if -negative != self._totals[pair]:  # it became rarer meanwhile
                heapq.heapreplace(self._heap, (-self._totals[pair], pair, turn, found))
                continue
            self._found = heapq.heappop(self._heap)[3]
            return pair if -negative >= least else None
        return None

    def merge(self, pair: Pair, new: int) -> None:
        """Puts a piece in the place of the pair that came last, in the words that have it."""
        where: dict[Pair, set[int]] = {}
        for number in self._found:
            count = self._counts[number]
            for changed, change in _merge(self._words[number], pair, new):
                self._totals[changed] += change * count
                if change > 0:
                    where.setdefault(changed, set()).add(number)
        for changed, found in where.items():
            if self._totals[changed] > 0:
                heapq.heappush(self._heap, (-self._totals[changed], changed, next(self._turns), found))


def _merge(word: list[int], pair: Pair, new: int) -> Iterator[tuple[Pair, int]]:
    """Merges a pair in a word, from left to right; yields the pairs that go (-1) and come (1)."""
    left, right = pair
    place, last = 0, len(word) - 1
    while place < last:
        if word[place] == left and word[place + 1] == right:
            word[place : place + 2] = [new]
            last -= 1
            if place > 0:
                yield (word[place - 1], left), -1
                yield (word[place - 1], new), 1
            if place < last:
                yield (right, word[place + 1]), -1
                yield (new, word[place + 1]), 1
        place += 1
