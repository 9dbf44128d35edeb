"""Positions as sines and cosines (Vaswani et al. 2017, section 3.5): a table that nobody learns and no file holds.

All sines stand in the first half of a row, all cosines in the second, as fairseq, Marian and Pegasus have them.
"""

import torch
from torch import nn


class SinusoidalPositions(nn.Module):
    """``weight`` [C, D] of C positions: place i of a half has the wavelength 2π · 10000^(2i / D)."""

    weight: torch.Tensor

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.register_buffer("weight", sinusoidal_table(count, width), persistent=False)


def sinusoidal_table(count: int, width: int) -> torch.Tensor:
    """[C, D] float32; of an odd width the sines are one more."""
    places = torch.arange(count, dtype=torch.float64)[:, None]
    rates = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = places * rates
    return torch.cat([angles.sin(), angles.cos()[:, : width // 2]], 1).float()
