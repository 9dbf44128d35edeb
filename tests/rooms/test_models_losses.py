"""The fused softmax: its slope at extremes, in pieces, with a bias, and with a table that does not move."""

import pytest
import torch
from torch.nn import functional as F

from warmstart.models import losses
from warmstart.models.losses import Softmax, next_token_loss, slope_of


@pytest.mark.parametrize("spread", [1.0, 100.0, 1e5])
@pytest.mark.parametrize("biased", [False, True])
def test_the_slope_is_that_of_cross_entropy(spread: float, biased: bool) -> None:
    """Witness: torch's own, in float64; at the larger spreads most shares are 0 in float32, the target's among them."""
    draw = torch.Generator().manual_seed(0)
    products, targets = torch.randn(9, 50, generator=draw) * spread, torch.randint(0, 50, (9, 1), generator=draw)
    weights, bias = torch.rand(9, 1, generator=draw), torch.randn(50, generator=draw) if biased else None
    found = slope_of(products, targets, weights, bias)
    exact = (products.double() if bias is None else products.double() + bias.double()).requires_grad_()
    wanted = (F.cross_entropy(exact, targets[:, 0], reduction="none") * weights[:, 0]).sum()
    torch.testing.assert_close(found.loss, wanted.detach().float())
    torch.testing.assert_close(found.by_logits, torch.autograd.grad(wanted, exact)[0].float(), rtol=1e-4, atol=1e-6)


def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the same in one piece; pieces of 3 tokens in chunks of 8, with a bias."""
    draw = torch.Generator().manual_seed(1)
    given = [torch.randn(shape, generator=draw).requires_grad_() for shape in ((21, 12), (50, 12), (50,))]
    targets, weights = torch.randint(0, 50, (21,), generator=draw), torch.rand(21, generator=draw)
    found = []
    for chunk, cached in ((1000, 1000), (8, 3)):
        monkeypatch.setattr(losses, "CHUNK", chunk)
        monkeypatch.setattr(losses, "CACHED", cached)
        loss = next_token_loss(Softmax(*given), targets, weights)
        found.append((loss.detach(), *torch.autograd.grad(loss, given)))
    torch.testing.assert_close(found[0], found[1])


def test_what_does_not_move_has_no_slope() -> None:
    """Invariant: a frozen table and bias get none; the states get the same."""
    states, table, bias = torch.randn(5, 4, requires_grad=True), torch.randn(7, 4), torch.randn(7)
    targets, weights = torch.tensor([1, 0, 6, 2, 2]), torch.ones(5)
    slopes = []
    for moves in (True, False):
        softmax = Softmax(states, table.detach().requires_grad_(moves), bias.detach().requires_grad_(moves))
        states.grad = None
        next_token_loss(softmax, targets, weights).backward()
        assert (softmax.table.grad is not None) == (softmax.bias is not None and softmax.bias.grad is not None) == moves
        slopes.append(states.grad)
    torch.testing.assert_close(slopes[0], slopes[1])
