"""Settings of augmentation. This module imports fast."""

from warmstart.base.settings import Setting, Settings


class AugmentSettings(Settings):
    """How images are varied in training, and only there (Krizhevsky et al. 2012, section 4.1)."""

    shift: int = Setting(
        4,
        "shift each image by a random number of pixels up to this, in both axes; what comes in repeats the border",
        ge=0,
    )
    flip: bool = Setting(True, "mirror half of the images, left to right; not for letters and digits")
