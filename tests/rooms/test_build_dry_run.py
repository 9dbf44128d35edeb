"""The estimate before a training against torch's own count of what a step computes."""

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

from warmstart.build.dry_run import flops_per_token, share_of_words
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import LM, Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings


@pytest.mark.parametrize("share", [1.0, 0.15])
def test_only_what_is_asked_reaches_the_softmax(share: float) -> None:
    """Witness: torch's flop counter over forward and backward; with every token 20,000 words would be half of the work."""
    model = Model.fresh(ModelSettings(backbone=preset("bert-tiny", vocab_size=20_000)), 1)
    ids = np.random.default_rng(0).integers(0, 20_000, 40)
    places = np.arange(int(share * 40))
    batch = collate([[Example.full_sight(ids, {LM: Goal.each(places, ids[places])})] for _ in range(3)])
    with FlopCounterMode(display=False) as counter:
        model(batch)[LM].sum.backward()
    found = flops_per_token(model, 40, share_of_words(model, [batch]))
    assert found == pytest.approx(counter.get_total_flops() / batch.num_tokens, rel=0.1)
