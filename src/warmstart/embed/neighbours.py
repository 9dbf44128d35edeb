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
    found = Nearest(np.zeros((count, 0), np.int64), np.zeros((count, 0), np.float32))
    for start in range(0, len(units_VD), _WORDS):
        cosines = queries_QD @ units_VD[start : start + _WORDS].T
        more = _better(cosines, found.cosines[:, -1]) if found.rows.shape[1] == k else _all(cosines)
        rows = np.concatenate([found.rows, more.rows + start], axis=1)
        found = _keep(rows, np.concatenate([found.cosines, more.cosines], axis=1), k)
    return found


def _all(cosines: Floats) -> Nearest:
    return Nearest(np.broadcast_to(np.arange(cosines.shape[1]), cosines.shape), cosines)


def _better(cosines: Floats, worst_Q: Floats) -> Nearest:
    """Of each query what beats the worst that it has; queries with less are filled up with -inf."""
    queries, rows = np.divmod(np.flatnonzero(cosines > worst_Q[:, None]), cosines.shape[1])
    counts = np.bincount(queries, minlength=len(cosines))
    places = np.arange(len(queries)) - np.repeat(counts.cumsum() - counts, counts)
    shape = (len(cosines), int(counts.max()))
    found = Nearest(np.zeros(shape, np.int64), np.full(shape, -np.inf, np.float32))
    found.rows[queries, places] = rows
    found.cosines[queries, places] = cosines[queries, rows]
    return found


def _keep(rows: Ints, cosines: Floats, k: int) -> Nearest:
    """The k highest, sorted."""
    if cosines.shape[1] > k:
        kept = np.sort(np.argpartition(-cosines, k - 1, axis=1)[:, :k], axis=1)
        rows, cosines = np.take_along_axis(rows, kept, axis=1), np.take_along_axis(cosines, kept, axis=1)
    order = np.argsort(-cosines, axis=1, kind="stable")
    return Nearest(np.take_along_axis(rows, order, axis=1), np.take_along_axis(cosines, order, axis=1))


def nearest_others(space: Space, vectors_QD: Floats, places_Q: Ints, k: int) -> Nearest:
    """For each vector [k] rows of the nearest words without the word in its place; -1 where there is none.

    Args:
        space: whose words.
        vectors_QD: of any length.
        places_Q: the row of the word that each vector is of; -1: of none.
        k: how many.
    """
    if not len(vectors_QD):
        return Nearest(np.zeros((0, k), np.int64), np.zeros((0, k), np.float32))
    rows, cosines = nearest_rows(space.unit_VD, to_unit(vectors_QD), min(k + 1, len(space.words)))
    own = rows == places_Q[:, None]
    others = np.argsort(own, axis=1, kind="stable")[:, :k]
    rows = np.take_along_axis(np.where(own, -1, rows), others, axis=1)
    missing = ((0, 0), (0, k - rows.shape[1]))
    cosines = np.pad(np.take_along_axis(cosines, others, axis=1), missing)
    return Nearest(np.pad(rows, missing, constant_values=-1), cosines)


def neighbours(space: Space, terms: list[str], steps: tuple[str, ...], k: int) -> list[Neighbourhood]:
    """The ``k`` nearest words of each term, without itself."""
    found = find_terms(space, terms, steps)
    nearest = nearest_others(space, found.vectors_TD, found.places_T, k)
    results = []
    for term in terms:
        row = found.rows.get(term, -1)
        pairs = zip(nearest.rows[row].tolist(), nearest.cosines[row].tolist(), strict=True) if row >= 0 else []
        others = [(space.words[place], cosine) for place, cosine in pairs if place >= 0]
        results.append(Neighbourhood(found.ways.get(term, "none"), others))
    return results
