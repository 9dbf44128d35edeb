"""Passes over much memory by kernels of our own (passes.c): AdamW's update with its rounded copy, norms, GELU, and dropout.

All are exact to the last rounding what torch computes in several passes; dropout to the last bit.
"""

from typing import NamedTuple

import torch

from warmstart.models.kernels import FLOATING, library, wide_vectors

FILE = "warmstart_passes"


def passes(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the kernels are there for tensors of this kind."""
    return dtype in FLOATING and device.type == "cpu" and wide_vectors() is not None and library(FILE) is not None


class AdamRule(NamedTuple):
    """One step of AdamW: p · ``kept`` - ``rate`` · m / (√v / ``root`` + ``eps``).

    Attributes:
        kept: what decay leaves of a weight.
        rate: over 1 - β₁ᵗ.
        beta1: of the mean of the gradient.
        beta2: of the mean of its square.
        eps: added to the root.
        divisor: of the gradient.
        root: √(1 - β₂ᵗ).
    """

    kept: float
    rate: float
    beta1: float
    beta2: float
    eps: float
    divisor: float
    root: float


class AdamRow(NamedTuple):
    """Float32 weights [W], their gradient, their means, and the rounded copy (bfloat16), if there is one; each in one piece.

    The gradient may be bfloat16, too.
    """

    master: torch.Tensor
    grad: torch.Tensor
    mean: torch.Tensor
    square: torch.Tensor
    work: torch.Tensor | None

    def part(self, where: slice) -> "AdamRow":
        """Some of the weights."""
        return AdamRow(*(None if row is None else row[where] for row in self))  # type: ignore[arg-type]


def adam(row: AdamRow, rule: AdamRule, had_gradient: torch.Tensor | None = None) -> None:
    """One update in place.

    Args:
        row: what is updated.
        rule: how.
        had_gradient: [R] uint8, for weights that are R rows: 0 where a row has had no gradient yet, so that all its means
            are 0, and decay is what is left of the formula.
    """
    rows = 1 if had_gradient is None else len(had_gradient)
    library(FILE).warmstart_adam(
        *(None if x is None else x.data_ptr() for x in (*row, had_gradient)), rows, row.master.numel() // rows, *rule,
        row.grad.dtype == torch.bfloat16, wide_vectors(), torch.get_num_threads(),
    )  # fmt: skip


def norm(x: torch.Tensor) -> torch.Tensor:
    """The float32 L2 norm of numbers of bfloat16 in one piece; infinite where a square is beyond float32."""
    return torch.tensor(library(FILE).warmstart_squares(x.data_ptr(), x.numel(), wide_vectors()) ** 0.5)


def gelu_into(out: torch.Tensor, x: torch.Tensor, grad: torch.Tensor | None, *, tanh: bool) -> torch.Tensor:
    """Fills ``out`` with ``grad`` by the slope of GELU, exact or by tanh; without ``grad`` with GELU of ``x`` by tanh.

    All are of one kind and lie in one piece. Exact values are torch's: it is as fast with them.
    """
    assert tanh or grad is not None
    pointers = (x.data_ptr(), None if grad is None else grad.data_ptr(), out.data_ptr())
    kind = (tanh, x.dtype == torch.bfloat16, wide_vectors())
    library(FILE).warmstart_gelu(*pointers, x.numel(), *kind, torch.get_num_threads())
    return out


class Mask(NamedTuple):
    """A mask of dropout: a table of random integers, mixed by ``start`` and ``factor``; below ``level`` of 2¹⁵ is kept."""

    table: torch.Tensor
    start: int
    factor: int
    level: int


def drop_into(out: torch.Tensor, x: torch.Tensor, mask: Mask, scale: float) -> None:
    """``out`` = ``x`` · ``scale`` where the mask keeps it, else 0; flat rows of one kind, at most twice the table long."""
    words = (mask.start & 0xFFFFFFFF, mask.factor & 0xFFFFFFFF)
    kind = (x.dtype == torch.bfloat16, wide_vectors())
    library(FILE).warmstart_drop(
        x.data_ptr(), out.data_ptr(), mask.table.data_ptr(), x.numel(), *words, mask.level, scale, *kind
    )
