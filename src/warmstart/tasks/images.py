"""One image, one class: its rows from the top, and nothing before, between or after them (Dai and Le 2015, section 4.5)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from warmstart.base.arrays import Image
from warmstart.base.errors import BadInput
from warmstart.example.example import Example
from warmstart.example.record import Pixels, Record
from warmstart.image.augment import augment_image
from warmstart.image.processor import ImageProcessor
from warmstart.image.settings import AugmentSettings
from warmstart.readers.images import read_image_rows
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer
from warmstart.tasks.classification import ClassAnswer
from warmstart.tasks.columns import Columns, first_present
from warmstart.tasks.framed_items import TrainingData
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Account, Lengths, Parts, Truncation
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.vocabulary import Vocabulary, require_images


class ImageClassAnswer(ClassAnswer):
    """A class of an image."""

    pipeline = "image-classification"


IMAGE_CLASS = ImageClassAnswer()


class Images(TaskKind):
    """One image, one class."""

    name = "images"
    redraws = True
    text_columns = (("image",),)
    label_columns = ("label",)
    kept_columns = ()
    content_noun = "image"
    has_parts = reads_every_token = pools_states = True

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A class."""
        return IMAGE_CLASS

    def read_rows(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The images of a folder, an archive or an ``.npz``."""
        if read.format is not None:
            raise BadInput(
                "images have no format to name", where="--format", value=read.format,
                allowed="a folder, a .tar or an .npz", next_step="leave --format out",
            )  # fmt: skip
        return read_image_rows(path, read.part, needs_class=read.labelled)

    def find_texts(self, row: Row) -> Columns | None:
        """The image, and no texts."""
        columns = first_present(row, self.text_columns)
        if columns is None:
            return None
        value = row.fields[columns[0]]
        if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3:
            raise BadInput(
                "not an image", where=row.place(columns[0]), value=getattr(value, "shape", value),
                allowed="an array uint8 [height, width, 3]",
            )  # fmt: skip
        return Columns({}, columns, Pixels.of(value))

    def row_of(self, value: Any) -> dict[str, Any]:
        """An image as an array."""
        return {"image": value}

    def learn_vocabulary(self, records: Iterable[Record], vocab_size: int, vocabulary: Any) -> Vocabulary:
        """The processor that the training images ask for."""
        return ImageProcessor.fit((image_of(record), record.where) for record in records)

    def check_vocabulary(self, vocabulary: Vocabulary, where: str) -> Vocabulary:
        """Refuses a model that reads text."""
        return require_images(vocabulary, where)

    def check_records(self, records: Iterable[Record], vocabulary: Vocabulary) -> None:
        """Refuses an image of another size."""
        processor = require_images(vocabulary, "images")
        for record in records:
            processor.check_size(image_of(record), record.where)

    def encode(self, records: Sequence[Record], vocabulary: Vocabulary, rules: Sequence[str]) -> Iterator[Parts]:
        """The rows of each image.

        Raises:
            BadInput: an image of another size, or a model that reads text.
        """
        processor = require_images(vocabulary, "images")
        for record in records:
            image = image_of(record)
            processor.check_size(image, record.where)
            yield Parts((processor.to_rows(image),))

    def truncate(self, record: Record, parts: Parts, frame: Frame) -> Truncation:
        """All rows of an image, which is read whole or not at all.

        Raises:
            BadInput: it has more rows than the model can read.
        """
        [rows] = parts.texts
        check_rows_fit(len(rows), frame.settings.context)
        return Truncation(parts, len(rows), 0)

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """The class is read at the last row.

        Worked example: an image of three rows among the classes cat, ship, whose label is ship, gives::

            ids          r1  r2  r3
            label        read 2 → 1
            next_vector  read 0 1 → r2 r3
        """
        return frame.question(record, parts.texts)

    def training_data(
        self, records: Sequence[Record], frame: Frame, vocabulary: Vocabulary, augment: AugmentSettings
    ) -> TrainingData:
        """Images are framed when they are read, each time varied anew.

        All are of one size, so that the first tells the account: no rows are made before they are read.

        Raises:
            BadInput: they do not fit into the context.
        """
        processor = require_images(vocabulary, "images")

        def redraw(i: int, draw: np.random.Generator) -> list[Example]:
            image: Image = augment_image(image_of(records[i]), draw, augment)
            return self.examples(records[i], Parts((processor.to_rows(image),)), frame)

        parts = Parts((processor.to_rows(image_of(records[0])),))
        longest = self.truncate(records[0], parts, frame).needed
        tokens = sum(map(len, self.examples(records[0], parts, frame)))
        return TrainingData.drawn(redraw, Account(used=len(records), tokens=len(records) * tokens, longest=longest))

    def check_framing(self, records: Iterable[Record], frame: Frame, vocabulary: Vocabulary) -> Lengths:
        """Images of the right size can be framed, and are all as long."""
        return Lengths()


def image_of(record: Record) -> Image:
    """[H, W, 3] the image of a Record."""
    assert record.image is not None
    return record.image.array


def check_rows_fit(rows: int, context: int) -> None:
    """Refuses images that have more rows than a model can read."""
    if rows > context:
        raise BadInput(
            "an image has more rows than the model's context", where="--context", value=rows,
            allowed=f"at most {context} rows (half of its tokens where they are written again)",
            next_step="choose a larger context, or an LSTM, which has none",
        )  # fmt: skip
