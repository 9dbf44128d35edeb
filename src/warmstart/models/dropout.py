"""Dropout whose masks are cheap on a CPU and stored nowhere.

``torch.nn.functional.dropout`` draws one serial random number per element, which costs more than the layers around it, and
keeps a mask for the way back. Here a mask is a function of one key: a fixed table of random integers is mixed with the
key by an exclusive or, a product and a shift, and gives two elements per integer, 15 bits each, so a rate is exact to
2⁻¹⁵. The way back makes the same mask again. Keys come from torch's own generator: whoever seeds it (the training step, by
name) decides all masks.

Elsewhere than on a CPU torch's own dropout is fast, and is used.
"""

import functools
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.models.passes import Mask, drop_into, passes

PART = 1 << 20  # elements whose mask is made at one time: two for each entry of the table, small enough for a cache
_LEVELS = 1 << 15
_LOW_BITS = 0x7FFF7FFF  # of both halves of an integer, without the signs
_SAME_SIZE = {2: torch.int16, 4: torch.int32, 8: torch.int64}
_WORD = (1 << 64) - 1


@functools.cache
def _table() -> torch.Tensor:
    return torch.empty(PART // 2, dtype=torch.int32).random_(generator=torch.Generator().manual_seed(2018))


def new_key() -> int:
    """Names one mask; the next number of torch's generator."""
    return int(torch.randint(1 << 62, ()))


def _key_of(key: int, part: int) -> int:
    """64 bits for part ``part`` of the mask ``key`` (splitmix's finaliser)."""
    x = (key + (part + 1) * 0x9E3779B97F4A7C15) & _WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _WORD
    return x ^ (x >> 31)


def _mask(share: float, key: int, part: int) -> Mask:
    """Of part ``part``, which keeps ``share`` of its elements."""
    word = _key_of(key, part)
    return Mask(_table(), (word >> 32) - (1 << 31), ((word & 0xFFFFFFFF) | 1) - (1 << 31), round(share * _LEVELS))


def _signs(count: int, share: float, key: int, part: int) -> torch.Tensor:
    """[count] int16, at most :data:`PART`, negative with probability ``share``."""
    table, start, factor, level = _mask(share, key, part)
    mixed = torch.bitwise_xor(table[: (count + 1) // 2], start).mul_(factor)
    mixed.bitwise_xor_(mixed >> 16).bitwise_and_(_LOW_BITS)
    return mixed.view(torch.int16)[:count].sub_(level)


def _parts(count: int) -> Iterator[tuple[int, slice]]:
    """Numbered slices of a row of ``count`` elements."""
    for part, start in enumerate(range(0, count, PART)):
        yield part, slice(start, min(count, start + PART))


def _bits(x: torch.Tensor) -> torch.Tensor:
    """The memory of ``x`` as integers of the same size."""
    return x.view(_SAME_SIZE[x.itemsize])


def _apply_mask(x: torch.Tensor, rate: float, key: int) -> torch.Tensor:
    """``x / (1 - rate)`` where the mask keeps it, else 0: an *and* of the bits with all ones or none."""
    given = x.contiguous().view(-1)
    found = torch.empty_like(given)
    in_one_pass = passes(x.dtype, x.device)
    for part, where in _parts(len(given)):
        if in_one_pass:
            drop_into(found[where], given[where], _mask(1 - rate, key, part), 1 / (1 - rate))
            continue
        ones = _signs(where.stop - where.start, 1 - rate, key, part).bitwise_right_shift_(15)
        bits = _bits(torch.mul(given[where], 1 / (1 - rate), out=found[where]))
        bits.bitwise_and_(ones.to(bits.dtype))
    return found.view(x.shape)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, rate, key):  # type: ignore[no-untyped-def]
        ctx.rate, ctx.key = rate, key
        return _apply_mask(x, rate, key)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return _apply_mask(grad, ctx.rate, ctx.key), None, None


def drop(x: torch.Tensor, rate: float) -> torch.Tensor:
    """``x`` with a share ``rate`` of its elements set to 0 and the rest scaled up."""
    if rate == 0.0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, rate)
    return _Drop.apply(x, rate, new_key())  # type: ignore[no-untyped-call,no-any-return]


def mark_dropped(weights: torch.Tensor, rate: float, key: int) -> None:
    """Sets the sign of a share ``rate`` of ``weights``, which are not negative and lie in one piece, in place.

    Attention keeps its weights for the way back anyhow, so a mask in their sign costs no memory. ``weights.relu()`` then
    are those that are kept.
    """
    bits = _bits(weights.view(-1))
    for part, where in _parts(len(bits)):
        signs = _signs(where.stop - where.start, rate, key, part)
        bits[where].bitwise_or_(signs.to(bits.dtype).bitwise_and_(torch.iinfo(bits.dtype).min))


def zero_dropped(grad: torch.Tensor, weights: torch.Tensor) -> None:
    """Sets ``grad`` to 0 where :func:`mark_dropped` has marked ``weights`` of the same shape, in place."""
    _bits(grad).bitwise_and_((_bits(weights) >> (8 * weights.itemsize - 1)).bitwise_not_())


class Dropout(nn.Module):
    """:func:`drop` in training, the identity otherwise."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Any shape in, the same shape out."""
        return drop(x, self.rate) if self.training else x
