"""The kernels of attention against each other: long texts, dropout, bf16; the law itself is tests/laws/test_sight.py."""

import numpy as np
import pytest
import torch

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example
from warmstart.models import eager
from warmstart.models.attention import Kernels, attend, plan_attention
from warmstart.models.eager import blocked_attention
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.train.precision import ON_GPU

TURNS = {
    "causal": lambda n: np.arange(n),
    "full": lambda n: np.zeros(n, np.int64),
    "prefix": lambda n: np.maximum(0, np.arange(n) - n // 2),
}
LENGTHS = [(300, 300), (290, 3, 131, 128, 1, 129, 300, 50, 40, 31)]  # blocks hold 128 queries


def batch_of(turns: str, lengths: tuple[int, ...]) -> Batch:
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, 512, n) for n in lengths]
    return collate([[Example(i, TURNS[turns](len(i)), np.arange(len(i)), {})] for i in ids])


def there_and_back(batch: Batch, dtype: torch.dtype, kernels: Kernels, device: str = "cpu") -> list[torch.Tensor]:
    """What attention gives for drawn queries, keys and values of 2 heads, and their gradient, both float64."""
    draw = torch.Generator().manual_seed(1)
    qkv = torch.randn(batch.num_tokens, 96, generator=draw).to(device, dtype).requires_grad_()
    pull = torch.randn(batch.num_tokens, 32, generator=draw).to(device, dtype)
    mixed = attend(qkv, plan_attention(batch.to(device), dtype, kernels), 2, 0.0)
    return [x.detach().double().cpu() for x in (mixed, *torch.autograd.grad(mixed, qkv, pull))]


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_long_and_short_kernels_agree(turns: str, lengths: tuple[int, ...]) -> None:
    """Witness: torch's scaled_dot_product_attention for the plain products; grads too; and both in one batch."""
    batch = batch_of(turns, lengths)
    wanted = there_and_back(batch, torch.float64, Kernels(0))
    for kernels in (Kernels(), Kernels(eager_max_len=130), Kernels(group=1)):
        torch.testing.assert_close(there_and_back(batch, torch.float64, kernels), wanted)


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("kernels", [Kernels(), Kernels(0)], ids=["plain", "SDPA"])
def test_bf16_is_within_its_rounding(turns: str, kernels: Kernels) -> None:
    """Witness: the same in float64, from the same rounded numbers; 2⁻⁸ is the distance of two numbers of bf16."""
    batch = batch_of(turns, LENGTHS[1])
    for found, wanted in zip(
        there_and_back(batch, torch.bfloat16, kernels), there_and_back(batch, torch.float64, kernels), strict=True
    ):
        assert float((found - wanted).norm() / wanted.norm()) < 2**-7


@pytest.mark.gpu
@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_a_gpu_computes_the_same(turns: str, lengths: tuple[int, ...]) -> None:
    """Witness: float64 on a CPU, for the kernels that a GPU uses in bf16."""
    batch = batch_of(turns, lengths)
    found, wanted = (
        there_and_back(batch, torch.bfloat16, ON_GPU, "cuda"),
        there_and_back(batch, torch.float64, Kernels()),
    )
    for one, other in zip(found, wanted, strict=True):
        assert float((one - other).norm() / other.norm()) < 2**-6


def test_a_text_longer_than_the_plain_kernel_takes() -> None:
    """Invariant: its first 100 states are those of its first 100 tokens alone, though another kernel computes them."""
    backbone = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", context=700, init_std=0.2)), 1).eval().backbone
    ids = np.random.default_rng(1).integers(0, 512, 700)
    with torch.no_grad():
        long, short = (backbone(collate([[Example.left_to_right(part, {})]])) for part in (ids, ids[:100]))
    torch.testing.assert_close(long[:100], short, rtol=1e-5, atol=1e-5)


def test_a_kernel_is_a_value() -> None:
    """Witness: the model with its own kernels, for one that somebody else has chosen."""
    backbone = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", init_std=0.2)), 1).eval().backbone
    batch = batch_of("causal", (30, 12, 64))
    with torch.no_grad():
        before = backbone(batch)
        backbone.kernels = ON_GPU
        torch.testing.assert_close(backbone(batch), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dropout_is_that_of_its_mask(causal: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: softmax, mask and product by torch's autograd; the mask is read off with values that are the unit matrix."""
    monkeypatch.setattr(eager, "TILE", 5)
    width = 16
    qkv = torch.randn(3, 4, 2, width, width, generator=torch.Generator().manual_seed(0)).to(dtype)
    unit = torch.eye(width, dtype=dtype).expand(4, 2, width, width)
    torch.manual_seed(7)
    kept = blocked_attention(torch.stack([qkv[0], qkv[1], unit]), None, 0.3, causal=causal) > 0
    share = float(kept.double().sum()) / (8 * (width * (width + 1) / 2 if causal else width * width))
    assert 0.6 < share < 0.8
    exact = qkv.double().requires_grad_()
    scores = exact[0] @ exact[1].transpose(-1, -2) / width**0.5
    if causal:
        scores = scores.masked_fill(torch.ones(width, width, dtype=torch.bool).triu(1), -torch.inf)
    wanted = (scores.softmax(-1) * kept / 0.7) @ exact[2]
    torch.manual_seed(7)
    given = qkv.requires_grad_()
    found = blocked_attention(given, None, 0.3, causal=causal)
    pull = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(2)).to(dtype)
    [grad], [wanted_slope] = (
        torch.autograd.grad(found, [given], pull),
        torch.autograd.grad(wanted, [exact], pull.double()),
    )
    limit = 1e-12 if dtype == torch.float64 else 2**-7
    for one, other in ((found.detach(), wanted.detach()), (grad, wanted_slope)):
        assert float((one.double() - other).norm() / other.norm()) < limit


def test_attention_dropout_scales_and_replays() -> None:
    """Invariant: the same seed gives the same masks; the mean of many is attention without dropout (5 sigma)."""
    batch = batch_of("causal", (8, 8))
    qkv = torch.randn(batch.num_tokens, 24, generator=torch.Generator().manual_seed(0))
    plan = plan_attention(batch, torch.float32, Kernels())
    torch.manual_seed(1)
    first = attend(qkv, plan, 2, 0.3)
    torch.manual_seed(1)
    assert torch.equal(first, attend(qkv, plan, 2, 0.3))
    assert not torch.equal(first, attend(qkv, plan, 2, 0.3))
    many = torch.stack([attend(qkv, plan, 2, 0.3) for _ in range(600)])
    error = (many.mean(0) - attend(qkv, plan, 2, 0.0)).abs() / (many.std(0) / 600**0.5 + 1e-6)
    assert float(error.max()) < 5  # of 128 numbers


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_bf16_is_close_to_float32(norm: str) -> None:
    """Witness: the same weights in float32; bf16 keeps 8 bits, and layer norms keep the error from growing."""
    model = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", norm=norm, init_std=0.2)), 1).eval()
    batch = batch_of("causal", (30, 12, 64, 12))
    with torch.no_grad():
        high = model.backbone(batch)
        low = model.to(torch.bfloat16).backbone(batch)
    assert low.dtype == torch.bfloat16
    assert float((low.float() - high).norm() / high.norm()) < 0.03
