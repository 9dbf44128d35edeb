"""What a task of images needs before training: an image processor, images of one size, Examples that differ by epoch."""

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from warmstart.base.arrays import Image
from warmstart.base.errors import BadInput
from warmstart.build.labelled_data import Labelled
from warmstart.config.schema import CorpusRecipe
from warmstart.corpora.images import ImageCorpus
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.image.augment import augment_image
from warmstart.image.processor import ImageProcessor
from warmstart.image.settings import AugmentSettings
from warmstart.readers.images import contains_images
from warmstart.tasks.framing import Account, Frame, Parts
from warmstart.tasks.images import image_of, images, uncut_image
from warmstart.tasks.vocabulary import Vocabulary, require_images

Redraw = Callable[[int, np.random.Generator], list[Example]]


def image_corpus(text: CorpusRecipe, known: Vocabulary | None, part: str) -> ImageCorpus | None:
    """The images that a recipe names, or ``None`` where it names text.

    Args:
        text: the recipe.
        known: how the start of the training reads, if it has one.
        part: the only one that is read of images that come in several.

    Raises:
        BadInput: images among text, options that are for text, images for a start that reads text, or a broken source.
    """
    of_images = [path for path in text.paths if contains_images(path)]
    if not of_images:
        return None
    if len(of_images) < len(text.paths):
        other = next(path for path in text.paths if path not in of_images)
        raise BadInput("images and other files", where="--corpus", value=other, allowed="images only, or text only")
    said = text.model_dump(exclude_defaults=True, exclude={"paths"})
    if said:
        raise BadInput(
            "this is for text, and the corpus holds images", where=f"corpus.{min(said)}", value=said[min(said)],
            next_step="leave it out",
        )  # fmt: skip
    return ImageCorpus(of_images, None if known is None else require_images(known, "--corpus"), part)


def task_image_processor(data: Labelled, known: Vocabulary | None, where: str) -> ImageProcessor:
    """How the images of a task are read: as its start reads, or as its training images ask for.

    Raises:
        BadInput: the start reads text, or an image is of another size.
    """
    trained = ((image_of(record), record.where) for record in data.train)
    processor = ImageProcessor.fit(trained) if known is None else require_images(known, where)
    for record in chain(data.train, data.dev, data.test or []):
        processor.check_size(image_of(record), record.where)
    return processor


def drawn_images(
    frame: Frame, records: Sequence[Record], processor: ImageProcessor, augment: AugmentSettings
) -> Redraw:
    """How record i is framed with a draw of augmentation."""

    def redraw(i: int, draw: np.random.Generator) -> list[Example]:
        shown: Image = augment_image(image_of(records[i]), draw, augment)
        return images(records[i], Parts((processor.to_rows(shown),)), frame)

    return redraw


def image_account(frame: Frame, records: Sequence[Record], processor: ImageProcessor) -> Account:
    """The account of images that are all of one size: told by the first, so that no rows are made before they are read.

    Raises:
        BadInput: they do not fit into the context.
    """
    parts = Parts((processor.to_rows(image_of(records[0])),))
    longest = uncut_image(records[0], parts, frame).needed
    tokens = sum(map(len, images(records[0], parts, frame)))
    return Account(used=len(records), tokens=len(records) * tokens, longest=longest)
