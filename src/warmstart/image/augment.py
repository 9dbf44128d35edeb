"""Augmentation: an image moved and mirrored by what a generator draws (Krizhevsky et al. 2012, section 4.1).

They cut 224 x 224 pixels out of 256 x 256 at random; an image that has no margin is given one that repeats its border.
"""

import numpy as np

from warmstart.base.arrays import Image
from warmstart.image.settings import AugmentSettings


def augment_image(image: Image, draw: np.random.Generator, settings: AugmentSettings) -> Image:
    """[H, W, 3] the image as this draw has it."""
    if settings.shift:
        height, width, _ = image.shape
        margin = settings.shift
        down, right = draw.integers(0, 2 * margin + 1, 2).tolist()
        wide = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), "edge")
        image = wide[down : down + height, right : right + width]
    if settings.flip and draw.random() < 0.5:
        image = image[:, ::-1]
    return image
