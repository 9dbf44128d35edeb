"""Retrieval by vectors: the rank of each right candidate, and what is counted of ranks.

Shapes: Q queries, C candidates, D numbers of a vector, R right candidates of one query.
"""

from collections.abc import Sequence

import numpy as np

from warmstart.base.arrays import Floats, Ints

_CELLS = 2**25
"""Cosines that are held at a time, 128 MB of them: queries are taken in blocks, all candidates are compared."""


def rank_right(
    queries_QD: Floats, candidates_CD: Floats, right: Sequence[Ints], left_out: Sequence[Ints] | None = None
) -> list[Ints]:
    """[R] for each query the rank of each of its right candidates, from 1.

    A wrong candidate that is as near as a right one stands before it, so that equal vectors find nothing.

    Args:
        queries_QD: of length 1.
        candidates_CD: of length 1.
        right: of each query the numbers of the right candidates.
        left_out: of each query those that do not count; none of the right ones is among them.
    """
    found: list[Ints] = []
    block = max(1, _CELLS // max(1, len(candidates_CD)))
    for start in range(0, len(queries_QD), block):
        for number, cosines_C in enumerate(queries_QD[start : start + block] @ candidates_CD.T, start):
            own_R = cosines_C[right[number]]
            cosines_C[right[number]] = -np.inf
            if left_out is not None:
                cosines_C[left_out[number]] = -np.inf
            places_R = np.empty(len(own_R), np.int64)
            places_R[np.argsort(-own_R, kind="stable")] = np.arange(1, len(own_R) + 1)
            found.append((cosines_C >= own_R[:, None]).sum(1) + places_R)
    return found


def reciprocal_rank(ranks_R: Ints, k: int) -> float:
    """1 / the first rank, 0 beyond ``k``."""
    return 1.0 / float(ranks_R.min()) if len(ranks_R) and ranks_R.min() <= k else 0.0


def recall_at(ranks_R: Ints, k: int) -> float:
    """The share of the right candidates that is among the first ``k``."""
    return float((ranks_R <= k).mean()) if len(ranks_R) else 0.0


def ndcg_at(ranks_R: Ints, gains_R: Floats, k: int) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002); ``gains_R``: how right each candidate is."""
    if len(ranks_R) == 0:
        return 0.0
    best = np.sort(gains_R)[::-1][:k] / np.log2(np.arange(2, min(k, len(gains_R)) + 2))
    found = (gains_R / np.log2(ranks_R + 1.0))[ranks_R <= k]
    return float(found.sum() / best.sum())
