"""Near duplicates: texts that share most of their letters with a text of a given pile, without comparing each with each.

Blanks, punctuation and case say nothing here: "ed ." is "Ed.". What is left of a text is cut into shingles, all its runs
of :data:`WIDTH` letters, those at its ends included. Two texts are near duplicates where the Jaccard similarity of their
sets of shingles is at least :data:`THRESHOLD` (Broder 1997). Of the shingles of a text a near duplicate lacks a fifth at
most; so it has some of the rarest, which alone are looked for in the pile (prefix filtering, Chaudhuri et al. 2006). Who has
enough of them is compared by the sets themselves: all that is found is near. Of a text with more than
:data:`MOST_SHINGLES` shingles a sample of as many is looked for, with room for three standard deviations.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints

WIDTH = 8
PADDING = "\0" * (WIDTH - 1)
THRESHOLD = 0.8
MOST_SHINGLES = 128
RARE = 0.4  # of the shingles of a text that are looked for: with more, more have to be there
CHUNK = 1 << 19  # characters hashed together
SAMPLE = 1 << 21  # characters of the pile that say which shingles are rare
UNUSED_BITS = 10  # of a hash, where it looks up a table
MAX_HITS = 200  # texts of a chunk that one shingle may lead to: what stands in more is a common phrase
MAX_PAIRS = (
    1 << 21
)  # of a text and one of a chunk for each shingle that they share; with more, a shingle leads to fewer
MAX_COMPARED = 8  # texts of the pile that a text is compared with, those with most rare shingles in common first

Texts = Sequence[str]
Hashes = NDArray[np.uint32]
Keys = NDArray[np.uint64]
_NO_LETTERS = re.compile(r"[\W_]+")


def find_near_duplicates(asked: Sequence[Texts], pile: Sequence[Texts]) -> dict[int, int]:
    """Number of a text in ``asked`` → that of one in ``pile`` that it nearly is; those without one are left out.

    Args:
        asked: each one text or several, which all have to be near the text in the same place.
        pile: the same, of other texts.
    """
    found: dict[int, int] = {}
    for number, others in _candidates(asked, pile).items():
        near = (other for other in others if are_near(asked[number], pile[other]))
        if (first := next(near, None)) is not None:
            found[number] = first
    return found


def are_near(texts: Texts, others: Texts) -> bool:
    """Whether each text is a near duplicate of the other in its place."""
    if len(texts) != len(others):
        return False
    return all(similarity(one, other) >= THRESHOLD for one, other in zip(texts, others, strict=True))


def similarity(text: str, other: str) -> float:
    """The Jaccard similarity of the sets of shingles; 1 of two texts without letters."""
    first, second = _shingle_set(letters(text)), _shingle_set(letters(other))
    return len(first & second) / len(first | second) if first | second else 1.0


def letters(text: str) -> str:
    """The letters and digits of a text, without their case."""
    return _NO_LETTERS.sub("", text.casefold())


def _shingle_set(text: str) -> set[str]:
    padded = PADDING + text + PADDING
    return {padded[i : i + WIDTH] for i in range(len(text) + len(PADDING))} if text else set()


def _candidates(asked: Sequence[Texts], pile: Sequence[Texts]) -> dict[int, list[int]]:
    """Number of a text → those of the pile that have enough of its rare shingles, those with most first."""
    rare, owners, least = _rare_shingles(asked, pile)
    wanted = np.zeros(1 << 32 - UNUSED_BITS, bool)
    wanted[rare >> UNUSED_BITS] = True
    pairs, shared = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for hashes, texts in _shingles(pile):  # each text of the pile stands in one chunk alone
        hit = np.flatnonzero(wanted[hashes >> UNUSED_BITS])
        keys, counts = _count(_join(rare, owners, hashes[hit], texts[hit]))
        enough = counts >= least[(keys >> np.uint64(32)).astype(np.int64)]
        pairs, shared = _most(np.append(pairs, keys[enough]), np.append(shared, counts[enough]))
    found: dict[int, list[int]] = {}
    for key in pairs.tolist():
        found.setdefault(key >> 32, []).append(key & 0xFFFFFFFF)
    return found


def _most(pairs: Keys, shared: Ints) -> tuple[Keys, Ints]:
    """For each owner the :data:`MAX_COMPARED` texts that share most with it, those with most first."""
    owners = pairs >> np.uint64(32)
    order = np.lexsort((-shared, owners))
    owners = owners[order]
    kept = order[np.arange(len(order)) - np.searchsorted(owners, owners) < MAX_COMPARED]
    return pairs[kept], shared[kept]


def _rare_shingles(asked: Sequence[Texts], pile: Sequence[Texts]) -> tuple[Hashes, Ints, Ints]:
    """[R] the rarest shingles of each text, sorted; [R] the texts they are of; how many of each text's a near one has."""
    chunks = [np.zeros(0, np.uint64), *(_sample(hashes, owners) for hashes, owners in _shingles(asked))]
    keys, repeats = _count(np.concatenate(chunks))
    owners, hashes = (keys >> np.uint64(32)).astype(np.int64), keys.astype(np.uint32)
    counts = _sampled_counts(pile)[hashes >> UNUSED_BITS]
    order = np.lexsort((counts, owners))
    rank = np.arange(len(order)) - np.searchsorted(owners, owners)
    lengths = np.bincount(owners, repeats, minlength=len(asked))
    lacking = (1 - THRESHOLD) * lengths + 3 * np.sqrt(THRESHOLD * (1 - THRESHOLD) * lengths) * (
        lengths > MOST_SHINGLES / 2
    )
    kept = order[rank < 1 + np.floor(RARE * lengths)[owners]]
    least = np.bincount(owners[kept], minlength=len(asked)) - np.floor(lacking + 1e-6).astype(np.int64)
    kept = kept[np.argsort(hashes[kept], kind="stable")]
    return hashes[kept], owners[kept], np.maximum(least, 1)


