"""Attention of many short texts in one call of a kernel: no groups, no padding, nothing kept but queries, keys and values.

The kernel (texts.c) makes the weights of each text and head again on the way back. Short means that these fit into a cache;
longer texts are for the products of a library (:mod:`~warmstart.models.attention`).

The rows may be more than the texts have: so that the products around attention are of few different heights, which a
library would prepare one by one, a step is filled up (:func:`filled_up`). What nobody reads costs an eighth at most.

Shapes: N rows, D = H·K.
"""

import numpy as np
import torch
from torch.nn import functional as F

from warmstart.example.batch import Batch
from warmstart.example.sight import Pattern
from warmstart.models import kernels
from warmstart.models.dropout import new_key
from warmstart.models.kernels import Texts

LONGEST = 256  # tokens of a text
LONGEST_OF_PRODUCTS = 64  # where a library multiplies bfloat16 fast: without dropout and in wide heads
NARROW = 32  # of a head: a library's products of it are slow at any length


def plan_texts(batch: Batch, dtype: torch.dtype, head_width: int, dropout: float) -> Texts | None:
    """The texts of ``batch``, where the kernel is there and the faster way; else ``None``."""
    longest = int(batch.lengths.max())
    if batch.pattern is Pattern.GENERAL or longest > LONGEST:
        return None
    if longest > LONGEST_OF_PRODUCTS and dropout == 0 and head_width > NARROW and dtype == torch.bfloat16:
        return None
    if not kernels.reads_texts(dtype, batch.ids.device, head_width):
        return None
    lengths = np.ascontiguousarray(batch.lengths)
    return Texts(np.cumsum(lengths) - lengths, lengths, batch.pattern is Pattern.CAUSAL)


class _TextAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, qkv_N3D, texts, heads, dropout, key):  # type: ignore[no-untyped-def]
        qkv_N3D = qkv_N3D.contiguous()
        ctx.save_for_backward(qkv_N3D)
        ctx.rest = (texts, heads, dropout, key)
        rows, width = qkv_N3D.shape
        return _attend(qkv_N3D.new_empty(rows, width // 3), qkv_N3D, None, *ctx.rest)

    @staticmethod
    def backward(ctx, grad_ND):  # type: ignore[no-untyped-def]
        (qkv_N3D,) = ctx.saved_tensors
        grad_qkv = _attend(torch.empty_like(qkv_N3D), qkv_N3D, grad_ND.contiguous(), *ctx.rest)
        return grad_qkv, None, None, None, None


def _attend(
    out: torch.Tensor, qkv: torch.Tensor, grad: torch.Tensor | None, texts: Texts, heads: int, dropout: float, key: int
) -> torch.Tensor:
    out[int(texts.lengths.sum()) :].zero_()  # what fills up
    return kernels.attend_texts(out, qkv, grad, texts, heads, dropout, key)


def text_attention(qkv_N3D: torch.Tensor, texts: Texts, heads: int, dropout: float) -> torch.Tensor:
    """[N, D] softmax(q·kᵀ/√K)·v inside each text; 0 in rows of none.

    Args:
        qkv_N3D: the joint projection, queries first.
        texts: which rows read which.
        heads: H.
        dropout: share of the weights set to 0 (0.0 outside training).
    """
    key = new_key() if dropout > 0 else 0
    return _TextAttention.apply(qkv_N3D, texts, heads, dropout, key)  # type: ignore[no-untyped-call,no-any-return]


def even_rows(count: int) -> int:
    """``count``, or up to an eighth more: eight different numbers between a power of two and the next."""
    step = max(1, (1 << count.bit_length() - 1) // 8)
    return -(-count // step) * step


def filled_up(x: torch.Tensor) -> torch.Tensor:
    """[N, …] with rows of zeros behind, to :func:`even_rows`."""
    missing = even_rows(len(x)) - len(x)
    return x if missing == 0 else F.pad(x, (0, 0) * (x.dim() - 1) + (0, missing))
