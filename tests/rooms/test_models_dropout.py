"""Dropout from packed bits: rate, scale, replay, and one mask both ways."""

import pytest
import torch

from warmstart.models.dropout import Dropout, drop, keep_mask

COUNT = 400_000
CPU = torch.device("cpu")


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.37, 0.5, 0.9])
def test_rate(rate: float) -> None:
    """Witness: the binomial distribution: the share kept is within 4 standard deviations."""
    torch.manual_seed(1)
    kept = float(keep_mask(torch.Size((COUNT,)), rate, CPU).double().mean())
    assert abs(kept - (1 - rate)) < 4 * (rate * (1 - rate) / COUNT) ** 0.5


def test_elements_are_independent() -> None:
    """Witness: for independent marks, a neighbour (the 1st to 5th, since 4 share a draw) says nothing: to 4 sigma."""
    torch.manual_seed(2)
    kept = keep_mask(torch.Size((COUNT,)), 0.3, CPU).double() - 0.7
    for distance in range(1, 6):
        product = float((kept[distance:] * kept[:-distance]).mean())
        assert abs(product) < 4 * 0.3 * 0.7 / COUNT**0.5


@pytest.mark.parametrize("shape", [(1,), (3,), (5, 7), (2, 3, 4), (0, 4)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    """Invariant: sizes that four does not divide, and none at all."""
    assert keep_mask(torch.Size(shape), 0.5, CPU).shape == shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_scale_and_gradient_share_the_mask(dtype: torch.dtype) -> None:
    """Witness: x · mask / (1 - rate) by plain torch, with the mask that the same seed draws."""
    x = torch.randn(300, 17, dtype=dtype, requires_grad=True)
    pull = torch.randn(300, 17, dtype=dtype)
    torch.manual_seed(3)
    got = drop(x, 0.25)
    torch.manual_seed(3)
    mask = keep_mask(x.shape, 0.25, CPU)
    torch.testing.assert_close(got, mask * x / 0.75)
    [slope] = torch.autograd.grad((got * pull).sum(), [x])
    torch.testing.assert_close(slope, mask * pull / 0.75)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dropping_is_exact(dtype: torch.dtype) -> None:
    """Witness: torch.where, bit for bit, on odd shapes, transposed views and values that are not finite."""
    x = torch.randn(7, 33).mul(1e3).to(dtype)
    x[0, :3] = torch.tensor([float("nan"), float("-inf"), -0.0])
    for given in (x, x.T, x[:, ::2], torch.zeros(0, 4, dtype=dtype)):
        torch.manual_seed(3)
        got = drop(given, 0.4)
        torch.manual_seed(3)
        wanted = torch.where(keep_mask(given.shape, 0.4, CPU), given * (1 / 0.6), 0)
        bits = torch.int16 if dtype.itemsize == 2 else torch.int32
        assert torch.equal(got.contiguous().view(bits), wanted.contiguous().view(bits))


def test_replay_is_exact() -> None:
    """Invariant: torch's own seed decides the mask, and two calls in a row differ."""
    x = torch.ones(100, 100)
    torch.manual_seed(4)
    first, second = drop(x, 0.1), drop(x, 0.1)
    torch.manual_seed(4)
    assert torch.equal(first, drop(x, 0.1))
    assert torch.equal(second, drop(x, 0.1))
    assert not torch.equal(first, second)


def test_off() -> None:
    """Invariant: no dropout outside training or at rate 0: the very same tensor, no random number used."""
    x, layer = torch.ones(4), Dropout(0.5)
    before = torch.get_rng_state()
    assert layer.eval()(x) is x
    assert drop(x, 0.0) is x
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(0)
    assert not torch.equal(layer.train()(torch.ones(64)), torch.ones(64))


def test_not_finite_values_are_dropped_too() -> None:
    """Invariant: a dropped element is 0, whatever it was."""
    torch.manual_seed(5)
    dropped = drop(torch.full((1000,), float("inf")), 0.5)
    assert set(dropped.tolist()) == {0.0, float("inf")}
