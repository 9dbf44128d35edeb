"""The sampled softmax beside one written out in NumPy, beside the full one, and its chances beside counted draws."""

import numpy as np
import pytest
import torch

from warmstart.models.sampled import chances, sample_candidates, sampled_token_loss
from warmstart.models.softmax import Softmax, next_token_loss

ROWS, WIDTH, READS = 60, 12, 25


def given(biased: bool) -> tuple[Softmax, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    shapes = ((READS, WIDTH), (ROWS, WIDTH), (ROWS,))
    states, table, bias = (torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_() for shape in shapes)
    targets = torch.randint(0, ROWS, (READS,), generator=draw)
    return Softmax(states, table, bias if biased else None), targets, torch.rand(READS, generator=draw)


@pytest.mark.parametrize("biased", [False, True])
def test_it_is_the_one_written_out(biased: bool) -> None:
    """Witness: NumPy, read by read: the true token's own score, candidates less the log of their chance, no hit twice."""
    softmax, targets, weights = given(biased)
    drawn = sample_candidates(ROWS, 13, seed=5)
    loss = sampled_token_loss(softmax, targets, weights, drawn)
    parts = [part for part in softmax[:3] if part is not None]
    loss.backward()  # type: ignore[no-untyped-call]
    states, table = softmax.states.detach().numpy(), softmax.table.detach().numpy()
    offset = np.zeros(ROWS) if softmax.bias is None else softmax.bias.detach().numpy()
    chance, wanted = chances(ROWS, 13), 0.0
    grads = [np.zeros_like(states), np.zeros_like(table), np.zeros(ROWS)]
    assert set(drawn.ids.tolist()) & set(targets.tolist()), "no accidental hit: the test would not see one"
    for read, (true, weight) in enumerate(zip(targets.tolist(), weights.tolist(), strict=True)):
        seen = [true] + [j for j in drawn.ids.tolist() if j != true]
        scores = states[read] @ table[seen].T + offset[seen] - np.append(0.0, np.log(chance[seen[1:]]))
        shares = np.exp(scores) / np.exp(scores).sum()
        wanted -= weight * np.log(shares[0])
        by_score = weight * (shares - np.eye(len(seen))[0])
        grads[0][read] = by_score @ table[seen]
        grads[1][seen] += by_score[:, None] * states[read]
        grads[2][seen] += by_score
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-5)
    for part, grad in zip(parts, grads, strict=False):
        np.testing.assert_allclose(part.grad.numpy(), grad, rtol=1e-4, atol=1e-5)  # type: ignore[union-attr]


@pytest.mark.parametrize("samples", [ROWS, ROWS + 7])
@pytest.mark.parametrize("cap", [None, 1.5])
def test_all_tokens_drawn_are_the_full_softmax(samples: int, cap: float | None) -> None:
    """Witness: the full softmax, with both gradients; the same where its logits are capped."""
    softmax, targets, weights = given(True)
    softmax = softmax._replace(cap=cap)
    found = []
    for loss in (
        sampled_token_loss(softmax, targets, weights, sample_candidates(ROWS, samples, 1)),
        next_token_loss(softmax, targets, weights),
    ):
        found.append([loss.detach(), *torch.autograd.grad(loss, list(softmax[:3]))])  # type: ignore[arg-type]
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize(("rows", "samples"), [(1000, 100), (1000, 999), (50, 1), (7, 7)])
def test_chances_are_capped_and_sum_to_the_samples(rows: int, samples: int) -> None:
    """Invariant: log-uniform by rank below 1, certain above; as many in all as are drawn."""
    chance = chances(rows, samples)
    assert chance.sum() == pytest.approx(samples) and chance.max() <= 1 and (np.diff(chance) <= 1e-12).all()
    free = np.flatnonzero(chance < 1)
    ratio = chance[free] / np.log1p(1 / (free + 1))
    np.testing.assert_allclose(ratio, ratio[:1].repeat(len(free)))


def test_draws_have_their_chances_and_sums_are_unbiased() -> None:
    """Witness: counts over 4,000 draws, and the sum over the vocabulary that the candidates stand for."""
    rows, samples, draws = 200, 20, 4000
    chance = chances(rows, samples)
    masses = np.exp(np.random.default_rng(0).normal(size=rows))
    counts, sums = np.zeros(rows), np.zeros(draws)
    for seed in range(draws):
        drawn = sample_candidates(rows, samples, seed)
        ids = drawn.ids.numpy()
        assert len(np.unique(ids)) == samples
        counts[ids] += 1
        sums[seed] = (masses[ids] * np.exp(drawn.correction.numpy())).sum()
    spread = np.sqrt(chance * (1 - chance) / draws)
    assert (np.abs(counts / draws - chance) <= 5 * spread + 1e-12).all()
    assert abs(sums.mean() - masses.sum()) < 4 * sums.std() / draws**0.5


def test_a_draw_follows_from_its_seed() -> None:
    """Invariant: the same seed gives the same candidates after another one was asked for, and another seed others."""
    first = sample_candidates(500, 20, 1).ids.tolist()
    other = sample_candidates(500, 20, 2).ids.tolist()
    assert sample_candidates(500, 20, 1).ids.tolist() == first != other
