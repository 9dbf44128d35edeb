"""Attention over a flat Batch: the law of sight, turned into kernels.

The linears around attention run on the N flat tokens. Only the kernel itself needs rectangles: documents of equal
length are one reshape; others are sorted by length and put into small padded groups, by one gather before and one after.
Which kernel computes a rectangle is a value, :class:`Kernels`, that somebody else has chosen. Every path is tested
against the brute-force law (tests/laws/test_sight.py).

Shapes: N flat tokens, P padded tokens, G documents in a group, T padded length, H heads, K head width, D = H·K.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from warmstart.base.arrays import Ints
from warmstart.example.batch import Batch, to_device
from warmstart.example.sight import Pattern, in_reach, sees
from warmstart.models.disentangled import DistanceTable
from warmstart.models.eager import band, blocked_attention, is_far, unseen
from warmstart.models.global_attention import Firsts
from warmstart.models.kernels import Texts
from warmstart.models.padding import Padding, document_rows, pad, plan_padding, unpad
from warmstart.models.softmax import soft_cap
from warmstart.models.text_attention import text_attention


@dataclass(frozen=True, slots=True)
class Kernels:
    """Which kernel computes attention; the defaults are for a CPU that nobody has measured (docs/models.md).

    Attributes:
        eager_max_len: documents up to this length go through :mod:`~warmstart.models.eager`, longer ones through SDPA.
        eager_dropout: whether those with dropout go there at any length.
        group: documents in a padded group, unless more have the very same length.
    """

    eager_max_len: int = 512
    eager_dropout: bool = True
    group: int = 8


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Some documents padded to one length T, ``count`` · ``width`` rows of the padded layout.

    ``bias`` [G, 1, T] or [G, T, T] (0 or -inf, in the compute dtype) says who sees whom; ``None`` where all see all, or
    where sight is ``causal``: padding comes last, so no real token can see it. ``relative`` [G or 1, H, T, T] is what
    their distances add to the scores; it has a gradient. ``positions`` [G, T] are ``None`` where they are 0 1 2 …, and
    ``window`` says that tokens see only those fewer than so many places away. ``distances`` [G or 1, T, T] are the rows of
    the plan's table between each two tokens.
    """

    count: int
    width: int
    causal: bool
    bias: torch.Tensor | None
    relative: torch.Tensor | None = None
    positions: torch.Tensor | None = None
    window: int | None = None
    distances: torch.Tensor | None = None


class SourceReader(Protocol):
    """What an encoder has made of the sources, as a layer of a decoder reads it."""

    def read(
        self, q: torch.Tensor, keys_and_values: Callable[[torch.Tensor], torch.Tensor], heads: int, dropout: float
    ) -> torch.Tensor:
        """What queries […, D] of the decoder's tokens read, […, D].

        Args:
            q: of flat tokens [N, D], or of the texts [B, T, D] that grow from each source.
            keys_and_values: the layer's projection of the encoder's states to both, keys first.
            heads: H.
            dropout: share of attention weights set to 0 (0.0 outside training).
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How the documents of one Batch become rectangles; made once per Batch and used by every layer.

    ``padding`` leads from flat to padded and back; ``None`` where flat already is as the rectangles want it. ``firsts`` are
    the first tokens of texts, where these see all and are seen by all.
    ``distance_table`` [R, D] has the rows of distances in disentangled attention. ``source`` is what a decoder reads beside
    its own tokens. Where a kernel reads ``texts`` as they stand there are no groups.
    """

    groups: tuple[Group, ...]
    padding: Padding | None
    kernels: Kernels
    distance_table: torch.Tensor | None = None
    source: SourceReader | None = None
    firsts: Firsts | None = None
    texts: Texts | None = None


