"""LoRA: beside each frozen linear W of the blocks a product B·A of two thin matrices, which is all that moves.

Hu et al. 2021, section 4.1: y = W·x + (alpha / rank) · B·A·x, with B zero at the start, so that the model begins as exactly
what it was. Afterwards the product is added into W, and the model is a plain one again.
"""

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.models.dropout import Dropout


class LoraLinear(nn.Module):
    """A frozen linear and its product of rank r: ``a`` [r, in], ``b`` [out, r]."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, dropout: float) -> None:
        super().__init__()
        self.linear, self.scale = linear, alpha / rank
        self.a = nn.Parameter(linear.weight.new_empty(rank, linear.in_features))
        self.b = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))
        self.drop = Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[…, in] → […, out]."""
        return self.linear(x) + F.linear(F.linear(self.drop(x), self.a) * self.scale, self.b)  # type: ignore[no-any-return]

    @property
    def weight(self) -> torch.Tensor:
        """[out, in] what the two are together, for layers that take their weights as they are, where nothing drops out."""
        return self.linear.weight + self.scale * (self.b @ self.a)

    @property
    def bias(self) -> torch.Tensor:
        """[out] the linear's."""
        return self.linear.bias

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        """The linear, with the product added to its weight."""
        self.linear.weight += self.scale * (self.b @ self.a)
        return self.linear


def add_lora(module: nn.Module, rank: int, alpha: float, dropout: float, generator: torch.Generator) -> None:
    """Freezes ``module`` and puts a product beside every linear in it.

    Args:
        module: whose own weights stand still from now on.
        rank: of each product.
        alpha: a product counts ``alpha / rank``.
        dropout: on what a product reads.
        generator: draws each ``a`` from N(0, 1/in), in the order of the names.
    """
    module.requires_grad_(False)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                added = LoraLinear(child, rank, alpha, dropout)
                nn.init.normal_(added.a, std=child.in_features**-0.5, generator=generator)
                setattr(parent, name, added)


def merge_lora(module: nn.Module) -> None:
    """Makes every linear that :func:`add_lora` changed a plain one again; the weights must be float32."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LoraLinear):
                setattr(parent, name, child.merge())
