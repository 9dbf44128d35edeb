"""How far two answers to the same questions are from each other: divergences of distributions, squares of scores.

Cheng et al. 2021, section 3, have the divergences of two posteriors p and q; each is 0 where they are equal. All are sums
over the outcomes of a question, written with log-probabilities, so that a probability of nearly 0 has a gradient too.

Shapes: R rows, C outcomes, Q questions.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch


class Distribution(NamedTuple):
    """What a head says of the outcomes of each question.

    Attributes:
        log_probs: [R, C] logarithms of probabilities.
        question_R: the question that each row belongs to.
        share: how much a row counts.
    """

    log_probs: torch.Tensor
    question_R: torch.Tensor
    share: float = 1.0


def kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Each outcome's part of KL(p ‖ q)."""
    return p.exp() * (p - q)


def symmetric_kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Each outcome's part of KL(p ‖ q) + KL(q ‖ p)."""
    return (p.exp() - q.exp()) * (p - q)


def jensen_shannon(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Each outcome's part of the mean of both KL to the mixture of p and q."""
    mixture = torch.logaddexp(p, q) - math.log(2)
    return (kl(p, mixture) + kl(q, mixture)) / 2


def hellinger(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Each outcome's part of the squared Hellinger distance, ½ Σ (√p - √q)²."""
    return ((p / 2).exp() - (q / 2).exp()).square() / 2


DIVERGENCES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "symmetric-kl": symmetric_kl, "kl": kl, "js": jensen_shannon, "hellinger": hellinger
}  # fmt: skip


def divergence(kind: str, first: Distribution, second: Distribution, count: int) -> torch.Tensor:
    """[Q] how far two distributions over the same outcomes are from each other."""
    each = DIVERGENCES[kind](first.log_probs, second.log_probs).sum(-1) * first.share
    return each.new_zeros(count).index_add(0, first.question_R, each)
