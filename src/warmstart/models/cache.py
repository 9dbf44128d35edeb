"""Keys and values of tokens already read, so that generation computes each token once.

Each of the B rows has its own length: row b's next key goes to slot ``lengths[b]``. What stands beyond a row's length is
left over from padding, is hidden by the bias, and is overwritten as the row grows.
"""

from dataclasses import dataclass

import torch


@dataclass(slots=True, eq=False)
class LayerCache:
    """One layer's share: [B, H, S, K] keys and values, and the slots and bias that :meth:`Cache.open` has laid out."""

    keys: torch.Tensor
    values: torch.Tensor
    slots: torch.Tensor
    bias: torch.Tensor
    seen: int = 0

    def append(self, k_BHTK: torch.Tensor, v_BHTK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes the new keys and values and returns all that may be read, [B, H, seen, K] each."""
        rows = torch.arange(len(self.slots), device=self.slots.device)[:, None]
        self.keys[rows, :, self.slots] = k_BHTK.transpose(1, 2)  # a scatter of whole rows, not of single numbers
        self.values[rows, :, self.slots] = v_BHTK.transpose(1, 2)
        return self.keys[:, :, : self.seen], self.values[:, :, : self.seen]


@dataclass(slots=True, eq=False)
class Cache:
    """All layers' keys and values, and how many tokens each row has read."""

    layers: list[LayerCache]
    lengths: torch.Tensor
    positions: torch.Tensor
    longest: int = 0

    @staticmethod
    def empty(layers: int, shape: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device) -> "Cache":
        """An empty cache of ``shape`` [B, H, S, K] per layer."""
        none = torch.empty(0, dtype=torch.int64, device=device)

        def room() -> torch.Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        made = [LayerCache(room(), room(), none, none) for _ in range(layers)]
        return Cache(made, torch.zeros(shape[0], dtype=torch.int64, device=device), none)

    def open(self, new: int) -> None:
        """Lays out slots, positions and bias for ``new`` tokens per row; :meth:`close` says how many were real."""
        steps = torch.arange(new, device=self.lengths.device)
        self.positions = self.lengths[:, None] + steps  # [B, T]
        seen = self.longest + new
        hidden = torch.arange(seen, device=steps.device) > self.positions[:, :, None]  # [B, T, S]
        dtype = self.layers[0].keys.dtype
        bias = torch.zeros(hidden.shape, dtype=dtype, device=steps.device).masked_fill_(hidden, float("-inf"))
        for layer in self.layers:
            layer.slots, layer.bias, layer.seen = self.positions, bias, seen

    def close(self, real: torch.Tensor | int) -> None:
        """Counts the tokens of the last :meth:`open` that were real, [B] or one number for all rows."""
        self.lengths = self.lengths + real
        self.longest = int(self.lengths.max())

    def keep(self, rows: torch.Tensor) -> "Cache":
        """The cache of some of the rows, in the given order."""
        layers = [LayerCache(c.keys[rows], c.values[rows], c.slots, c.bias) for c in self.layers]
        lengths = self.lengths[rows]
        return Cache(layers, lengths, self.positions, int(lengths.max()) if len(lengths) else 0)
