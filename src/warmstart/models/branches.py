"""Keys and values of sources and of the branches that grow from each: what a search over continuations reads.

A source is read once, and all its branches read the same keys. Each step appends one column for every branch, and who
descends from whom is in the bias, one row per branch: taking up another branch costs a row of the bias. When the columns are
full, those that no branch descends from any more are dropped. So memory is at most source + branches x steps, never
branches x source, and far less for beams, which soon have ancestors in common. A token that only asks (a mask) gets a
column behind those of its step; the next step overwrites it.

Keys lie transposed, as the product with the queries wants them on a CPU (3 to 4 times as fast).

B sources, H query heads, G key heads, K width of a head, C columns, R branches of a source, T new tokens of a source.
"""

from typing import NamedTuple

import torch
from torch.nn import functional as F

from warmstart.models.cache import LayerCache

AHEAD = 8  # steps that room is made for at a time
ALIGNED = 16  # columns come in multiples of it


class Kept(NamedTuple):
    """Columns that some branch of a source still sees, in their order.

    Attributes:
        num_fixed: the first columns, which all stay where they are.
        rest_BC: the others; where a source has fewer than another, dropped ones fill up.
    """

    num_fixed: int
    rest_BC: torch.Tensor

    @staticmethod
    def of(sight_BRC: torch.Tensor) -> "Kept":
        """What branches with this sight need."""
        seen_BC = (sight_BRC == 0).any(1)
        num_fixed = int(seen_BC.all(0).to(torch.int8).cumprod(0).sum())
        rest_BC = seen_BC[:, num_fixed:]
        most = int(rest_BC.sum(1).max())
        order_BC = rest_BC.to(torch.int8).sort(dim=1, descending=True, stable=True).indices
        return Kept(num_fixed, order_BC[:, :most] + num_fixed)

    @property
    def columns(self) -> int:
        """How many stay."""
        return self.num_fixed + self.rest_BC.shape[1]


