"""The fused softmax beside whole logits: at every border of its chunks, in bf16, of no reads.

And its grad: at extremes, in pieces, with a bias, and with a table that does not move.
"""

import pytest
import torch
from torch.nn import functional as F

from warmstart.models import softmax
from warmstart.models.softmax import Smoothing, Softmax, logits_grad, next_token_loss, score_tokens


@pytest.mark.parametrize("spread", [1.0, 100.0, 1e5])
@pytest.mark.parametrize("biased", [False, True])
def test_the_slope_is_that_of_cross_entropy(spread: float, biased: bool) -> None:
    """Witness: torch's own, in float64; at the larger spreads most shares are 0 in float32, the target's among them."""
    draw = torch.Generator().manual_seed(0)
    products, targets = torch.randn(9, 50, generator=draw) * spread, torch.randint(0, 50, (9, 1), generator=draw)
    weights, bias = torch.rand(9, 1, generator=draw), torch.randn(50, generator=draw) if biased else None
    found = logits_grad(products, targets, weights, bias)
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
        monkeypatch.setattr(softmax, "CHUNK", chunk)
        monkeypatch.setattr(softmax, "CACHED", cached)
        loss = next_token_loss(Softmax(*given), targets, weights)
        found.append((loss.detach(), *torch.autograd.grad(loss, given)))
    torch.testing.assert_close(found[0], found[1])


def test_what_does_not_move_has_no_slope() -> None:
    """Invariant: a frozen table and bias get none; the states get the same."""
    states, table, bias = torch.randn(5, 4, requires_grad=True), torch.randn(7, 4), torch.randn(7)
    targets, weights = torch.tensor([1, 0, 6, 2, 2]), torch.ones(5)
    grads = []
    for moves in (True, False):
        softmax = Softmax(states, table.detach().requires_grad_(moves), bias.detach().requires_grad_(moves))
        states.grad = None
        next_token_loss(softmax, targets, weights).backward()
        assert (softmax.table.grad is not None) == (softmax.bias is not None and softmax.bias.grad is not None) == moves
        grads.append(states.grad)
    torch.testing.assert_close(grads[0], grads[1])


@pytest.mark.parametrize("smoothing", [None, Smoothing(0.2, 48, 3)])
def test_capped_logits(smoothing: Smoothing | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: F.cross_entropy over cap · tanh(logits / cap), written out: value, all gradients, scores, logits."""
    monkeypatch.setattr(softmax, "CHUNK", 8)
    draw = torch.Generator().manual_seed(2)
    given = [torch.randn(shape, generator=draw).requires_grad_() for shape in ((21, 12), (50, 12), (50,))]
    targets, weights = torch.randint(0, 50, (21,), generator=draw), torch.rand(21, generator=draw)
    targets[(targets == 3) | (targets >= 48)] = 4
    capped = Softmax(*given, cap=2.5)
    loss = next_token_loss(capped, targets, weights, smoothing=smoothing)
    logits = 2.5 * ((given[0] @ given[1].T + given[2]) / 2.5).tanh()
    each = F.cross_entropy(logits, targets, reduction="none")
    if smoothing is not None:
        shares = torch.full((21, 50), 0.2 / 46)  # of 48 tokens, without the true one and padding
        shares[:, [3, 48, 49]] = 0
        each = -(shares.scatter(1, targets[:, None], 0.8) * logits.log_softmax(-1)).sum(-1)
    torch.testing.assert_close(loss, (each * weights).sum())
    wanted = torch.autograd.grad((each * weights).sum(), given, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(loss, given), wanted)
    torch.testing.assert_close(capped.logits(slice(3, 9)), logits[3:9])
    if smoothing is None:
        torch.testing.assert_close(score_tokens(capped, targets).losses, each.detach())


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 25])
@pytest.mark.parametrize("scale", [1.0, 0.03, -4.0])
def test_fused_next_token_loss(count: int, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: F.cross_entropy over whole logits: value and both gradients, at every border of the chunks of 8."""
    monkeypatch.setattr(softmax, "CHUNK", 8)
    make_random = torch.Generator().manual_seed(count)
    states, table = (torch.randn(n, 12, generator=make_random, requires_grad=True) for n in (count, 50))
    targets = torch.randint(0, 50, (count,), generator=make_random)
    weights = torch.rand(count, generator=make_random) * (torch.arange(count) % 3 != 1)
    loss = next_token_loss(Softmax(states, table), targets, weights)
    got = torch.autograd.grad(loss * scale, [states, table])
    each = F.cross_entropy(states @ table.T, targets, reduction="none")
    wanted = torch.autograd.grad((each * weights).sum() * scale, [states, table])
    torch.testing.assert_close(loss, (each * weights).sum())
    torch.testing.assert_close(got, wanted)
    torch.testing.assert_close(score_tokens(Softmax(states, table), targets).losses, each.detach())
    with torch.no_grad():
        torch.testing.assert_close(next_token_loss(Softmax(states, table), targets, weights), loss)


def test_fused_loss_of_no_reads_is_zero() -> None:
    """Invariant: an empty sum, with gradients of 0."""
    states, table = torch.zeros(0, 4, requires_grad=True), torch.ones(6, 4, requires_grad=True)
    none = torch.zeros(0, dtype=torch.int64)
    loss = next_token_loss(Softmax(states, table), none, torch.zeros(0))
    got = torch.autograd.grad(loss, [states, table])
    assert float(loss.detach()) == 0
    assert got[0].shape == (0, 4)
    assert not got[1].any()


def test_fused_loss_in_bf16_is_close() -> None:
    """Witness: the same weights and states in float32; bf16 keeps 8 bits."""
    random = torch.Generator().manual_seed(0)
    states, table = (torch.randn(n, 32, generator=random).bfloat16() for n in (40, 60))
    targets, weights = torch.randint(0, 60, (40,), generator=random), torch.rand(40, generator=random)
    results = []
    for dtype in (torch.bfloat16, torch.float32):
        s, t = (x.to(dtype).requires_grad_() for x in (states, table))
        loss = next_token_loss(Softmax(s, t), targets, weights)
        results.append([loss.detach(), *(g.float() for g in torch.autograd.grad(loss * 0.37, [s, t]))])
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-2, atol=0)
    for low, high in zip(results[0][1:], results[1][1:], strict=True):
        assert float((low - high).norm() / high.norm()) < 0.02
