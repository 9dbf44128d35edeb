"""Attention of one rectangle as plain products, block by block: the fast kernel of a CPU.

A block of queries of some documents is multiplied, put through the softmax and multiplied again while it is in the cache.
Where sight is causal a block reads only the keys up to its own end, so nearly half of the work falls away. Of each block
only the weights are kept for the way back; dropout marks them in their sign, so there is no mask to keep or to draw again.

What distances add to the scores (relative positions) is one table for all documents or one for each, and has a gradient.

Shapes: G documents, H heads, T tokens, K head width; in a block F = documents · H, R queries, S keys.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import torch

from warmstart.models.dropout import mark_dropped, new_key, zero_dropped

BLOCK = 128  # queries at a time
AT_ONCE = 1 << 20  # weights in a block, or as many as one document has


class Block(NamedTuple):
    """Some documents with all their heads, some of their queries, and the number of keys that these read."""

    documents: slice
    heads: int
    queries: slice
    keys: int

    def asking(self, x_GHTK: torch.Tensor) -> torch.Tensor:
        """[F, R, K] rows of the queries; a view."""
        return self._flat(x_GHTK)[:, self.queries]

    def read(self, x_GHTK: torch.Tensor) -> torch.Tensor:
        """[F, S, K] rows of the keys; a view."""
        return self._flat(x_GHTK)[:, : self.keys]

    def parted(self, scores_FRS: torch.Tensor) -> torch.Tensor:
        """[documents, H, R, S]; a view."""
        return scores_FRS.view(-1, self.heads, *scores_FRS.shape[1:])

    def apart(self, relative: torch.Tensor) -> torch.Tensor:
        """[documents or 1, H, R, S] of a table [G or 1, H, T, T]; a view."""
        rows = relative if len(relative) == 1 else relative[self.documents]
        return rows[:, :, self.queries, : self.keys]

    def _flat(self, x_GHTK: torch.Tensor) -> torch.Tensor:
        return x_GHTK[self.documents].view(-1, *x_GHTK.shape[2:])


def _blocks(x_GHTK: torch.Tensor, causal: bool) -> Iterator[Block]:
    """The last queries first, since these read all keys."""
    count, heads, width, _ = x_GHTK.shape
    for start in reversed(range(0, width, BLOCK)):
        stop = min(width, start + BLOCK)
        keys = stop if causal else width
        step = max(1, AT_ONCE // (heads * (stop - start) * keys))
        for first in range(0, count, step):
            yield Block(slice(first, first + step), heads, slice(start, stop), keys)


@functools.lru_cache(maxsize=8)
def _triangle(size: int, dtype: torch.dtype) -> torch.Tensor:
    """[size, size] 0 where the token of a row may read that of a column, else -inf."""
    return torch.full((size, size), -torch.inf, dtype=dtype).triu_(1)


def _weights(
    qkv_3GHTK: torch.Tensor, bias: torch.Tensor | None, relative: torch.Tensor | None, causal: bool, block: Block
) -> torch.Tensor:
    """softmax(q·kᵀ/√K + bias + relative) of one block, [F, R, S]."""
    q, k, _ = qkv_3GHTK.unbind(0)
    scores = q.new_empty(len(block.asking(q)), block.queries.stop - block.queries.start, block.keys)
    _add(scores, block.asking(q), block.read(k).transpose(1, 2), q.shape[-1] ** -0.5, more=False)
    if relative is not None:
        block.parted(scores).add_(block.apart(relative))
    if causal:
        size = block.queries.stop - block.queries.start
        scores[:, :, block.queries.start :] += _triangle(BLOCK, scores.dtype)[:size, :size]
    elif bias is not None:
        rows = bias[block.documents]
        rows = rows if rows.shape[1] == 1 else rows[:, block.queries]
        block.parted(scores).add_(rows.unsqueeze(1))
    return scores.softmax(-1)


class _Plain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, qkv_3GHTK, bias, relative, rate, causal):  # type: ignore[no-untyped-def]
        mixed = torch.empty_like(qkv_3GHTK[0])
        kept = []
        for block in _blocks(mixed, causal):
            weights = _weights(qkv_3GHTK, bias, relative, causal, block)
            if any(ctx.needs_input_grad):
                kept.append(weights)
            if rate > 0:
                mark_dropped(weights, rate, new_key())
                weights = weights.relu()
            torch.bmm(weights, block.read(qkv_3GHTK[2]), out=block.asking(mixed))
        ctx.save_for_backward(qkv_3GHTK, *kept)
        ctx.rate, ctx.causal = rate, causal
        ctx.shape = relative.shape if ctx.needs_input_grad[2] else None
        return mixed if rate == 0 else mixed.mul_(1 / (1 - rate))

    @staticmethod
    def backward(ctx, grad_GHTK):  # type: ignore[no-untyped-def]
        qkv, *kept = ctx.saved_tensors
        q, k, v = qkv.unbind(0)
        grad = grad_GHTK.contiguous() if ctx.rate == 0 else grad_GHTK.contiguous() / (1 - ctx.rate)
        found = torch.empty_like(qkv)
        to_q, to_k, to_v = found.unbind(0)
        scale = qkv.shape[-1] ** -0.5
        exact = torch.promote_types(qkv.dtype, torch.float32)
        to_relative = None if ctx.shape is None else qkv.new_zeros(ctx.shape, dtype=exact)
        for block, weights in zip(_blocks(q, ctx.causal), kept, strict=True):
            more = block.queries.stop < q.shape[2]  # queries after these have read the same keys
            slope, read = block.asking(grad), weights
            to_weights = torch.bmm(slope, block.read(v).transpose(1, 2))
            if ctx.rate > 0:
                zero_dropped(to_weights, weights)
                read, weights = weights.relu(), weights.abs()
            _add(block.read(to_v), read.transpose(1, 2), slope, 1.0, more=more)
            to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype)
            if to_relative is not None:
                whole = block.apart(to_relative)
                whole += block.parted(to_scores).sum_to_size(whole.shape)
            _add(block.asking(to_q), to_scores, block.read(k), scale, more=False)
            _add(block.read(to_k), to_scores.transpose(1, 2), block.asking(q), scale, more=more)
        return found, None, None if to_relative is None else to_relative.to(qkv.dtype), None, None


def _add(total: torch.Tensor, left: torch.Tensor, right: torch.Tensor, scale: float, *, more: bool) -> None:
    """left·right · scale into ``total``, in place: added to what is there, or written over it."""
    torch.baddbmm(total, left, right, beta=float(more), alpha=scale, out=total)


def blocked_attention(
    qkv_3GHTK: torch.Tensor,
    bias: torch.Tensor | None,
    dropout: float = 0.0,
    *,
    causal: bool = False,
    relative: torch.Tensor | None = None,
) -> torch.Tensor:
    """[G, H, T, K] softmax(q·kᵀ/√K + bias + relative)·v of queries, keys and values that lie in one piece.

    Args:
        qkv_3GHTK: all three.
        bias: [G, 1, T] or [G, T, T], 0 or -inf; ``None`` where there is none.
        dropout: share of the weights set to 0.
        causal: tokens read themselves and what came before; ``bias`` is ``None`` then.
        relative: [G or 1, H, T, T] what distances add.
    """
    return _Plain.apply(qkv_3GHTK, bias, relative, dropout, causal)  # type: ignore[no-untyped-call,no-any-return]
