"""What a task of images needs before training: an image processor, images of one size, Examples that differ by epoch."""

from warmstart.base.errors import BadInput
from warmstart.config.schema import CorpusRecipe
from warmstart.corpora.images import ImageCorpus
from warmstart.readers.images import contains_images
from warmstart.tasks.vocabulary import Vocabulary, require_images


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
