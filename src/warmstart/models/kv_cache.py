"""What a decoder remembers between the tokens of texts that grow."""

from typing import NamedTuple, Protocol

import torch


class KVCache(Protocol):
    """What a decoder has read of sources, and of the texts that grow from each: keys and values, or recurrent states.

    B sources, R texts (beams) of a source.
    """

    def begin_source(self, lengths_B: torch.Tensor, start: int, stop: int, *, full: bool) -> None:
        """Prepares for places ``start`` to ``stop`` of the sources, padded at their end; ``full``: a token sees all."""
        ...

    def begin_step(self, positions_B: torch.Tensor, tokens: int, masks: int) -> None:
        """Prepares for the next token of each text, and for masks that predict and leave nothing behind.

        Args:
            positions_B: of the token that each text of a source reads next; its mask stands one further.
            tokens: texts that have a token to read: R, or 0 before the first.
            masks: texts that predict at a mask: R or 0.
        """
        ...

    def reorder(self, parents_BR: torch.Tensor) -> None:
        """Text r of each source goes on from what text ``parents[r]`` has read."""
        ...

    def select(self, sources: torch.Tensor) -> None:
        """Only these sources go on."""
        ...


class NoCache:
    """What is remembered where a token is read alone: nothing."""

    def begin_source(self, lengths_B: torch.Tensor, start: int, stop: int, *, full: bool) -> None:
        """As :meth:`KVCache.begin_source`."""

    def begin_step(self, positions_B: torch.Tensor, tokens: int, masks: int) -> None:
        """As :meth:`KVCache.begin_step`."""

    def reorder(self, parents_BR: torch.Tensor) -> None:
        """As :meth:`KVCache.reorder`."""

    def select(self, sources: torch.Tensor) -> None:
        """As :meth:`KVCache.select`."""


class SourcesRead(NamedTuple):
    """A cache that has read the sources of a search, and the place [B] of what each of their texts reads first."""

    cache: KVCache
    places: torch.Tensor


class InputsCache:
    """The cache of a backbone, and that of its :class:`TokenInputs`: what is done to one is done to both."""

    def __init__(self, own: KVCache, inputs: KVCache) -> None:
        self.own, self.inputs = own, inputs

    def begin_source(self, lengths_B: torch.Tensor, start: int, stop: int, *, full: bool) -> None:
        """As :meth:`KVCache.begin_source`; inputs are made from left to right."""
        self.own.begin_source(lengths_B, start, stop, full=full)
        self.inputs.begin_source(lengths_B, start, stop, full=False)

    def begin_step(self, positions_B: torch.Tensor, tokens: int, masks: int) -> None:
        """As :meth:`KVCache.begin_step`."""
        for cache in (self.own, self.inputs):
            cache.begin_step(positions_B, tokens, masks)

    def reorder(self, parents_BR: torch.Tensor) -> None:
        """As :meth:`KVCache.reorder`."""
        for cache in (self.own, self.inputs):
            cache.reorder(parents_BR)

    def select(self, sources: torch.Tensor) -> None:
        """As :meth:`KVCache.select`."""
        for cache in (self.own, self.inputs):
            cache.select(sources)
