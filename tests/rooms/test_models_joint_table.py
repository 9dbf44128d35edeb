"""GPT-1's joint matrix: dropout falls on the matrix, once, and its position rows stand in the softmax."""

import numpy as np
import torch
from torch.nn import functional as F

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example, Goal
from warmstart.models.dropout import drop
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings

STILL = {"attention_dropout": 0.0, "residual_dropout": 0.0}


def batch() -> Batch:
    examples = []
    for n in (9, 4, 13):
        ids = np.random.default_rng(n).integers(0, 512, n)
        examples.append([Example.left_to_right(ids, {"lm": Goal.each(np.arange(n - 1), ids[1:])})])
    return collate(examples)


def test_one_dropped_matrix_embeds_and_scores() -> None:
    """Witness: a plain model without dropout whose tables are the dropped matrix, softmax over all its rows."""
    joint = Model.fresh(
        ModelSettings(backbone=preset("gpt1-tiny", joint_table=True, embedding_dropout=0.3, **STILL)), 1
    )
    asked = batch()
    torch.manual_seed(11)
    found = joint.train()(asked)["lm"]
    torch.manual_seed(11)
    body = joint.backbone
    whole = drop(torch.cat([body.tokens.weight, body.positions.weight]), 0.3).detach()
    assert 0.2 < float((whole == 0).float().mean()) < 0.4
    plain = Model(ModelSettings(backbone=preset("gpt1-tiny", embedding_dropout=0.0, **STILL)))
    plain.load_state_dict(joint.state_dict())
    with torch.no_grad():
        plain.backbone.tokens.weight.copy_(whole[:512])
        plain.backbone.positions.weight.copy_(whole[512:])
        states = plain.train().backbone(asked)[asked.goals["lm"].reads]
    wanted = F.cross_entropy(states @ whole.T, asked.goals["lm"].targets, reduction="sum")
    torch.testing.assert_close(found.sum.detach(), wanted)


def test_the_gradient_reaches_every_row_of_both_tables() -> None:
    """Witness: autograd on the dense softmax over the same matrix, no dropout."""
    joint = Model.fresh(
        ModelSettings(backbone=preset("gpt1-tiny", joint_table=True, embedding_dropout=0.0, **STILL)), 1
    )
    asked = batch()
    joint.train()(asked)["lm"].sum.backward()
    ours = [joint.backbone.tokens.weight.grad.clone(), joint.backbone.positions.weight.grad.clone()]
    joint.zero_grad()
    whole = torch.cat([joint.backbone.tokens.weight, joint.backbone.positions.weight])
    states = joint.backbone(asked)[asked.goals["lm"].reads]
    F.cross_entropy(states @ whole.T, asked.goals["lm"].targets, reduction="sum").backward()
    torch.testing.assert_close(ours[0], joint.backbone.tokens.weight.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours[1], joint.backbone.positions.weight.grad, rtol=1e-4, atol=1e-5)
    assert float(ours[1][20:].abs().min()) > 0  # rows of positions that no text reaches are scored all the same


def test_generation_never_offers_a_position() -> None:
    """Invariant: logits to choose from are those of the vocabulary alone."""
    joint = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", joint_table=True)), 1).eval()
    assert joint.next_token_logits(torch.zeros(2, 32)).shape == (2, 512)
