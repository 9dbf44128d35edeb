"""Rotary positions: angles, the part of a head that is turned, and longer contexts."""

import cmath
from typing import Any

import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.models.presets import preset
from warmstart.models.rotary import apply_rotary, rotary_frequencies, rotary_table
from warmstart.models.rotary_settings import RotaryScaling

BASE = {"positions": "rotary", "width": 16, "heads": 2, "rotary_base": 50.0}


@pytest.mark.parametrize("width", [None, 4])
def test_pairs_of_numbers_are_turned_as_complex_ones(width: int | None) -> None:
    """Witness: multiplication by e^(i · position · base^(-2n / R)) of number n and its partner, half of R further."""
    settings = preset("gpt1-tiny", **BASE, rotary_width=width)
    positions, turned = torch.tensor([0, 1, 7, 30]), width or 8
    x = torch.randn(4, 2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = apply_rotary(x, rotary_table(positions, settings, torch.float64))  # type: ignore[arg-type]
    for token, position in enumerate(positions.tolist()):
        for head in range(2):
            wanted = x[token, head].tolist()
            for n in range(turned // 2):
                angle = position * 50.0 ** (-2 * n / turned)
                pair = complex(wanted[n], wanted[n + turned // 2]) * cmath.exp(1j * angle)
                wanted[n], wanted[n + turned // 2] = pair.real, pair.imag
            torch.testing.assert_close(found[token, head], torch.tensor(wanted, dtype=torch.float64), atol=1e-5, rtol=0)


def test_linear_scaling_divides_positions() -> None:
    """Witness: Chen et al. 2023, section 3.2: positions divided by the factor."""
    plain, slow = (
        preset("gpt1-tiny", **BASE, rotary_scaling=scaling) for scaling in (None, {"kind": "linear", "factor": 4})
    )
    found = rotary_table(torch.arange(0, 40, 4), slow, torch.float64)  # type: ignore[arg-type]
    for mine, wanted in zip(found, rotary_table(torch.arange(10), plain, torch.float64), strict=True):  # type: ignore[arg-type]
        torch.testing.assert_close(mine, wanted, atol=1e-6, rtol=0)


def test_dynamic_scaling_reaches_as_far_as_linear_at_the_slowest_pair() -> None:
    """Witness: NTK-aware scaling's definition: at the full context the slowest frequency is divided as linear divides it."""
    scaling = RotaryScaling(kind="dynamic", factor=1.0, original_context=100)
    found, plain = rotary_frequencies(50.0, 16, scaling, 300), rotary_frequencies(50.0, 16, None, 300)
    assert found[-1] == pytest.approx(plain[-1] / 3) and found[0] == plain[0] == 1.0
    assert rotary_frequencies(50.0, 16, scaling, 100) == plain


@pytest.mark.parametrize("kind", ["llama3", "yarn"])
def test_only_what_hardly_turns_becomes_slower(kind: Any) -> None:
    """Invariant: both methods keep pairs of many turns within the original context and divide those of few by the factor."""
    scaling = RotaryScaling(kind=kind, factor=8, original_context=512, few_turns=1, many_turns=32)
    plain, found = (rotary_frequencies(10000.0, 64, one, 4096) for one in (None, scaling))
    ratios = [a / b for a, b in zip(plain, found, strict=True)]
    turns = [512 * frequency / (2 * cmath.pi) for frequency in plain]
    assert all(ratio == pytest.approx(1) for ratio, turn in zip(ratios, turns, strict=True) if turn > 50)
    assert all(ratio == pytest.approx(8) for ratio, turn in zip(ratios, turns, strict=True) if turn < 0.6)
    assert sorted(ratios) == ratios and sum(1.001 < ratio < 7.999 for ratio in ratios) > 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"rotary_width": 3}, "even"), ({"rotary_width": 10}, "more of a head"),
     ({"rotary_scaling": {"kind": "yarn", "few_turns": 9, "many_turns": 2}}, "wrong way round")],
)  # fmt: skip
def test_impossible_rotary_settings_are_refused(changes: dict[str, Any], said: str) -> None:
    """Witness: the definitions: pairs, within a head, few turns below many."""
    with pytest.raises(BadInput, match=said):
        preset("gpt1-tiny", **BASE, **changes)
