"""Attention of one rectangle as plain products, tile by tile: the fast kernel of a CPU.

A tile of queries of some documents is multiplied, put through the softmax and multiplied again while it is in the cache.
Where sight is causal a tile reads only the keys up to its own end, so nearly half of the work falls away. The backward pass
needs only the weights of each tile; dropout marks them in their sign, so there is no mask to keep or to draw again.

Where tokens see a window only, a tile reads only the keys of its queries' windows.

What distances add to the scores (relative positions) is one table for all documents or one for each, and has a gradient.

Shapes: G documents, H heads, T queries, S keys, K head width; in a tile F = documents · H, R of the queries.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from warmstart.models.dropout import mark_dropped, new_key, zero_dropped

TILE = 128  # queries at a time
MAX_WEIGHTS = 1 << 20  # weights in a tile, or as many as one document has


class Rule(NamedTuple):
    """What changes the scores.

    Attributes:
        bias: [G, 1, S] or [G, T, S], 0 or -inf; ``None`` where there is none.
        relative: [G or 1, H, T, S] what distances add.
        dropout: share of the weights set to 0.
        causal: tokens read themselves and what came before; ``bias`` is ``None`` then, and S is T.
        window: tokens read only those fewer than so many places away; S is T then.
        cap: bound of the products q·kᵀ/√K, before anything is added to them.
    """

    bias: torch.Tensor | None
    relative: torch.Tensor | None
    dropout: float
    causal: bool
    window: int | None = None
    cap: float | None = None

    def keys_of(self, queries: slice, num_keys: int) -> slice:
        """The keys that some queries may read."""
        stop = queries.stop if self.causal else num_keys
        if self.window is None:
            return slice(0, stop)
        return slice(max(0, queries.start - self.window + 1), min(stop, queries.stop + self.window - 1))


class Tile(NamedTuple):
    """Some documents with all their heads, some of their queries, and the keys that these read."""

    documents: slice
    heads: int
    queries: slice
    keys: slice

    def query_rows(self, x_GHTK: torch.Tensor) -> torch.Tensor:
        """[F, R, K]; a view."""
        return self._flat(x_GHTK)[:, self.queries]

    def key_rows(self, x_GHSK: torch.Tensor) -> torch.Tensor:
        """[F, keys, K]; a view."""
        return self._flat(x_GHSK)[:, self.keys]

    def by_head(self, scores_FRS: torch.Tensor) -> torch.Tensor:
        """[documents, H, R, keys]; a view."""
        return scores_FRS.view(-1, self.heads, *scores_FRS.shape[1:])

    def of_distances(self, relative: torch.Tensor) -> torch.Tensor:
        """[documents or 1, H, R, keys] of a table [G or 1, H, T, S]; a view."""
        rows = relative if len(relative) == 1 else relative[self.documents]
        return rows[:, :, self.queries, self.keys]

    def _flat(self, x_GHTK: torch.Tensor) -> torch.Tensor:
        return x_GHTK[self.documents].view(-1, *x_GHTK.shape[2:])


def _tiles(q_GHTK: torch.Tensor, num_keys: int, rule: Rule) -> Iterator[Tile]:
    """The last queries first: where sight is causal these read all keys."""
    count, heads, width, _ = q_GHTK.shape
    for start in reversed(range(0, width, TILE)):
        queries = slice(start, min(width, start + TILE))
        keys = rule.keys_of(queries, num_keys)
        step = max(1, MAX_WEIGHTS // (heads * (queries.stop - start) * (keys.stop - keys.start)))
        for first in range(0, count, step):
            yield Tile(slice(first, first + step), heads, queries, keys)


@functools.lru_cache(maxsize=8)
def _triangle(size: int, dtype: torch.dtype) -> torch.Tensor:
    """[size, size] 0 where the token of a row may read that of a column, else -inf."""
    return torch.full((size, size), -torch.inf, dtype=dtype).triu_(1)


def unseen(dtype: torch.dtype) -> float:
    """What is added to the score of a token that is not seen, where even two of these have to stay finite."""
    return torch.finfo(dtype).min / 4


def is_far(readers_GT: torch.Tensor, read_GS: torch.Tensor, window: int) -> torch.Tensor:
    """[G, T, S] whether what is read stands ``window`` positions away from its reader, or more."""
    return (read_GS[:, None, :] - readers_GT[:, :, None]).abs() >= window


def band(first: int, size: int, keys: int, window: int, like: torch.Tensor) -> torch.Tensor:
    """[size, keys] 0 where a key stands fewer than ``window`` places from the query, else :func:`unseen`.

    The first query stands at place ``first`` of the keys; device and dtype are those of ``like``.
    """
    rows, columns = (torch.arange(count, device=like.device)[None] for count in (size, keys))
    far = is_far(rows + first, columns, window)[0]
    return like.new_zeros(far.shape).masked_fill_(far, unseen(like.dtype))


@functools.lru_cache(maxsize=32)
def _tile_band(first: int, size: int, keys: int, window: int, dtype: torch.dtype) -> torch.Tensor:
    return band(first, size, keys, window, torch.empty(0, dtype=dtype))


def _products(q_GHTK: torch.Tensor, k_GHSK: torch.Tensor, tile: Tile) -> torch.Tensor:
    """q·kᵀ/√K of one tile, [F, R, keys]."""
    queries, keys = tile.query_rows(q_GHTK), tile.key_rows(k_GHSK)
    products = queries.new_empty(len(queries), queries.shape[1], keys.shape[1])
    _multiply(products, queries, keys.transpose(1, 2), queries.shape[-1] ** -0.5)
    return products


def _weights(q_GHTK: torch.Tensor, k_GHSK: torch.Tensor, rule: Rule, tile: Tile) -> torch.Tensor:
    """softmax(q·kᵀ/√K + bias + relative) of one tile, [F, R, keys]."""
    size = tile.queries.stop - tile.queries.start
    scores = _products(q_GHTK, k_GHSK, tile)
    if rule.cap is not None:
        scores.div_(rule.cap).tanh_().mul_(rule.cap)
    if rule.relative is not None:
        tile.by_head(scores).add_(tile.of_distances(rule.relative))
    if rule.window is not None:
        scores += _tile_band(tile.queries.start - tile.keys.start, size, scores.shape[2], rule.window, scores.dtype)
    if rule.causal:
        scores[:, :, tile.queries.start - tile.keys.start :] += _triangle(TILE, scores.dtype)[:size, :size]
    elif rule.bias is not None:
        rows = rule.bias[tile.documents, :, tile.keys]
        rows = rows if rows.shape[1] == 1 else rows[:, tile.queries]
        tile.by_head(scores).add_(rows.unsqueeze(1))
    return scores.softmax(-1)


def _forward(
    q_GHTK: torch.Tensor, k_GHSK: torch.Tensor, v_GHSK: torch.Tensor, rule: Rule, *, save: bool
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """What the queries read, [G, H, T, K], and the weights of each tile where the backward pass needs them."""
    mixed = torch.empty_like(q_GHTK)
    saved = []
    for tile in _tiles(q_GHTK, k_GHSK.shape[2], rule):
        weights = _weights(q_GHTK, k_GHSK, rule, tile)
        if save:
            saved.append(weights)
        if rule.dropout > 0:
            mark_dropped(weights, rule.dropout, new_key())
            weights = weights.relu()
        torch.bmm(weights, tile.key_rows(v_GHSK), out=tile.query_rows(mixed))
    return (mixed if rule.dropout == 0 else mixed.mul_(1 / (1 - rule.dropout))), saved


class Parts(NamedTuple):
    """Queries, keys and values, or the gradients by them."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor


