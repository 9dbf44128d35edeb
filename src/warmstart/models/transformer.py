"""The Transformer backbone: GPT-1's post-norm block and GPT-2's pre-norm block, causal or full sight.

Radford et al. 2018, section 3.1, and the released code where the paper is silent. It knows no device, dtype or rank: it
computes in whatever its parameters are. What a token sees is in the Batch, not here.
"""

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.example.batch import Batch
from warmstart.models.attention import Plan, attend, plain_attention, plan_attention
from warmstart.models.cache import Cache, LayerCache
from warmstart.models.dropout import Dropout
from warmstart.models.settings import TransformerSettings


class Attention(nn.Module):
    """Joint projection to queries, keys and values; the kernel; the projection back."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.heads, self.dropout = settings.heads, settings.attention_dropout
        self.qkv = nn.Linear(settings.width, 3 * settings.width)
        self.out = nn.Linear(settings.width, settings.width)

    def forward(self, x_ND: torch.Tensor, plan: Plan) -> torch.Tensor:
        """[N, D] → [N, D]."""
        dropout = self.dropout if self.training else 0.0
        return self.out(attend(self.qkv(x_ND), plan, self.heads, dropout))  # type: ignore[no-any-return]

    def advance(self, x_BTD: torch.Tensor, cache: LayerCache) -> torch.Tensor:
        """The same for the next T tokens of each of B sequences whose past is in ``cache``."""
        rows, new, width = x_BTD.shape
        qkv = self.qkv(x_BTD).view(rows, new, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        keys, values = cache.append(qkv[1], qkv[2])
        mixed = plain_attention(qkv[0], keys, values, cache.bias)
        return self.out(mixed.transpose(1, 2).reshape(rows, new, width))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Two linears with a GELU between."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.up = nn.Linear(settings.width, settings.hidden)
        self.down = nn.Linear(settings.hidden, settings.width)
        self.approximate = "tanh" if settings.gelu == "tanh" else "none"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[…, D] → […, D]."""
        return self.down(F.gelu(self.up(x), approximate=self.approximate))  # type: ignore[no-any-return]


class Block(nn.Module):
    """One layer: attention and feed-forward, each with residual sum, dropout and layer norm."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.post = settings.norm == "post"
        self.attention = Attention(settings)
        self.norm1 = nn.LayerNorm(settings.width, eps=settings.norm_eps)
        self.mlp = FeedForward(settings)
        self.norm2 = nn.LayerNorm(settings.width, eps=settings.norm_eps)
        self.drop = Dropout(settings.residual_dropout)

    def forward(self, x: torch.Tensor, plan: Plan | None, cache: LayerCache | None = None) -> torch.Tensor:
        """[N, D] with a plan, or [B, T, D] with a cache."""
        if self.post:
            x = self.norm1(x + self.drop(self._attend(x, plan, cache)))
            return self.norm2(x + self.drop(self.mlp(x)))  # type: ignore[no-any-return]
        x = x + self.drop(self._attend(self.norm1(x), plan, cache))
        return x + self.drop(self.mlp(self.norm2(x)))  # type: ignore[no-any-return]

    def _attend(self, x: torch.Tensor, plan: Plan | None, cache: LayerCache | None) -> torch.Tensor:
        if cache is not None:
            return self.attention.advance(x, cache)
        assert plan is not None
        return self.attention(x, plan)  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """Tokens and positions in, one state per token out."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.settings = settings
        self.tokens = nn.Embedding(settings.vocab_size, settings.width)
        self.positions = nn.Embedding(settings.context, settings.width)
        self.drop = Dropout(settings.embedding_dropout)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.layers))
        self.final_norm = nn.LayerNorm(settings.width, eps=settings.norm_eps) if settings.norm == "pre" else None

    @property
    def token_table(self) -> torch.Tensor:
        """[V, D] token embeddings, which are the softmax weights as well (tied)."""
        return self.tokens.weight

    def forward(self, batch: Batch) -> torch.Tensor:
        """The states [N, D] of a flat Batch."""
        plan = plan_attention(batch, self.tokens.weight.dtype)
        x_ND = self.drop(self.tokens(batch.ids) + self.positions(batch.positions))
        for block in self.blocks:
            x_ND = block(x_ND, plan)
        return self._closed(x_ND)

    def new_cache(self, rows: int, length: int) -> Cache:
        """Room for the keys and values of ``rows`` sequences of up to ``length`` tokens."""
        table = self.tokens.weight
        shape = (rows, self.settings.heads, length, self.settings.width // self.settings.heads)
        return Cache.empty(len(self.blocks), shape, table.dtype, table.device)

    def advance(self, ids_BT: torch.Tensor, cache: Cache) -> torch.Tensor:
        """States [B, T, D] of the next T tokens of each sequence, left to right; ``cache`` takes their keys in."""
        cache.open(ids_BT.shape[1])
        x_BTD = self.tokens(ids_BT) + self.positions(cache.positions)
        for block, layer in zip(self.blocks, cache.layers, strict=True):
            x_BTD = block(x_BTD, None, layer)
        return self._closed(x_BTD)

    def _closed(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.final_norm is None else self.final_norm(x)


def initialise(module: nn.Module, std: float, generator: torch.Generator) -> None:
    """Draws all weights anew, in the order of their names.

    ========================= =====================
    weight                    from
    ========================= =====================
    linear and embedding      N(0, std²)
    bias, layer-norm bias     0
    layer-norm gain           1
    ========================= =====================
    """
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Embedding):
                part.weight.normal_(0.0, std, generator=generator)
            if isinstance(part, nn.LayerNorm):
                part.weight.fill_(1.0)
            if isinstance(part, nn.Linear | nn.LayerNorm) and part.bias is not None:
                part.bias.zero_()
