"""What states cost by themselves: squares after dropout, changes before it, nothing across texts."""

import numpy as np
import pytest
import torch

from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.activity import ACTIVITY
from warmstart.models.model import Model, ModelOutput
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal


def test_worked_example() -> None:
    """Witness: by hand: texts of 2 and 1 states in 2 dimensions."""
    batch = collate([[Example.left_to_right(np.arange(2), {})], [Example.left_to_right(np.arange(1), {})]])
    states = torch.tensor([[1.0, 3.0], [2.0, 5.0], [9.0, 9.0]])
    dropped = torch.tensor([[0.0, 6.0], [4.0, 0.0], [0.0, 0.0]])
    model = Model(ModelSettings(backbone=preset("lstm-tiny")))
    output = ModelOutput(model.backbone.tables(), {}, (states, dropped))
    found = {name: (float(term.loss(model, output, batch)), term.weight(batch)) for name, term in ACTIVITY.items()}
    assert found == {"ar": ((36 + 16) / 2, 3.0), "tar": ((1 + 4) / 2, 1.0)}


@pytest.mark.parametrize("rate", [0.0, 0.9])
def test_dropout_falls_on_one_of_them(rate: float) -> None:
    """Invariant: of an LSTM's states the changes are the same whatever drops out of them, and the squares grow with it."""
    found = []
    for output_dropout in (0.0, rate):
        backbone = preset("lstm-tiny", vocab_size=64, output_dropout=output_dropout)
        model = Model.fresh(ModelSettings(backbone=backbone), 1).train()
        torch.manual_seed(1)
        batch = collate([causal(np.arange(1, 40))])
        output = model.run(batch, all_states=True)
        sums = {name: float(term.loss(model, output, batch).detach()) for name, term in ACTIVITY.items()}
        found.append(sums | {"lm": float(model.losses(output, batch)["lm"].sum.detach())})
    assert found[0]["tar"] == found[1]["tar"] > 0
    assert (found[0]["ar"] == found[1]["ar"]) == (rate == 0.0)
    assert (found[0]["lm"] == found[1]["lm"]) == (rate == 0.0)