class BranchLayer(LayerCache):
    """One layer's share: keys [B, G, K, C] and values [B, G, C, K]; new columns begin at ``at``."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__(torch.empty(0))
        self.keys, self.values, self.at = keys, values, 0

    @property
    def columns(self) -> int:
        """Those that there is room for."""
        return self.keys.shape[3]

    def read(self, q_BHTK: torch.Tensor, k_BGTK: torch.Tensor, v_BGTK: torch.Tensor) -> torch.Tensor:
        """Takes new keys and values in; the queries read all that ``bias`` [B, H, T, C] shows, [B, H, T, K]."""
        count, heads, asking, width = q_BHTK.shape
        groups, seen = self.keys.shape[1], self.at + k_BGTK.shape[2]
        self.keys[:, :, :, self.at : seen] = k_BGTK.transpose(2, 3)
        self.values[:, :, self.at : seen] = v_BGTK
        q = q_BHTK.reshape(count * groups, -1, width)  # heads that share keys stand together
        # All columns, filled or not: the product copies what is not in one piece, and that costs more than a few columns.
        bias = self.bias.view(*q.shape[:2], self.columns)
        shares = torch.baddbmm(bias, q, self.keys.flatten(0, 1), alpha=width**-0.5).softmax(-1)
        return torch.bmm(shares, self.values.flatten(0, 1)).view(count, heads, asking, width)

    def compact(self, kept: Kept, columns: int) -> None:
        """Goes on with the columns that are ``kept``, in room for ``columns``."""
        count, groups, width, _ = self.keys.shape
        keys = self.keys.new_empty(count, groups, width, columns)
        values = self.values.new_empty(count, groups, columns, width)
        fixed, rest = slice(kept.num_fixed), slice(kept.num_fixed, kept.columns)
        keys[:, :, :, kept.columns :], values[:, :, kept.columns :] = 0, 0  # not seen, but multiplied by 0
        keys[:, :, :, fixed], values[:, :, fixed] = self.keys[:, :, :, fixed], self.values[:, :, fixed]
        of_keys = kept.rest_BC[:, None, None, :].expand(-1, groups, width, -1)
        keys[:, :, :, rest] = self.keys.gather(3, of_keys)
        values[:, :, rest] = self.values.gather(2, of_keys.transpose(2, 3))
        self.keys, self.values = keys, values


class Branches:
    """All layers' keys and values, and what each branch sees.

    Args:
        layers: how many.
        shape: [B, G, C, K] of one layer.
        dtype: of keys, values and bias.
        device: of all.
    """

    def __init__(self, layers: int, shape: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device) -> None:
        count, groups, columns, width = shape
        self.columns = columns = columns + -columns % ALIGNED

        def room(*sizes: int) -> torch.Tensor:
            return torch.zeros(count, groups, *sizes, dtype=dtype, device=device)

        self.layers = [BranchLayer(room(width, columns), room(columns, width)) for _ in range(layers)]
        self.sight = torch.full((count, 1, columns), float("-inf"), dtype=dtype, device=device)  # [B, R, C]
        self.positions = torch.empty(0, dtype=torch.int64, device=device)  # of the tokens that are read next
        self.places = torch.zeros(count, columns, dtype=torch.int64, device=device)  # of what stands in each column
        self.bias = torch.empty(0)  # [B, 1, T, C] what the tokens that are read next see
        self.at = 0

    def open_source(self, lengths_B: torch.Tensor, start: int, stop: int, *, full: bool) -> None:
        """Lays out columns ``start`` to ``stop`` of sources padded at their end; a token sees all or what came before."""
        place = torch.arange(stop, device=lengths_B.device)
        inside = place < lengths_B[:, None]
        seen = inside[:, None, :] if full else (place <= place[start:, None]).expand(len(lengths_B), -1, -1)
        self.sight[:, 0, :stop].masked_fill_(inside, 0.0)
        self.positions = place[start:].expand(len(lengths_B), -1)
        bias = self.sight.new_full((len(lengths_B), stop - start, self.columns), float("-inf"))
        bias[:, :, :stop].masked_fill_(seen, 0.0)
        self._lay(bias)
        self.at = stop

    def open_step(self, positions_B: torch.Tensor, tokens: int, masks: int) -> None:
        """Lays out the next columns: one for each of ``tokens`` (of as many branches), behind them those of ``masks``.

        Args:
            positions_B: of the token that each branch of a source reads next; its mask stands one further.
            tokens: branches that have a token to read: R, or 0 before the first.
            masks: branches that ask with a mask: R or 0.
        """
        count, rows = len(positions_B), tokens or masks
        if self.at + tokens + masks > self.columns:
            self._widen(AHEAD * rows + masks)
        own = torch.eye(rows, dtype=torch.bool, device=positions_B.device)
        if tokens:
            self.sight[:, :, self.at : self.at + tokens].masked_fill_(own, 0.0)
        bias = [self.sight] if tokens else []
        if masks:
            asking = self.sight.clone()
            asking[:, :, self.at + tokens : self.at + tokens + masks].masked_fill_(own, 0.0)
            bias.append(asking)
        offsets = torch.tensor([0] * tokens + [int(tokens > 0)] * masks, device=positions_B.device)
        self.positions = positions_B[:, None] + offsets.expand(count, -1)
        self._lay(torch.cat(bias, 1))
        self.at += tokens

    def _lay(self, bias_BTC: torch.Tensor) -> None:
        self.places[:, self.at : self.at + self.positions.shape[1]] = self.positions
        self.bias = bias_BTC.unsqueeze(1)
        for layer in self.layers:
            layer.at = self.at

    def _widen(self, more: int) -> None:
        """Makes room for ``more`` columns behind those that some branch sees; the others are dropped."""
        kept = Kept.of(self.sight)
        self.at = kept.columns
        self.columns = self.at + more + -(self.at + more) % ALIGNED
        places_BC = torch.cat([self.places[:, : kept.num_fixed], self.places.gather(1, kept.rest_BC)], 1)
        rest_BRC = kept.rest_BC[:, None, :].expand(-1, self.sight.shape[1], -1)
        sight_BRC = torch.cat([self.sight[:, :, : kept.num_fixed], self.sight.gather(2, rest_BRC)], 2)
        self.places = F.pad(places_BC, (0, self.columns - self.at))
        self.sight = F.pad(sight_BRC, (0, self.columns - self.at), value=float("-inf"))
        for layer in self.layers:
            layer.compact(kept, self.columns)

    def follow(self, parents_BR: torch.Tensor) -> None:
        """Branch r of each source goes on from what branch ``parents[r]`` sees."""
        rows = parents_BR[:, :, None].expand(-1, -1, self.columns)
        self.sight = self.sight.gather(1, rows)

    def keep(self, sources: torch.Tensor) -> None:
        """Only some of the sources go on."""
        for layer in self.layers:
            layer.keys, layer.values = layer.keys[sources], layer.values[sources]
        self.sight, self.places = self.sight[sources], self.places[sources]
