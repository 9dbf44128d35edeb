"""The parts of a Transformer layer, in the order that data meets them: norm, attention, feed-forward, block.

Radford et al. 2018 (post-norm), Radford et al. 2019 (pre-norm), Devlin et al. 2018 (full sight), Touvron et al. 2023
(rotary positions, root-mean-square norm, gated feed-forward, shared keys) are choices of the same parts.

Shapes: N flat tokens, D width, H query heads, G key heads, K width of a head, B rows and T new tokens of a cache.
"""

import functools
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.models.attention import AddedScores, Plan, SourceReader, attend
from warmstart.models.cache import LayerCache
from warmstart.models.disentangled import DistanceScores
from warmstart.models.dropout import Dropout
from warmstart.models.gelu import gelu, gelu_tanh
from warmstart.models.global_attention import GlobalAttention
from warmstart.models.rotary import RotaryTable, apply_rotary
from warmstart.models.transformer_settings import Activation, TransformerSettings

ACTIVATIONS: dict[Activation, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "silu": F.silu,
    "relu": F.relu,
}


def make_norm(settings: TransformerSettings, width: int | None = None) -> nn.Module:
    """The norm that ``settings`` ask for, over the model's width unless another is named."""
    width = width or settings.width
    if settings.norm_kind == "rms":
        return nn.RMSNorm(width, eps=settings.norm_eps)
    return nn.LayerNorm(width, eps=settings.norm_eps, bias=settings.norm_bias)


