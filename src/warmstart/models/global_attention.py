"""The first token of a text that reads all of it, where others see a window (Longformer: Beltagy et al. 2020, section 3.1).

All others see that token beside their window (:func:`~warmstart.models.attention.with_window`); it reads them all by
projections of its own. For B texts of N tokens that is one weight for each token and head, so nothing is padded.

Shapes: N flat tokens, B texts, H heads, K width of a head, D = H·K.
"""

from typing import NamedTuple

import torch
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.example.batch import Batch, to_device
from warmstart.example.sight import Pattern
from warmstart.models.dropout import drop
from warmstart.models.transformer_settings import TransformerSettings


class Firsts(NamedTuple):
    """The first token [B] of each text, and the text [N] of each token."""

    tokens: torch.Tensor
    text: torch.Tensor


def first_tokens(batch: Batch) -> Firsts:
    """Those of a Batch whose tokens see their whole text.

    Raises:
        BadInput: some tokens may not see others, as the first one would.
    """
    if batch.pattern is not Pattern.FULL:
        raise BadInput(
            "a token that all others see needs a frame in which all tokens see each other", where="model",
            value="a Longformer that reads a class", allowed="tasks whose texts are read as a whole",
        )  # fmt: skip
    lengths = torch.from_numpy(batch.lengths)
    text = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    device = batch.ids.device
    return Firsts(to_device(lengths.cumsum(0) - lengths, device), to_device(text, device))


class GlobalAttention(nn.Module):
    """Projections of a token that reads its whole text."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.heads, self.dropout = settings.heads, settings.attention_dropout
        width = settings.heads * settings.per_head
        self.query, self.key, self.value = (
            nn.Linear(settings.width, width, bias=settings.has_qkv_bias) for _ in range(3)
        )

    def forward(self, x_ND: torch.Tensor, mixed_ND: torch.Tensor, firsts: Firsts) -> torch.Tensor:
        """[N, D] what tokens have read in their windows, with what the first of each text reads in its place."""
        q, k, v = self.query(x_ND[firsts.tokens]), self.key(x_ND), self.value(x_ND)
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in (q, k, v))
        scores_NH = (q[firsts.text] * k).sum(-1).float() * q.shape[-1] ** -0.5
        index = firsts.text[:, None].expand_as(scores_NH)
        top = torch.full_like(scores_NH[: len(q)], -torch.inf).scatter_reduce(0, index, scores_NH.detach(), "amax")
        shares = (scores_NH - top[firsts.text]).exp()
        total = torch.zeros_like(top).index_add(0, firsts.text, shares)
        weights = (shares / total[firsts.text]).to(v.dtype)
        weights = drop(weights, self.dropout if self.training else 0.0)
        found = torch.zeros_like(q).index_add(0, firsts.text, weights[..., None] * v)
        return mixed_ND.index_copy(0, firsts.tokens, found.flatten(1))
