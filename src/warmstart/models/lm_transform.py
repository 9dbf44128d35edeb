"""BERT's way from a state to the softmax over the vocabulary (Devlin et al. 2019)."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F


class LMTransform(nn.Module):
    """Linear, activation, norm, and a bias for each row of the softmax's table.

    It ends in the width of that table, which in ELECTRA is not that of the states.

    Args:
        width: of the states.
        rows: of the table.
        norm: over the width of the table.
        table_width: of the table; ``None``: that of the states.
        activation: after the linear.
        bias: whether the linear has one.
    """

    def __init__(
        self, width: int, rows: int, norm: nn.Module, table_width: int | None = None,
        activation: Callable[[torch.Tensor], torch.Tensor] = F.gelu, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.linear = nn.Linear(width, table_width or width, bias=bias)
        self.norm = norm
        self.bias = nn.Parameter(torch.zeros(rows))
        self.activation = activation

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """[…, D] → […, E]."""
        return self.norm(self.activation(self.linear(states)))  # type: ignore[no-any-return]
