"""Law 3, Order, for images: image i of epoch e follows from (seed, e, i), and a killed run goes on bit for bit."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from warmstart.base.run_folder import RunFolder
from warmstart.base.seeds import generator
from warmstart.build.sources import SourceBuilder
from warmstart.corpora.images import ImageCorpus
from warmstart.example.example import Example
from warmstart.image.augment import augment_image
from warmstart.image.settings import AugmentSettings
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.table import OBJECTIVES
from warmstart.streams.sources import Source
from warmstart.streams.stream import Stream
from warmstart.train.loop import Trainer
from warmstart.train.settings import TrainSettings
from warmstart.train.step import Criterion

VARIED = AugmentSettings(shift=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> ImageCorpus:
    home = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for number in range(23):
        Image.fromarray(draw.integers(0, 256, (6, 5, 3), np.uint8)).save(home / f"{number:02d}.png")
    return ImageCorpus([str(home)])


def units(corpus: ImageCorpus, objective: Any = "causal", seed: int = 1, dev: bool = False) -> Source:
    backbone = preset("lstm-tiny", vocab_size=15).model_copy(update={"vectors": True})
    builder = SourceBuilder(OBJECTIVES[objective], corpus.processor, backbone, augment=VARIED)
    return builder.evaluation(corpus, 3) if dev else builder.training(corpus, 3, seed=seed)


def rows_of(corpus: ImageCorpus, image: np.ndarray) -> bytes:
    return corpus.processor.to_rows(image)[:-1].tobytes()


def seen(examples: list[list[Example]]) -> list[bytes]:
    return [example.ids.tobytes() for record in examples for example in record]


def test_what_is_seen_follows_from_seed_epoch_and_image(corpus: ImageCorpus) -> None:
    """Invariant: the same whenever it is asked, beside whatever; anew in another epoch, by another seed. Witness of what it
    is: augmentation by the generator of that name, image by image."""
    every = np.arange(20)
    first = seen(units(corpus).take(4, every))
    assert [one for i in reversed(every) for one in seen(units(corpus).take(4, np.array([i])))] == first[::-1]
    assert sum(a != b for a, b in zip(first, seen(units(corpus).take(5, every)), strict=True)) > 15
    assert sum(a != b for a, b in zip(first, seen(units(corpus, seed=2).take(4, every)), strict=True)) > 15
    windows = [
        {rows_of(corpus, augment_image(image, generator(1, "noise", 4, i), VARIED)) for image in corpus.images}
        for i in every
    ]
    assert all(one in window for one, window in zip(first, windows, strict=True))


def test_dev_is_never_varied_and_never_learned(corpus: ImageCorpus) -> None:
    """Witness: the rows of the images themselves; the held-out ones are the same for every seed, and never learned."""
    rows = {rows_of(corpus, image): number for number, image in enumerate(corpus.images)}
    held = [[rows[one] for one in seen(units(corpus, seed=seed, dev=True).take(epoch, np.arange(3)))]
            for seed, epoch in ((1, 0), (2, 7))]  # fmt: skip
    assert held[0] == held[1] and len(units(corpus)) == 20
    backbone = preset("lstm-tiny", vocab_size=15).model_copy(update={"vectors": True})
    plain = SourceBuilder(OBJECTIVES["causal"], corpus.processor, backbone).training(corpus, 3)
    learned = [rows[one] for one in seen(plain.take(0, np.arange(20)))]
    assert sorted(learned + held[0]) == list(range(23))


class Deadly:
    """A source whose ``take`` number ``dies_at`` is the process's last."""

    def __init__(self, source: Source, dies_at: int) -> None:
        self.source, self.left = source, dies_at

    def __len__(self) -> int:
        return len(self.source)

    def take(self, epoch: int, indices: np.ndarray) -> list[list[Example]]:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.source.take(epoch, indices)


def trainer(corpus: ImageCorpus, folder: Path, objective: str, precision: Any, dies_at: int = -1) -> Trainer:
    """Three epochs of 5 steps; saved after every step."""
    backbone = preset("lstm-tiny", vocab_size=15, layers=2, word_dropout=0.2).model_copy(update={"vectors": True})
    settings = TrainSettings(length="3 epochs", batch_size=4, precision=precision, save_every_s=0)
    stream = Stream(Deadly(units(corpus, objective), dies_at), 4, settings.seed)
    model = Model.fresh(ModelSettings(backbone=backbone), 1)
    return Trainer(
        model, stream, settings, Criterion({"next_vector": 1.0}), RunFolder(folder), None, torch.device("cpu")
    )


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("objective", "precision"), [("causal", "fp32"), ("autoencoder", "auto")])
def test_killed_and_resumed_equals_uninterrupted(
    corpus: ImageCorpus, objective: str, precision: str, tmp_path: Path
) -> None:
    """Witness: the uninterrupted run: weights and moments to the last bit."""
    whole = trainer(corpus, tmp_path / "whole", objective, precision)
    whole.folder.create("a recipe", {})
    whole.run()
    for cut in (1, 5, 9):
        child = os.fork()
        if child == 0:
            os.environ["NO_COLOR"] = "1"
            doomed = trainer(corpus, tmp_path / f"{cut}", objective, precision, cut + 2)
            doomed.folder.create("a recipe", {})
            doomed.run()
            os._exit(3)  # it was to die before
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        resumed = trainer(corpus, tmp_path / f"{cut}", objective, precision)
        assert resumed.resume() == (resumed.state.step > 0) and resumed.state.step <= cut
        resumed.run()
        theirs = whole.optimizer.state()
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in resumed.optimizer.state().items())
