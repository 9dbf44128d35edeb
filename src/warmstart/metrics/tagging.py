"""Metrics of tagging: entity F1 through seqeval in its default mode (as conlleval computes it), accuracy over words.

The bootstrap needs the same metrics as ratios of sums over sentences; tests compare these with seqeval.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.metrics.entities import bioes_tag, get_entities
from warmstart.metrics.metric import Array
from warmstart.metrics.ratio import Ratio

Sentences = Sequence[Sequence[str]]


def check_seqeval() -> None:
    """Raises :class:`BadInput` where seqeval is not installed."""
    try:
        import seqeval  # noqa: F401
    except ImportError:
        raise BadInput(
            "evaluating entities needs the seqeval package", next_step="pip install 'warmstart[tagging]'"
        ) from None


def entity_metrics(targets: Sentences, predictions: Sentences) -> dict[str, float]:
    """Entity ``f1``, ``precision`` and ``recall``, and ``accuracy`` over words, by seqeval."""
    from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score

    true, predicted = (
        [list(map(bioes_tag, tags)) for tags in targets],
        [list(map(bioes_tag, tags)) for tags in predictions],
    )
    return {
        "f1": float(f1_score(true, predicted, zero_division=0)),
        "precision": float(precision_score(true, predicted, zero_division=0)),
        "recall": float(recall_score(true, predicted, zero_division=0)),
        "accuracy": float(accuracy_score(true, predicted)),
    }


def entity_ratios(targets: Sentences, predictions: Sentences) -> dict[str, Ratio]:
    """The same metrics as ratios of sums over sentences."""
    true, predicted = [set(get_entities(tags)) for tags in targets], [set(get_entities(tags)) for tags in predictions]
    right = _counts([len(a & b) for a, b in zip(true, predicted, strict=True)])
    num_true, num_predicted = _counts(map(len, true)), _counts(map(len, predicted))
    metrics = {
        "f1": Ratio(2 * right, num_true + num_predicted),
        "precision": Ratio(right, num_predicted),
        "recall": Ratio(right, num_true),
    }
    return metrics | tag_ratios(targets, predictions)


def tag_ratios(targets: Sentences, predictions: Sentences) -> dict[str, Ratio]:
    """``accuracy`` over words, as a ratio of sums over sentences."""
    right = [
        sum(a == b for a, b in zip(true, predicted, strict=True))
        for true, predicted in zip(targets, predictions, strict=True)
    ]
    return {"accuracy": Ratio(_counts(right), _counts(map(len, targets)))}


def _counts(values: Iterable[int]) -> Array:
    return np.array(list(values), np.float64)
