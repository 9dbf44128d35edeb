"""The key/value cache: reading in pieces equals reading at once."""

import numpy as np
import pytest
import torch

from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.models.transformer import Transformer

LENGTHS = (13, 5, 1, 20)


def backbone(norm: str, relative_bins: int = 0) -> Transformer:
    settings = preset("gpt1-tiny", norm=norm, init_std=0.3, relative_bins=relative_bins, relative_distance=12)
    return Model.fresh(ModelSettings(backbone=settings), 1).eval().backbone


def whole(body: Transformer, ids: torch.Tensor) -> torch.Tensor:
    return body(collate([[Example.left_to_right(ids.numpy(), {})]]))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("norm", "bins"), [("post", 0), ("pre", 0), ("post", 8)])
@pytest.mark.parametrize("pieces", [(20,), (1,) * 20, (7, 1, 12), (3, 17)])
@torch.no_grad()
def test_pieces_of_any_size(norm: str, bins: int, pieces: tuple[int, ...]) -> None:
    """Witness: one pass over each whole text as a Batch; rows of unequal length, padded at their end."""
    body = backbone(norm, bins)
    ids = torch.from_numpy(np.random.default_rng(2).integers(0, 512, (4, 20)))
    lengths = torch.tensor(LENGTHS)
    cache, start, states = body.new_cache(4, 20), 0, []
    for piece in pieces:
        states.append(body.advance(ids[:, start : start + piece], cache))
        cache.close((lengths - start).clamp(0, piece))
        start += piece
    joined = torch.cat(states, 1)
    assert cache.lengths.tolist() == list(LENGTHS)
    assert cache.longest == 20
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(joined[row, :length], whole(body, ids[row, :length]), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_rows_are_kept_repeated_and_dropped() -> None:
    """Witness: one pass over each whole text; a kept row goes on with its own past, a repeated one twice."""
    body = backbone("post")
    ids = torch.from_numpy(np.random.default_rng(3).integers(0, 512, (4, 24)))
    cache = body.new_cache(4, 24)
    body.advance(ids[:, :20], cache)
    cache.close(torch.tensor(LENGTHS))
    rows = torch.tensor([1, 0, 1])
    smaller = cache.keep(rows)
    assert smaller.longest == 13
    more = torch.from_numpy(np.random.default_rng(4).integers(0, 512, (3, 4)))
    states = torch.cat([_one(body, more[:, i : i + 1], smaller) for i in range(4)], 1)
    for at, row in enumerate(rows.tolist()):
        text = torch.cat([ids[row, : LENGTHS[row]], more[at]])
        torch.testing.assert_close(states[at], whole(body, text)[-4:], rtol=1e-5, atol=1e-5)
    assert cache.lengths.tolist() == list(LENGTHS)
    assert cache.keep(torch.tensor([], dtype=torch.int64)).longest == 0


def _one(body: Transformer, ids: torch.Tensor, cache: object) -> torch.Tensor:
    states = body.advance(ids, cache)  # type: ignore[arg-type]
    cache.close(1)  # type: ignore[attr-defined]
    return states
