"""The softmax over some tokens of a large vocabulary: the true one, and sampled candidates (Jean et al. 2015).

A token of rank r (its id: vocabularies begin with what is frequent) is sampled in proportion to log((r + 2) / (r + 1)), but
never with a chance above 1: those that would be are always there. Chances are exact and candidates distinct, so adding
-log(chance) to each score makes the sum over the vocabulary right in expectation; with all tokens sampled it is the full
softmax. A candidate that is the true token of a read (an accidental hit) counts once, as that.

The candidates follow from a step's seed, and are the same for all of its micro-batches and ranks: however examples are
split, they give the same gradient (docs/architecture.md, law 2), and a resumed run samples what the uninterrupted one did
(law 3).
"""

import functools
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.base.seeds import generator
from warmstart.models.softmax import LogitsGrad, LogitsGradFn, Softmax, logits_grad, next_token_loss


class Candidates(NamedTuple):
    """[K] distinct ids, rising, and -log of the chance that each had to be sampled, float32."""

    ids: torch.Tensor
    correction: torch.Tensor


@functools.lru_cache(maxsize=4)
def chances(rows: int, samples: int) -> NDArray[np.float64]:
    """[rows] the chance of each token to be among ``samples`` candidates; never rising, and ``samples`` in all."""
    odds = np.log1p(1 / np.arange(1, rows + 1))
    chance, certain = np.ones(rows), 0
    while certain < min(samples, rows):
        chance[certain:] = odds[certain:] * (samples - certain) / odds[certain:].sum()
        above = int((chance[certain:] > 1).sum())
        chance[certain : certain + above] = 1.0
        if above == 0:
            break
        certain += above
    chance[certain:] *= certain < samples
    return chance


@functools.lru_cache(maxsize=1)
def sample_candidates(rows: int, samples: int, seed: int) -> Candidates:
    """The candidates that ``seed`` names.

    Systematic sampling in a random order: the chances of those that are not certain stand end to end on a line, and a comb
    of step 1 is laid on it at random; each tooth takes the token it meets.
    """
    chance, rng = chances(rows, min(samples, rows)), generator(seed, "candidates")
    certain = int((chance == 1).sum())
    order = certain + rng.permutation(rows - certain)
    reached = np.floor(np.cumsum(chance[order]) + rng.random()).astype(np.int64)
    ids = np.concatenate([np.arange(certain), np.sort(order[np.diff(reached, prepend=0) > 0])])
    return Candidates(torch.from_numpy(ids), torch.from_numpy(-np.log(chance[ids]).astype(np.float32)))


def sampled_token_loss(
    softmax: Softmax,
    targets_M: torch.Tensor,
    weights_M: torch.Tensor,
    candidates: Candidates,
    inner: LogitsGradFn = logits_grad,
) -> torch.Tensor:
    """As :func:`~warmstart.models.softmax.next_token_loss`, each read's softmax over its target and the candidates.

    The table costs only the rows of candidates and targets, each gathered once. On a GPU this waits for the device once:
    how many different targets there are decides the size of the product.
    """
    device, count = targets_M.device, len(candidates.ids)
    columns, places = torch.unique(torch.cat([candidates.ids.to(device), targets_M]), return_inverse=True)
    correction = torch.full((len(columns),), -torch.inf, device=device)
    correction[places[:count]] = candidates.correction.to(device)
    table = softmax.table.index_select(0, columns)
    bias = None if softmax.bias is None else softmax.bias.index_select(0, columns)
    corrected = functools.partial(_corrected_grad, correction, inner)
    return next_token_loss(Softmax(softmax.states, table, bias, softmax.cap), places[count:], weights_M, corrected)


def _corrected_grad(
    correction_C: torch.Tensor, inner: LogitsGradFn, products_MC: torch.Tensor, targets_M1: torch.Tensor,
    weights_M1: torch.Tensor, bias_C: torch.Tensor | None, others_C: torch.Tensor | None,
) -> LogitsGrad:  # fmt: skip
    """The derivative by corrected scores; the target's own stays as it is, and the targets of other reads have no share."""
    scores = products_MC.float() if bias_C is None else products_MC.float() + bias_C.float()
    true = scores.gather(1, targets_M1)
    return inner((scores + correction_C).scatter_(1, targets_M1, true), targets_M1, weights_M1, None, others_C)