def _backward(
    grad_GHTK: torch.Tensor, parts: Parts, saved: Sequence[torch.Tensor], rule: Rule, grads: Parts,
    grad_relative: torch.Tensor | None = None,
) -> None:  # fmt: skip
    """Fills ``grads`` with the gradients, and adds to ``grad_relative`` what distances have, [G or 1, H, T, S]."""
    grad = grad_GHTK.contiguous() if rule.dropout == 0 else grad_GHTK.contiguous() / (1 - rule.dropout)
    q, k, v = parts
    scale = q.shape[-1] ** -0.5
    apart = rule.window is not None  # then no tile reads all keys
    if apart:
        grads.k.zero_(), grads.v.zero_()
    for tile, weights in zip(_tiles(q, k.shape[2], rule), saved, strict=True):
        add = apart or tile.queries.stop < q.shape[2]  # later queries have left a gradient of the same keys
        grad_rows, kept = tile.query_rows(grad), weights
        grad_weights = torch.bmm(grad_rows, tile.key_rows(v).transpose(1, 2))
        if rule.dropout > 0:
            zero_dropped(grad_weights, weights)
            kept, weights = weights.relu(), weights.abs()
        _multiply(tile.key_rows(grads.v), kept.transpose(1, 2), grad_rows, 1.0, add=add)
        grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
        if grad_relative is not None:
            whole = tile.of_distances(grad_relative)
            whole += tile.by_head(grad_scores).sum_to_size(whole.shape)
        if rule.cap is not None:  # d tanh = 1 - tanh²; the products are made again, not kept
            grad_scores *= 1 - _products(q, k, tile).div_(rule.cap).tanh_().square_()
        _multiply(tile.query_rows(grads.q), grad_scores, tile.key_rows(k), scale)
        _multiply(tile.key_rows(grads.k), grad_scores.transpose(1, 2), tile.query_rows(q), scale, add=add)


