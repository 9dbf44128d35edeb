"""The states of a recurrence while texts are decoded: the LSTM's counterpart of keys and values."""

import torch

from warmstart.models.recurrence import State


class RecurrentCache:
    """What a decoder has read of sources and their texts: after each layer a state, its rows [B·R] source by source.

    ``real`` [B] counts the tokens of the next pass that are no padding, while sources are read; then it is ``None``.
    """

    def __init__(self, states: list[State]) -> None:
        self.states = states
        self.count = len(states[0].cells)
        self.real: torch.Tensor | None = None

    def begin_source(self, lengths_B: torch.Tensor, start: int, stop: int, *, full: bool) -> None:
        """Prepares for tokens ``start`` to ``stop`` of the sources, padded at their end."""
        self.real = (lengths_B - start).clamp(0, stop - start)

    def begin_step(self, positions_B: torch.Tensor, tokens: int, masks: int) -> None:
        """Prepares for the next token of each text; there are no masks."""
        self.real = None

    def at_end(self, before: State, after: State) -> State:
        """The state after each source's last real token: of those [T·B] after every token, or ``before`` if it had none."""
        assert self.real is not None
        rows = torch.arange(self.count, device=self.real.device)
        last, moved = (self.real - 1).clamp(min=0) * self.count + rows, (self.real > 0)[:, None]
        return State(*(torch.where(moved, new[last], old) for new, old in zip(after, before, strict=True)))

    def reorder(self, parents_BR: torch.Tensor) -> None:
        """Text r of each source goes on from the state of text ``parents[r]``."""
        texts = len(self.states[0].cells) // self.count
        rows = (torch.arange(self.count, device=parents_BR.device)[:, None] * texts + parents_BR).flatten()
        self._keep(rows)

    def select(self, sources: torch.Tensor) -> None:
        """Only these sources go on."""
        texts = len(self.states[0].cells) // self.count
        rows = (sources[:, None] * texts + torch.arange(texts, device=sources.device)).flatten()
        self._keep(rows)
        self.count = len(sources)

    def _keep(self, rows: torch.Tensor) -> None:
        """Only what these texts have read, in this order."""
        self.states = [state.at(rows) for state in self.states]