Relative = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Positions of readers [G, T] and of what they read [G, T] → bias of their distances [G, H, T, T]."""


def plan_attention(batch: Batch, dtype: torch.dtype, kernels: Kernels, relative: Relative | None = None) -> Plan:
    """Groups the documents of ``batch``; costs microseconds per document and asks the device nothing."""
    lengths, device = batch.lengths, batch.ids.device
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    order = np.argsort(-lengths, kind="stable") if lengths.min() != lengths.max() else np.arange(len(lengths))
    groups: list[Group] = []
    rectangles: list[Ints] = []
    for members in group_lengths(lengths[order], kernels.group):
        documents = order[members]
        width = int(lengths[documents[0]])
        allowed = _visible(batch, lengths[documents], starts[documents], width)
        bias = None if allowed is None else torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, -torch.inf)
        causal = batch.pattern is Pattern.CAUSAL
        rows = document_rows(documents, starts, lengths, width)
        rectangles.append(rows)
        positions = _positions(batch, rows)
        added = None if relative is None else _distances(relative, positions, width, dtype, device)
        bias = None if bias is None else to_device(bias, device)
        groups.append(Group(len(documents), width, causal, bias, added, positions))
    return Plan(tuple(groups), plan_padding(rectangles, batch.num_tokens, device), kernels)


def _positions(batch: Batch, rows_GT: NDArray[np.int64]) -> torch.Tensor | None:
    if batch.sequential_positions:
        return None
    return batch.positions[to_device(torch.from_numpy(rows_GT), batch.positions.device)]


def _distances(
    relative: Relative, positions: torch.Tensor | None, width: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """The bias of distances, [1, H, T, T] where all documents of a group count their positions alike."""
    counted = torch.arange(width, device=device)[None] if positions is None else positions
    return relative(counted, counted).to(dtype)


def with_distances(plan: Plan, table: DistanceTable) -> Plan:
    """The same plan for disentangled attention: which rows of distances stand between the tokens of each group."""
    device = table.table.weight.device
    farthest = max(group.width for group in plan.groups) - 1
    rows = table.rows_up_to(farthest if all(group.positions is None for group in plan.groups) else 2 * table.longest)
    groups = []
    for group in plan.groups:
        positions = torch.arange(group.width, device=device)[None] if group.positions is None else group.positions
        groups.append(replace(group, distances=table.between(positions, positions, rows)))
    return replace(plan, groups=tuple(groups), distance_table=table(rows))


def with_window(plan: Plan, window: int | None, dtype: torch.dtype) -> Plan:
    """The same plan for a layer whose tokens see only those fewer than ``window`` positions away; ``None``: all."""
    if window is None:
        return plan
    return replace(plan, groups=tuple(_narrow(group, window, dtype, plan.firsts) for group in plan.groups))


def _narrow(group: Group, window: int, dtype: torch.dtype, firsts: Firsts | None) -> Group:
    if group.positions is None and group.width <= window:
        return group
    # Padding far from all real tokens would see nothing; so what is not seen is finite here.
    bias = None if group.bias is None else group.bias.clamp(min=unseen(dtype))
    if group.positions is None and firsts is None:
        return replace(group, bias=bias, window=window)
    positions = group.positions
    if positions is None:
        assert firsts is not None
        positions = torch.arange(group.width, device=firsts.tokens.device)[None]
    far = is_far(positions, positions, window)
    if firsts is not None:
        far[:, :, 0] = False
    bias = torch.zeros(far.shape, dtype=dtype, device=far.device) if bias is None else bias
    if group.causal:
        far = far | torch.ones_like(far[0]).triu(1)
    return replace(group, causal=False, bias=bias.masked_fill(far, unseen(dtype)))


def group_lengths(lengths: NDArray[np.int64], size: int) -> list[slice]:
    """Cuts a falling row of lengths into groups of ``size`` or of any number of equal lengths."""
    cuts, start = [], 0
    for i in range(1, len(lengths) + 1):
        if i == len(lengths) or (i - start >= size and lengths[i] < lengths[start]):
            cuts.append(slice(start, i))
            start = i
    return cuts


def _visible(
    batch: Batch, lengths: NDArray[np.int64], starts: NDArray[np.int64], width: int
) -> torch.Tensor | None:  # fmt: skip
    """Boolean 'may read' for one group, [G, 1, T] or [G, T, T]; ``None`` where no table of it is needed."""
    if batch.pattern is Pattern.CAUSAL:
        return None
    real = torch.from_numpy(np.arange(width) < lengths[:, None])[:, None, :]
    if batch.pattern is Pattern.FULL:
        return None if bool(real.all()) else real
    rows = torch.from_numpy(starts[:, None] + np.minimum(np.arange(width), lengths[:, None] - 1))
    turns = batch.turns[rows]
    allowed = sees(turns[:, :, None], turns[:, None, :]) & real
    if batch.branches is not None:
        branches = batch.branches[rows]
        allowed &= in_reach(branches[:, :, None], branches[:, None, :])
    return allowed | torch.eye(width, dtype=torch.bool)


AddedScores = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Queries [G, H, T, K], keys [G, H, S, K] and rows of distances [G or 1, T, S] → what is added to scores [G, H, T, S]."""


