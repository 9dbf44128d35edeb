"""Heads that predict tokens: several of them, over different layers and tables; two goals that ask one head."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from warmstart.base.errors import BadInput
from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings, TokenHeadSettings

IDS = np.random.default_rng(0).integers(0, 40, 12)
BODIES: dict[str, dict[str, Any]] = {
    "gpt1-tiny": {"norm": "pre", "residual_dropout": 0.0, "attention_dropout": 0.0, "embedding_dropout": 0.0},
    "lstm-tiny": {"layers": 2, "embedding_width": None},
}


def model_of(body: str, heads: dict[str, Any]) -> Model:
    backbone = preset(body, vocab_size=40, init_std=0.3, **BODIES[body])
    return Model.fresh(ModelSettings(backbone=backbone, heads=heads), 1)


def batch_of(goals: dict[str, Goal]) -> Batch:
    return collate([[Example.left_to_right(IDS[:-1], goals)]])


@pytest.mark.parametrize("body", BODIES)
def test_two_softmaxes_read_two_layers(body: str) -> None:
    """Witness: torch's cross-entropy of the states of each layer and each table; gradients too."""
    heads = {
        "middle": TokenHeadSettings(kind="tokens", layer=1),
        "low": TokenHeadSettings(kind="tokens", layer=0, table="own"),
        "own": TokenHeadSettings(kind="tokens", table="own", transform=True),
    }
    model = model_of(body, heads).double()
    every = np.arange(len(IDS) - 1)
    goals = {"lm": Goal.each(every, IDS[1:]), **{name: Goal.each(every, IDS[1:]) for name in heads}}
    losses = model(batch_of(goals))
    twin = copy.deepcopy(model)
    low, middle, last = twin.backbone.layer_states(batch_of(goals))
    rows, own = twin.backbone.tables().softmax.weight, twin.head("own")
    logits = {
        "lm": last @ rows.T, "middle": middle @ rows.T, "low": low @ twin.head("low").table.weight.T,
        "own": own.transform(last) @ own.table.weight.T + own.transform.bias,
    }  # fmt: skip
    wanted = {name: F.cross_entropy(each, torch.from_numpy(IDS[1:]), reduction="sum") for name, each in logits.items()}
    for name, loss in losses.items():
        assert loss.weight == len(every)
        torch.testing.assert_close(loss.sum.double(), wanted[name], rtol=1e-5, atol=1e-5)
    torch.stack([loss.sum for loss in losses.values()]).sum().backward()
    torch.stack(list(wanted.values())).sum().backward()
    for (name, ours), theirs in zip(model.named_parameters(), twin.parameters(), strict=True):
        if theirs.grad is None:
            assert ours.grad is None, name
        else:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5, msg=name)


def test_two_goals_ask_one_head() -> None:
    """Witness: the same head asked once by class numbers and once by probabilities, each alone."""
    model = model_of("gpt1-tiny", {"label": HeadSettings(kind="class", size=3, dropout=0.0)})
    soft = np.array([[0.2, 0.5, 0.3]], np.float32)
    at, question, weight = np.array([10]), np.array([0]), np.ones(1, np.float32)
    hard_goal = Goal(at, question, np.array([2]), weight)
    soft_goal = Goal(at, question, soft, weight, head="label", answer="soft")
    both = model(batch_of({"label": hard_goal, "teacher": soft_goal}))
    logits = model.answers(batch_of({"label": hard_goal}))["label"].log_softmax(1)
    assert float(both["label"].sum.detach()) == pytest.approx(-float(logits[0, 2]), rel=1e-5)
    wanted = -float((torch.from_numpy(soft) * logits).sum())
    assert float(both["teacher"].sum.detach()) == pytest.approx(wanted, rel=1e-5)


def test_a_probe_reads_a_layer() -> None:
    """Witness: the linear on the states of that layer."""
    model = model_of("gpt1-tiny", {"probe": HeadSettings(kind="class", size=3, layer=1, dropout=0.0)}).eval()
    batch = batch_of({"probe": Goal.each(np.array([2, 7]), np.array([0, 1]))})
    states = model.backbone.layer_states(batch)[1][[2, 7]]
    torch.testing.assert_close(model.answers(batch)["probe"], model.heads["probe"].linear(states).detach())


def test_an_unknown_head_and_an_unknown_layer_are_refused() -> None:
    """Bad input: both are named, with what there is."""
    with pytest.raises(ValueError, match="no head 'other'; it has lm"):
        model_of("gpt1-tiny", {})(batch_of({"other": Goal.each(np.array([2]), np.array([0]))}))
    with pytest.raises(BadInput, match=r"heads\.probe\.layer: .* got 3; allowed: 0 to 2"):
        model_of("gpt1-tiny", {"probe": HeadSettings(kind="class", size=3, layer=3)})
    reads_only = Model(ModelSettings(backbone=preset("lstm-tiny", softmax=False)))
    with pytest.raises(BadInput, match="predicts no tokens"):
        reads_only.token_head()
