"""Attention over a flat Batch: the law of sight, turned into kernels.

The linears around attention run on the N flat tokens. Only the kernel itself needs rectangles: documents of equal
length are one reshape; others are sorted by length and put into small padded groups, by one gather before and one after.
Every path is tested against the brute-force law (tests/laws/test_sight.py).

Shapes: N flat tokens, P padded tokens, G documents in a group, T padded length, H heads, K head width, D = H·K.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from warmstart.example.batch import Batch
from warmstart.example.sight import Pattern, sees
from warmstart.models.dropout import drop

GROUP = 8  # documents per padded group, unless more have the very same length
LONGEST_PLAIN = 512  # up to here a CPU is faster with bmm + softmax + bmm than with SDPA (docs/models.md)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Some documents padded to one length T: rows ``start`` to ``start + count * width`` of the padded layout.

    ``bias`` [T, T] or [G, T, T] (0 or -inf, in the compute dtype) says who sees whom; ``None`` where all see all.
    """

    start: int
    count: int
    width: int
    causal: bool
    bias: torch.Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How the documents of one Batch become rectangles; made once per Batch and used by every layer.

    ``gather`` [P] and ``scatter`` [N] lead from flat to padded and back; ``None`` where flat already is one rectangle.
    """

    groups: tuple[Group, ...]
    gather: torch.Tensor | None
    scatter: torch.Tensor | None


def plan_attention(batch: Batch, dtype: torch.dtype) -> Plan:
    """Groups the documents of ``batch``; costs microseconds per document and asks the device nothing."""
    lengths, device = batch.lengths, batch.ids.device
    turns = batch.turns.cpu().numpy() if batch.pattern is Pattern.GENERAL else None
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    order = np.argsort(-lengths, kind="stable") if lengths.min() != lengths.max() else np.arange(len(lengths))
    groups: list[Group] = []
    gather: list[NDArray[np.int64]] = []
    start = 0
    for members in _split(lengths[order]):
        documents = order[members]
        width = int(lengths[documents[0]])
        causal = batch.pattern is Pattern.CAUSAL
        bias = _bias(batch.pattern, lengths[documents], starts[documents], width, turns)
        if bias is not None and not (causal and device.type != "cpu"):  # there a kernel knows causal sight by itself
            bias = torch.zeros(bias.shape, dtype=dtype).masked_fill_(~bias, float("-inf")).to(device)
        groups.append(Group(start, len(documents), width, causal, bias))
        # Padding repeats a document's last token: any real row would do, since nothing reads it.
        inside = np.minimum(np.arange(width), lengths[documents][:, None] - 1)
        gather.append((starts[documents][:, None] + inside).ravel())
        start += len(documents) * width
    if len(groups) == 1 and start == batch.num_tokens:
        return Plan(tuple(groups), None, None)
    flat = np.concatenate(gather)
    scatter = np.empty(batch.num_tokens, np.int64)
    scatter[flat[::-1]] = np.arange(start)[::-1]  # reversed, so that of repeated tokens the first, the real one, stays
    return Plan(tuple(groups), torch.from_numpy(flat).to(device), torch.from_numpy(scatter).to(device))


def _split(lengths: NDArray[np.int64]) -> list[slice]:
    """Cuts a falling row of lengths into groups of :data:`GROUP` or of any number of equal lengths."""
    cuts, start = [], 0
    for i in range(1, len(lengths) + 1):
        if i == len(lengths) or (i - start >= GROUP and lengths[i] < lengths[start]):
            cuts.append(slice(start, i))
            start = i
    return cuts


def _bias(
    pattern: Pattern,
    lengths: NDArray[np.int64],
    starts: NDArray[np.int64],
    width: int,
    turns: NDArray[np.int64] | None,
) -> torch.Tensor | None:
    """Boolean 'may read' for one group, [T, T] or [G, T, T]; ``None`` where everything may be read."""
    if pattern is Pattern.CAUSAL:  # padding comes last, so no real token can see it
        return torch.ones(width, width, dtype=torch.bool).tril()
    real = torch.from_numpy(np.arange(width) < lengths[:, None])
    if turns is None:
        return None if bool(real.all()) else real[:, None, :] | torch.eye(width, dtype=torch.bool)
    padded = torch.from_numpy(turns[starts[:, None] + np.minimum(np.arange(width), lengths[:, None] - 1)])
    allowed = sees(padded[:, :, None], padded[:, None, :]) & real[:, None, :]
    return allowed | torch.eye(width, dtype=torch.bool)


class _Pad(torch.autograd.Function):
    """From flat to padded. Nothing real reads padding, so its gradient is 0 and the way back is a plain gather too."""

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


def attend(qkv_N3D: torch.Tensor, plan: Plan, heads: int, dropout: float) -> torch.Tensor:
    """Multi-head attention of a flat Batch: [N, 3·D] queries, keys, values → [N, D].

    Args:
        qkv_N3D: the joint projection, queries first.
        plan: of the Batch, in the dtype of ``qkv_N3D``.
        heads: H.
        dropout: share of attention weights set to 0 (0.0 outside training).
    """
    padded = qkv_N3D if plan.gather is None else _Pad.apply(qkv_N3D, plan.gather, plan.scatter)  # type: ignore[no-untyped-call]
    mixed = [_attend_group(padded, group, heads, dropout) for group in plan.groups]
    if plan.scatter is None:
        return mixed[0]
    return _Unpad.apply(torch.cat(mixed), plan.scatter)  # type: ignore[no-untyped-call,no-any-return]


def _attend_group(padded: torch.Tensor, group: Group, heads: int, dropout: float) -> torch.Tensor:
    count, width = group.count, group.width
    rows = padded.narrow(0, group.start, count * width)
    head_width = rows.shape[1] // (3 * heads)
    q, k, v = (
        rows.view(count, width, 3, heads, head_width).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
    )  # [G, H, T, K]
    if rows.device.type == "cpu" and (width <= LONGEST_PLAIN or dropout > 0):
        mixed = plain_attention(q, k, v, group.bias, dropout)
    elif group.causal:
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)
    else:
        bias = None if group.bias is None else group.bias.unsqueeze(-3)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout)
    return mixed.transpose(1, 2).reshape(count * width, heads * head_width)


def plain_attention(
    q_GHTK: torch.Tensor, k_GHSK: torch.Tensor, v_GHSK: torch.Tensor, bias: torch.Tensor | None, dropout: float = 0.0
) -> torch.Tensor:
    """softmax(q·kᵀ/√K + bias)·v as three plain products; ``bias`` [T, S] or [G, T, S]."""
    groups, heads, width, head_width = q_GHTK.shape
    seen = k_GHSK.shape[2]
    flat = groups * heads
    q, k, v = q_GHTK.reshape(flat, width, -1), k_GHSK.reshape(flat, seen, -1), v_GHSK.reshape(flat, seen, -1)
    scale = head_width**-0.5
    if bias is None:
        scores = torch.baddbmm(q.new_zeros(1, 1, 1), q, k.transpose(1, 2), beta=0, alpha=scale)
    elif bias.dim() == 2:
        scores = torch.baddbmm(bias.expand(flat, width, seen), q, k.transpose(1, 2), alpha=scale)
    else:
        spread = bias.unsqueeze(1).expand(groups, heads, width, seen).reshape(flat, width, seen)
        scores = torch.baddbmm(spread, q, k.transpose(1, 2), alpha=scale)
    weights = drop(scores.softmax(-1), dropout)
    return torch.bmm(weights, v).view(groups, heads, width, -1)
