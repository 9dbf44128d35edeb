"""Law 1, Sight, in disentangled attention: every kernel against the law written out token by token."""

import copy
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from test_sight import FRAMINGS, HEADS, KERNELS, WIDTH, example, may_read

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example
from warmstart.models import eager
from warmstart.models.attention import attend, plan_attention, with_distances, with_window
from warmstart.models.disentangled import BOTH, DistanceScores, DistanceTable
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings

LONGEST = 9
CASES = {  # kinds, window, buckets, whether the projection of the tokens serves distances
    "shared": (BOTH, 99, 6, True),
    "no buckets, a window": (("p2c",), 4, None, False),
    "own": (("c2p",), 99, 6, False),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("restart", [False, True], ids=["counted", "repeated positions"])
def test_kernels_equal_the_law(
    framing: str, kernels: str, restart: bool, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: a score of three products for each pair of tokens (He et al. 2021, equation 4); values and gradients."""
    monkeypatch.setattr(eager, "TILE", 4)
    monkeypatch.setattr(eager, "MAX_WEIGHTS", 60)
    drawn = [example(FRAMINGS[framing](n)) for n in (7, 3, 1, 13, 4, 4)]
    batch = collate([[replace(e, positions=e.positions % 5) if restart else e] for e in drawn])
    torch.manual_seed(0)
    kinds, window, count, shared = CASES[case]
    chosen = {"disentangled": kinds, "distance_buckets": count, "relative_distance": LONGEST}
    sizes = preset("gpt1-tiny", width=WIDTH, heads=HEADS, residual_dropout=0.0, shared_distance_keys=shared, **chosen)
    table, scores = DistanceTable(sizes, None).double(), DistanceScores(sizes).double()
    joint = torch.nn.Linear(WIDTH, 3 * WIDTH).double()
    qkv = torch.randn(batch.num_tokens, 3 * WIDTH, dtype=torch.float64, requires_grad=True)
    plan = with_distances(plan_attention(batch, torch.float64, KERNELS[kernels]), table)
    plan = with_window(plan, window, torch.float64)
    scaled = torch.cat([qkv[:, :WIDTH] / math.sqrt(1 + len(kinds)), qkv[:, WIDTH:]], 1)
    assert plan.distance_table is not None
    parts = scores.project(plan.distance_table, joint)
    ours = attend(scaled, plan, HEADS, 0.0, partial(scores, parts=parts))
    rows, whole = table.table.weight, joint(table.table.weight)
    key = whole[:, WIDTH : 2 * WIDTH] if scores.key is None else scores.key(rows)
    query = whole[:, :WIDTH] if scores.query is None else scores.query(rows)
    want = brute_force(qkv, batch, {kind: {"c2p": key, "p2c": query}[kind] for kind in kinds}, window, count)
    torch.testing.assert_close(ours, want)
    pull = torch.randn(batch.num_tokens, WIDTH, dtype=torch.float64)
    torch.testing.assert_close(*(torch.autograd.grad(out, (qkv, rows), pull) for out in (ours, want)))


def brute_force(
    qkv: torch.Tensor, batch: Batch, rows: dict[str, torch.Tensor], window: int, count: int | None
) -> torch.Tensor:
    """Loops over readers, heads and what is read; ``rows`` [2 · span, D] are keys (c2p) and queries (p2c) of distances."""
    wide, span = WIDTH // HEADS, count or LONGEST
    starts = np.repeat(np.cumsum(batch.lengths) - batch.lengths, batch.lengths)
    out = []
    for i, start in enumerate(starts):
        parts = []
        for h in range(HEADS):
            at = slice(h * wide, (h + 1) * wide)
            read, scores = [], []
            for j in np.flatnonzero(starts == start).tolist():
                behind = int(batch.positions[i]) - int(batch.positions[j])
                if abs(behind) >= window or not may_read(int(batch.turns[i]), int(batch.turns[j]), i == j):
                    continue
                q, k = qkv[i, :WIDTH][at], qkv[j, WIDTH : 2 * WIDTH][at]
                row = min(max(in_buckets(behind, count) + span, 0), 2 * span - 1)
                score = q @ k
                for kind, other in (("c2p", q), ("p2c", k)):
                    score = score + other @ rows[kind][row, at] if kind in rows else score
                read.append(j)
                scores.append(score / math.sqrt(wide * (1 + len(rows))))
            parts.append(torch.stack(scores).softmax(0) @ qkv[read, 2 * WIDTH :][:, at])
        out.append(torch.cat(parts))
    return torch.stack(out)


def in_buckets(behind: int, count: int | None) -> int:
    """He et al. 2021, appendix: exact up to the middle, then by the logarithm up to the longest distance."""
    if count is None or abs(behind) <= count // 2:
        return behind
    middle = count // 2
    grown = math.ceil(math.log(abs(behind) / middle) / math.log((LONGEST - 1) / middle) * (middle - 1)) + middle
    return grown if behind > 0 else -grown


MIXED = {"norm": "pre", "residual_dropout": 0.0, "distance_buckets": None, "relative_distance": LONGEST}


@pytest.mark.parametrize("qk_norm", [False, True])
def test_all_products_have_the_same_factor(qk_norm: bool) -> None:
    """Witness: the same model without distances, where their table is 0; and one whose weights hold the factor."""
    found = {"disentangled": BOTH, "qk_norm": qk_norm}
    sizes = preset("gpt1-tiny", vocab_size=30, **MIXED, **found)
    ours = Model.fresh(ModelSettings(backbone=sizes), 3).double().eval()
    batch = collate([[Example.left_to_right(np.arange(n), {})] for n in (7, 12)])
    plain = preset(
        "gpt1-tiny", vocab_size=30, norm="pre", qk_norm=qk_norm, attention_scale=(3 * sizes.per_head) ** -0.5
    )
    theirs = Model.fresh(ModelSettings(backbone=plain), 3).double().eval()
    same = {name: tensor for name, tensor in ours.state_dict().items() if name in theirs.state_dict()}
    theirs.load_state_dict(same)
    twice = sizes.model_copy(update={"attention_scale": 2 * sizes.per_head**-0.5})
    scaled = Model.fresh(ModelSettings(backbone=twice), 3).double().eval()
    scaled.load_state_dict(ours.state_dict())
    width = sizes.width
    with torch.no_grad():
        doubled = copy.deepcopy(ours)
        for block in doubled.backbone.blocks:
            block.attention.distances.query.weight.mul_(2)
            block.attention.distances.query.bias.mul_(2)
            if qk_norm:
                block.attention.q_norm.weight.mul_(2)
                block.attention.q_norm.bias.mul_(2)
            else:
                block.attention.qkv.weight[:width].mul_(2)
                block.attention.qkv.bias[:width].mul_(2)
        torch.testing.assert_close(scaled.backbone(batch), doubled.backbone(batch))
        ours.backbone.distances.table.weight.zero_()
        for block in ours.backbone.blocks:
            block.attention.distances.query.bias.zero_()
            block.attention.distances.key.bias.zero_()
        torch.testing.assert_close(ours.backbone(batch), theirs.backbone(batch))
