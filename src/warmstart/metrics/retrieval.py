"""Retrieval by vectors: the rank of each right candidate, and what is counted of ranks.

Shapes: Q queries, C candidates, D numbers of a vector, R right candidates of one query.
"""

from collections.abc import Sequence

import numpy as np

from warmstart.base.arrays import Floats, Ints

_BLOCK = 512  # queries whose cosines with all candidates are held at a time


def rank_right(
    queries_QD: Floats, candidates_CD: Floats, right: Sequence[Ints], left_out: Sequence[Ints] | None = None
) -> list[Ints]:
    """[R] for each query the ranks of its right candidates, from 1, the best first.

    A wrong candidate that is as near as a right one stands before it, so that equal vectors find nothing.

    Args:
        queries_QD: of length 1.
        candidates_CD: of length 1.
        right: of each query the numbers of the right candidates.
        left_out: of each query those that do not count; none of the right ones is among them.
    """
    found: list[Ints] = []
    for start in range(0, len(queries_QD), _BLOCK):
        for number, cosines_C in enumerate(queries_QD[start : start + _BLOCK] @ candidates_CD.T, start):
            own_R = -np.sort(-cosines_C[right[number]])
            cosines_C[right[number]] = -np.inf
            if left_out is not None:
                cosines_C[left_out[number]] = -np.inf
            found.append((cosines_C >= own_R[:, None]).sum(1) + np.arange(1, len(own_R) + 1))
    return found


def reciprocal_rank(ranks_R: Ints, k: int) -> float:
    """1 / the first rank, 0 beyond ``k``."""
    return 1.0 / float(ranks_R[0]) if len(ranks_R) and ranks_R[0] <= k else 0.0


def recall_at(ranks_R: Ints, k: int) -> float:
    """The share of the right candidates that is among the first ``k``."""
    return float((ranks_R <= k).mean()) if len(ranks_R) else 0.0


def ndcg_at(ranks_R: Ints, k: int) -> float:
    """Normalised discounted cumulative gain of candidates that are right or wrong (Järvelin and Kekäläinen 2002)."""
    best = 1.0 / np.log2(np.arange(2, min(k, len(ranks_R)) + 2))
    gains = 1.0 / np.log2(ranks_R[ranks_R <= k] + 1.0)
    return float(gains.sum() / best.sum()) if len(ranks_R) else 0.0
