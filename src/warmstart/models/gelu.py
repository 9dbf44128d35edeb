"""GELU (Hendrycks and Gimpel 2016), by a kernel of our own on the way back, and by tanh there too; else by torch's."""

import torch
from torch.nn import functional as F

from warmstart.models.passes import gelu_into, passes


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, tanh):  # type: ignore[no-untyped-def]
        x = x.contiguous()
        ctx.save_for_backward(x)
        ctx.tanh = tanh
        return gelu_into(torch.empty_like(x), x, None, tanh=True) if tanh else F.gelu(x)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return gelu_into(torch.empty_like(x), x, grad.contiguous(), tanh=ctx.tanh), None


def _apply(x: torch.Tensor, *, tanh: bool) -> torch.Tensor:
    if torch.compiler.is_compiling() or not passes(x.dtype, x.device):
        return F.gelu(x, approximate="tanh" if tanh else "none")
    return _Gelu.apply(x, tanh)  # type: ignore[no-untyped-call,no-any-return]


def gelu(x: torch.Tensor) -> torch.Tensor:
    """The exact one, x · Φ(x), of any shape."""
    return _apply(x, tanh=False)


def gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    """The same by tanh, as GPT-2 has it, to about 1e-3."""
    return _apply(x, tanh=True)
