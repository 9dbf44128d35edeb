"""The states of several layers as one: a weighted mean whose weights are learned (Peters et al. 2018, section 3.2)."""

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.models.dropout import drop


class ScalarMix(nn.Module):
    """γ Σⱼ softmax(s)ⱼ hⱼ: at first the plain mean of all layers.

    Args:
        layers: how many there are.
        norm: whether each state is normed before, without gain and bias (layers that are added to one another get larger
            the higher they stand).
        dropout: of the weights, after their softmax, in training (Edunov et al. 2019: 0.2).
    """

    def __init__(self, layers: int, *, norm: bool, dropout: float) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(layers))
        self.gain = nn.Parameter(torch.ones(1))
        self.norm, self.dropout = norm, dropout

    def forward(self, layers: list[torch.Tensor]) -> torch.Tensor:
        """States of each layer, all […, D] → […, D]."""
        weights = self.scores.softmax(0)
        weights = drop(weights, self.dropout) if self.training else weights
        every = [F.layer_norm(states, states.shape[-1:]) for states in layers] if self.norm else layers
        mixed: torch.Tensor = torch.tensordot(weights, torch.stack(every), 1)
        return self.gain * mixed
