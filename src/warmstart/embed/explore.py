"""What a page about vectors holds: terms, their places on maps, their nearest words in every source, columns to colour by.

The nearest words are exact and those of :mod:`warmstart.embed.neighbours`: they are computed here, once for every term, over
all words of a source, also those that are not on the map. So the page needs no vectors: 8 bytes a neighbour.

Shapes: T terms, k neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import NamedTuple

import numpy as np

from warmstart.base.arrays import Floats, Ints
from warmstart.base.console import track
from warmstart.embed.columns import Classes, Scale
from warmstart.embed.layouts import lay_out
from warmstart.embed.neighbours import nearest_others
from warmstart.embed.space import STEPS, Space, Terms, find_terms, to_unit

_QUERIES = 4096
WAYS = ("none", *STEPS)
"""How a term was found; the page has places in this list."""


class Map(NamedTuple):
    """[T, 2] places of one layout of one source; NaN where the source has no vector."""

    source: str
    layout: str
    places_T2: Floats


class Neighbours(NamedTuple):
    """One source's answers: [T, k] places in the page's words (-1: no more) and cosines, [T] places in :data:`WAYS`."""

    source: str
    num_words: int
    width: int
    words_Tk: Ints
    cosines_Tk: Floats
    ways_T: Ints


@dataclass(frozen=True, slots=True, eq=False)
class PageContent:
    """Everything that a page shows.

    Attributes:
        words: the terms, then neighbours that are no terms themselves.
        num_terms: T.
        maps: the first is shown first.
        neighbours: of each source.
        columns: what the terms may be coloured by.
        are_texts: whether the terms are texts rather than words.
        vectors_TD: of the first source; NaN where it has none.
    """

    words: list[str]
    num_terms: int
    maps: list[Map]
    neighbours: list[Neighbours]
    columns: list[Classes | Scale]
    are_texts: bool
    vectors_TD: Floats


def frequent_words(spaces: Sequence[Space], most: int) -> list[str]:
    """The first words of the sources, turn by turn, each once: files have the most frequent words first."""
    turns = zip_longest(*(space.words[:most] for space in spaces))
    return list(dict.fromkeys(word for word in chain.from_iterable(turns) if word is not None))[:most]


def page_content(
    spaces: Sequence[Space], terms: Sequence[str], steps: Sequence[str], layouts: Sequence[str], k: int,
    columns: Sequence[Classes | Scale] = (), *, are_texts: bool = False,
) -> PageContent:  # fmt: skip
    """Lays the terms out and finds their neighbours.

    Raises:
        BadInput: a source with too few of the terms for a map.
    """
    places = {term: place for place, term in enumerate(terms)}
    maps, answers, vectors = [], [], None
    for space in spaces:
        found = find_terms(space, terms, steps)
        rows = [place for place, term in enumerate(terms) if term in found.rows]
        vectors = _spread(found.vectors_TD, rows, len(terms)) if vectors is None else vectors
        units = to_unit(found.vectors_TD)
        for layout in layouts:
            maps.append(Map(space.name, layout, _spread(lay_out(units, layout, space.name), rows, len(terms))))
        answers.append(_neighbours(space, terms, found, rows, k, places))
    maps.sort(key=lambda one: layouts.index(one.layout))
    assert vectors is not None
    return PageContent(list(places), len(terms), maps, answers, list(columns), are_texts, vectors)


def _spread(values_ND: Floats, rows: Sequence[int], count: int) -> Floats:
    """[count, D] values at their rows, NaN elsewhere."""
    spread = np.full((count, values_ND.shape[1]), np.nan, np.float32)
    spread[rows] = values_ND
    return spread


def _neighbours(
    space: Space, terms: Sequence[str], found: Terms, rows: Sequence[int], k: int, places: dict[str, int]
) -> Neighbours:
    """The neighbours of all terms; words that ``places`` does not have yet are added to it."""
    starts = range(0, len(rows), _QUERIES)
    parts = [
        nearest_others(space, found.vectors_TD[start : start + _QUERIES], found.places_T[start : start + _QUERIES], k)
        for start in track(starts, f"{space.name}: nearest words", len(starts))
    ]
    nearest = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    place_of = np.full(len(space.words) + 1, -1, np.int64)  # the last is that of -1
    for row in np.unique(nearest[0][nearest[0] >= 0]).tolist():
        place_of[row] = places.setdefault(space.words[row], len(places))
    words, cosines = np.full((len(terms), k), -1, np.int64), np.zeros((len(terms), k), np.float32)
    words[rows], cosines[rows] = place_of[nearest[0]], nearest[1]
    ways = np.array([WAYS.index(found.ways.get(term, "none")) for term in terms], np.int64)
    return Neighbours(space.name, len(space.words), space.width, words, cosines, ways)
