"""LoRA: products beside the linears against dense weights, and a plain model before and after."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example
from warmstart.models.dropout import drop
from warmstart.models.lora import LoraLinear, add_lora, merge_lora
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal


def tiny() -> Model:
    return Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=64, context=16, init_std=0.2)), 1).eval()


def batch() -> Batch:
    draw = np.random.default_rng(0)
    records: list[list[Example]] = [causal(draw.integers(0, 64, draw.integers(4, 12))) for _ in range(5)]
    return collate(records)


def with_products(model: Model, zero: bool) -> Model:
    add_lora(model.backbone.blocks, 3, 6.0, 0.0, torch.Generator().manual_seed(2))
    draw = torch.Generator().manual_seed(3)
    for part in model.modules():
        if isinstance(part, LoraLinear) and not zero:
            part.b.data.normal_(std=0.1, generator=draw)
    return model


def test_outputs_and_gradients_are_those_of_the_dense_product() -> None:
    """Witness: autograd through W + (alpha / rank) · B·A, written out as one matrix."""
    torch.manual_seed(0)
    layer = LoraLinear(nn.Linear(7, 5).double(), rank=3, alpha=12.0, dropout=0.0)
    nn.init.normal_(layer.a)
    nn.init.normal_(layer.b)
    x, pull = torch.randn(11, 7, dtype=torch.float64), torch.randn(11, 5, dtype=torch.float64)
    got = torch.autograd.grad((layer(x) * pull).sum(), [layer.a, layer.b])
    dense = layer.linear.weight + 12.0 / 3 * layer.b @ layer.a
    wanted_y = F.linear(x, dense, layer.linear.bias)
    torch.testing.assert_close(layer(x), wanted_y)
    for ours, theirs in zip(got, torch.autograd.grad((wanted_y * pull).sum(), [layer.a, layer.b]), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(layer.merge()(x), wanted_y)


def test_dropout_is_on_what_the_product_reads() -> None:
    """Witness: the formula, with the mask that the same seed draws; none outside training."""
    layer = LoraLinear(nn.Linear(6, 6), rank=2, alpha=2.0, dropout=0.5)
    nn.init.normal_(layer.a)
    nn.init.normal_(layer.b)
    x = torch.randn(9, 6)
    torch.manual_seed(4)
    got = layer.train()(x)
    torch.manual_seed(4)
    torch.testing.assert_close(got, layer.linear(x) + drop(x, 0.5) @ layer.a.T @ layer.b.T)
    torch.testing.assert_close(layer.eval()(x), layer.linear(x) + x @ layer.a.T @ layer.b.T)


def test_it_begins_as_exactly_the_model_it_was() -> None:
    """Witness: the states before, bit for bit."""
    model, given = tiny(), batch()
    before = model.backbone(given)
    assert torch.equal(with_products(model, zero=True).backbone(given), before)


def in_branches(model: Model, ids: torch.Tensor) -> torch.Tensor:
    """The states of two sources, as a search reads them."""
    branches = model.backbone.new_cache(2, 5)
    branches.begin_source(torch.tensor([5, 5]), 0, 5, full=False)
    return model.backbone.forward_cached(ids, 0, branches, answers=ids.shape[1])


def test_it_ends_as_a_plain_model_that_says_the_same() -> None:
    """Witness: a fresh model's names, and the states before merging, by reading a batch and by a cache."""
    model, given = with_products(tiny(), zero=False), batch()
    ids = torch.randint(0, 64, (2, 5))
    flat, cached = model.backbone(given), in_branches(model, ids)
    plain = copy.deepcopy(model)
    merge_lora(plain)
    assert plain.state_dict().keys() == tiny().state_dict().keys()
    assert not any(isinstance(part, LoraLinear) for part in plain.modules())
    torch.testing.assert_close(plain.backbone(given), flat)
    torch.testing.assert_close(in_branches(plain, ids), cached)


@pytest.mark.parametrize("rank", [1, 8])
def test_only_the_products_of_all_linears_move(rank: int) -> None:
    """Witness: the sizes of GPT-1's block, counted by hand: qkv, out, up and down."""
    model = tiny()
    add_lora(model.backbone.blocks, rank, 16.0, 0.0, torch.Generator().manual_seed(1))
    moving = sum(p.numel() for p in model.backbone.blocks.parameters() if p.requires_grad)
    assert moving == 2 * rank * ((32 + 96) + (32 + 32) + (32 + 64) + (64 + 32))
