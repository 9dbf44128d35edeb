"""The cloze layer: what stands at a place, from what a left-to-right tower has read before it and another one behind it.

Baevski et al. 2019, as Edunov et al. 2019 use it: the query of token i is the sum of the towers' states beside it; it reads
the left-to-right states of all tokens before it and the right-to-left states of all behind it, so token i itself is hidden.
A key of its own serves a token that has no neighbours.

Shapes: N flat tokens of B documents, D width, G documents of a group, T their padded length.
"""

import numpy as np
import torch
from torch import nn

from warmstart.base.arrays import Ints
from warmstart.example.batch import Batch, to_device
from warmstart.models.attention import Kernels, group_lengths
from warmstart.models.blocks import FeedForward, make_norm
from warmstart.models.cross_attention import CrossGroup, CrossPlan, cross_attend
from warmstart.models.dropout import Dropout
from warmstart.models.padding import document_rows, plan_padding
from warmstart.models.transformer_settings import TransformerSettings


class ClozeLayer(nn.Module):
    """Attention without a residual sum round it, then a feed-forward part with one."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.heads, self.rate = settings.heads, settings.attention_dropout
        width = settings.heads * settings.per_head
        self.q = nn.Linear(settings.width, width, bias=settings.has_qkv_bias)
        self.kv = nn.Linear(settings.width, 2 * width, bias=settings.has_qkv_bias)
        self.nothing = nn.Embedding(1, 2 * width)
        self.out = nn.Linear(width, settings.width, bias=settings.has_out_bias)
        self.norm = make_norm(settings)
        self.mlp = FeedForward(settings)
        self.drop = Dropout(settings.residual_dropout)

    def forward(
        self, before_ND: torch.Tensor, behind_ND: torch.Tensor, batch: Batch, kernels: Kernels, *, hide: bool
    ) -> torch.Tensor:
        """[N, D] from the states of both towers.

        ``hide``: a token does not see itself, as the language model needs it; else it does, as a reader of its states may.
        """
        plan = plan_cloze(batch, before_ND.dtype, kernels, hide=hide)
        keys = self.kv(torch.cat([before_ND, behind_ND]))
        keys = torch.cat([keys, self.nothing.weight.expand(len(batch.lengths), -1)])
        query = previous(before_ND, batch) + following(behind_ND, batch) if hide else before_ND + behind_ND
        x = self.drop(
            self.out(cross_attend(self.q(query), keys, plan, self.heads, self.rate if self.training else 0.0))
        )
        return x + self.drop(self.mlp(self.norm(x)))  # type: ignore[no-any-return]


def previous(states_ND: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Of each token the state of the one before it in its document; zeros before the first."""
    moved = torch.cat([states_ND[:1], states_ND[:-1]])
    return _without(moved, np.cumsum(batch.lengths) - batch.lengths)


def following(states_ND: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Of each token the state of the one behind it in its document; zeros behind the last."""
    moved = torch.cat([states_ND[1:], states_ND[-1:]])
    return _without(moved, np.cumsum(batch.lengths) - 1)


def _without(states_ND: torch.Tensor, rows: Ints) -> torch.Tensor:
    """The states with zeros in some rows."""
    kept = torch.ones(len(states_ND), 1, dtype=torch.bool)
    kept[torch.from_numpy(rows)] = False
    return states_ND.masked_fill(~to_device(kept, states_ND.device), 0.0)


def plan_cloze(batch: Batch, dtype: torch.dtype, kernels: Kernels, *, hide: bool) -> CrossPlan:
    """Each document reads the left-to-right states of its tokens, their right-to-left states, and a row of its own.

    These stand in rows 0 to N, N to 2N, and 2N to 2N + B.
    """
    device, count = batch.ids.device, batch.num_tokens
    order, starts = np.argsort(-batch.lengths, kind="stable"), np.cumsum(batch.lengths) - batch.lengths
    groups: list[CrossGroup] = []
    targets, sources = [], []
    for members in group_lengths(batch.lengths[order], kernels.group):
        documents = order[members]
        lengths = batch.lengths[documents]
        rows = document_rows(documents, starts, batch.lengths, int(lengths.max()))
        targets.append(rows)
        sources.append(np.concatenate([rows, count + rows, 2 * count + documents[:, None]], 1))
        bias = to_device(_bias(lengths, hide=hide).to(dtype), device)
        groups.append(CrossGroup(len(documents), rows.shape[1], 2 * rows.shape[1] + 1, bias))
    total = 2 * count + len(batch.lengths)
    return CrossPlan(
        tuple(groups), plan_padding(targets, count, device), plan_padding(sources, total, device), kernels
    )  # fmt: skip


def _bias(lengths: Ints, *, hide: bool) -> torch.Tensor:
    """[G, T, 2T + 1] 0 where token i reads a row, else -inf."""
    places = np.arange(int(lengths.max()))
    before, real = places[:, None] - places > -(not hide), (places < lengths[:, None])[:, None, :]
    nothing = np.ones((len(lengths), len(places), 1), bool)
    read = np.concatenate([before & real, before.T & real, nothing], 2)
    return torch.zeros(read.shape).masked_fill_(~torch.from_numpy(read), -torch.inf)