class KeylessLinear(nn.Linear):
    """A joint projection whose queries and values have biases, and whose keys have none."""

    def __init__(self, inputs: int, queries: int, keys: int) -> None:
        super().__init__(inputs, queries + 2 * keys, bias=False)
        self.query_bias, self.value_bias = nn.Parameter(torch.zeros(queries)), nn.Parameter(torch.zeros(keys))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[…, D] → […, queries, keys, values]."""
        none = torch.zeros_like(self.value_bias)
        return F.linear(input, self.weight, torch.cat([self.query_bias, none, self.value_bias]))


def make_projection(settings: TransformerSettings) -> nn.Linear:
    """The joint projection to queries, keys and values."""
    queries, keys = settings.heads * settings.per_head, settings.key_heads * settings.per_head
    if settings.has_qkv_bias and not settings.key_bias:
        return KeylessLinear(settings.width, queries, keys)
    return nn.Linear(settings.width, queries + 2 * keys, bias=settings.has_qkv_bias)


class Attention(nn.Module):
    """Joint projection to queries, keys and values; the kernel; the projection back."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.heads, self.key_heads, self.per_head = settings.heads, settings.key_heads, settings.per_head
        self.dropout, self.cap = settings.attention_dropout, settings.attention_cap
        # Kernels divide by the root of the width; what differs from that is done to the queries.
        self.scale = settings.query_scale
        self.qkv = make_projection(settings)
        self.out = nn.Linear(self.heads * self.per_head, settings.width, bias=settings.has_out_bias)
        self.q_norm = make_norm(settings, self.per_head) if settings.qk_norm else None
        self.k_norm = make_norm(settings, self.per_head) if settings.qk_norm else None
        # Whether the joint projection is what the kernel reads as it stands.
        plain = settings.positions != "rotary" and not settings.qk_norm and self.scale == 1
        self.joint = plain and self.heads == self.key_heads and not settings.disentangled
        self.distances = DistanceScores(settings) if settings.disentangled else None
        self.globals = GlobalAttention(settings) if settings.global_attention else None

    def forward(
        self, x_ND: torch.Tensor, plan: Plan, rotary: RotaryTable | None, reads_M: torch.Tensor | None = None
    ) -> torch.Tensor:
        """[N, D] → [N, D], or → [M, D] of the tokens ``reads_M`` only."""
        qkv = self.qkv(x_ND)
        if not self.joint:
            q, kv = self._split(qkv, rotary)
            k, v = kv.unbind(-3)
            qkv = torch.cat([q, self._repeat(k), self._repeat(v)], -2).flatten(-2)
        dropout = self.dropout if self.training else 0.0
        mixed = attend(qkv, plan, self.heads, dropout, self._added(plan.distance_table), self.cap)
        if self.globals is not None and plan.firsts is not None:
            mixed = self.globals(x_ND, mixed, plan.firsts)
        return self.out(mixed if reads_M is None else mixed.index_select(0, reads_M))  # type: ignore[no-any-return]

    def forward_cached(
        self, x_BTD: torch.Tensor, cache: LayerCache, rotary: RotaryTable | None, skip: int = 0
    ) -> torch.Tensor:
        """[B, T - skip, D] for the next T tokens of B sequences whose past is in ``cache``; the first few only add to it."""
        q, kv = self._split(self.qkv(x_BTD), rotary)
        mixed = cache.read(q[:, skip:].transpose(1, 2), kv, self._added(cache.distance_table))
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _added(self, distance_table: torch.Tensor | None) -> AddedScores | None:
        """What disentangled attention adds to the scores."""
        if self.distances is None or distance_table is None:
            return None
        return functools.partial(self.distances, parts=self.distances.project(distance_table, self.qkv))

    def _split(self, qkv: torch.Tensor, rotary: RotaryTable | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries […, H, K], and keys and values […, 2, G, K]; normed and rotated."""
        lead = qkv.shape[:-1]
        q, kv = torch.split(qkv, [self.heads * self.per_head, 2 * self.key_heads * self.per_head], -1)
        q, kv = q.view(*lead, self.heads, self.per_head), kv.view(*lead, 2, self.key_heads, self.per_head)
        if rotary is None and self.k_norm is None and self.scale == 1:
            return q, kv
        k, v = kv.unbind(-3)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if self.scale != 1:
            q = q * self.scale
        if rotary is not None:
            q, k = apply_rotary(q, rotary), apply_rotary(k, rotary)
        return q, torch.stack([k, v], -3)

    def _repeat(self, shared: torch.Tensor) -> torch.Tensor:
        """Keys or values repeated for every query head that shares them."""
        return shared if self.heads == self.key_heads else shared.repeat_interleave(self.heads // self.key_heads, -2)


class FeedForward(nn.Module):
    """Two linears with an activation between; gated, the first one is twice as wide and its halves are multiplied."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.gated = settings.mlp == "gated"
        self.up = nn.Linear(settings.width, settings.hidden * (2 if self.gated else 1), bias=settings.bias)
        self.down = nn.Linear(settings.hidden, settings.width, bias=settings.bias)
        self.activation = ACTIVATIONS[settings.activation]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[…, D] → […, D]."""
        if not self.gated:
            return self.down(self.activation(self.up(x)))  # type: ignore[no-any-return]
        gate, up = self.up(x).chunk(2, -1)
        return self.down(self.activation(gate) * up)  # type: ignore[no-any-return]


class Block(nn.Module):
    """One layer: attention and feed-forward, each with residual sum, dropout and norm."""

    def __init__(self, settings: TransformerSettings, *, first: bool = False) -> None:
        super().__init__()
        self.post, self.parallel = settings.norm == "post", settings.parallel != "none"
        self.attention = Attention(settings)
        plain = first and not self.post and not settings.first_norm
        self.norm1 = nn.Identity() if plain else make_norm(settings)
        self.mlp = FeedForward(settings)
        self.norm2 = None if settings.parallel == "one_norm" else make_norm(settings)
        self.norm1_out = make_norm(settings) if settings.norm == "both" else None
        self.norm2_out = make_norm(settings) if settings.norm == "both" else None
        self.drop = Dropout(settings.residual_dropout)
        self.finish: Callable[[Block, torch.Tensor, torch.Tensor], torch.Tensor] = finish  # or the same compiled

    @property
    def added_norm(self) -> nn.Module:
        """Of states to which attention was added, where norms come behind."""
        return self.norm1

    def forward(
        self,
        x: torch.Tensor,
        past: Plan | LayerCache,
        rotary: RotaryTable | None,
        reads_M: torch.Tensor | None = None,
        skip: int = 0,
    ) -> torch.Tensor:
        """[N, D] with a plan, or [B, T, D] with a cache.

        With ``reads_M`` [N, D] → [M, D]; without the first ``skip`` tokens [B, T, D] → [B, T - skip, D]. Of the others only
        keys and values are computed.
        """
        normed = x if self.post else self.norm1(x)
        if isinstance(past, LayerCache):
            return self.finish(self, x[:, skip:], self.attention.forward_cached(normed, past, rotary, skip))
        attended = self.attention(normed, past, rotary, reads_M)
        return self.finish(self, x if reads_M is None else x.index_select(0, reads_M), attended)


class CrossAttention(nn.Module):
    """Attention from a decoder's tokens to what an encoder has made of their source."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.heads, self.dropout, self.scale = settings.heads, settings.attention_dropout, settings.query_scale
        width = settings.heads * settings.per_head
        self.q = nn.Linear(settings.width, width, bias=settings.has_qkv_bias)
        self.kv = nn.Linear(settings.width, 2 * width, bias=settings.has_qkv_bias)
        self.out = nn.Linear(width, settings.width, bias=settings.has_out_bias)

    def forward(self, x: torch.Tensor, source: SourceReader) -> torch.Tensor:
        """[…, D] → […, D]."""
        q = self.q(x)
        q = q if self.scale == 1 else q * self.scale
        return self.out(source.read(q, self.kv, self.heads, self.dropout if self.training else 0.0))  # type: ignore[no-any-return]


class DecoderBlock(Block):
    """The same with attention to a source between attention and feed-forward (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, settings: TransformerSettings, *, first: bool = False) -> None:
        super().__init__(settings, first=first)
        self.cross = CrossAttention(settings)
        self.cross_norm = make_norm(settings)

    @property
    def added_norm(self) -> nn.Module:
        """Of states to which the source was added."""
        return self.cross_norm

    def forward(
        self,
        x: torch.Tensor,
        past: Plan | LayerCache,
        rotary: RotaryTable | None,
        reads_M: torch.Tensor | None = None,
        skip: int = 0,
    ) -> torch.Tensor:
        """As a :class:`Block`'s, but for all tokens of a plan; ``past`` has the source, or none: then it is that layer."""
        assert reads_M is None
        normed = x if self.post else self.norm1(x)
        if isinstance(past, LayerCache):
            x = x[:, skip:] + self.attention.forward_cached(normed, past, rotary, skip)
        else:
            x = x + self.drop(self.attention(normed, past, rotary))
        x = self.norm1(x) if self.post else x
        if past.source is None:
            return feed_forward(self, x)
        return self.finish(self, x, self.cross(x if self.post else self.cross_norm(x), past.source))


def finish(block: Block, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
    """All of a layer that comes after attention, token by token: any number of tokens has the same graph."""
    attended = attended if block.norm1_out is None else block.norm1_out(attended)
    if block.parallel:
        norm2 = block.norm2 or block.norm1
        return x + block.drop(attended) + block.drop(block.mlp(norm2(x)))  # type: ignore[no-any-return]
    x = x + block.drop(attended)
    return feed_forward(block, block.added_norm(x) if block.post else x)


def feed_forward(block: Block, x: torch.Tensor) -> torch.Tensor:
    """The feed-forward part of a layer with its sum and its norms."""
    norm2 = block.norm2
    assert norm2 is not None
    if block.post:
        return norm2(x + block.drop(block.mlp(x)))  # type: ignore[no-any-return]
    added = block.mlp(norm2(x))
    added = added if block.norm2_out is None else block.norm2_out(added)
    return x + block.drop(added)  # type: ignore[no-any-return]
