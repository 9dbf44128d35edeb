"""Types of arrays that several rooms name."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
"""[H, W, 3] red, green and blue of each pixel."""
