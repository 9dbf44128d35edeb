"""One step of LSTM cells over some sequences, there and back: by a kernel of our own (cells.c), or by torch's operators.

The equations and the order of the gates (input, forget, cell, output) are those of ``torch.nn.LSTM``; a projection of
the output comes after. Both ways compute the same but for rounding.

Shapes: N tokens in packed order, b of them at a step, whose rows lie together; B sequences at the first step; C cells.
"""

import math
from typing import Protocol

import torch

from warmstart.models.kernels import FLOATING, library, wide_vectors

FILE = "warmstart_cells"


def has_kernel(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the kernel takes rows of this kind; their cells are float32."""
    return dtype in FLOATING and device.type == "cpu" and wide_vectors() is not None and library(FILE) is not None


def cells_forward(
    gates: torch.Tensor, product: torch.Tensor, before: torch.Tensor, cells: torch.Tensor, out: torch.Tensor,
    clip: float | None,
) -> None:  # fmt: skip
    """One step; all in one piece.

    Args:
        gates: [b, 4C] what enters the gates; becomes the gates.
        product: [b, 4C] is added to it.
        before: [b, C] the cells before, float32 at least.
        cells: [b, C] is filled with those after the step.
        out: [b, C] is filled with the output gate times their tanh.
        clip: bounds the cells, or ``None``.
    """
    if has_kernel(gates.dtype, gates.device):
        rows = (gates, product, before, cells, out)
        library(FILE).warmstart_cells_forward(*(x.data_ptr() for x in rows), *cells.shape, *_kind(gates, clip))
        return
    width = cells.shape[1]
    gates += product
    torch.sigmoid_(gates[:, : 2 * width])
    torch.tanh_(gates[:, 2 * width : 3 * width])
    torch.sigmoid_(gates[:, 3 * width :])
    i, f, g, o = gates.chunk(4, 1)
    torch.mul(before, f, out=cells)
    cells += i * g
    if clip is not None:
        cells.clamp_(-clip, clip)
    torch.mul(o, cells.tanh().to(o.dtype), out=out)


def _kind(gates: torch.Tensor, clip: float | None) -> tuple[float, bool, int | None]:
    return math.inf if clip is None else clip, gates.dtype == torch.bfloat16, wide_vectors()


class CellsBackward(Protocol):
    """Steps back through cells, the last first.

    Attributes:
        by_gates: [N, 4C] the gradient by what enters the gates, of the steps that were made.
    """

    by_gates: torch.Tensor

    def step(self, part: slice, grad_bC: torch.Tensor) -> None:
        """The step of the rows ``part``, from the gradient by its output gates times the tanh of its cells."""


def cells_backward(
    gates: torch.Tensor, before: torch.Tensor, cells: torch.Tensor, rows: int, clip: float | None
) -> CellsBackward:
    """The steps back through gates [N, 4C] and cells [N, C] of ``rows`` sequences; ``before`` are the cells before each."""
    back = _KernelBackward if has_kernel(gates.dtype, gates.device) else _TorchBackward
    return back(gates, before, cells, rows, clip)


class _KernelBackward:
    def __init__(
        self, gates: torch.Tensor, before: torch.Tensor, cells: torch.Tensor, rows: int, clip: float | None
    ) -> None:
        self._gates, self._before, self._cells, self._kind = gates, before, cells, _kind(gates, clip)
        self.by_gates, self._by_cells = torch.empty_like(gates), cells.new_zeros(rows, cells.shape[1])

    def step(self, part: slice, grad_bC: torch.Tensor) -> None:
        read = (self._gates[part], self._before[part], self._cells[part], grad_bC.contiguous())
        written = (self.by_gates[part], self._by_cells)
        pointers = (x.data_ptr() for x in (*read, *written))
        library(FILE).warmstart_cells_backward(*pointers, *grad_bC.shape, *self._kind)


class _TorchBackward:
    """The local derivatives of all tokens at once; a step multiplies them by what comes from without."""

    def __init__(
        self, gates: torch.Tensor, before: torch.Tensor, cells: torch.Tensor, rows: int, clip: float | None
    ) -> None:
        tanh = cells.tanh().to(gates.dtype)
        i, f, g, o = gates.chunk(4, 1)
        self.by_gates = torch.empty_like(gates)
        to_i, to_f, to_g, to_o = self.by_gates.chunk(4, 1)
        torch.mul(g, i * (1 - i), out=to_i)
        torch.mul(before.to(f.dtype), f * (1 - f), out=to_f)
        torch.mul(i, 1 - g * g, out=to_g)
        torch.mul(tanh, o * (1 - o), out=to_o)
        self._by_tanh, self._keep = o * (1 - tanh * tanh), f
        self._by_cells = cells.new_zeros(rows, cells.shape[1])
        if clip is not None:
            inside = (cells.abs() < clip).to(f.dtype)
            self._keep = f * inside
            for own in (to_i, to_f, to_g):
                own *= inside

    def step(self, part: slice, grad_bC: torch.Tensor) -> None:
        size, width = grad_bC.shape
        by_cells = self._by_cells[:size]
        by_cells += grad_bC * self._by_tanh[part]
        here = self.by_gates[part].view(size, 4, width)
        here[:, :3] *= by_cells.to(here.dtype)[:, None]
        here[:, 3] *= grad_bC
        by_cells *= self._keep[part]
