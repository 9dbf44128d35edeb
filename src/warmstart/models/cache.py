"""What a layer reads besides the tokens of padded rows: here nothing; :mod:`~warmstart.models.beam_cache` keeps a past."""

from dataclasses import dataclass

import torch

from warmstart.models.attention import AddedScores, SourceReader, eager_attention


@dataclass(slots=True, eq=False)
class LayerCache:
    """One layer's share of what came before: nothing but a bias [B, T, S] that says who sees whom.

    ``cap`` bounds the scores of queries and keys. In disentangled attention ``distances`` [B or 1, T, S] are rows of the
    ``distance_table`` [R, D]. A layer of a decoder reads its ``source`` too.
    """

    bias: torch.Tensor
    cap: float | None = None
    distances: torch.Tensor | None = None
    distance_table: torch.Tensor | None = None
    source: SourceReader | None = None

    def read(self, q_BHTK: torch.Tensor, kv_BT2GK: torch.Tensor, added: AddedScores | None = None) -> torch.Tensor:
        """What the queries read of the new keys and values, [B, H, T, K]; heads may share keys."""
        k_BGTK, v_BGTK = kv_BT2GK.permute(2, 0, 3, 1, 4).unbind()
        shared = q_BHTK.shape[1] // k_BGTK.shape[1]
        if shared > 1:
            k_BGTK, v_BGTK = (part.repeat_interleave(shared, 1) for part in (k_BGTK, v_BGTK))
        return eager_attention(q_BHTK, k_BGTK, v_BGTK, self.bias_with(added, q_BHTK, k_BGTK), self.cap)

    def bias_with(self, added: AddedScores | None, q_BHTK: torch.Tensor, k_BHSK: torch.Tensor) -> torch.Tensor:
        """The bias, and what distances add to it."""
        if added is None or self.distances is None:
            return self.bias
        return added(q_BHTK, k_BHSK, self.distances) + (self.bias if self.bias.dim() == 4 else self.bias.unsqueeze(1))
