"""What makes of a Record what a model reads: a Tokenizer of its texts, or an ImageProcessor of its image."""

from warmstart.base.errors import BadInput
from warmstart.image.processor import ImageProcessor
from warmstart.text.tokenizer import Tokenizer

Vocabulary = Tokenizer | ImageProcessor


def begins_with(vocabulary: Vocabulary, other: Vocabulary) -> bool:
    """Whether what ``other`` names has the same numbers in ``vocabulary``."""
    if isinstance(vocabulary, ImageProcessor) or isinstance(other, ImageProcessor):
        return vocabulary == other
    return vocabulary.extends(other)


def require_text(vocabulary: Vocabulary, where: str) -> Tokenizer:
    """The tokenizer that ``vocabulary`` is.

    Raises:
        BadInput: it reads images.
    """
    if isinstance(vocabulary, ImageProcessor):
        raise BadInput(
            "this model reads images", where=where, value="text", allowed=f"images of {vocabulary.height} x "
            f"{vocabulary.width}", next_step="choose a model that reads text",
        )  # fmt: skip
    return vocabulary


def require_images(vocabulary: Vocabulary, where: str) -> ImageProcessor:
    """The image processor that ``vocabulary`` is.

    Raises:
        BadInput: it reads text.
    """
    if not isinstance(vocabulary, ImageProcessor):
        raise BadInput(
            "this model reads text", where=where, value="images", allowed="text",
            next_step="start from a run that was pre-trained on images, or from none",
        )  # fmt: skip
    return vocabulary
