"""Models that choose each token of a search together, by the mean of their probabilities; one alone chooses by its own.

Ramachandran et al. 2016: the paper's ensemble. The models share a vocabulary and nothing else: each reads its own
form of a source, once, and keeps its own cache, whatever its kind.

B sources, R texts of each, V rows that all their tables have.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from warmstart.decode.cached_decoder import CachedDecoder, DecodeMode, Source
from warmstart.decode.packed import PackedSoftmax
from warmstart.models.model import Model


class Reader(NamedTuple):
    """A model of a search, how it is asked, and the sources as it reads them."""

    model: Model
    mode: DecodeMode
    sources: Sequence[Source]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each source."""
        return [len(source.ids) for source in self.sources]

    def room(self, number: int) -> int:
        """Tokens that a text of source ``number`` may have."""
        return self.model.settings.backbone.room_for_text(len(self.sources[number].ids))


class Ensemble:
    """Models that have read some sources, each with its cache; asked as one."""

    def __init__(self, readers: Sequence[Reader], softmaxes: Sequence[PackedSoftmax], numbers: Sequence[int]) -> None:
        """``softmaxes`` lead from states to float32 logits; ``numbers`` are those of the sources that are read."""
        self.decoders = [CachedDecoder(one.model, one.mode, [one.sources[n] for n in numbers]) for one in readers]
        self.softmaxes = list(softmaxes)
        self.rows = min(one.model.settings.backbone.vocab_size for one in readers)
        self.device = self.decoders[0].device

    def first_logits(self) -> torch.Tensor:
        """[B, 1, V] that the first token is chosen from."""
        return self._logits([decoder.first_states() for decoder in self.decoders])

    def next_logits(self, tokens_BR: torch.Tensor, step: int, *, clamp: bool) -> torch.Tensor:
        """[B, R, V] after the last token of each text; see :meth:`CachedDecoder.next_states`."""
        return self._logits([decoder.next_states(tokens_BR, step, clamp=clamp) for decoder in self.decoders])

    def _logits(self, states: list[torch.Tensor]) -> torch.Tensor:
        """The logits of the only model, or the logarithms of the mean of all probabilities."""
        found = [
            softmax(own.reshape(-1, own.shape[2])).view(*own.shape[:2], -1)
            for softmax, own in zip(self.softmaxes, states, strict=True)
        ]
        if len(found) == 1:
            return found[0]
        every = torch.stack([logits.log_softmax(-1)[..., : self.rows] for logits in found])
        return every.logsumexp(0) - math.log(len(found))

    def reorder(self, parents_BR: torch.Tensor) -> None:
        """Text r of each source goes on from what text ``parents[r]`` has read."""
        for decoder in self.decoders:
            decoder.reorder(parents_BR)

    def select(self, sources: torch.Tensor) -> None:
        """Only these sources go on."""
        for decoder in self.decoders:
            decoder.select(sources)
