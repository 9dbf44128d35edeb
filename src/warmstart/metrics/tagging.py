"""How well sentences are tagged: entity F1 through seqeval in its default mode (conlleval's figures), accuracy over words.

The same metrics as sums over sentences are what the bootstrap resamples; tests hold them equal to seqeval.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.metrics.entities import get_entities
from warmstart.metrics.metric import Array
from warmstart.metrics.ratio import Ratio

Sentences = Sequence[Sequence[str]]


def check_seqeval() -> None:
    """Stops with a sentence where seqeval is not installed."""
    try:
        import seqeval  # noqa: F401
    except ImportError:
        raise BadInput(
            "judging entities needs the seqeval package", next_step="pip install 'warmstart[tagging]'"
        ) from None


def entity_metrics(targets: Sentences, predictions: Sentences) -> dict[str, float]:
    """Entity ``f1``, ``precision`` and ``recall``, and ``accuracy`` over words, by seqeval."""
    from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score

    truth, told = [list(tags) for tags in targets], [list(tags) for tags in predictions]
    return {
        "f1": float(f1_score(truth, told, zero_division=0)),
        "precision": float(precision_score(truth, told, zero_division=0)),
        "recall": float(recall_score(truth, told, zero_division=0)),
        "accuracy": float(accuracy_score(truth, told)),
    }


def entity_ratios(targets: Sentences, predictions: Sentences) -> dict[str, Ratio]:
    """The same metrics as sums over sentences."""
    truth, told = [set(get_entities(tags)) for tags in targets], [set(get_entities(tags)) for tags in predictions]
    right = _counts([len(a & b) for a, b in zip(truth, told, strict=True)])
    true, given = _counts(map(len, truth)), _counts(map(len, told))
    metrics = {
        "f1": Ratio(2 * right, true + given),
        "precision": Ratio(right, given),
        "recall": Ratio(right, true),
    }
    return metrics | tag_ratios(targets, predictions)


def tag_ratios(targets: Sentences, predictions: Sentences) -> dict[str, Ratio]:
    """``accuracy`` over words, as sums over sentences."""
    right = [
        sum(a == b for a, b in zip(truth, told, strict=True)) for truth, told in zip(targets, predictions, strict=True)
    ]
    return {"accuracy": Ratio(_counts(right), _counts(map(len, targets)))}


def _counts(values: Iterable[int]) -> Array:
    return np.array(list(values), np.float64)
