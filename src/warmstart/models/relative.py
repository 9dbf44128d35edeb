"""Relative positions as a bias on the scores of attention: one number per head and bin of distance.

Raffel et al. 2020, section 2.1, in both directions; UniLMv2 (Bao et al. 2020) shares one table among all layers. Half of
the bins are for tokens that stand before, half for those that stand after. Half of each are exact distances, the rest grow
by a constant factor up to a longest distance. Distances are those of position numbers, so a pseudo token has distance 0
from the token whose place it holds.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.models.transformer_settings import TransformerSettings


def bins(ahead: torch.Tensor, count: int, longest: int) -> torch.Tensor:
    """The bin of each distance.

    Args:
        ahead: […] position of what is read minus position of its reader.
        count: bins in all; even.
        longest: distances from here on share the outermost bins.

    Returns:
        […] numbers from 0 to ``count`` - 1.
    """
    half, exact = count // 2, count // 4
    away = ahead.abs()
    grown = torch.log(away.clamp(min=1).float() / exact) / math.log(longest / exact) * (half - exact)
    far = (exact + grown.long()).clamp(max=half - 1)
    return torch.where(away < exact, away, far) + half * (ahead > 0)


class RelativeBias(nn.Module):
    """The table of biases, [bins, H], which all layers share."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.longest = settings.relative_distance
        self.table = nn.Embedding(settings.relative_bins, settings.heads)

    def forward(self, readers_GT: torch.Tensor, read_GS: torch.Tensor) -> torch.Tensor:
        """[G, H, T, S] biases of tokens at some positions that read tokens at others."""
        ahead = read_GS[:, None, :] - readers_GT[:, :, None]
        found = F.embedding(bins(ahead, self.table.num_embeddings, self.longest), self.table.weight)
        return found.permute(0, 3, 1, 2)
