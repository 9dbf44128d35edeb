"""The kernel of many short texts against torch's scaled_dot_product_attention, text by text in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example, Goal
from warmstart.models import kernels, transformer
from warmstart.models.kernels import Texts
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.models.text_attention import even_rows, filled_up, plan_texts, text_attention

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(
    not kernels.reads_texts(torch.float32, CPU, 16), reason="the kernel was not built, or this processor has no AVX2"
)
HEADS = 2


def texts_of(lengths: list[int], causal: bool) -> Texts:
    rows = np.array(lengths, np.int64)
    return Texts(np.cumsum(rows) - rows, rows, causal)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_torch(qkv: torch.Tensor, texts: Texts) -> torch.Tensor:
    """Text by text."""
    parts = []
    for rows in torch.split(qkv, texts.lengths.tolist()):
        q, k, v = rows.view(len(rows), 3, HEADS, -1).permute(1, 2, 0, 3).unbind(0)
        read = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=texts.causal)
        parts.append(read[0].transpose(0, 1).flatten(1))
    return torch.cat(parts)


def there_and_back(attend: object, qkv: torch.Tensor, *rest: object) -> tuple[torch.Tensor, torch.Tensor]:
    """What is read and, of one drawn gradient, that of queries, keys and values."""
    given_qkv = qkv.detach().requires_grad_()
    read = attend(given_qkv, *rest)  # type: ignore[operator]
    read.backward(drawn(*read.shape, seed=1).to(read.dtype))
    assert given_qkv.grad is not None
    return read.detach().double(), given_qkv.grad.double()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 70), min_size=1, max_size=5), st.sampled_from([16, 32, 48, 64]), st.booleans(),
    st.sampled_from([torch.float32, torch.bfloat16]),
)  # fmt: skip
def test_any_lengths_and_widths(lengths: list[int], width: int, causal: bool, dtype: torch.dtype) -> None:
    texts = texts_of(lengths, causal)
    qkv = drawn(sum(lengths), 3 * HEADS * width).to(dtype)
    found = there_and_back(text_attention, qkv, texts, HEADS, 0.0)
    wanted = there_and_back(by_torch, qkv.double(), texts)
    if dtype == torch.float32:
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=2e-5)
    for one, other in zip(found, wanted, strict=True):  # 2⁻⁸ is the distance of two numbers of bfloat16
        assert float((one - other).norm() / (other.norm() + 1e-3)) < 2**-7


def test_a_text_does_not_depend_on_its_neighbours_nor_on_threads() -> None:
    """Bit for bit, with what fills up the rows; the brute-force version reads one text at a time."""
    texts = texts_of([9, 30, 17], causal=False)
    qkv = drawn(60, 96).float()
    several = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        together = text_attention(qkv, texts, HEADS, 0.0)
    finally:
        torch.set_num_threads(several)
    alone = [text_attention(rows, texts_of([len(rows)], False), HEADS, 0.0) for rows in qkv[:56].split([9, 30, 17])]
    assert torch.equal(together, torch.cat([*alone, torch.zeros(4, 32)]))


def test_what_is_no_number_reaches_all_that_read_it() -> None:
    """Witness: torch's scaled_dot_product_attention: a key that is NaN spoils all readers of its text alone."""
    texts, qkv = texts_of([9, 30], causal=False), drawn(39, 96).float()
    qkv[4, 40] = torch.nan
    found = text_attention(qkv, texts, HEADS, 0.0)
    assert torch.equal(found.isnan(), by_torch(qkv, texts).isnan()) and found.isnan().any()


@pytest.mark.parametrize("causal", [False, True])
def test_dropout_there_is_dropout_on_the_way_back(causal: bool) -> None:
    """Values that are 1 in one place each read the weights out; torch's products with that mask are the witness."""
    texts, rate, width = texts_of([48] * 20, causal), 0.3, 48
    qkv = drawn(960, 3 * HEADS * width).float()
    places = torch.eye(48).repeat(20, HEADS)
    torch.manual_seed(5)
    kept = text_attention(torch.cat([qkv[:, :-96], places], 1), texts, HEADS, rate)
    masks = (kept.view(20, 48, HEADS, 48).transpose(1, 2) > 0).double()  # [B, H, T, S]
    seen = torch.ones(48, 48).tril() if causal else torch.ones(48, 48)
    share = float(masks.sum() / (seen.sum() * 20 * HEADS))
    assert abs(share - (1 - rate)) < 4 * (rate * (1 - rate) / (960 * HEADS * 24)) ** 0.5
    assert len(torch.unique(masks.flatten(0, 1), dim=0)) == 20 * HEADS  # each text and head has its own

    def with_masks(given_qkv: torch.Tensor) -> torch.Tensor:
        q, k, v = given_qkv.view(20, 48, 3, HEADS, width).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(2, 3) / width**0.5
        scores = scores.masked_fill(seen == 0, -torch.inf)
        return (scores.softmax(-1) * masks / (1 - rate) @ v).transpose(1, 2).reshape(960, -1)

    torch.manual_seed(5)
    found = there_and_back(text_attention, qkv, texts, HEADS, rate)
    torch.testing.assert_close(found, there_and_back(with_masks, qkv.double()), rtol=1e-4, atol=2e-5)


def test_a_model_computes_the_same_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses and gradients of a BERT and a GPT, beside the groups of padded texts, in float32."""
    rng = np.random.default_rng(0)
    for name, make in (("bert-mini", Example.full_sight), ("gpt1-mini", Example.left_to_right)):
        small = preset(name).model_copy(update={"layers": 2, "vocab_size": 300})
        model = Model(ModelSettings(backbone=small, heads={"label": {"kind": "class", "size": 3}})).eval()
        lengths = rng.integers(3, 40, 23)
        goals = [
            {"label": Goal(np.array([0]), np.array([0]), np.array([n % 3]), np.ones(1, np.float32))} for n in lengths
        ]
        batch = collate([[make(rng.integers(0, 300, n), goal)] for n, goal in zip(lengths, goals, strict=True)])
        assert plan_texts(batch, torch.float32, small.per_head, 0.0) is not None
        found = loss_and_gradients(model, batch)
        with monkeypatch.context() as without:
            without.setattr(transformer, "plan_texts", lambda *_: None)
            torch.testing.assert_close(found, loss_and_gradients(model, batch), rtol=1e-4, atol=1e-5)


def loss_and_gradients(model: Model, batch: Batch) -> list[torch.Tensor]:
    model.zero_grad()
    loss = model(batch)["label"].sum
    loss.backward()
    return [loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


def test_rows_are_filled_up_to_few_heights() -> None:
    """By counting: at most an eighth more, and eight heights between a power of two and the next."""
    heights = {count: even_rows(count) for count in range(1, 5000)}
    assert all(count <= height <= count * 9 / 8 for count, height in heights.items())
    assert len({height for count, height in heights.items() if 512 < height <= 1024}) == 8
    assert filled_up(torch.ones(1000, 2)).sum() == 2000 and len(filled_up(torch.ones(1000))) == even_rows(1000)