def attend(
    qkv_N3D: torch.Tensor, plan: Plan, heads: int, dropout: float, added: AddedScores | None = None,
    cap: float | None = None,
) -> torch.Tensor:  # fmt: skip
    """Multi-head attention of a flat Batch: [N, 3·D] queries, keys, values → [N, D].

    Args:
        qkv_N3D: the joint projection, queries first.
        plan: of the Batch, in the dtype of ``qkv_N3D``.
        heads: H.
        dropout: share of attention weights set to 0 (0.0 outside training).
        added: to the scores, where these come of queries, keys and distances.
        cap: bound c of the scores s of queries and keys, which become c · tanh(s / c) before anything is added to them.
    """
    if plan.texts is not None:
        return text_attention(qkv_N3D, plan.texts, heads, dropout)
    rows = torch.split(pad(qkv_N3D, plan.padding), [group.count * group.width for group in plan.groups])
    mixed = [
        _attend_group(part, group, plan.kernels, heads, dropout, added, cap)
        for part, group in zip(rows, plan.groups, strict=True)
    ]
    return unpad(mixed[0] if len(mixed) == 1 else torch.cat(mixed), plan.padding)


def _attend_group(
    rows: torch.Tensor, group: Group, kernels: Kernels, heads: int, dropout: float, added: AddedScores | None,
    cap: float | None,
) -> torch.Tensor:  # fmt: skip
    count, width = group.count, group.width
    parted = rows.view(count, width, 3, heads, -1).permute(2, 0, 3, 1, 4).contiguous()  # [3, G, H, T, K]
    if added is not None and group.distances is not None:
        more = added(parted[0], parted[1], group.distances)
        group = replace(group, relative=more if group.relative is None else group.relative + more)
    short = width <= kernels.eager_max_len or (dropout > 0 and kernels.eager_dropout)
    if short or cap is not None:  # SDPA knows no cap
        mixed = blocked_attention(
            parted, group.bias, dropout, causal=group.causal, relative=group.relative, window=group.window, cap=cap
        )
    else:
        bias = _whole_bias(group, rows)
        causal = group.causal and bias is None
        q, k, v = parted.unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal, dropout_p=dropout)
    return mixed.transpose(1, 2).reshape(count * width, -1)


def _whole_bias(group: Group, rows: torch.Tensor) -> torch.Tensor | None:
    """Who sees whom and what distances add, as one table [G or 1, H or 1, T, T] or [G, 1, 1, T], for ``rows``."""
    parts = [] if group.bias is None else [group.bias.unsqueeze(1)]
    if group.window is not None:
        parts.append(band(0, group.width, group.width, group.window, rows))
    if group.relative is not None:
        parts.append(group.relative)
    if parts and group.causal:
        parts.append(rows.new_full((group.width, group.width), -torch.inf).triu_(1))
    return functools.reduce(torch.add, parts) if parts else None


def with_window_bias(
    bias: torch.Tensor, readers_BT: torch.Tensor, read_BS: torch.Tensor, window: int | None
) -> torch.Tensor:
    """A bias [B, T, S] or [B, H, T, S] of tokens at some positions, where they see only those in their window."""
    if window is None:
        return bias
    far = is_far(readers_BT, read_BS, window)
    # Finite, so that padding far from all real tokens sees something.
    return bias.masked_fill(
        (far if bias.dim() == 3 else far.unsqueeze(1)) & (bias > unseen(bias.dtype)), unseen(bias.dtype)
    )


def add_products(
    bias_FTS: torch.Tensor, q_FTK: torch.Tensor, k_FSK: torch.Tensor, cap: float | None = None
) -> torch.Tensor:
    """[F, T, S] q·kᵀ/√K + bias, where ``cap`` bounds the products."""
    scale = q_FTK.shape[-1] ** -0.5
    if cap is None:
        return torch.baddbmm(bias_FTS, q_FTK, k_FSK.transpose(1, 2), alpha=scale)
    return soft_cap(torch.bmm(q_FTK, k_FSK.transpose(1, 2)) * scale, cap) + bias_FTS


def eager_attention(
    q_BHTK: torch.Tensor, k_BHSK: torch.Tensor, v_BHSK: torch.Tensor, bias: torch.Tensor, cap: float | None = None
) -> torch.Tensor:
    """softmax(q·kᵀ/√K + bias)·v of new tokens over all that may be read, [B, H, T, K]; for decoding.

    ``bias`` is [B, T, S], or [B, H, T, S] where heads differ; ``cap`` bounds the products.
    """
    rows, heads, new = q_BHTK.shape[:3]
    seen, flat = k_BHSK.shape[2], rows * heads
    q, k, v = q_BHTK.reshape(flat, new, -1), k_BHSK.reshape(flat, seen, -1), v_BHSK.reshape(flat, seen, -1)
    bias = (bias if bias.dim() == 4 else bias.unsqueeze(1)).expand(rows, heads, new, seen).reshape(flat, new, seen)
    scores = add_products(bias, q, k, cap)
    return torch.bmm(scores.softmax(-1), v).view(rows, heads, new, -1)
