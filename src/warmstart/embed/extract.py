"""The vectors of a vocabulary from one source or several: joined, normalised, reduced.

Shapes: T terms, D the widths of all sources together, K what principal components keep.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.embed.space import Space, find_terms, to_unit

Normalise = Literal["none", "parts", "whole"]


class Extracted(NamedTuple):
    """Terms and their vectors.

    Attributes:
        terms: those that are kept, in their order.
        vectors_TD: a vector for each.
        left_out: terms that no source has a vector for.
        counts: source → way → terms that were found by it.
    """

    terms: list[str]
    vectors_TD: Floats
    left_out: list[str]
    counts: dict[str, dict[str, int]]


def extract(
    spaces: Sequence[Space], terms: Sequence[str], steps: tuple[str, ...], normalise: Normalise = "none", *,
    keep_unknown: bool = False,
) -> Extracted:  # fmt: skip
    """Looks up ``terms`` in each space; a space that has no vector for a term that another has gives zeros.

    Args:
        spaces: whose vectors stand side by side.
        terms: of which none comes twice.
        steps: ways to find a vector.
        normalise: ``parts``: the vector of each source has length 1, ``whole``: that of all together.
        keep_unknown: whether a term that no space has a vector for is kept, with zeros.

    Raises:
        BadInput: no term has a vector.
    """
    parts, known, counts = [], np.zeros(len(terms), bool), {}
    for space in spaces:
        found = find_terms(space, terms, steps)
        part = np.zeros((len(terms), space.width), np.float32)
        rows = [number for number, term in enumerate(terms) if term in found.rows]
        part[rows] = to_unit(found.vectors_TD) if normalise == "parts" else found.vectors_TD
        known[rows] = True
        parts.append(part)
        counts[space.name] = dict(found.counts)
    if not known.any():
        raise BadInput(
            "no word of the vocabulary has a vector", where=", ".join(counts), value=terms[0],
            next_step="use sources for the language and the case of these words",
        )  # fmt: skip
    kept = np.ones(len(terms), bool) if keep_unknown else known
    vectors = np.concatenate(parts, axis=1)[kept]
    names = [term for term, keep in zip(terms, kept, strict=True) if keep]
    left_out = [term for term, one in zip(terms, known, strict=True) if not one]
    return Extracted(names, to_unit(vectors) if normalise == "whole" else vectors, left_out, counts)


def principal_components(vectors_TD: Floats, size: int) -> Floats:
    """[T, K] the vectors on their first ``size`` principal components; each points where its largest weight is positive.

    Raises:
        BadInput: more components than there are.
    """
    most = min(vectors_TD.shape)
    if size > most:
        raise BadInput(
            "more principal components than there are", where="--pca", value=size, allowed=f"1 to {most}",
            next_step="choose a smaller size, or a larger vocabulary",
        )  # fmt: skip
    centred = vectors_TD - vectors_TD.mean(axis=0, dtype=np.float64)
    _, axes_DD = np.linalg.eigh(centred.T @ centred)
    axes_KD = axes_DD.T[::-1][:size]
    largest = np.abs(axes_KD).argmax(axis=1)
    signs = np.sign(np.take_along_axis(axes_KD, largest[:, None], axis=1))
    return np.asarray(centred @ (axes_KD * signs).T, np.float32)
