"""What every training needs: a Stream of its source, and a model that knows what is asked beside the goals."""

from warmstart.models.model import Model
from warmstart.streams.sources import Source
from warmstart.streams.stream import Stream
from warmstart.train.settings import TrainSettings


def stream_of(source: Source, settings: TrainSettings, *, shuffle: bool = True) -> Stream:
    """The Stream of a source as training wants it, or in its own order."""
    return Stream(
        source,
        settings.batch_size,
        settings.seed,
        settings.accumulation,
        settings.max_tokens,
        shuffle,
        settings.by_length and shuffle,
    )


def set_extra_losses(model: Model, settings: TrainSettings) -> None:
    """Tells ``model`` what its training asks for beside the goals of the data."""
    model.samples, model.activity = settings.drawn, bool(settings.activity)
