"""Muon: which weights it takes, and its update."""

import pytest
import torch

from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.train.muon import orthogonal
from warmstart.train.optimizer import Optimizer
from warmstart.train.settings import OptimizerSettings
from warmstart.train.weights import Weights


def tiny() -> Model:
    settings = ModelSettings(backbone=preset("gpt1-tiny"), heads={"label": HeadSettings(kind="class", size=3)})
    return Model.fresh(settings, 1)


def test_the_matrices_of_the_blocks_and_nothing_else() -> None:
    """Witness: the names of GPT-1's block, written out; what does not decay is the same as without Muon."""
    groups = {group.name: set(group.names) for group in Weights(tiny(), torch.float32, matrices=True).groups}
    inside = ("attention.qkv", "attention.out", "mlp.up", "mlp.down")
    assert groups["matrices"] == {f"backbone.blocks.{n}.{part}.weight" for n in (0, 1) for part in inside}
    assert groups["decay"] == {"backbone.tokens.weight", "backbone.positions.weight", "heads.label.linear.weight"}
    assert groups["plain"] == set(next(g.names for g in Weights(tiny(), torch.float32).groups if g.name == "plain"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_updates_are_muon_for_matrices_and_adamw_for_the_rest(dtype: torch.dtype) -> None:
    """Witness: torch.optim.Muon (which multiplies in bf16) and torch.optim.AdamW, clipped by torch, for six steps.

    A matrix may differ from torch's by a fiftieth, bf16's rounding, of how far it has moved.
    """
    ours, theirs = tiny(), tiny()
    settings = OptimizerSettings(kind="muon", lr=1e-2, weight_decay=0.1, clip_norm=5.0)
    weights = Weights(ours, dtype, matrices=True)
    optimizer, before = Optimizer(weights, settings), {n: m.clone() for n, m in weights.trainable().items()}
    named = dict(theirs.named_parameters())
    matrices = {n: p for n, p in named.items() if "blocks" in n and p.dim() == 2}
    muon = torch.optim.Muon(matrices.values(), lr=1e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    rest = [(p, 0.1 * (p.dim() > 1)) for n, p in named.items() if n not in matrices]
    adam = torch.optim.AdamW([{"params": [p], "weight_decay": decay} for p, decay in rest], lr=1e-2)
    draw = torch.Generator().manual_seed(2)
    for step in range(6):
        weights.clear()
        wanted = {name: torch.randn(p.shape, generator=draw).to(dtype) for name, p in named.items()}
        sum((p * wanted[name]).sum() for name, p in ours.named_parameters()).backward()  # type: ignore[union-attr]
        for name, grad in wanted.items():
            named[name].grad = grad.float()
        norm = optimizer.gradient_norm()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 5.0)
        optimizer.update(0.5 if step else 1.0, norm)
        for group in (*muon.param_groups, *adam.param_groups):
            group["lr"] = 0.5e-2 if step else 1e-2
        muon.step()
        adam.step()
    for name, mine in weights.trainable().items():
        moved = (named[name] - before[name]).norm()
        limit = 0.02 if name in matrices else 1e-4
        assert (mine - named[name]).norm() <= limit * moved, name


@pytest.mark.parametrize("shape", [(48, 48), (96, 32), (32, 96)])
def test_orthogonal_keeps_directions_and_evens_out_their_sizes(shape: tuple[int, int]) -> None:
    """Witness: torch's singular value decomposition, sizes from 1 to 1/100."""
    draw = torch.Generator().manual_seed(3)
    left, _, right = torch.linalg.svd(torch.randn(shape, generator=draw), full_matrices=False)
    sizes = torch.logspace(0, -2, min(shape))
    inside = left.T @ orthogonal(left @ torch.diag(sizes) @ right) @ right.T
    assert (inside - torch.diag(inside.diagonal())).abs().max() < 1e-4
    assert inside.diagonal().min() > 0.3 and inside.diagonal().max() < 1.3


def test_orthogonal_of_nothing_is_nothing() -> None:
    """Invariant: the zeros that LoRA begins with give zeros, not NaN."""
    assert torch.equal(orthogonal(torch.zeros(4, 6)), torch.zeros(4, 6))
