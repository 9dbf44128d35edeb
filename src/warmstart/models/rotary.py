"""Rotary positions: queries and keys turned by an angle that grows with their position (Su et al. 2021).

A head is turned in pairs of numbers, each pair at its own frequency: the first half of what is turned against the second, as
in Llama. A longer context than a model was trained with is had by slower frequencies, in one of four published ways
(:class:`~warmstart.models.rotary_settings.RotaryScaling`).

Shapes: K width of a head, R of the part that is turned, R / 2 frequencies.
"""

import functools
import math
from typing import NamedTuple

import torch

from warmstart.example.batch import to_device
from warmstart.models.rotary_settings import RotaryScaling
from warmstart.models.transformer_settings import TransformerSettings


class RotaryTable(NamedTuple):
    """Rotary positions of some tokens: cosine and sine of each angle, […, 1, R]."""

    cos: torch.Tensor
    sin: torch.Tensor


def rotary_table(
    positions: torch.Tensor, settings: TransformerSettings, dtype: torch.dtype, window: int | None = None
) -> RotaryTable:
    """The angles of ``positions`` […] in layers with a window."""
    scaling, width = settings.rotary_scaling_of(window), settings.rotary_width or settings.per_head
    found = rotary_frequencies(settings.rotary_base_of(window), width, scaling, settings.context)
    frequencies = torch.tensor(found)
    angles = positions[..., None].float() * to_device(frequencies, positions.device)
    both = torch.cat([angles, angles], -1)[..., None, :]
    amplitude = 1.0 if scaling is None else scaling.amplitude
    cos, sin = (both.cos(), both.sin()) if amplitude == 1 else (both.cos() * amplitude, both.sin() * amplitude)
    return RotaryTable(cos.to(dtype), sin.to(dtype))


def apply_rotary(x: torch.Tensor, rotary: RotaryTable) -> torch.Tensor:
    """[…, heads, K] queries or keys, the first R numbers of each rotated by their positions."""
    turned = rotary.cos.shape[-1]
    if turned < x.shape[-1]:
        first, rest = x[..., :turned], x[..., turned:]
        return torch.cat([apply_rotary(first, rotary), rest], -1)
    left, right = x.chunk(2, -1)
    return x * rotary.cos + torch.cat([-right, left], -1) * rotary.sin


@functools.lru_cache(maxsize=64)
def rotary_frequencies(base: float, width: int, scaling: RotaryScaling | None, context: int) -> tuple[float, ...]:
    """[R / 2] radians per position, the fastest first.

    Args:
        base: of the frequencies.
        width: R.
        scaling: how they are slowed down for a longer context; ``None``: not at all.
        context: the longest text; ``dynamic`` scaling is for that length.
    """
    if scaling is not None and scaling.kind == "dynamic":
        longer = max(1.0, context / scaling.original_context)
        base *= (scaling.factor * longer - (scaling.factor - 1)) ** (width / (width - 2))
    plain = [base ** (-place / width) for place in range(0, width, 2)]
    if scaling is None or scaling.kind == "dynamic":
        return tuple(plain)
    shares = _shares(plain, base, width, scaling)
    return tuple(f * (1 - share + share / scaling.factor) for f, share in zip(plain, shares, strict=True))


def _shares(plain: list[float], base: float, width: int, scaling: RotaryScaling) -> list[float]:
    """[R / 2] how far each frequency is slowed down, from 0 (not at all) to 1 (divided by the factor).

    ``linear``: 1. ``llama3`` and ``yarn``: 0 for what turns often within the original context, 1 for what hardly turns; in
    between it falls with the number of turns (``llama3``) or grows with the place of the pair (``yarn``).
    """
    if scaling.kind == "linear":
        return [1.0] * len(plain)
    few, many = scaling.few_turns, scaling.many_turns
    if scaling.kind == "llama3":
        turns = [scaling.original_context * frequency / (2 * math.pi) for frequency in plain]
        return [_between_0_and_1((many - each) / (many - few)) for each in turns]

    def place(turns: float) -> float:
        """Of the pair that turns so often within the original context."""
        return width * math.log(scaling.original_context / (turns * 2 * math.pi)) / (2 * math.log(base))

    first, last = place(many), place(few)
    if scaling.whole_places:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, width - 1)
    return [_between_0_and_1((n - first) / (last - first or 0.001)) for n in range(len(plain))]


def _between_0_and_1(x: float) -> float:
    return min(1.0, max(0.0, x))
