"""Our side of a race of pre-training: the Trainer on rows of a corpus of random ids, paced step by step."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pacing import Pace

Ints = NDArray[np.int64]


class Drawn:
    """A corpus of one endless document of random ids, for steps of ``rows`` rows of ``context`` tokens."""

    def __init__(self, vocab_size: int, rows: int, context: int) -> None:
        self.num_tokens = 10_000 * rows * context
        self.offsets: Ints = np.array([0, self.num_tokens])
        self.vocab_size, self.rows, self.context = vocab_size, rows, context

    def tokens(self, start: int, stop: int) -> Ints:
        """Ids that follow from where they stand."""
        return np.random.default_rng(start).integers(0, self.vocab_size, stop - start)


def train(backbone: Any, drawn: Drawn, max_tokens: int = 8192) -> None:
    """The Trainer with its defaults; its steps are paced by the source that it takes rows from.

    Args:
        backbone: settings of the model.
        drawn: the text.
        max_tokens: of a micro-batch.
    """
    from warmstart.base.run_folder import RunFolder
    from warmstart.models.model import Model
    from warmstart.models.settings import ModelSettings
    from warmstart.objectives.causal import causal
    from warmstart.streams.sources import RowSource
    from warmstart.streams.stream import Stream
    from warmstart.train.loop import Trainer
    from warmstart.train.precision import default_device
    from warmstart.train.settings import TrainSettings
    from warmstart.train.step import Criterion

    class Paced(RowSource):
        pace: Pace | None = None  # none while the Trainer only looks at the first step

        def take(self, epoch: int, indices: Ints) -> Any:
            if self.pace is not None:
                self.pace.step(drawn.rows * drawn.context)
            return super().take(epoch, indices)

    source = Paced(drawn, drawn.context, causal)
    settings = TrainSettings(length="1 epoch", batch_size=drawn.rows, save_every_s=1e9, max_tokens=max_tokens)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        stream = Stream(source, settings.batch_size, settings.seed, max_tokens=max_tokens)
        model = Model.fresh(ModelSettings(backbone=backbone), 1)
        trainer = Trainer(model, stream, settings, Criterion({"lm": 1.0}), run, None, default_device())
        run.create("a recipe", {})
        source.pace = Pace()
        trainer.run()
