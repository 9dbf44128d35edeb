"""Metrics of the order of candidates, each a mean over questions; of equal scores the candidate that stands first is first.

Mean average precision and mean reciprocal rank are those of retrieval (Manning et al. 2008, section 8.4; Voorhees 1999).
"""

from collections.abc import Sequence

import numpy as np

from warmstart.metrics.metric import Array
from warmstart.metrics.ratio import Ratio


def ranking_ratios(targets: Sequence[Sequence[int]], scores: Sequence[Array]) -> dict[str, Ratio]:
    """``map``, ``mrr`` and ``accuracy``.

    Args:
        targets: numbers of the right candidates of each question, one at least.
        scores: [C] of its candidates.
    """
    ranks = [_ranks(right, own) for right, own in zip(targets, scores, strict=True)]
    precisions = [float((np.arange(1, len(own) + 1) / own).mean()) for own in ranks]
    first = np.array([own[0] for own in ranks], np.float64)
    ones = np.ones(len(ranks))
    return {
        "map": Ratio(np.array(precisions), ones),
        "mrr": Ratio(1 / first, ones),
        "accuracy": Ratio((first == 1).astype(np.float64), ones),
    }  # fmt: skip


def _ranks(right: Sequence[int], scores: Array) -> Array:
    """The places of the right candidates, from 1, the best first."""
    places = np.empty(len(scores), np.int64)
    places[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return np.sort(places[list(right)])