def _sample(hashes: Hashes, owners: Ints) -> Keys:
    """Keys owner << 32 | hash of all shingles, of a long text of about :data:`MOST_SHINGLES`."""
    first = owners[0]
    lengths = np.maximum(np.bincount(owners - first), 1)
    limits = np.minimum(MOST_SHINGLES / lengths, 1.0) * 2**32
    kept = np.flatnonzero(hashes < limits[owners - first])
    return owners[kept].astype(np.uint64) << np.uint64(32) | hashes[kept]


def _sampled_counts(pile: Sequence[Texts]) -> Ints:
    """How often the shingles of each place in the table stand in a sample of the pile, evenly spread."""
    characters = sum(len(text) for texts in pile for text in texts)
    counts = np.zeros(1 << 32 - UNUSED_BITS, np.int64)
    for hashes, _ in _shingles(pile[:: 1 + characters // SAMPLE]):
        counts += np.bincount(hashes >> UNUSED_BITS, minlength=len(counts))
    return counts


def _join(rare: Hashes, owners: Ints, hashes: Hashes, texts: Ints) -> Keys:
    """Keys owner << 32 | text for each pair of an owner and a text that share a shingle; ``rare`` is sorted."""
    order = np.argsort(hashes, kind="stable")
    hashes, texts = hashes[order], texts[order]
    first = np.searchsorted(rare, hashes)
    each = np.searchsorted(rare, hashes, side="right") - first
    rank = np.arange(len(hashes)) - np.searchsorted(hashes, hashes)
    led_to = np.cumsum(np.bincount(rank, each, minlength=1))  # pairs, if each shingle leads to so many texts and one
    some = rank < np.clip(np.searchsorted(led_to, MAX_PAIRS), 1, MAX_HITS)
    first, each, texts = first[some], each[some], texts[some]
    places = np.repeat(first - np.cumsum(each) + each, each) + np.arange(each.sum())
    keys: Keys = owners[places].astype(np.uint64) << np.uint64(32) | np.repeat(texts, each).astype(np.uint64)
    return keys


def _count(keys: Keys) -> tuple[Keys, Ints]:
    """The different keys in order, and how often each occurs."""
    keys = np.sort(keys)
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)])
    return keys[first], np.diff(np.append(first, len(keys)))


def _shingles(records: Sequence[Texts]) -> Iterator[tuple[Hashes, Ints]]:
    """[S] the hash of each shingle and [S] the number of the record that it stands in, chunk by chunk."""
    texts: list[str] = []
    numbers: list[int] = []
    characters = 0
    for number, record in enumerate(records):
        own = [text for text in map(letters, record) if text]
        texts += own
        numbers += [number] * len(own)
        characters += sum(map(len, own))
        if characters >= CHUNK:
            yield _hash(texts, numbers)
            texts, numbers, characters = [], [], 0
    if texts:
        yield _hash(texts, numbers)


def _hash(texts: list[str], numbers: list[int]) -> tuple[Hashes, Ints]:
    """The same of some texts, which stand in one row with padding between them."""
    row = PADDING + PADDING.join(texts) + PADDING
    codes = np.frombuffer(row.encode("utf-32-le", "surrogatepass"), np.uint32)
    return _roll(codes), np.repeat(numbers, [len(text) + len(PADDING) for text in texts])


def _roll(row: Hashes) -> Hashes:
    """[N - WIDTH + 1] a hash of each run of WIDTH numbers, made of those of its halves, down to single numbers."""
    step = 1
    for factor in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D):
        row = row[:-step] * np.uint32(factor) + row[step:]
        step *= 2
    row = (row ^ row >> np.uint32(16)) * np.uint32(0x7FEB352D)
    return row ^ row >> np.uint32(15)
