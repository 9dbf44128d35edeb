"""Losses of answers as weighted sums: nothing here divides. The training step divides once, over everything (law 2).

Q questions, C classes, K labels, M reads.
"""

from typing import NamedTuple

import torch
from torch.nn import functional as F

from warmstart.example.batch import GoalBatch


class Loss(NamedTuple):
    """Weighted sum of the losses of all questions of one goal, and the sum of their weights."""

    sum: torch.Tensor
    weight: float


def class_loss(logits_QC: torch.Tensor, goal: GoalBatch) -> torch.Tensor:
    """Weighted sum of cross-entropies; ``goal.targets`` [Q] are class numbers, or [Q, C] probabilities."""
    return (F.cross_entropy(logits_QC.float(), goal.targets, reduction="none") * goal.weights).sum()


def soft_class_loss(logits_QC: torch.Tensor, goal: GoalBatch, temperature: float) -> torch.Tensor:
    """Weighted sum of T² times the cross-entropies of a teacher's probabilities, both softened by a temperature T.

    Hinton et al. 2015, section 2: with T² gradients stay as large as those of labels. ``goal.targets`` [Q, C] are of T = 1.
    """
    targets = torch.softmax(goal.targets.clamp(min=1e-12).log() / temperature, -1)
    each = F.cross_entropy(logits_QC.float() / temperature, targets, reduction="none")
    return temperature**2 * (each * goal.weights).sum()


def multilabel_loss(logits_QK: torch.Tensor, goal: GoalBatch) -> torch.Tensor:
    """Weighted sum over questions of the mean over labels of binary cross-entropies."""
    each = F.binary_cross_entropy_with_logits(logits_QK.float(), goal.targets, reduction="none")
    return (each.mean(-1) * goal.weights).sum()


def soft_multilabel_loss(logits_QK: torch.Tensor, goal: GoalBatch, temperature: float) -> torch.Tensor:
    """Weighted sum of T² times the means over labels of binary cross-entropies, both softened, as of two classes."""
    targets = torch.sigmoid(torch.logit(goal.targets, eps=1e-7) / temperature)
    each = F.binary_cross_entropy_with_logits(logits_QK.float() / temperature, targets, reduction="none")
    return temperature**2 * (each.mean(-1) * goal.weights).sum()


def soft_read_loss(logits: torch.Tensor, goal: GoalBatch, temperature: float) -> torch.Tensor:
    """The same of a softmax across the reads of each question: [M], or [M, S] of S such answers, the mean over these.

    ``goal.shares`` [M, S] are the teacher's probabilities.
    """
    assert goal.shares is not None
    found = logits.new_zeros((), dtype=torch.float32)
    weights_M = goal.weights[goal.question]
    for side, logits_M in enumerate(logits.reshape(len(logits), -1).unbind(1)):
        shares = goal.shares[:, side].clamp(min=1e-12).log() / temperature
        targets = log_softmax_across_reads(shares, goal.question).exp()
        found = found - (targets * log_softmax_across_reads(logits_M / temperature, goal.question) * weights_M).sum()
    return temperature**2 * found / goal.shares.shape[1]


def score_loss(scores_Q: torch.Tensor, goal: GoalBatch) -> torch.Tensor:
    """Weighted sum of squared errors."""
    return ((scores_Q.float() - goal.targets).square() * goal.weights).sum()


def choice_loss(logits_M: torch.Tensor, goal: GoalBatch) -> torch.Tensor:
    """Weighted sum of cross-entropies of a softmax across the reads of each question, however many they are."""
    return (_losses_across_reads(logits_M, goal.question, goal.targets) * goal.weights).sum()


def shared_choice_loss(logits_M: torch.Tensor, goal: GoalBatch) -> torch.Tensor:
    """The same where several reads share the target: ``goal.shares`` [M, 1] are their parts of it."""
    return soft_read_loss(logits_M, goal, 1.0)


def span_loss(logits_M2: torch.Tensor, goal: GoalBatch) -> torch.Tensor:
    """Weighted sum of the mean of two :func:`choice_loss`: one for the read that starts the answer, one for its end."""
    start, end = (
        (_losses_across_reads(logits_M2[:, i], goal.question, goal.targets[:, i]) * goal.weights).sum()
        for i in range(2)
    )
    return (start + end) / 2


def _losses_across_reads(logits_M: torch.Tensor, question_M: torch.Tensor, targets_Q: torch.Tensor) -> torch.Tensor:
    """[Q] negative log-probability of the read that is the target among those of its question."""
    reads = torch.bincount(question_M, minlength=len(targets_Q))
    first = reads.cumsum(0) - reads  # reads of one question stand together, so its first read is known
    return -log_softmax_across_reads(logits_M, question_M)[first + targets_Q]


def log_softmax_across_reads(logits_M: torch.Tensor, question_M: torch.Tensor) -> torch.Tensor:
    """[M] log-probability of each read among those of its question."""
    logits, count = logits_M.float(), len(torch.bincount(question_M))
    top = logits.new_full((count,), float("-inf")).scatter_reduce(0, question_M, logits.detach(), "amax")
    mass = logits.new_zeros(count).index_add(0, question_M, (logits - top[question_M]).exp())
    return logits - (mass.log() + top)[question_M]
