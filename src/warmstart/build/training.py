"""What every training needs: a Stream of its source, and what it minimises."""

from collections.abc import Mapping

from warmstart.base.settings import resolved
from warmstart.models.activity import ACTIVITY
from warmstart.models.head import LossOptions
from warmstart.models.softmax import Smoothing
from warmstart.streams.sources import Source
from warmstart.streams.stream import Stream
from warmstart.train.settings import TrainSettings
from warmstart.train.step import Criterion


def stream_of(source: Source, settings: TrainSettings, *, shuffle: bool = True) -> Stream:
    """The Stream of a source as training wants it, or in its own order."""
    return Stream(
        source,
        resolved(settings.batch_size),
        settings.seed,
        settings.accumulation,
        settings.max_tokens,
        shuffle,
        settings.by_length and shuffle,
    )


def build_criterion(
    coefficients: Mapping[str, float], settings: TrainSettings, smoothing: Smoothing | None = None
) -> Criterion:
    """What a training minimises: goals with their coefficients, and what its settings add.

    Args:
        coefficients: goal → how much it counts.
        settings: of the training: further terms, and how the softmax over the vocabulary learns.
        smoothing: of the labels of that softmax.
    """
    terms = {name: ACTIVITY[name] for name in settings.activity}
    return Criterion({**coefficients, **settings.activity}, terms, LossOptions(smoothing, settings.num_sampled))
