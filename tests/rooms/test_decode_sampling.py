"""Choosing the next token: filters and draws."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import stats

from warmstart.decode.sampling import choose, draw, greedy, keep_top_k, keep_top_p, with_temperature
from warmstart.decode.settings import GenerateSettings

DRAWS = 20_000
LOGITS = [1.0, -0.5, 2.0, 0.3, 0.0, -3.0, 1.4, 0.9]


def rows(count: int, width: int) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(width)) * 3


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    mass = np.exp(logits - logits.max())
    return mass / mass.sum()  # type: ignore[no-any-return]


def nucleus(logits: NDArray[np.float64], p: float) -> set[int]:
    """Holtzman et al. 2020, section 3.1, one token at a time."""
    mass, taken, kept = softmax(logits), 0.0, set()
    for token in np.argsort(-logits):
        kept.add(int(token))
        taken += mass[token]
        if taken >= p:
            break
    return kept


def kept(logits: torch.Tensor) -> list[set[int]]:
    return [set(torch.nonzero(row.isfinite()).ravel().tolist()) for row in logits]


@pytest.mark.parametrize("k", [1, 2, 7, 30, 31])
def test_top_k_equals_sorting(k: int) -> None:
    """Witness: numpy's full sort."""
    logits = rows(20, 30)
    filtered = keep_top_k(logits, k)
    assert kept(filtered) == [set(np.argsort(-row)[:k].tolist()) for row in logits.numpy()]
    assert torch.equal(filtered[filtered.isfinite()], logits[filtered.isfinite()])


@pytest.mark.parametrize("width", [30, 1000])  # the nuclei of the wider rows pass the first look at 64 tokens
@pytest.mark.parametrize("p", [1e-6, 0.1, 0.5, 0.9, 0.999])
def test_top_p_is_the_smallest_set_that_reaches_the_mass(p: float, width: int) -> None:
    """Witness: a brute-force loop over sorted tokens."""
    logits = rows(20, width) / (3 if width == 1000 else 1)
    wanted = [nucleus(row.astype(np.float64), p) for row in logits.numpy()]
    assert kept(keep_top_p(logits, p)) == wanted
    if p == 0.9 and width == 1000:
        assert max(map(len, wanted)) > 64


def test_the_nucleus_always_holds_a_token() -> None:
    """Invariant: even where one token alone has nearly all the mass, or a filter has left only one."""
    logits = torch.tensor([[0.0, 100.0, 0.0], [float("-inf"), float("-inf"), 1.0]])
    assert kept(keep_top_p(logits, 1e-9)) == [{1}, {2}]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 0.7},
        {"temperature": 2.0},
        {"top_k": 3},
        {"top_p": 0.7},
        {"temperature": 1.5, "top_k": 5, "top_p": 0.8},
    ],
)
def test_draws_follow_the_filtered_distribution(changes: dict[str, float]) -> None:
    """Witness: chi-square against softmax over the filtered tokens, computed with numpy (seeded)."""
    settings = GenerateSettings.model_validate(changes)
    logits = np.array(LOGITS) / settings.temperature
    if settings.top_k:
        logits[np.argsort(-logits)[settings.top_k :]] = -np.inf
    allowed = nucleus(logits, settings.top_p) if settings.top_p < 1 else set(np.flatnonzero(np.isfinite(logits)))
    logits[[i for i in range(len(logits)) if i not in allowed]] = -np.inf
    uniform = torch.from_numpy(np.random.default_rng(5).random(DRAWS))
    drawn = choose(torch.tensor([LOGITS]).expand(DRAWS, -1), settings, uniform)
    counts, expected = np.bincount(drawn, minlength=len(LOGITS)), softmax(logits) * DRAWS
    real = expected > 0
    assert not counts[~real].any()
    assert stats.chisquare(counts[real], expected[real]).pvalue > 0.001


@pytest.mark.parametrize("temperature", [1e-3, 1e-12, 1e-45])
def test_temperature_towards_zero_is_greedy(temperature: float) -> None:
    """Invariant: the limit of sampling is the likeliest token, without overflow on the way."""
    logits = rows(200, 50)
    uniform = torch.rand(200, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    chosen = choose(logits, GenerateSettings(temperature=temperature), uniform)
    assert torch.equal(chosen, logits.argmax(-1))
    assert torch.equal(chosen, choose(logits, GenerateSettings(greedy=True, top_k=1, top_p=0.1), uniform))


def test_temperature_divides_differences() -> None:
    """Witness: softmax(logits / t) by numpy."""
    logits = rows(5, 9)
    wanted = [softmax(row.astype(np.float64) / 0.6) for row in logits.numpy()]
    got = with_temperature(logits, 0.6).softmax(-1)
    torch.testing.assert_close(got, torch.tensor(np.array(wanted), dtype=torch.float32))


def test_the_ends_of_the_unit_interval_lead_to_real_tokens() -> None:
    """Invariant: whatever the uniform number, an excluded token is never drawn."""
    low, high = 0.0, 1.0 - 2.0**-53
    out = float("-inf")
    logits = torch.tensor([[out, 0.1, 0.7, out], [out, 0.1, 0.7, out]])
    assert draw(logits, torch.tensor([low, high], dtype=torch.float64)).tolist() == [1, 2]
    wide = rows(50, 40_000)
    wide[:, 30_000:] = out
    assert int(draw(wide, torch.full((50,), high, dtype=torch.float64)).max()) < 30_000


def test_equal_tokens_go_to_the_first() -> None:
    """Invariant: greedy choice is a function of the logits."""
    assert greedy(torch.tensor([[0.0, 2.0, 2.0], [1.0, 1.0, 0.0]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0.0),
        ("temperature", float("inf")),
        ("temperature", float("nan")),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("max_new", 0),
        ("samples", 0),
        ("topk", 3),
    ],
)
def test_impossible_settings_are_refused(name: str, value: float) -> None:
    """Witness: the ranges in the settings' docstring; the error names the field."""
    with pytest.raises(ValidationError, match=name):
        GenerateSettings.model_validate({name: value})
