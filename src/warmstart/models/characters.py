"""Tokens read as their characters: the convolutions that stand in the place of ELMo's token table.

Kim et al. 2016 as Peters et al. 2018 have it: each byte of a token's spelling has an embedding of 16 numbers; filters read
so many of them in a row, and of each filter the strongest answer counts; two highway layers, then a linear to the width of
the table. A token is computed once per pass, however often it occurs. The windows of a filter begin at a token's own
characters, and behind its end there is nothing, so what a token is read as depends on no other token.

The model knows no text: ``spelling`` holds each token's characters as numbers, and whoever knows the vocabulary writes them.
Until then token n is spelled as the bytes of n.

Shapes: n distinct tokens, L characters of the longest, F filters, w characters that a filter reads, E width of the table.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.example.batch import Batch
from warmstart.models.backbone import TokenInputs
from warmstart.models.kv_cache import KVCache, NoCache

WIDTH = 16  # of a character's embedding
HIGHWAYS = 2
NOTHING, BEGIN, END, CHARACTERS = 0, 257, 258, 259  # a byte b has the number b + 1
CARRY = -2.0  # bias of a highway's gate at first: what it reads mostly passes


class Highway(nn.Module):
    """g · relu(A x) + (1 - g) · x, with a gate g = σ(B x) for each number (Srivastava et al. 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform, self.gate = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[…, F] → the same shape."""
        gate = self.gate(x).sigmoid()
        return gate * self.transform(x).relu() + (1 - gate) * x  # type: ignore[no-any-return]


class CharacterInputs(TokenInputs):
    """What tokens are read as, from their spelling."""

    def __init__(self, tokens: int, most: int, filters: Sequence[int], width: int) -> None:
        """``tokens`` rows of at most ``most`` characters; ``filters[w - 1]`` filters read w of them; E is ``width``."""
        super().__init__()
        self.replaces_table = True
        self.spelling: torch.Tensor
        self.register_buffer("spelling", _numbered(tokens, most))
        self.characters = nn.Embedding(CHARACTERS, WIDTH)
        self.filters = nn.ModuleList(nn.Linear(WIDTH * (w + 1), count) for w, count in enumerate(filters))
        self.highways = nn.Sequential(*(Highway(sum(filters)) for _ in range(HIGHWAYS)))
        self.project = nn.Linear(sum(filters), width)

    def reset_parameters(self) -> None:
        """Characters of deviation 0.5 and filters of 0.05 give answers near 0.5, which the linear keeps."""
        self.characters.weight.mul_(0.5 / self.characters.weight.std())
        for layer in self.highways:
            assert isinstance(layer, Highway)
            layer.gate.bias.fill_(CARRY)
        for part in (*self.filters, self.project):
            part.weight.mul_(0.05 / part.weight.std())
        self.project.weight.mul_(20 / self.project.in_features**0.5)

    def write_spelling(self, spellings: Sequence[bytes]) -> None:
        """The characters of each token; what is too long is cut."""
        most = self.spelling.shape[1]
        rows = [[BEGIN, *(byte + 1 for byte in spelled[: most - 2]), END] for spelled in spellings]
        padded = [row + [NOTHING] * (most - len(row)) for row in rows]
        self.spelling[: len(rows)] = torch.tensor(padded, dtype=self.spelling.dtype)

    def forward(self, batch: Batch, table: torch.Tensor) -> torch.Tensor:
        """[N, E] of the tokens of a Batch; the table takes no part."""
        return self._read(batch.ids)

    def new_cache(self, sources: int, columns: int) -> KVCache:
        """A token is read alone."""
        return NoCache()

    def read_cached(self, ids_BT: torch.Tensor, cache: KVCache, table: torch.Tensor) -> torch.Tensor:
        """[B, T, E]."""
        return self._read(ids_BT)

    def _read(self, ids: torch.Tensor) -> torch.Tensor:
        """[… , E] of ids of any shape."""
        distinct, places = torch.unique(ids, return_inverse=True)
        return self._compose(self.spelling[distinct].long()).index_select(0, places.flatten()).view(*ids.shape, -1)

    def _compose(self, spelled_nL: torch.Tensor) -> torch.Tensor:
        """[n, E] of tokens with these characters."""
        is_there = spelled_nL != NOTHING
        longest = int(is_there.sum(1).max()) if len(spelled_nL) else 0
        spelled_nL, is_there = spelled_nL[:, :longest], is_there[:, :longest, None]
        x_nLC = self.characters(spelled_nL) * is_there
        answers = [_strongest(read, x_nLC, is_there, w + 1) for w, read in enumerate(self.filters)]
        return self.project(self.highways(torch.cat(answers, 1)))  # type: ignore[no-any-return]


def _strongest(read: nn.Module, x_nLC: torch.Tensor, is_there: torch.Tensor, width: int) -> torch.Tensor:
    """[n, filters] the largest answer of each filter over the windows of ``width`` characters, or 0 where it is negative."""
    windows = F.pad(x_nLC, (0, 0, 0, width - 1)).unfold(1, width, 1)  # [n, L, C, w]
    answers: torch.Tensor = read(windows.transpose(2, 3).flatten(2))
    return answers.masked_fill(~is_there, -torch.inf).amax(1).relu()


def _numbered(tokens: int, most: int) -> torch.Tensor:
    """[tokens, most] spellings that are the bytes of each token's number."""
    spelled = torch.zeros(tokens, most, dtype=torch.int16)
    numbers = torch.arange(tokens)
    spelled[:, 0], spelled[:, 4] = BEGIN, END
    for place, shift in enumerate((16, 8, 0)):
        spelled[:, 1 + place] = (numbers >> shift) % 256 + 1
    return spelled
