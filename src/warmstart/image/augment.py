"""Augmentation: random shifts and mirror images (Krizhevsky et al. 2012, section 4.1).

They crop 224 x 224 pixels from 256 x 256 at random. Here an image first gets a margin that repeats its border, so that the
crop has the size of the image.
"""

import numpy as np

from warmstart.base.arrays import Image
from warmstart.image.settings import AugmentSettings


def augment_image(image: Image, rng: np.random.Generator, settings: AugmentSettings) -> Image:
    """[H, W, 3] a random variant of an image."""
    if settings.shift:
        height, width, _ = image.shape
        margin = settings.shift
        down, right = rng.integers(0, 2 * margin + 1, 2).tolist()
        padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), "edge")
        image = padded[down : down + height, right : right + width]
    if settings.flip and rng.random() < 0.5:
        image = image[:, ::-1]
    return image