def _multiply(out: torch.Tensor, left: torch.Tensor, right: torch.Tensor, scale: float, *, add: bool = False) -> None:
    """left·right · scale into ``out``, in place: written over what is there, or added to it."""
    torch.baddbmm(out, left, right, beta=float(add), alpha=scale, out=out)


class _BlockedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, qkv_3GHTK, relative, rule):  # type: ignore[no-untyped-def]
        q, k, v = qkv_3GHTK.unbind(0)
        mixed, saved = _forward(q, k, v, rule, save=any(ctx.needs_input_grad))
        ctx.save_for_backward(qkv_3GHTK, *saved)
        ctx.rule = rule._replace(bias=None, relative=None)
        ctx.shape = relative.shape if ctx.needs_input_grad[1] else None
        return mixed

    @staticmethod
    def backward(ctx, grad_GHTK):  # type: ignore[no-untyped-def]
        qkv, *saved = ctx.saved_tensors
        grad_qkv = torch.empty_like(qkv)
        exact = torch.promote_types(qkv.dtype, torch.float32)
        grad_relative = None if ctx.shape is None else qkv.new_zeros(ctx.shape, dtype=exact)
        _backward(grad_GHTK, Parts(*qkv.unbind(0)), saved, ctx.rule, Parts(*grad_qkv.unbind(0)), grad_relative)
        return grad_qkv, None if grad_relative is None else grad_relative.to(qkv.dtype), None


def blocked_attention(
    qkv_3GHTK: torch.Tensor,
    bias: torch.Tensor | None,
    dropout: float = 0.0,
    *,
    causal: bool = False,
    relative: torch.Tensor | None = None,
    window: int | None = None,
    cap: float | None = None,
) -> torch.Tensor:
    """[G, H, T, K] softmax(q·kᵀ/√K + bias + relative)·v of queries, keys and values that lie in one piece.

    Args:
        qkv_3GHTK: all three.
        bias: [G, 1, T] or [G, T, T], 0 or -inf; ``None`` where there is none.
        dropout: share of the weights set to 0.
        causal: tokens read themselves and what came before; ``bias`` is ``None`` then.
        relative: [G or 1, H, T, T] what distances add.
        window: tokens read only those fewer than so many places away.
        cap: bound of the products.
    """
    rule = Rule(bias, relative, dropout, causal, window, cap)
    return _BlockedAttention.apply(qkv_3GHTK, relative, rule)  # type: ignore[no-untyped-call,no-any-return]


class _BlockedCrossAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q_GHTK, kv_2GHSK, bias, dropout):  # type: ignore[no-untyped-def]
        k, v = kv_2GHSK.unbind(0)
        mixed, saved = _forward(q_GHTK, k, v, Rule(bias, None, dropout, causal=False), save=any(ctx.needs_input_grad))
        ctx.save_for_backward(q_GHTK, kv_2GHSK, *saved)
        ctx.dropout = dropout
        return mixed

    @staticmethod
    def backward(ctx, grad_GHTK):  # type: ignore[no-untyped-def]
        q, kv, *saved = ctx.saved_tensors
        grad_q, grad_kv = torch.empty_like(q), torch.empty_like(kv)
        rule = Rule(None, None, ctx.dropout, causal=False)
        _backward(grad_GHTK, Parts(q, *kv.unbind(0)), saved, rule, Parts(grad_q, *grad_kv.unbind(0)))
        return grad_q, grad_kv, None, None


def blocked_cross_attention(
    q_GHTK: torch.Tensor, kv_2GHSK: torch.Tensor, bias: torch.Tensor | None, dropout: float = 0.0
) -> torch.Tensor:
    """[G, H, T, K] softmax(q·kᵀ/√K + bias)·v of queries over the keys and values of other sequences.

    Args:
        q_GHTK: queries, in one piece.
        kv_2GHSK: keys and values, in one piece.
        bias: [G, 1, S] or [G, T, S], 0 or -inf; ``None`` where there is none.
        dropout: share of the weights set to 0.
    """
    return _BlockedCrossAttention.apply(q_GHTK, kv_2GHSK, bias, dropout)  # type: ignore[no-untyped-call,no-any-return]
