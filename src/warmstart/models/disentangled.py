"""Disentangled attention (He et al. 2021): a score is a sum of content to content, content to position, position to content.

A table has a row for each distance (or bucket of distances), before and behind, which all layers share. Each layer makes
keys and queries of the rows: a query meets the key of the distance at which it reads (c2p), a key meets the query of that
distance (p2c). DeBERTa-v2's buckets (its appendix): half of them are exact distances, the others grow by a constant factor.
Distances are those of position numbers.

What comes of it is added to the scores of any kernel, so the law of sight is the kernels' affair
(tests/laws/test_sight.py). It costs a product of each query and key with the rows that the longest text needs, and two
gathers of [T, T] for each head.

Shapes: R rows of distances, G documents, T queries, S keys, H heads, K width of a head, D width.
"""

import math

import torch
from torch import nn

from warmstart.models.dropout import Dropout
from warmstart.models.transformer_settings import TransformerSettings

BOTH = ("c2p", "p2c")


def bucket(behind: torch.Tensor, count: int, longest: int) -> torch.Tensor:
    """The bucket of each distance, as DeBERTa-v2 has it (float32, whatever the model computes in).

    Args:
        behind: […] position of the reader minus position of what is read.
        count: buckets on each side.
        longest: the distance minus 1 that falls into the outermost bucket.

    Returns:
        […] numbers that grow with the distance; beyond the longest they pass ``count``.
    """
    middle, away = count // 2, behind.abs()
    growth = torch.log(torch.tensor((longest - 1) / middle, device=behind.device))
    grown = torch.ceil(torch.log(away.clamp(min=middle) / middle) / growth * (middle - 1)) + middle
    return torch.where(away <= middle, behind, (grown * behind.sign()).long())


class DistanceTable(nn.Module):
    """The rows of distances [2 · span, D], and which of them stands between two positions."""

    def __init__(self, settings: TransformerSettings, norm: nn.Module | None) -> None:
        super().__init__()
        self.span, self.longest = settings.distance_span, settings.relative_distance
        self.buckets = settings.distance_buckets
        self.table = nn.Embedding(2 * self.span, settings.width)
        self.norm = norm

    def rows_up_to(self, farthest: int) -> slice:
        """The rows that positions up to ``farthest`` from each other need."""
        ends = self._numbers(torch.tensor([-farthest, farthest])).tolist()
        return slice(ends[0], ends[1] + 1)

    def forward(self, rows: slice) -> torch.Tensor:
        """[R, D] some rows, normed."""
        found = self.table.weight[rows]
        return found if self.norm is None else self.norm(found)

    def between(self, readers_GT: torch.Tensor, read_GS: torch.Tensor, rows: slice) -> torch.Tensor:
        """[G, T, S] the place among ``rows`` of the distance between each reader and what it reads."""
        numbers: torch.Tensor = self._numbers(readers_GT[:, :, None] - read_GS[:, None, :]) - rows.start
        return numbers

    def _numbers(self, behind: torch.Tensor) -> torch.Tensor:
        found = behind if self.buckets is None else bucket(behind, self.buckets, self.longest)
        return (found + self.span).clamp(0, 2 * self.span - 1)


class DistanceScores(nn.Module):
    """One layer's part of it: from rows of distances to what is added to its scores.

    Its keys and queries of distances are those of the layer's own projection, or of linears of their own.
    """

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.heads, self.per_head = settings.heads, settings.per_head
        self.kinds = settings.disentangled
        self.scale = settings.query_scale
        self.drop = Dropout(settings.residual_dropout)
        wanted = () if settings.shared_distance_keys else self.kinds
        width = self.heads * self.per_head
        self.key = nn.Linear(settings.width, width, bias=settings.key_bias) if "c2p" in wanted else None
        self.query = nn.Linear(settings.width, width) if "p2c" in wanted else None

    def project(self, table_RD: torch.Tensor, qkv: nn.Module) -> dict[str, torch.Tensor]:
        """Kind → keys or queries of the distances, [H, K, R]; ``qkv`` is the layer's joint projection."""
        rows = self.drop(table_RD)
        if self.key is None and self.query is None:
            query, key, _ = qkv(rows).chunk(3, -1)
            found = {"c2p": key, "p2c": query}
        else:
            found = {
                kind: part(rows) for kind, part in zip(BOTH, (self.key, self.query), strict=True) if part is not None
            }
        return {kind: found[kind].view(len(rows), self.heads, -1).permute(1, 2, 0) for kind in self.kinds}

    def forward(
        self, q_GHTK: torch.Tensor, k_GHSK: torch.Tensor, distances_GTS: torch.Tensor, parts: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """[G, H, T, S] what is added to the scores of queries that are multiplied by ``scale`` already.

        Args:
            q_GHTK: queries.
            k_GHSK: keys.
            distances_GTS: [G or 1, T, S] places among the rows of ``parts``.
            parts: of :meth:`project`.
        """
        width = math.sqrt(self.per_head)
        rows_GHTS = distances_GTS.unsqueeze(1).expand(len(q_GHTK), self.heads, -1, -1)
        added = []
        if "c2p" in parts:
            added.append((q_GHTK @ (parts["c2p"] / width)).gather(-1, rows_GHTS))
        if "p2c" in parts:
            by_key = k_GHSK @ (parts["p2c"] * (self.scale / width))
            added.append(by_key.gather(-1, rows_GHTS.transpose(-1, -2)).transpose(-1, -2))
        return added[0] if len(added) == 1 else added[0] + added[1]
