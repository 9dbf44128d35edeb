"""The nearest words by cosine: exact, by blocks of matrix products.

Shapes: Q queries, V words, D their width, k neighbours.
"""

from typing import NamedTuple

import numpy as np

from warmstart.base.arrays import Floats, Ints
from warmstart.embed.space import Space, find_terms, to_unit

_QUERIES, _WORDS = 512, 8192


class Nearest(NamedTuple):
    """[Q, k] rows of the nearest words, nearest first, and their cosines."""

    rows: Ints
    cosines: Floats


class Neighbourhood(NamedTuple):
    """A term: the way it was found (``none``: it was not), and its nearest words with their cosines."""

    found: str
    nearest: list[tuple[str, float]]


def nearest_rows(units_VD: Floats, queries_QD: Floats, k: int) -> Nearest:
    """The ``k`` rows with the highest cosine; both matrices have rows of length 1. Of equal ones the first."""
    parts = [
        _nearest(units_VD, queries_QD[start : start + _QUERIES], k) for start in range(0, len(queries_QD), _QUERIES)
    ]
    return Nearest(np.concatenate([part.rows for part in parts]), np.concatenate([part.cosines for part in parts]))


def _nearest(units_VD: Floats, queries_QD: Floats, k: int) -> Nearest:
    count = len(queries_QD)
    rows, best = np.zeros((count, 0), np.int64), np.zeros((count, 0), np.float32)
    for start in range(0, len(units_VD), _WORDS):
        cosines = queries_QD @ units_VD[start : start + _WORDS].T
        own = np.broadcast_to(np.arange(start, start + cosines.shape[1]), cosines.shape)
        rows, best = _keep(np.concatenate([rows, own], axis=1), np.concatenate([best, cosines], axis=1), k)
    return Nearest(rows, best)


def _keep(rows: Ints, cosines: Floats, k: int) -> Nearest:
    """The k highest, sorted."""
    if cosines.shape[1] > k:
        kept = np.sort(np.argpartition(-cosines, k - 1, axis=1)[:, :k], axis=1)
        rows, cosines = np.take_along_axis(rows, kept, axis=1), np.take_along_axis(cosines, kept, axis=1)
    order = np.argsort(-cosines, axis=1, kind="stable")
    return Nearest(np.take_along_axis(rows, order, axis=1), np.take_along_axis(cosines, order, axis=1))


def neighbours(space: Space, terms: list[str], steps: tuple[str, ...], k: int) -> list[Neighbourhood]:
    """The ``k`` nearest words of each term, without itself."""
    found = find_terms(space, terms, steps)
    if not found.rows:
        return [Neighbourhood("none", []) for _ in terms]
    nearest = nearest_rows(space.unit_VD, to_unit(found.vectors_TD), min(k + 1, len(space.words)))
    results = []
    for term in terms:
        row = found.rows.get(term, -1)
        pairs = zip(nearest.rows[row].tolist(), nearest.cosines[row].tolist(), strict=True) if row >= 0 else []
        others = [(space.words[place], cosine) for place, cosine in pairs if place != found.places_T[row]]
        results.append(Neighbourhood(found.ways.get(term, "none"), others[:k]))
    return results
