"""Groups of words: does clustering find the categories of people (purity), and is the odd one out found?

Purity: k-means with as many clusters as there are categories, over vectors of length 1; a word is right where it belongs to
the category that most of its cluster belongs to. Odd ones out: Camacho-Collados and Navigli 2016 (section 3).
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.embed.space import Space, find_terms, to_unit
from warmstart.embed.word_lines import read_word_lines
from warmstart.readers.text_io import read_lines


@dataclass(frozen=True, slots=True)
class Categorised:
    """A word and its category."""

    word: str
    category: str


@dataclass(frozen=True, slots=True)
class OddOneOut:
    """Words that belong together, and one that does not."""

    words: tuple[str, ...]
    odd: str


def read_categories(path: str, encoding: str = "utf-8") -> list[Categorised]:
    """A word and its category a line, separated by a tab, or by blanks.

    Raises:
        BadInput: a line of another form, or fewer than two categories.
    """
    found = []
    for where, text, parts in read_word_lines(path, encoding):
        if len(parts) != 2 or not all(parts):
            raise BadInput(
                "not a word with its category", where=where, value=text,
                allowed="a word and a category, separated by a tab", next_step="correct or remove this line",
            )  # fmt: skip
        found.append(Categorised(*parts))
    if len({one.category for one in found}) < 2:
        raise BadInput("fewer than two categories", where=path, allowed="lines of a word and its category")
    return found


def read_odd_ones_out(path: str, encoding: str = "utf-8") -> list[OddOneOut]:
    """Words that belong together, an empty line, words that do not; so for each topic, with an empty line between two.

    Raises:
        BadInput: topics without words that do not belong.
    """
    blocks: list[list[str]] = [[]]
    for line in read_lines(path, encoding):
        if line.strip():
            blocks[-1].append(line.strip())
        elif blocks[-1]:
            blocks.append([])
    blocks = [block for block in blocks if block]
    if not blocks or len(blocks) % 2 or any(len(block) < 2 for block in blocks[::2]):
        raise BadInput(
            "not topics with odd ones out", where=path, value=f"{len(blocks)} blocks of lines",
            allowed="two words or more that belong together, an empty line, words that do not; and so on",
        )  # fmt: skip
    return [
        OddOneOut(tuple(words), odd) for words, others in zip(blocks[::2], blocks[1::2], strict=True) for odd in others
    ]


def clustered_right(space: Space, words: list[Categorised], steps: tuple[str, ...]) -> Floats:
    """[Q] 1 where a word's cluster is mostly of its category, else 0; NaN where it has no vector. Its mean is the purity."""
    from sklearn.cluster import KMeans

    terms = find_terms(space, (one.word for one in words), steps)
    known = [number for number, one in enumerate(words) if one.word in terms.rows]
    right = np.full(len(words), np.nan, np.float32)
    num_categories = len({one.category for one in words})
    if len(known) < num_categories:
        return right
    points = to_unit(terms.vectors_TD)[[terms.rows[words[number].word] for number in known]]
    clusters = KMeans(num_categories, n_init=10, random_state=0).fit_predict(points)
    for cluster in range(num_categories):
        members = [number for number, own in zip(known, clusters, strict=True) if own == cluster]
        common = Counter(words[number].category for number in members).most_common(1)
        for number in members:
            right[number] = words[number].category == common[0][0]
    return right


def odd_positions(space: Space, groups: list[OddOneOut], steps: tuple[str, ...]) -> Floats:
    """[Q] where the odd one stands among its group by growing compactness without it, 0 to 1 (found); NaN: no vector."""
    terms = find_terms(space, (word for group in groups for word in (*group.words, group.odd)), steps)
    units = to_unit(terms.vectors_TD)
    return np.array([_odd_position(units, terms.rows, group) for group in groups], np.float32)


def _odd_position(units_TD: Floats, rows: dict[str, int], group: OddOneOut) -> float:
    words = [word for word in group.words if word in rows]
    if group.odd not in rows or len(words) < 2:
        return float("nan")
    cosines = units_TD[[rows[word] for word in (*words, group.odd)]]
    alike = cosines @ cosines.T
    np.fill_diagonal(alike, 0)
    without = alike.sum() - 2 * alike.sum(axis=1)  # of the group without each word in turn, all pairs twice
    return float((without[:-1] < without[-1]).sum()) / len(words)
