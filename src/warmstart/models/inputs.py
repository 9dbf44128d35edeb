"""Tokens read as the states of a language model: of a frozen one all layers mixed, of a trained one the last.

ELMo (Peters et al. 2018) and TagLM (Peters et al. 2017) read a frozen mixture beside a model's own embeddings; Edunov et
al. 2019 read one in their place (SRC-ELMO, TGT-ELMO), or the last layer of a language model that goes on learning (SRC-FT,
TGT-FT). The language model reads the whole text in its own way, so a text that is still written needs one that reads from
left to right.

Shapes: N tokens, T tokens of B sources, E width of a backbone's table, W width of the language model's states.
"""

import contextlib

import torch
from torch import nn

from warmstart.example.batch import Batch
from warmstart.models.backbone import Backbone, TokenInputs, embed_tokens
from warmstart.models.kv_cache import KVCache
from warmstart.models.scalar_mix import ScalarMix
from warmstart.models.settings import InputSettings


class LayerReader(nn.Module):
    """The states of all layers mixed, or the last ones, brought to a width by a linear without bias."""

    def __init__(self, settings: InputSettings, shape: tuple[int, int], width: int) -> None:
        super().__init__()
        mixes = settings.kind == "mix"
        self.mix = ScalarMix(shape[0], norm=settings.norm, dropout=settings.dropout) if mixes else None
        self.project = nn.Linear(shape[1], width, bias=False)

    def forward(self, layers: list[torch.Tensor]) -> torch.Tensor:
        """States of each layer, all […, W] → [… , E]."""
        return self.project(layers[-1] if self.mix is None else self.mix(layers))  # type: ignore[no-any-return]


class LMInputs(TokenInputs):
    """The states of a language model in the place of a table's rows, added to them, or added to the reader's own states."""

    def __init__(self, settings: InputSettings, lm: Backbone, width: int, states: int) -> None:
        """``width`` is that of the reader's token table, ``states`` that of its states."""
        super().__init__()
        self.replaces_table, self.is_frozen = settings.place == "instead", settings.kind == "mix"
        self.lm = lm.requires_grad_(not self.is_frozen)
        self.below = LayerReader(settings, lm.text_shape, width) if settings.at != "output" else None
        self.above = LayerReader(settings, lm.text_shape, states) if settings.at != "input" else None

    def train(self, mode: bool = True) -> "LMInputs":
        """Training and evaluation; nothing of a frozen language model drops out."""
        super().train(mode)
        if self.is_frozen:
            self.lm.eval()
        return self

    def forward(self, batch: Batch, table: torch.Tensor) -> torch.Tensor:
        """[N, E] of the tokens of a Batch."""
        return self._embed(None if self.below is None else self.below(self._layers(batch)), batch.ids, table)

    def add_above(self, states: torch.Tensor, batch: Batch, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The reader's last states with those of the language model, where they are read there."""
        if self.above is None:
            return states
        layers = self._layers(batch)
        return states + self.above(layers if reads_M is None else [layer[reads_M] for layer in layers])  # type: ignore[no-any-return]

    def new_cache(self, sources: int, columns: int) -> KVCache:
        """Room for what the language model reads."""
        return self.lm.new_cache(sources, columns)

    def read_cached(self, ids_BT: torch.Tensor, cache: KVCache, table: torch.Tensor) -> torch.Tensor:
        """[B, T, E] of the tokens that ``cache`` has been prepared for."""
        assert self.below is not None
        return self._embed(self.below(self.lm.text_states_cached(ids_BT, cache)), ids_BT, table)

    def _layers(self, batch: Batch) -> list[torch.Tensor]:
        with torch.no_grad() if self.is_frozen else contextlib.nullcontext():
            return self.lm.text_states(batch)

    def _embed(self, read: torch.Tensor | None, ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        """What the language model gives, the row of the table, or their sum."""
        if read is None:
            return embed_tokens(ids, table)
        return read if self.replaces_table else read + embed_tokens(ids, table)
