"""Ranks of right candidates, and what is counted of them."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from warmstart.metrics.retrieval import ndcg_at, rank_right, recall_at, reciprocal_rank


def units(rng: np.random.Generator, count: int) -> np.ndarray:  # type: ignore[type-arg]
    rows = rng.normal(size=(count, 6)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_ranks_are_those_of_a_sorted_list() -> None:
    """Witness: each query's candidates sorted by themselves, without those that are left out."""
    rng = np.random.default_rng(0)
    queries, candidates = units(rng, 7), units(rng, 30)
    right = [rng.choice(30, size, replace=False) for size in (1, 2, 3, 1, 4, 1, 2)]
    hidden = [np.setdiff1d(rng.choice(30, 5), own) for own in right]
    found = rank_right(queries, candidates, right, hidden)
    for query, own, out, ranks in zip(queries, right, hidden, found, strict=True):
        order = [c for c in np.argsort(-(candidates @ query)).tolist() if c not in out]
        assert ranks.tolist() == [order.index(c) + 1 for c in own.tolist()]


def test_equal_vectors_find_nothing() -> None:
    """Invariant: a model that gives one vector for everything has the last rank, not the first."""
    same = np.full((4, 2), np.float32(0.5**0.5))
    assert [ranks.tolist() for ranks in rank_right(same[:2], same, [np.array([0]), np.array([1, 3])])] == [[4], [3, 4]]


@pytest.mark.parametrize("k", [1, 3, 10])
def test_ndcg_is_that_of_scikit_learn(k: int) -> None:
    """Witness: scikit-learn's function on the same cosines; recall and reciprocal rank by hand."""
    rng = np.random.default_rng(k)
    queries, candidates = units(rng, 5), units(rng, 12)
    right = [rng.choice(12, size, replace=False) for size in (1, 2, 5, 3, 1)]
    for query, own, ranks in zip(queries, right, rank_right(queries, candidates, right), strict=True):
        gains = rng.integers(1, 4, len(own)).astype(np.float32)
        true = np.zeros(12)
        true[own] = gains
        assert ndcg_at(ranks, gains, k) == pytest.approx(ndcg_score(true[None], (candidates @ query)[None], k=k))
        top = np.argsort(-(candidates @ query))[:k]
        assert recall_at(ranks, k) == pytest.approx(np.isin(own, top).mean())
        hits = np.flatnonzero(np.isin(top, own))
        assert reciprocal_rank(ranks, k) == pytest.approx(1 / (hits[0] + 1) if len(hits) else 0.0)


def test_a_query_without_a_right_candidate_counts_nothing() -> None:
    """Invariant: 0, not an error."""
    none = np.zeros(0, np.int64)
    assert (ndcg_at(none, np.zeros(0, np.float32), 10), recall_at(none, 10), reciprocal_rank(none, 10)) == (
        0.0,
        0.0,
        0.0,
    )
