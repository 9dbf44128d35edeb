"""How a model answers step by step: it reads each source once, then one token of every text that grows from it.

A causal model reads the token before and answers there; a model that was trained with masks is asked by a mask at the place
of the next token, of which nothing stays behind (s2s-ft, section 3). Beams, samples and greedy texts all are branches of a
source (:mod:`warmstart.models.beam_cache`).

B sources, R texts of each, D width of the states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.models.model import Model


class Source(NamedTuple):
    """What a text grows from: the ids that are read, and the first token of the text's own part, where it has one."""

    ids: Sequence[int] | NDArray[np.int64]
    first: int | None = None


@dataclass(frozen=True, slots=True)
class DecodeMode:
    """How a model is asked for the next token.

    Attributes:
        mask_id: by this token at its place; ``None``: by the token before.
        source_segment: row of the segment table for the source.
        segment: the same for the text.
    """

    mask_id: int | None = None
    source_segment: int = 0
    segment: int = 0


class CachedDecoder:
    """A model that has read some sources, with its cache."""

    def __init__(self, model: Model, mode: DecodeMode, sources: Sequence[Source]) -> None:
        self.backbone, self.mode = model.backbone, mode
        self.device = model.backbone.tokens.weight.device
        self.cache, self.places = self.backbone.read_sources([source.ids for source in sources], mode.source_segment)
        self.first = [source.first for source in sources]

    def first_states(self) -> torch.Tensor:
        """[B, 1, D] the states that the first token is chosen from."""
        ids = []
        if self.first[0] is not None:
            ids = [torch.tensor([[token or 0] for token in self.first], device=self.device)]
        self.cache.begin_step(self.places, len(ids), int(self.mode.mask_id is not None))
        if ids:
            self.places = self.places + 1
        return self._read(ids)

    def next_states(self, tokens_BR: torch.Tensor, step: int, *, clamp: bool) -> torch.Tensor:
        """[B, R, D] after the last token of each text, the one numbered ``step - 1``.

        ``clamp`` keeps positions within the context, for texts that are done and wait to be taken out.
        """
        rows = tokens_BR.shape[1]
        masks = rows if self.mode.mask_id is not None else 0
        positions = self.places + step - 1
        if clamp:
            positions = positions.clamp(max=self.backbone.settings.max_length - 1 - (masks > 0))
        self.cache.begin_step(positions, rows, masks)
        return self._read([tokens_BR])

    def _read(self, ids: list[torch.Tensor]) -> torch.Tensor:
        """The states that answer, of tokens already laid out; masks stand behind the tokens."""
        rows = ids[0].shape[1] if ids else 1
        if self.mode.mask_id is not None:
            ids = [*ids, torch.full((len(self.places), rows), self.mode.mask_id, device=self.device)]
        return self.backbone.forward_cached(torch.cat(ids, 1), self.mode.segment, self.cache, answers=rows)

    def reorder(self, parents_BR: torch.Tensor) -> None:
        """Text r of each source goes on from what text ``parents[r]`` has read."""
        self.cache.reorder(parents_BR)

    def select(self, sources: torch.Tensor) -> None:
        """Only these sources go on."""
        self.cache.select(sources)
        self.places = self.places[sources]
