"""The states that are asked for, beside all states; layers that share their weights, beside copies of these."""

from typing import Any

import numpy as np
import pytest
import torch

from warmstart.example.batch import collate
from warmstart.models.initialise import initialise
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.models.transformer import Transformer
from warmstart.objectives.causal import causal
from warmstart.transfer.start import PartTransfer, start_from

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


@pytest.mark.parametrize("groups", [1, 2])
def test_layers_that_share_their_weights(groups: int) -> None:
    """Witness: as many layers, each with a copy of the weights; values, and a gradient that is the sum of the copies'."""
    sizes = {"layers": 4, "width": 16, "heads": 2, "hidden": 24, "context": 16, "vocab_size": 30, "sight": "full"}
    shared, apart = (Transformer(preset("gpt1", **sizes, layer_groups=count)) for count in (groups, None))
    initialise(shared, 0.3, torch.Generator().manual_seed(1))
    own = shared.state_dict()
    copies = {
        name: own[name.replace(f"blocks.{number}.", f"blocks.{number * groups // 4}.")]
        for name in apart.state_dict()
        for number in [int(name.split(".")[1]) if name.startswith("blocks.") else 0]
    }
    apart.load_state_dict(copies)
    batch = collate([causal(np.arange(size)) for size in (7, 3, 5)])
    found = [model.double().eval()(batch, None, READS) for model in (shared, apart)]
    torch.testing.assert_close(*found)
    names = [[name for name, _ in model.named_parameters()] for model in (shared, apart)]
    pairs = zip((shared, apart), found, strict=True)
    grads = [torch.autograd.grad(states.square().sum(), [*model.parameters()]) for model, states in pairs]
    ours, theirs = (dict(zip(*pair, strict=True)) for pair in zip(names, grads, strict=True))
    each = 4 // groups
    for number in range(groups):
        name = "blocks.{}.attention.qkv.weight"
        parts = [theirs[name.format(layer)] for layer in range(number * each, (number + 1) * each)]
        torch.testing.assert_close(ours[name.format(number)], sum(parts, torch.zeros(48, 16, dtype=torch.float64)))


@pytest.mark.parametrize(("layers", "loaded"), [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (None, 2)])
def test_the_first_layers_of_a_start_bring_the_weights_that_they_use(layers: int | None, loaded: int) -> None:
    """Witness: the tensors: of four layers in two groups the first two use one group, a third the other."""
    backbone = preset("gpt1-tiny", layers=4, layer_groups=2, vocab_size=20)
    source, target = (Model.fresh(ModelSettings(backbone=backbone), seed) for seed in (1, 2))
    start_from(target, PartTransfer(source, layers=layers))
    blocks = zip(target.backbone.blocks, source.backbone.blocks, strict=True)
    assert [torch.equal(*(part.mlp.up.weight for part in pair)) for pair in blocks] == [loaded > 0, loaded > 1]
