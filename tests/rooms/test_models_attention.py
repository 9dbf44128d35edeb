"""The kernels that short texts on a CPU do not reach, and the Transformer in bf16."""

import numpy as np
import pytest
import torch

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example
from warmstart.models import attention
from warmstart.models.attention import attend, plan_attention
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings

TURNS = {
    "causal": lambda n: np.arange(n),
    "full": lambda n: np.zeros(n, np.int64),
    "prefix": lambda n: np.maximum(0, np.arange(n) - n // 2),
}


def batch_of(turns: str, lengths: tuple[int, ...]) -> Batch:
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, 512, n) for n in lengths]
    return collate([[Example(i, TURNS[turns](len(i)), np.arange(len(i)), {})] for i in ids])


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("lengths", [(9, 9, 9), (12, 3, 7, 1, 7, 9, 2, 4, 5, 6)])
def test_long_and_short_kernels_agree(turns: str, lengths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: torch's scaled_dot_product_attention, used above 512 tokens, for the plain products; slopes too."""
    batch = batch_of(turns, lengths)
    qkv = torch.randn(batch.num_tokens, 24, dtype=torch.float64, requires_grad=True)
    pull = torch.randn(batch.num_tokens, 8, dtype=torch.float64)
    found = []
    for longest in (512, 0):
        monkeypatch.setattr(attention, "LONGEST_PLAIN", longest)
        mixed = attend(qkv, plan_attention(batch, torch.float64), 2, 0.0)
        found.append((mixed, torch.autograd.grad((mixed * pull).sum(), [qkv])[0]))
    torch.testing.assert_close(found[0], found[1])


def test_a_text_of_more_than_512_tokens() -> None:
    """Invariant: its first 100 states are those of its first 100 tokens alone, though another kernel computes them."""
    backbone = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", context=700, init_std=0.2)), 1).eval().backbone
    ids = np.random.default_rng(1).integers(0, 512, 700)
    with torch.no_grad():
        long, short = (backbone(collate([[Example.left_to_right(part, {})]])) for part in (ids, ids[:100]))
    torch.testing.assert_close(long[:100], short, rtol=1e-5, atol=1e-5)


def test_attention_dropout_scales_and_replays() -> None:
    """Invariant: the same seed gives the same masks; the mean of many is attention without dropout (5 sigma)."""
    batch = batch_of("causal", (8, 8))
    qkv = torch.randn(batch.num_tokens, 24, generator=torch.Generator().manual_seed(0))
    plan = plan_attention(batch, torch.float32)
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
