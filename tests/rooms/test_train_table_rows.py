"""Gradients of a token table row by row: the same training as with whole ones."""

import numpy as np
import pytest
import torch

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model
from warmstart.models.passes import passes
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.train.optimizer import Optimizer
from warmstart.train.settings import OptimizerSettings
from warmstart.train.step import Criterion, accumulate, train_step
from warmstart.train.weights import Weights

pytestmark = pytest.mark.skipif(
    not passes(torch.float32, torch.device("cpu")), reason="the kernels were not built, or this processor has no AVX2"
)
SMALL = preset("bert-mini").model_copy(update={"layers": 1, "vocab_size": 400})


def batch_of(seed: int, *, with_lm: bool) -> Batch:
    rng, found = np.random.default_rng(seed), []
    for _ in range(5):
        ids, one = rng.integers(0, 400, rng.integers(3, 9)), np.ones(1, np.float32)
        goals = {"label": Goal(np.array([0]), np.array([0]), np.array([seed % 3]), one)}
        if with_lm:
            goals["mlm"] = Goal(np.array([1]), np.array([0]), ids[1:2], one)
        found.append([Example.full_sight(ids, goals)])
    return collate(found)


def trained(*, by_rows: bool, lm: bool, dtype: torch.dtype, kind: str) -> tuple[Optimizer, list[float]]:
    """Six steps of two micro-batches, of which every second one has a language-model loss where ``lm``."""
    torch.manual_seed(0)
    heads = {"label": {"kind": "class", "size": 3}, "mlm": {"kind": "tokens"}}
    model = Model(ModelSettings(backbone=SMALL, heads=heads)).eval()
    weights = Weights(model, dtype, by_rows=by_rows)
    # The gradient of keys' biases is nothing but rounding; a large ε keeps it from being made as long as any other.
    optimizer = Optimizer(weights, OptimizerSettings(kind=kind, lr=1e-3, eps=1e-2))
    norms = []
    for step in range(6):
        batches = [batch_of(2 * step + half, with_lm=lm and step % 2 == 1) for half in (0, 1)]
        output = train_step(model, optimizer, batches, Criterion({"label": 1.0, "mlm": 1.0}), 1.0, step)
        norms.append(output.report().grad_norm)
    return optimizer, norms


@pytest.mark.parametrize("lm", [False, True], ids=["lookups only", "with a softmax at times"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["adamw", "adam-2018"])
def test_a_training_is_the_same(lm: bool, dtype: torch.dtype, kind: str) -> None:
    """Witness: the same steps with whole gradients of the table; a row that was never read has no means."""
    (found, norms), (wanted, other_norms) = (
        trained(by_rows=rows, lm=lm, dtype=dtype, kind=kind) for rows in (True, False)
    )
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 3e-2, "atol": 2e-2}
    torch.testing.assert_close(norms, other_norms, rtol=1e-4 if dtype == torch.float32 else 2e-2, atol=0)
    for name, row in found.state().items():
        torch.testing.assert_close(row, wanted.state()[name], **close)
    [table] = [table for group in found.weights.groups for table in group.tables]
    assert bool(table.had_gradient.all()) == lm
    group = next(group for group in found.weights.groups if group.tables)
    mean = found.state()[f"{group.name}.exp_avg"][table.where].view(400, -1)
    assert torch.equal(table.had_gradient.bool(), mean.any(1))


@pytest.mark.parametrize("kind", ["adamw", "adamax"])
def test_gradients_that_stay_as_they_were_made(kind: str) -> None:
    """Witness: the same steps with gradients copied to float32 rows, to the last bit; norms but for the order of sums."""
    found = []
    for as_made in (True, False):
        torch.manual_seed(0)
        heads = {"label": {"kind": "class", "size": 3}, "mlm": {"kind": "tokens"}}
        model = Model(ModelSettings(backbone=SMALL, heads=heads)).eval()
        weights = Weights(model, torch.bfloat16, by_rows=True)
        weights._as_made = as_made
        optimizer = Optimizer(weights, OptimizerSettings(kind=kind, lr=1e-3, clip_norm=1e9))
        held, norms = [], []
        for step in range(4):
            batches = [batch_of(step + half, with_lm=True) for half in range(2 if step == 2 else 1)]
            accumulate(model, optimizer, batches, Criterion({"label": 1.0, "mlm": 1.0}), step)
            held.append(len(weights._held) > 0)
            norms.append(optimizer.gradient_norm())
            optimizer.update(1.0, norms[-1])
        assert held == [as_made, as_made, False, as_made]
        found.append((torch.stack(norms), optimizer.state()))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-5, atol=0)
    assert all(torch.equal(row, found[1][1][name]) for name, row in found[0][1].items())


def test_loaded_means_say_which_rows_had_one() -> None:
    """Witness: the optimizer that they were taken from."""
    optimizer, _ = trained(by_rows=True, lm=False, dtype=torch.float32, kind="adamw")
    tables = [table for group in optimizer.weights.groups for table in group.tables]
    before, state = (
        [table.had_gradient.clone() for table in tables],
        {k: v.clone() for k, v in optimizer.state().items()},
    )
    for table in tables:
        table.had_gradient.zero_()
    optimizer.restore(state)
    assert all(torch.equal(table.had_gradient, had) for table, had in zip(tables, before, strict=True))


def test_a_model_that_is_let_go_has_whole_gradients_again() -> None:
    """Witness: torch's own backward pass afterwards."""
    optimizer, _ = trained(by_rows=True, lm=False, dtype=torch.float32, kind="adamw")
    model_table = next(p for g in optimizer.weights.groups for p in g.parameters if p.shape == (400, SMALL.width))
    assert isinstance(model_table, torch.nn.Parameter)
    optimizer.weights.release()
    assert model_table.grad is None and optimizer.weights._sparse is not None and not optimizer.weights._sparse.sparse
