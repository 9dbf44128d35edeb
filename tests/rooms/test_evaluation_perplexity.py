"""Perplexity: torch's cross-entropy over all logits as witness, however the text is batched."""

import math

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput, DivergenceError
from warmstart.evaluation.perplexity import evaluate_language_model
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model, ModelSettings
from warmstart.models.presets import preset


@pytest.fixture
def model():
    return Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=50)), seed=1)


def example(length, seed, weights=None):
    ids = np.random.default_rng(seed).integers(0, 50, length)
    return Example.left_to_right(ids, {"lm": Goal.each(np.arange(length - 1), ids[1:], weights)})


def test_perplexity_is_the_exponential_of_the_mean_loss(model):
    """Witness: torch's cross-entropy of full logits, document by document."""
    documents = [example(length, length) for length in (5, 12, 9)]
    found = evaluate_language_model(model.train(), [collate([[d]]) for d in documents])
    assert model.training
    model.eval()
    losses = []
    with torch.inference_mode():
        for document in documents:
            logits = model.next_token_logits(model.backbone(collate([[document]])))
            targets = torch.from_numpy(document.ids[1:])
            losses += torch.nn.functional.cross_entropy(logits[:-1], targets, reduction="none").tolist()
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-6)
    assert found.perplexity == pytest.approx(math.exp(np.mean(losses)), rel=1e-6)
    assert found.tokens == 4 + 11 + 8
    together = evaluate_language_model(model, [collate([[d] for d in documents])])
    assert together.loss == pytest.approx(found.loss, rel=1e-6)


def test_targets_of_no_weight_are_left_out(model):
    """Invariant: weight 0 counts neither as loss nor as token."""
    half = np.array([1, 1, 0, 0], np.float32)
    whole, part = example(5, 3), example(5, 3, half)
    expected = model.eval().score_tokens(collate([[whole]])).losses[:2].mean()
    found = evaluate_language_model(model, [collate([[part]])])
    assert found.loss == pytest.approx(float(expected), rel=1e-6) and found.tokens == 2


def test_nothing_to_judge_and_broken_weights_are_said_so(model):
    """Witness: the sentences."""
    with pytest.raises(BadInput, match=r"batches: no token to evaluate on; got 0; allowed: at least one token"):
        evaluate_language_model(model, [])
    with torch.no_grad():
        model.backbone.tokens.weight.fill_(float("inf"))
    with pytest.raises(DivergenceError, match="not usable"):
        evaluate_language_model(model, [collate([[example(4, 0)]])])
