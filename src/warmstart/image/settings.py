"""Settings of augmentation. Light to import."""

from pydantic import Field

from warmstart.base.settings import Settings


class AugmentSettings(Settings):
    """How images are varied in training, and only there (Krizhevsky et al. 2012, section 4.1).

    Attributes:
        shift: an image is moved by at most so many pixels each way, drawn evenly; what comes in
            repeats the border. 0: not moved.
        flip: half of the images are mirrored, left to right. Not for letters and digits.
    """

    shift: int = Field(4, ge=0)
    flip: bool = True
