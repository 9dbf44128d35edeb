"""Keys and values of sources and of the branches that grow from each: what a search over continuations reads.

A source is read once, and all its branches read the same keys. Each step takes one column for every branch, and who
descends from whom is in the bias, one row per branch: taking up another branch costs a row of the bias. A new token takes a
column that no branch descends from any more; there is room for more only when none is left. So memory is at most
source + branches x steps, never branches x source, and far less for beams, which soon have ancestors in common. A token that
only asks (a mask) is seen by nobody after its step, and so its column is free again.

B sources, H query heads, G key heads, K width of a head, C columns, R branches of a source, T new tokens of a source.
"""

import torch
from torch.nn import functional as F

from warmstart.models import kernels
from warmstart.models.attention import AddedScores, add_products
from warmstart.models.cache import LayerCache
from warmstart.models.source_states import SourceKeys

ALIGNED = kernels.KEYS  # columns come in multiples of it
SHARE = 8  # of the columns there are, one in so many is added at least


class BeamCacheLayer(LayerCache):
    """One layer's table [2, B, G, C, K] of keys and values; new ones go to ``rows`` [B, 1] and ``places`` [B, T]."""

    source: SourceKeys | None

    def __init__(self, table: torch.Tensor, cap: float | None = None) -> None:
        super().__init__(torch.empty(0), cap)
        self.table = table
        self.rows = self.places = torch.empty(0, dtype=torch.int64)

    @staticmethod
    def prepare_bias(bias_BHTC: torch.Tensor) -> torch.Tensor:
        """A bias as ``read`` takes it."""
        return bias_BHTC.contiguous()

    def read(self, q_BHTK: torch.Tensor, kv_BT2GK: torch.Tensor, added: AddedScores | None = None) -> torch.Tensor:
        """Takes new keys and values in; the queries read all that ``bias`` [B, H, T, C] shows, [B, H, T, K]."""
        count, heads, asking, width = q_BHTK.shape
        self.table[:, self.rows, :, self.places] = kv_BT2GK
        keys, values = self.table.flatten(1, 2).unbind()
        q = q_BHTK.reshape(len(keys), -1, width)  # heads that share keys stand together
        # All columns, taken or not: the product copies what is not in one piece, and that costs more than a few columns.
        bias = self.bias_with(added, q_BHTK, self.table[0]).view(*q.shape[:2], self.table.shape[3])
        shares = add_products(bias, q, keys, self.cap).softmax(-1)
        return torch.bmm(shares, values).view(count, heads, asking, width)


class KernelLayer(BeamCacheLayer):
    """The same by our own kernel, which has its own order of keys in the table; it adds nothing to scores but the bias."""

    @staticmethod
    def prepare_bias(bias_BHTC: torch.Tensor) -> torch.Tensor:
        """As it is, where heads share it."""
        return kernels.in_rows(bias_BHTC)

    def read(self, q_BHTK: torch.Tensor, kv_BT2GK: torch.Tensor, added: AddedScores | None = None) -> torch.Tensor:
        """As above."""
        return kernels.read(q_BHTK, kv_BT2GK, self.table, self.places, self.bias)


