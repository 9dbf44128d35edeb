"""Tensors that lie otherwise in a foreign file than in ours, beyond names, transposes and joints: both ways."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch

from warmstart.models.settings import BackboneSettings
from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.layout import Name, Tensors


@dataclass(frozen=True, slots=True)
class HeadByHead(Name):
    """Queries, keys and values of one head after those of another (GPT-NeoX, BLOOM), where ours has all queries first."""

    heads: int = 1

    def sized(self, settings: BackboneSettings) -> Name:
        """The same for a model of these sizes."""
        assert isinstance(settings, TransformerSettings)
        return replace(self, heads=settings.heads)

    def take(self, found: Tensors) -> torch.Tensor:
        """Ours, from theirs."""
        return _swap(found[self.theirs[0]], self.heads, 3)

    def give(self, ours: torch.Tensor, rows: Iterable[int]) -> dict[str, torch.Tensor]:
        """Theirs, from ours."""
        return {self.theirs[0]: _swap(ours, 3, self.heads)}


def _swap(rows: torch.Tensor, outer: int, inner: int) -> torch.Tensor:
    """The rows in blocks: from ``outer`` times ``inner`` to ``inner`` times ``outer``."""
    blocks = rows.reshape(outer, inner, -1, *rows.shape[1:])
    return blocks.transpose(0, 1).reshape(rows.shape)


@dataclass(frozen=True, slots=True)
class LaterRows(Name):
    """A table whose first rows serve nobody (OPT's positions)."""

    unused: int = 2

    def take(self, found: Tensors) -> torch.Tensor:
        """Ours, from theirs."""
        return found[self.theirs[0]][self.unused :]

    def give(self, ours: torch.Tensor, rows: Iterable[int]) -> dict[str, torch.Tensor]:
        """Theirs, from ours."""
        return {self.theirs[0]: torch.cat([ours.new_zeros(self.unused, *ours.shape[1:]), ours])}


@dataclass(frozen=True, slots=True)
class OneRow(Name):
    """A row of numbers that theirs keeps as a table of one row (BART's bias of the logits)."""

    def take(self, found: Tensors) -> torch.Tensor:
        """Ours, from theirs."""
        return found[self.theirs[0]][0]

    def give(self, ours: torch.Tensor, rows: Iterable[int]) -> dict[str, torch.Tensor]:
        """Theirs, from ours."""
        return {self.theirs[0]: ours[None]}


@dataclass(frozen=True, slots=True)
class UpOrGate(Name):
    """The first linear of a feed-forward part, which a gate has two of: ``gated`` are their names then (T5)."""

    gated: tuple[str, ...] = ()

    def sized(self, settings: BackboneSettings) -> Name:
        """The same for a model of these sizes."""
        assert isinstance(settings, TransformerSettings)
        return Name(self.ours, self.gated if settings.mlp == "gated" else self.theirs)


@dataclass(frozen=True, slots=True)
class Gain(Name):
    """The gain of a norm that theirs keeps as its distance from 1 (Gemma)."""

    def take(self, found: Tensors) -> torch.Tensor:
        """Ours, from theirs."""
        return found[self.theirs[0]].float() + 1

    def give(self, ours: torch.Tensor, rows: Iterable[int]) -> dict[str, torch.Tensor]:
        """Theirs, from ours."""
        return {self.theirs[0]: ours - 1}
