"""Dropout from keys: rate, independence, scale, replay, and one mask both ways."""

import pytest
import torch

from warmstart.models.dropout import PART, Dropout, drop, mark_dropped, new_key, zero_dropped

COUNT = 400_000


def mask(shape: tuple[int, ...], rate: float) -> torch.Tensor:
    """Where the next dropout of this shape keeps its elements."""
    return drop(torch.ones(shape, dtype=torch.float64), rate) > 0


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.37, 0.5, 0.9])
@pytest.mark.parametrize("count", [COUNT, PART + 5])
def test_rate(rate: float, count: int) -> None:
    """Witness: the binomial distribution: the share kept is within 4 standard deviations."""
    torch.manual_seed(1)
    kept = float(mask((count,), rate).double().mean())
    assert abs(kept - (1 - rate)) < 4 * (rate * (1 - rate) / count) ** 0.5


def test_elements_are_independent() -> None:
    """Witness: independent marks: neighbours, and rows of usual widths, say nothing of each other: to 4 sigma."""
    torch.manual_seed(2)
    kept = mask((COUNT,), 0.3).double() - 0.7
    for distance in (1, 2, 3, 4, 5, 64, 128, 512, 768, 4096):
        product = float((kept[distance:] * kept[:-distance]).mean())
        assert abs(product) < 4 * 0.3 * 0.7 / COUNT**0.5, distance


def test_masks_are_independent() -> None:
    """Witness: independent marks: of 12 masks one after another no two, and no two shifted by one, share anything."""
    torch.manual_seed(3)
    masks = [mask((COUNT,), 0.3).double() - 0.7 for _ in range(12)]
    for number, one in enumerate(masks):
        for other in masks[:number]:
            assert abs(float((one * other).mean())) < 4.5 * 0.3 * 0.7 / COUNT**0.5
            assert abs(float((one[1:] * other[:-1]).mean())) < 4.5 * 0.3 * 0.7 / COUNT**0.5


def test_an_element_is_dropped_as_often_as_any_other() -> None:
    """Witness: the binomial distribution over 3,000 masks of 500 elements: no element is favoured (4.5 sigma)."""
    torch.manual_seed(4)
    dropped = torch.zeros(500)
    for _ in range(3000):
        dropped += ~mask((500,), 0.2)
    assert float((dropped / 3000 - 0.2).abs().max()) < 4.5 * (0.2 * 0.8 / 3000) ** 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_scale_and_gradient_share_the_mask(dtype: torch.dtype) -> None:
    """Witness: x · mask / (1 - rate) by plain torch, with the mask that the same seed names."""
    x = torch.randn(300, 17, dtype=dtype, requires_grad=True)
    pull = torch.randn(300, 17, dtype=dtype)
    torch.manual_seed(3)
    got = drop(x, 0.25)
    torch.manual_seed(3)
    kept = mask((300, 17), 0.25)
    torch.testing.assert_close(got, kept * x / 0.75)
    [grad] = torch.autograd.grad((got * pull).sum(), [x])
    torch.testing.assert_close(grad, kept * pull / 0.75)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dropping_is_exact(dtype: torch.dtype) -> None:
    """Witness: torch.where, to the last bit, on odd shapes, views, values that are not finite, and none at all."""
    x = torch.randn(7, 33).mul(1e3).to(dtype)
    x[0, :3] = torch.tensor([float("nan"), float("-inf"), -0.0])
    for given in (x, x.T, x[:, ::2], x[:1, :1], torch.zeros(0, 4, dtype=dtype)):
        torch.manual_seed(3)
        got = drop(given, 0.4)
        torch.manual_seed(3)
        wanted = torch.where(mask(given.shape, 0.4), given * (1 / 0.6), 0)
        torch.testing.assert_close(got, wanted, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_marks_in_the_sign(dtype: torch.dtype) -> None:
    """Witness: torch.where; weights that are 0 are marked like others, and their grads follow the mark."""
    weights = torch.rand(3, PART // 2, dtype=dtype)
    weights[:, ::7] = 0
    marked, grad = weights.clone(), torch.randn(weights.shape, dtype=dtype)
    mark_dropped(marked, 0.1, new_key())
    dropped = marked.signbit()
    assert abs(float(dropped.double().mean()) - 0.1) < 4 * (0.09 / dropped.numel()) ** 0.5
    assert torch.equal(marked.abs(), weights)
    assert torch.equal(marked.relu(), torch.where(dropped, 0, weights))
    wanted = torch.where(dropped, 0, grad)
    zero_dropped(grad, marked)
    assert torch.equal(grad, wanted)


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
