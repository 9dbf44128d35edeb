"""Law 2 for losses that compare all questions of a step: any split gives the gradient of the whole.

Witness: one pass through the model over all documents at once, with torch's own graph from the loss to the weights.
"""

import numpy as np
import pytest
import torch

from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import EmbeddingHeadSettings, HeadSettings, ModelSettings
from warmstart.streams.stream import split_batches
from warmstart.train.optimizer import Optimizer
from warmstart.train.settings import OptimizerSettings
from warmstart.train.step import Criterion, accumulate
from warmstart.train.weights import Weights

LABELLED = HeadSettings(kind="class", size=2, dropout=0)
NONE, ZERO = np.zeros(0, np.float32), np.zeros(1, np.int64)


def record(rng: np.random.Generator, answer: str, number: int, pool: str) -> list[Example]:
    """Two to four texts, of which the first owns the question; a class beside it."""
    examples = []
    for place in range(2 if answer == "cosent" else int(rng.integers(2, 5))):
        ids = rng.integers(0, 64, int(rng.integers(2, 15)))
        reads = np.arange(len(ids)) if pool == "mean" else np.array([len(ids) - 1])
        target = np.array([[2 * number, 2 * number + 1]]) if answer == "ranking" else rng.random(1).astype(np.float32)
        own = (target, np.ones(1, np.float32)) if place == 0 else (target[:0], NONE)
        goals = {"pairs": Goal(reads, np.zeros(len(reads), np.int64), *own, answer=answer)}
        if number % 2:  # some micro-batches have only one of both goals
            label = (rng.integers(0, 2, 1), np.ones(1, np.float32))
            goals["label"] = Goal(ZERO + len(ids) - 1, ZERO + place, *label)
        examples.append(Example.left_to_right(ids, goals))
    return examples


@pytest.mark.parametrize("pool", ["mean", "sum"])
@pytest.mark.parametrize("answer", ["ranking", "cosent"])
def test_any_split_gives_the_gradient_of_the_whole_step(answer: str, pool: str) -> None:
    """Witness: see above; 2, 4 and 8 micro-batches, and single Records."""
    rng = np.random.default_rng(0)
    given = [record(rng, answer, number, pool) for number in range(9)]
    still = dict.fromkeys(("embedding_dropout", "attention_dropout", "residual_dropout"), 0.0)
    pairs = EmbeddingHeadSettings(kind="embedding", pool=pool, sizes=(32, 8))  # type: ignore[arg-type]
    backbone = preset("gpt1-tiny", vocab_size=64, context=16, init_std=0.2, **still)
    model = Model.fresh(ModelSettings(backbone=backbone, heads={"pairs": pairs, "label": LABELLED}), 1).train()
    optimizer = Optimizer(Weights(model, torch.float64), OptimizerSettings())
    losses = model(collate(given))
    value = sum(c * losses[name].sum / losses[name].weight for name, c in (("pairs", 1.0), ("label", 0.5)))
    assert isinstance(value, torch.Tensor)
    parameters = [p for group in optimizer.weights.groups for p in group.parameters]
    wanted = torch.cat([g.flatten() for g in torch.autograd.grad(value, parameters, materialize_grads=True)])
    for at_least, max_tokens in [(1, 10**9), (2, 10**9), (4, 10**9), (8, 10**9), (1, 1)]:
        batches = split_batches(given, at_least, max_tokens)
        means = accumulate(model, optimizer, batches, Criterion({"pairs": 1.0, "label": 0.5}), seed=1)
        gradient = torch.cat(optimizer.weights.gradients())
        assert float((gradient - wanted).abs().max() / wanted.abs().max()) <= 1e-5, len(batches)
        assert {name: float(mean) for name, mean in means.items()} == pytest.approx(
            {name: float(loss.sum.detach()) / loss.weight for name, loss in losses.items() if name in means}, rel=1e-5
        )
    assert len(batches) == len(given)
