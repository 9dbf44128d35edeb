"""The states that are asked for, beside all states."""

from typing import Any

import pytest
import torch

from warmstart.example.batch import collate
from warmstart.models.backbone import initialise
from warmstart.models.presets import preset
from warmstart.models.transformer import Transformer
from warmstart.objectives.causal import causal

READS = torch.tensor([11, 0, 6, 6])


@pytest.mark.parametrize(
    ("name", "changes"),
    [("gpt1", {}), ("gpt2", {}), ("modern", {"kv_heads": 1}), ("gpt2", {"parallel": "own_norms"}),
     ("modern", {"kv_heads": 1, "parallel": "one_norm"})],
)  # fmt: skip
def test_states_of_some_tokens_are_those_of_all(name: str, changes: dict[str, Any]) -> None:
    """Witness: all states, of which some are taken; values and every gradient (float64)."""
    backbone = Transformer(preset(name, layers=2, width=16, heads=2, hidden=24, context=16, vocab_size=30, **changes))
    initialise(backbone, 0.3, torch.Generator().manual_seed(1))
    backbone = backbone.double().eval()
    batch = collate([causal(torch.arange(size).numpy() % 30) for size in (7, 3, 5)])
    grad = torch.randn(len(READS), 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = []
    for states in (backbone(batch, None, READS), backbone(batch)[READS]):
        gradients = torch.autograd.grad((states * grad).sum(), list(backbone.parameters()), allow_unused=True)
        found.append((states, *gradients))
    for mine, theirs in zip(*found, strict=True):
        if theirs is None:
            assert mine is None
        else:
            torch.testing.assert_close(mine, theirs)
