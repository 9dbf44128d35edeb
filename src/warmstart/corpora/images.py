"""A corpus of images: their bytes in memory; each batch makes the rows of numbers that it needs.

An image of 32 x 32 takes 3 KB. Of a source with parts only one is read, for training its training part, so that no model
learns from the images that it is evaluated on.
"""

import hashlib
from collections.abc import Sequence
from itertools import chain

from warmstart.base.arrays import Image
from warmstart.base.errors import BadInput
from warmstart.image.processor import ImageProcessor
from warmstart.readers.images import read_image_rows
from warmstart.text.tokenizer import Tokenizer


class ImageCorpus:
    """Images and the processor that reads them; the interface is a :class:`~warmstart.corpora.corpus.Corpus`'s."""

    clean: tuple[str, ...] = ()

    def __init__(self, paths: Sequence[str], processor: ImageProcessor | None = None, part: str = "train") -> None:
        """Reads the images of some sources (:func:`~warmstart.readers.images.read_image_rows`).

        Args:
            paths: folders, archives, ``.npz`` files, images.
            processor: of the model that will read them; ``None``: fitted to the images.
            part: the only one that is read of sources that have several.

        Raises:
            BadInput: no images, an unreadable one, or one of another size.
        """
        self.folder = ", ".join(paths)
        rows = chain.from_iterable(read_image_rows(path, part, needs_class=False) for path in paths)
        images = [(row.fields["image"], row.where) for row in rows]
        self.processor = ImageProcessor.fit(images) if processor is None else processor
        for image, where in images:
            self.processor.check_size(image, where)
        self.images: list[Image] = [image for image, _ in images]

    @property
    def num_documents(self) -> int:
        """Images."""
        return len(self.images)

    @property
    def num_tokens(self) -> int:
        """Rows of all images."""
        return len(self.images) * self.processor.height

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256; equal for equal images, in the same order, read by the same image processor."""
        digest = hashlib.sha256(self.processor.fingerprint.encode())
        for image in self.images:
            digest.update(image.tobytes())
        return digest.hexdigest()

    def tokenizer(self) -> ImageProcessor:
        """The processor that makes rows of the images."""
        return self.processor

    def check_tokenizer(self, tokenizer: Tokenizer | ImageProcessor) -> None:
        """Raises :class:`BadInput` where ``tokenizer`` does not read these images as they are read here."""
        if tokenizer != self.processor:
            raise BadInput(
                "the model does not read these images", where=self.folder, value="images",
                allowed="text" if isinstance(tokenizer, Tokenizer) else "images read by its own image processor",
                next_step="choose a start that was pre-trained on images, or none",
            )  # fmt: skip
