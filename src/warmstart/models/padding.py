"""From the flat tokens of a Batch to padded rectangles and back, by one gather each way.

Padding repeats a document's last token: any real row would do, since nothing real reads it.

Shapes: N flat tokens, P rows of all rectangles, G documents of one, T its width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from warmstart.base.arrays import Ints
from warmstart.example.batch import to_device


class Padding(NamedTuple):
    """``gather`` [P] leads from flat to padded rows, ``scatter`` [N] back."""

    gather: torch.Tensor
    scatter: torch.Tensor


def document_rows(documents: Ints, starts: Ints, lengths: Ints, width: int) -> Ints:
    """[G, T] flat indices of some documents, padded to ``width``."""
    inside = np.minimum(np.arange(width), lengths[documents][:, None] - 1)
    rows: Ints = starts[documents][:, None] + inside
    return rows


def plan_padding(rectangles: Sequence[Ints], num_tokens: int, device: torch.device) -> Padding | None:
    """How ``num_tokens`` flat tokens become ``rectangles`` of flat indices; ``None`` where they are these as they stand."""
    flat = np.concatenate([rows.ravel() for rows in rectangles])
    if len(flat) == num_tokens and np.array_equal(flat, np.arange(num_tokens)):
        return None
    scatter = np.empty(num_tokens, np.int64)
    # Reversed, so that of repeated tokens the first, the real one, stays.
    scatter[flat[::-1]] = np.arange(len(flat))[::-1]
    return Padding(*(to_device(torch.from_numpy(rows), device) for rows in (flat, scatter)))


class _Pad(torch.autograd.Function):
    """From flat to padded. Nothing real reads padding, so its gradient is 0 and the backward pass is a plain gather too."""

    @staticmethod
    def forward(ctx, x_ND, gather, scatter):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(scatter)
        return x_ND.index_select(0, gather)

    @staticmethod
    def backward(ctx, grad_PD):  # type: ignore[no-untyped-def]
        (scatter,) = ctx.saved_tensors
        return grad_PD.index_select(0, scatter), None, None


class _Unpad(torch.autograd.Function):
    """From padded to flat; the gradient of padding rows is 0."""

    @staticmethod
    def forward(ctx, x_PD, scatter):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(scatter)
        ctx.rows = len(x_PD)
        return x_PD.index_select(0, scatter)

    @staticmethod
    def backward(ctx, grad_ND):  # type: ignore[no-untyped-def]
        (scatter,) = ctx.saved_tensors
        return grad_ND.new_zeros(ctx.rows, grad_ND.shape[1]).index_copy_(0, scatter, grad_ND), None


def pad(x_ND: torch.Tensor, padding: Padding | None) -> torch.Tensor:
    """[P, D] the rows of all rectangles."""
    return x_ND if padding is None else _Pad.apply(x_ND, padding.gather, padding.scatter)  # type: ignore[no-untyped-call]


def unpad(x_PD: torch.Tensor, padding: Padding | None) -> torch.Tensor:
    """[N, D] the flat tokens."""
    return x_PD if padding is None else _Unpad.apply(x_PD, padding.scatter)  # type: ignore[no-untyped-call]
