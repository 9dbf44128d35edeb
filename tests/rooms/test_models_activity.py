"""What states cost by themselves: squares after dropout, changes before it, nothing across texts."""

import numpy as np
import pytest
import torch

from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.activity import activity_losses, activity_weights
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal


def test_worked_example() -> None:
    """Witness: by hand: texts of 2 and 1 states in 2 dimensions."""
    batch = collate([[Example.left_to_right(np.arange(2), {})], [Example.left_to_right(np.arange(1), {})]])
    states = torch.tensor([[1.0, 3.0], [2.0, 5.0], [9.0, 9.0]])
    dropped = torch.tensor([[0.0, 6.0], [4.0, 0.0], [0.0, 0.0]])
    found = activity_losses(states, dropped, batch)
    assert (float(found["ar"].sum), found["ar"].weight) == ((36 + 16) / 2, 3.0)
    assert (float(found["tar"].sum), found["tar"].weight) == ((1 + 4) / 2, 1.0)
    assert activity_weights(batch) == {"ar": 3.0, "tar": 1.0}


@pytest.mark.parametrize("rate", [0.0, 0.9])
def test_dropout_falls_on_one_of_them(rate: float) -> None:
    """Invariant: of an LSTM's states the changes are the same whatever drops out of them, and the squares grow with it."""
    found = []
    for output_dropout in (0.0, rate):
        backbone = preset("lstm-tiny", vocab_size=64, output_dropout=output_dropout)
        model = Model.fresh(ModelSettings(backbone=backbone), 1).train()
        model.activity = True
        torch.manual_seed(1)
        found.append(model(collate([causal(np.arange(1, 40))])))
    assert float(found[0]["tar"].sum.detach()) == float(found[1]["tar"].sum.detach()) > 0
    assert (float(found[0]["ar"].sum.detach()) == float(found[1]["ar"].sum.detach())) == (rate == 0.0)
    assert (float(found[0]["lm"].sum.detach()) == float(found[1]["lm"].sum.detach())) == (rate == 0.0)
