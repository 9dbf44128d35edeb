"""Rates by layer and gradual unfreezing (Howard and Ruder 2018), on both backbones."""

import numpy as np
import pytest
import torch

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.train.optimizer import Optimizer
from warmstart.train.settings import OptimizerSettings
from warmstart.train.step import Criterion, train_step
from warmstart.train.weights import Weights

LAYERS = 3
LM_COEFFICIENT = 0.5


def model(name: str) -> Model:
    backbone = preset(name, vocab_size=64, layers=LAYERS)
    settings = ModelSettings(backbone=backbone, heads={"label": HeadSettings(kind="class", size=2, dropout=0.0)})
    return Model.fresh(settings, 1)


def batch() -> Batch:
    ids = np.random.default_rng(0).integers(0, 64, 12)
    goals = {"lm": Goal.each(np.arange(11), ids[1:]), "label": Goal.each(np.array([11]), np.array([1]))}
    return collate([[Example.left_to_right(ids, goals)]])


def depth(name: str) -> int:
    """Layers below the heads, as a reader of the names would count."""
    if ".blocks." in name:
        return LAYERS - int(name.split(".")[2])
    return LAYERS + 1 if any(part in name for part in ("tokens", "positions")) else 0


def moved(name: str, decay: float, num_unfrozen_layers: int | None) -> dict[str, torch.Tensor]:
    """By how much each parameter has gone in one step; Adam's first step is the rate itself."""
    made = model(name).train()
    weights = Weights(made, torch.float32, by_layer=True)
    optimizer = Optimizer(weights, OptimizerSettings(lr=1e-2, layer_decay=decay, weight_decay=0.0, eps=1e-12))
    before = {n: p.clone() for n, p in weights.trainable().items()}
    optimizer.num_unfrozen_layers = num_unfrozen_layers
    train_step(made, optimizer, [batch()], Criterion({"label": 1.0, "lm": LM_COEFFICIENT}), 1.0, 3)
    return {n: (p - before[n]).abs() for n, p in weights.trainable().items()}


@pytest.mark.parametrize("name", ["gpt1-tiny", "lstm-tiny"])
def test_each_layer_has_the_rate_of_the_one_above_divided(name: str) -> None:
    """Witness: Adam's first update is the rate times a sign; section 3.2 divides it by 2.6 per layer."""
    for parameter, change in moved(name, 2.6, None).items():
        assert float(change.max()) == pytest.approx(1e-2 * 2.6 ** -depth(parameter), rel=1e-2), parameter


@pytest.mark.parametrize("name", ["gpt1-tiny", "lstm-tiny"])
@pytest.mark.parametrize("num_unfrozen_layers", [1, 3, LAYERS + 2])
def test_only_what_is_thawed_moves(name: str, num_unfrozen_layers: int) -> None:
    """Invariant of section 3.3: the first layers from the heads move, the others stay to the last bit."""
    for parameter, change in moved(name, 1.0, num_unfrozen_layers).items():
        assert bool(change.any()) == (depth(parameter) < num_unfrozen_layers), parameter


def test_without_layers_the_groups_are_as_before() -> None:
    """Invariant: one group per sort, so that checkpoints keep their names."""
    assert [group.name for group in Weights(model("gpt1-tiny"), torch.float32).groups] == ["decay", "plain"]
