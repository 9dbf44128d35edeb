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
from warmstart.models.backbone import Backbone, KVCache, TokenInputs, embed_tokens
from warmstart.models.scalar_mix import ScalarMix
from warmstart.models.settings import InputSettings


class LMInputs(TokenInputs):
    """The states of a language model, projected to the width of a table, in its place or added to its rows."""

    def __init__(self, settings: InputSettings, lm: Backbone, width: int) -> None:
        super().__init__()
        layers, states = lm.text_shape
        self.replaces_table, self.is_frozen = settings.place == "instead", settings.kind == "mix"
        self.lm = lm.requires_grad_(not self.is_frozen)
        self.mix = ScalarMix(layers, norm=settings.norm, dropout=settings.dropout) if self.is_frozen else None
        self.project = nn.Linear(states, width, bias=False)

    def train(self, mode: bool = True) -> "LMInputs":
        """Training and evaluation; nothing of a frozen language model drops out."""
        super().train(mode)
        if self.is_frozen:
            self.lm.eval()
        return self

    def forward(self, batch: Batch, table: torch.Tensor) -> torch.Tensor:
        """[N, E] of the tokens of a Batch."""
        with self._gradient():
            layers = self.lm.text_states(batch)
        return self._read(layers, batch.ids, table)

    def new_cache(self, sources: int, columns: int) -> KVCache:
        """Room for what the language model reads."""
        return self.lm.new_cache(sources, columns)

    def read_cached(self, ids_BT: torch.Tensor, cache: KVCache, table: torch.Tensor) -> torch.Tensor:
        """[B, T, E] of the tokens that ``cache`` has been prepared for."""
        return self._read(self.lm.text_states_cached(ids_BT, cache), ids_BT, table)

    def _read(self, layers: list[torch.Tensor], ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        read: torch.Tensor = self.project(layers[-1] if self.mix is None else self.mix(layers))
        return read if self.replaces_table else read + embed_tokens(ids, table)

    def _gradient(self) -> contextlib.AbstractContextManager[None]:
        return torch.no_grad() if self.is_frozen else contextlib.nullcontext()
