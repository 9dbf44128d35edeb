"""The running average of the weights, and Adamax."""

from pathlib import Path

import pytest
import torch

from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.train.average import EarlierWeights, WeightAverage
from warmstart.train.optimizer import Optimizer
from warmstart.train.settings import OptimizerSettings
from warmstart.train.weights import Weights


def tiny() -> Model:
    heads = {"label": HeadSettings(kind="class", size=3)}
    return Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=20, context=8), heads=heads), 1)


def gradients(model: Model, draw: torch.Generator) -> dict[str, torch.Tensor]:
    """Random ones, that the model's weights have too."""
    wanted = {name: torch.randn(p.shape, generator=draw) for name, p in model.named_parameters()}
    sum((p * wanted[name].to(p.dtype)).sum() for name, p in model.named_parameters()).backward()  # type: ignore[union-attr]
    return wanted


def test_adamax_is_torchs_with_decoupled_decay() -> None:
    """Witness: torch.optim.Adamax after the weights have shrunk by rate times decay, clipped by torch, for five steps."""
    ours, theirs = tiny(), tiny()
    weights = Weights(ours, torch.float32)
    optimizer = Optimizer(weights, OptimizerSettings(kind="adamax", lr=1e-2, weight_decay=0.1, clip_norm=5.0))
    adamax = torch.optim.Adamax(theirs.parameters(), lr=1e-2)
    draw = torch.Generator().manual_seed(2)
    for step in range(5):
        weights.clear()
        for name, grad in gradients(ours, draw).items():
            dict(theirs.named_parameters())[name].grad = grad
        norm = optimizer.gradient_norm()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 5.0)
        factor = 1 / (step + 1)
        optimizer.update(factor, norm)
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.mul_(1 - 1e-2 * factor * 0.1 * (parameter.dim() > 1))
        adamax.param_groups[0]["lr"] = 1e-2 * factor
        adamax.step()
    for name, parameter in theirs.named_parameters():
        assert torch.allclose(weights.trainable()[name], parameter, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_average_follows_its_formula(dtype: torch.dtype, tmp_path: Path) -> None:
    """Witness: the recursion by hand for one weight; the model has the average while it is applied, and its own after it."""
    model = tiny()
    weights = Weights(model, dtype)
    average, name = WeightAverage(weights, 0.5), "heads.label.linear.weight"
    wanted = weights.trainable()[name].clone()
    for step in range(1, 5):
        for group in weights.groups:
            group.master.add_(1.0)
        weights.publish()
        average.update(step)
        keep = min(0.5, (1 + step) / (10 + step))
        wanted = keep * wanted + (1 - keep) * weights.trainable()[name]
    own = weights.trainable()[name].clone()
    with average.applied():
        assert torch.allclose(weights.trainable()[name], wanted, atol=1e-6)
        assert torch.equal(dict(model.named_parameters())[name], weights.trainable()[name].to(dtype))
    assert torch.equal(weights.trainable()[name], own)
    average.finish()
    assert torch.allclose(weights.trainable()[name], wanted, atol=1e-6)
    assert WeightAverage(weights, 0.0).state() == {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_earlier_weights_follow_their_formula_in_the_middle_of_a_step(dtype: torch.dtype) -> None:
    """Witness: the recursion by hand; what was computed before they were applied still has its gradient (autograd)."""
    model = tiny()
    weights, earlier, name = Weights(model, dtype), EarlierWeights(0.5), "heads.label.linear.weight"
    with earlier.applied():  # outside of a training nothing happens
        assert torch.equal(dict(model.named_parameters())[name], weights.trainable()[name].to(dtype))
    earlier.begin(weights)
    wanted = weights.trainable()[name].clone()
    for _ in range(3):
        for group in weights.groups:
            group.master.add_(1.0)
        weights.publish()
        earlier.update(1)
        wanted = 0.5 * wanted + 0.5 * weights.trainable()[name]
    parameter = dict(model.named_parameters())[name]
    own = parameter.detach().clone()
    value = parameter.square().sum()
    with earlier.applied():
        assert torch.equal(parameter, wanted.to(dtype))
    assert torch.equal(parameter, own)
    weights.clear()
    value.backward()  # type: ignore[no-untyped-call]
    [grad] = [v for g in weights.groups for n, v in zip(g.names, g.views(g.grad), strict=True) if n == name]
    assert torch.allclose(grad, 2 * own.float(), rtol=1e-2)
    kept = {key: value.clone() for key, value in earlier.state().items()}
    earlier.update(1)
    earlier.restore(kept)
    assert all(torch.equal(value, kept[key]) for key, value in earlier.state().items())
