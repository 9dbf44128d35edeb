"""Relative positions as a bias on the scores of attention: one number per head and bin of distance, or a slope per head.

Bins: Raffel et al. 2020, section 2.1, in both directions; UniLMv2 (Bao et al. 2020) shares one table among all layers. Half
of the bins are for tokens that stand before, half for those that stand after. Half of each are exact distances, the rest
grow by a constant factor up to a longest distance. Distances are those of position numbers, so a pseudo token has distance 0
from the token whose place it holds. Slopes: ALiBi (Press et al. 2022), where nothing is learned.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.models.transformer_settings import TransformerSettings


def bins(ahead: torch.Tensor, count: int, longest: int, *, both: bool = True) -> torch.Tensor:
    """The bin of each distance.

    Args:
        ahead: […] position of what is read minus position of its reader.
        count: bins in all; even.
        longest: distances from here on share the outermost bins.
        both: half of them are for what stands ahead; else that shares the bin of distance 0, and all are for what stands
            before (a decoder, which sees nothing ahead).

    Returns:
        […] numbers from 0 to ``count`` - 1.
    """
    side = count // 2 if both else count
    exact = side // 2
    away = ahead.abs() if both else (-ahead).clamp(min=0)
    grown = torch.log(away.clamp(min=1).float() / exact) / math.log(longest / exact) * (side - exact)
    far = (exact + grown.long()).clamp(max=side - 1)
    found = torch.where(away < exact, away, far)
    return found + side * (ahead > 0) if both else found


class RelativeBias(nn.Module):
    """The table of biases, [bins, H], which all layers share."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.longest, self.both = settings.relative_distance, settings.relative_ahead
        self.table = nn.Embedding(settings.relative_bins, settings.heads)

    def forward(self, readers_GT: torch.Tensor, read_GS: torch.Tensor) -> torch.Tensor:
        """[G, H, T, S] biases of tokens at some positions that read tokens at others."""
        ahead = read_GS[:, None, :] - readers_GT[:, :, None]
        numbers = bins(ahead, self.table.num_embeddings, self.longest, both=self.both)
        found = F.embedding(numbers, self.table.weight)
        return found.permute(0, 3, 1, 2)


def alibi_slopes(heads: int) -> list[float]:
    """What each head takes off for one position of distance (Press et al. 2022, and their code for other than powers of 2).

    >>> alibi_slopes(2), alibi_slopes(3)
    ([0.0625, 0.00390625], [0.0625, 0.00390625, 0.25])
    """
    whole: int = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * number / whole) for number in range(1, whole + 1)]
    between = [2 ** (-4 * number / whole) for number in range(1, 2 * whole + 1, 2)]
    return slopes + between[: heads - whole]


class AlibiBias(nn.Module):
    """Scores fall with the distance, in each head at a rate of its own; no weights."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.slopes = alibi_slopes(heads)

    def forward(self, readers_GT: torch.Tensor, read_GS: torch.Tensor) -> torch.Tensor:
        """[G, H, T, S] float32 biases of tokens at some positions that read tokens at others."""
        away = (read_GS[:, None, None, :] - readers_GT[:, None, :, None]).abs()
        return away * -torch.tensor(self.slopes, device=away.device)[:, None, None]


def make_relative(settings: TransformerSettings) -> nn.Module | None:
    """What distances add to the scores, if they add anything."""
    if settings.positions == "alibi":
        return AlibiBias(settings.heads)
    return RelativeBias(settings) if settings.relative_bins else None
