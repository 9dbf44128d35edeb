"""ImageProcessor: an image → the rows that a model reads; for images what the Tokenizer is for texts.

An image of H x W pixels becomes H vectors of 3·W numbers: its rows from the top, in each row the pixels from the left, of
each pixel red, green and blue. Bytes are scaled to 0 … 1 and normalized by channel, with the mean and the standard deviation
of the images that the processor was fitted to. A model's folder has the processor's file. Images have no special tokens.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from warmstart.base.arrays import Image
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_json
from warmstart.base.formatting import format_count
from warmstart.base.old_names import IMAGE_PROCESSOR_KEYS, existing_file, rename_keys
from warmstart.base.settings import Settings

FILE = "image_processor.json"
CHANNELS = 3
DIGITS = 6  # of mean and std: the file has exactly the numbers that the model reads with
MIN_STD = 1 / 255  # of a channel that is the same everywhere

ChannelValues = tuple[float, float, float]


class ImageProcessor(Settings):
    """The size of images, and their normalization.

    Attributes:
        height: rows of an image.
        width: pixels of a row.
        mean: of red, green and blue, from 0 to 1.
        std: of red, green and blue.
    """

    height: int = Field(ge=1)
    width: int = Field(ge=1)
    mean: ChannelValues
    std: ChannelValues

    @staticmethod
    def fit(images: Iterable[tuple[Image, str]]) -> "ImageProcessor":
        """An image processor for these images, each with its place for errors.

        Raises:
            BadInput: there are no images, or an image has another size than the first.
        """
        total, squares, pixels = np.zeros(CHANNELS), np.zeros(CHANNELS), 0
        first: ImageProcessor | None = None
        for image, where in images:
            if first is None:
                first = ImageProcessor(height=image.shape[0], width=image.shape[1], mean=(0, 0, 0), std=(1, 1, 1))
            first.check_size(image, where)
            flat = image.reshape(-1, CHANNELS).astype(np.int64)
            total += flat.sum(0)
            squares += (flat * flat).sum(0)
            pixels += len(flat)
        if first is None:
            raise BadInput("no images", where="images", value=0, allowed="at least one")
        mean = total / pixels
        std = np.maximum(np.sqrt(np.maximum(squares / pixels - mean**2, 0)) / 255, MIN_STD)
        return first.model_copy(update={"mean": _round(mean / 255), "std": _round(std)})

    @staticmethod
    def load(folder: Path) -> "ImageProcessor":
        """Loads the image processor of a model's folder.

        Raises:
            BadInput: the file is missing or damaged.
        """
        path = existing_file(Path(folder), FILE)
        try:
            return ImageProcessor.model_validate(rename_keys(read_json(path), IMAGE_PROCESSOR_KEYS))
        except ValidationError as error:
            raise BadInput(
                f"this image processor cannot be read ({error.errors()[0]['msg']})",
                where=str(path),
                next_step="restore it from a copy",
            ) from None

    def save(self, folder: Path, template: object = None, context: int | None = None) -> None:
        """Writes the file; images need no ``template`` and no ``context``, which only a Tokenizer writes."""
        write_json(Path(folder) / FILE, self.model_dump(mode="json"))

    @property
    def vocab_size(self) -> int:
        """Numbers in a row: the rows of the embedding table that reads them."""
        return CHANNELS * self.width

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all fields."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def check_size(self, image: Image, where: str) -> None:
        """Raises :class:`BadInput` if an image has another size."""
        if image.shape != (self.height, self.width, CHANNELS):
            raise BadInput(
                "this image has another size", where=where, value=f"{image.shape[0]} x {image.shape[1]}",
                allowed=f"{self.height} x {self.width} (height x width)", next_step="resize all images to one size first",
            )  # fmt: skip

    def to_rows(self, image: Image) -> NDArray[np.float32]:
        """[H, 3·W] the normalized rows of an image."""
        mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
        scaled: NDArray[np.float32] = (image.astype(np.float32) / np.float32(255) - mean) / std
        return scaled.reshape(self.height, -1)

    def decode(self, rows: NDArray[Any], *, skip_special_tokens: bool = True) -> str:
        """A description of the rows, for people."""
        return f"{format_count(len(rows), 'row')} of {self.vocab_size} numbers"

    def with_special_tokens(self, tokens: Sequence[str]) -> "ImageProcessor":
        """The processor itself."""
        return self

    def special_token(self, kind: str) -> None:
        """``None``."""


def _round(values: NDArray[np.float64]) -> ChannelValues:
    red, green, blue = (round(float(value), DIGITS) for value in values)
    return red, green, blue
