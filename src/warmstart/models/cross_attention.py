"""Attention from the documents of one Batch to those of another, as a decoder reads what an encoder has made of its source.

Document i of the target reads document i of the source. Who sees whom follows from the turns of both, by the law of sight:
one Batch that held source and target in one sequence would give the same. A source whose turns are all 0 is seen whole.

As in :mod:`~warmstart.models.attention` the linears run on flat tokens; documents of similar length are put into padded
groups, by a gather on each side. Every path is tested against the brute-force law (tests/laws/test_sight.py).

Shapes: N tokens of the target, M of the source, G documents in a group, T and S their padded lengths, H heads, K head width,
D = H·K.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from warmstart.base.arrays import Ints
from warmstart.example.batch import Batch, to_device
from warmstart.example.sight import Pattern, sees
from warmstart.models.attention import Kernels, group_lengths
from warmstart.models.eager import blocked_cross_attention
from warmstart.models.padding import Padding, document_rows, pad, plan_padding, unpad


@dataclass(frozen=True, slots=True, eq=False)
class CrossGroup:
    """Some pairs of documents, padded to T tokens of the target and S of the source.

    ``bias`` [G, 1, S] or [G, T, S] (0 or -inf, in the compute dtype) says who sees whom; ``None`` where all see all.
    """

    count: int
    queries: int
    keys: int
    bias: torch.Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class CrossPlan:
    """How the documents of two Batches become rectangles; made once per pair and used by every layer."""

    groups: tuple[CrossGroup, ...]
    target: Padding | None
    source: Padding | None
    kernels: Kernels


def plan_cross_attention(target: Batch, source: Batch, dtype: torch.dtype, kernels: Kernels) -> CrossPlan:
    """Groups the pairs of documents; asks the device nothing.

    Raises:
        ValueError: the Batches hold different numbers of documents, or a token sees nothing of its source.
    """
    if len(target.lengths) != len(source.lengths):
        raise ValueError(f"{len(target.lengths)} documents cannot read {len(source.lengths)}, one each")
    device = target.ids.device
    order = np.lexsort((-source.lengths, -target.lengths))
    starts = [np.concatenate([[0], np.cumsum(batch.lengths)[:-1]]) for batch in (target, source)]
    groups: list[CrossGroup] = []
    rectangles: tuple[list[Ints], list[Ints]] = ([], [])
    for members in group_lengths(target.lengths[order], kernels.group):
        documents = order[members]
        rows = [
            document_rows(documents, start, batch.lengths, int(batch.lengths[documents].max()))
            for batch, start in zip((target, source), starts, strict=True)
        ]
        for rectangle, own in zip(rectangles, rows, strict=True):
            rectangle.append(own)
        bias = _bias(target, source, documents, *rows)
        bias = None if bias is None else to_device(bias.to(dtype), device)
        groups.append(CrossGroup(len(documents), rows[0].shape[1], rows[1].shape[1], bias))
    return CrossPlan(
        tuple(groups),
        plan_padding(rectangles[0], target.num_tokens, device),
        plan_padding(rectangles[1], source.num_tokens, device),
        kernels,
    )


def _bias(target: Batch, source: Batch, documents: Ints, rows_GT: Ints, rows_GS: Ints) -> torch.Tensor | None:
    """0 or -inf, [G, 1, S] or [G, T, S]; ``None`` where all see all."""
    real = torch.from_numpy(np.arange(rows_GS.shape[1]) < source.lengths[documents][:, None])[:, None, :]
    allowed = real
    if source.pattern is not Pattern.FULL:  # a turn of 0 is seen by every turn
        turns_GT, turns_GS = target.turns[torch.from_numpy(rows_GT)], source.turns[torch.from_numpy(rows_GS)]
        allowed = sees(turns_GT[:, :, None], turns_GS[:, None, :]) & real
        if not bool(allowed.any(-1).all()):
            raise ValueError("a token of the target sees no token of its source")
    if bool(allowed.all()):
        return None
    return torch.zeros(allowed.shape).masked_fill_(~allowed, -torch.inf)


def cross_attend(q_ND: torch.Tensor, kv_M2D: torch.Tensor, plan: CrossPlan, heads: int, dropout: float) -> torch.Tensor:
    """Multi-head attention of the target's queries over the source's keys and values, [N, D].

    Args:
        q_ND: queries of the target.
        kv_M2D: the joint projection of the source, [M, 2·D], keys first.
        plan: of both Batches, in the dtype of the queries.
        heads: H.
        dropout: share of attention weights set to 0 (0.0 outside training).
    """
    queries = torch.split(pad(q_ND, plan.target), [group.count * group.queries for group in plan.groups])
    pairs = torch.split(pad(kv_M2D, plan.source), [group.count * group.keys for group in plan.groups])
    mixed = [
        _attend_group(query_rows, pair_rows, group, plan.kernels, heads, dropout)
        for query_rows, pair_rows, group in zip(queries, pairs, plan.groups, strict=True)
    ]
    return unpad(mixed[0] if len(mixed) == 1 else torch.cat(mixed), plan.target)


def _attend_group(
    queries: torch.Tensor, pairs: torch.Tensor, group: CrossGroup, kernels: Kernels, heads: int, dropout: float
) -> torch.Tensor:
    q_GHTK = queries.view(group.count, group.queries, heads, -1).transpose(1, 2)
    kv_2GHSK = pairs.view(group.count, group.keys, 2, heads, -1).permute(2, 0, 3, 1, 4)
    longest = max(group.queries, group.keys)
    if longest <= kernels.eager_max_len or (dropout > 0 and kernels.eager_dropout):
        mixed = blocked_cross_attention(q_GHTK.contiguous(), kv_2GHSK.contiguous(), group.bias, dropout)
    else:
        bias = None if group.bias is None else group.bias.unsqueeze(1)
        k_GHSK, v_GHSK = kv_2GHSK.unbind(0)
        mixed = F.scaled_dot_product_attention(q_GHTK, k_GHSK, v_GHSK, attn_mask=bias, dropout_p=dropout)
    return mixed.transpose(1, 2).reshape(group.count * group.queries, -1)