class BeamCache:
    """All layers' keys and values, and what each branch sees.

    Args:
        layers: how many.
        shape: [B, G, C, K] of one layer.
        dtype: of keys, values and bias.
        device: of all.
        cap: bound of the scores of queries and keys.
        readable: whether keys are read by others than the kernel, as disentangled attention does.
    """

    def __init__(
        self, layers: int, shape: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device,
        cap: float | None = None, *, readable: bool = False,
    ) -> None:  # fmt: skip
        count, groups, columns, width = shape
        self.columns = columns = max(ALIGNED, columns + -columns % ALIGNED)

        def room() -> torch.Tensor:
            return torch.zeros(2, count, groups, columns, width, dtype=dtype, device=device)

        by_kernel = cap is None and not readable and kernels.usable(dtype, device, width)
        kind = KernelLayer if by_kernel else BeamCacheLayer
        self.layers = [kind(room(), cap) for _ in range(layers)]
        self.sight = torch.full((count, 1, columns), float("-inf"), dtype=dtype, device=device)  # [B, R, C]
        self.positions = torch.empty(0, dtype=torch.int64, device=device)  # of the tokens that are read next
        self.places = torch.zeros(count, columns, dtype=torch.int64, device=device)  # of what stands in each column
        self.bias = torch.empty(0)  # [B, 1, T, C] what the tokens that are read next see
        self.taken = 0  # columns of a source, at most

    def begin_source(self, lengths_B: torch.Tensor, start: int, stop: int, *, full: bool) -> None:
        """Lays out columns ``start`` to ``stop`` of sources padded at their end; a token sees all or what came before."""
        place = torch.arange(stop, device=lengths_B.device)
        inside = place < lengths_B[:, None]
        seen = inside[:, None, :] if full else (place <= place[start:, None]).expand(len(lengths_B), -1, -1)
        self.sight[:, 0, :stop].masked_fill_(inside, 0.0)
        bias = self.sight.new_full((len(lengths_B), stop - start, self.columns), float("-inf"))
        bias[:, :, :stop].masked_fill_(seen, 0.0)
        columns = place[start:].expand(len(lengths_B), -1)
        self._lay(bias, columns, columns)
        self.taken = stop

    def begin_step(self, positions_B: torch.Tensor, tokens: int, masks: int) -> None:
        """Lays out the next columns: one for each of ``tokens`` (of as many branches), and those of ``masks``.

        Args:
            positions_B: of the token that each branch of a source reads next; its mask stands one further.
            tokens: branches that have a token to read: R, or 0 before the first.
            masks: branches that ask with a mask: R or 0.
        """
        columns_BT = self._free(tokens + masks)
        own = self.sight.new_full((tokens or masks,) * 2, float("-inf")).fill_diagonal_(0.0)

        def seeing(sight_BRC: torch.Tensor, columns_BR: torch.Tensor) -> torch.Tensor:
            """The sight with each branch's own new column."""
            each = columns_BR[:, None, :].expand(-1, len(own), -1)
            return sight_BRC.scatter(2, each, own.expand(len(each), -1, -1))

        bias = []
        if tokens:
            self.sight = seeing(self.sight, columns_BT[:, :tokens])
            bias.append(self.sight)
        if masks:
            bias.append(seeing(self.sight, columns_BT[:, tokens:]))
        offsets = torch.tensor([0] * tokens + [int(tokens > 0)] * masks, device=positions_B.device)
        self._lay(torch.cat(bias, 1), columns_BT, positions_B[:, None] + offsets)
        self.taken += tokens

    def _lay(self, bias_BTC: torch.Tensor, columns_BT: torch.Tensor, positions_BT: torch.Tensor) -> None:
        self.positions, self.bias = positions_BT, bias_BTC.unsqueeze(1)
        self.places.scatter_(1, columns_BT, positions_BT)
        rows_B1 = torch.arange(len(columns_BT), device=columns_BT.device)[:, None]
        columns_BT = columns_BT.contiguous()
        for layer in self.layers:
            layer.rows, layer.places = rows_B1, columns_BT

    def _free(self, wanted: int) -> torch.Tensor:
        """[B, wanted] the first columns of each source that no branch sees; more room is made where there is too little."""
        if self.taken + wanted > self.columns:
            self.taken = int((self.sight == 0).any(1).sum(1).max())
            if self.taken + wanted > self.columns:
                self._widen(max(self.taken + wanted - self.columns, self.columns // SHARE))
        seen_BC = (self.sight == 0).any(1)
        return seen_BC.to(torch.int8).sort(dim=1, stable=True).indices[:, :wanted]

    def _widen(self, more: int) -> None:
        """Makes room for ``more`` columns."""
        more += -(self.columns + more) % ALIGNED
        self.columns += more
        self.places = F.pad(self.places, (0, more))
        self.sight = F.pad(self.sight, (0, more), value=float("-inf"))
        for layer in self.layers:
            layer.table = F.pad(layer.table, (0, 0, 0, more))

    def reorder(self, parents_BR: torch.Tensor) -> None:
        """Branch r of each source goes on from what branch ``parents[r]`` sees."""
        rows = parents_BR[:, :, None].expand(-1, -1, self.columns)
        self.sight = self.sight.gather(1, rows)

    def select(self, sources: torch.Tensor) -> None:
        """Only some of the sources go on."""
        for layer in self.layers:
            layer.table = layer.table[:, sources]
            layer.source = None if layer.source is None else layer.source.select(sources)
        self.sight, self.places = self.sight[sources], self.places[sources]
