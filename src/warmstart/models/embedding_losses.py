"""Losses of sentence encoders: cosines of texts that belong together, or do not, as weighted sums.

Each is one that sentence-transformers has under the name in brackets, with the same numbers: ``ranking``
(MultipleNegativesRankingLoss: the second text of a question against those of all others and against the hard negatives;
Henderson et al. 2017, section 4.4), ``triplet`` (TripletLoss), ``contrastive`` (ContrastiveLoss; Hadsell et al. 2006),
``cosine`` (CosineSimilarityLoss), ``cosent`` (CoSENTLoss: pairs ranked as their scores are). Distances are 1 - cosine.

``ranking`` and ``cosent`` compare all questions of a step, so a step that is split makes them from all its texts
(:mod:`warmstart.train.whole_step`).

Shapes: T texts, Q questions, C candidates, R further texts, D numbers of a vector.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch.nn import functional as F

from warmstart.example.batch import GoalBatch
from warmstart.models.settings import EmbeddingHeadSettings


class Texts(NamedTuple):
    """The texts of all questions at length 1.

    Attributes:
        first_QD: the first of each question (a query, an anchor).
        second_QD: the second of each.
        rest_RD: hard negatives.
        owner_R: the question of each of these.
    """

    first_QD: torch.Tensor
    second_QD: torch.Tensor
    rest_RD: torch.Tensor
    owner_R: torch.Tensor

    @property
    def cosines_Q(self) -> torch.Tensor:
        """Of the two first texts of each question."""
        return (self.first_QD * self.second_QD).sum(-1)


def split_texts(vectors_TD: torch.Tensor, question_T: torch.Tensor) -> Texts:
    """The vectors by their place in the questions, which stand one behind the other."""
    units = F.normalize(vectors_TD.float(), dim=-1)
    counts = torch.bincount(question_T)
    first = counts.cumsum(0) - counts
    place = torch.arange(len(question_T), device=question_T.device) - first[question_T]
    rest = place >= 2
    return Texts(units[place == 0], units[place == 1], units[rest], question_T[rest])


def ranking_loss(texts: Texts, goal: GoalBatch, settings: EmbeddingHeadSettings) -> torch.Tensor:
    """Cross-entropy of the right second text among those of all questions and all hard negatives.

    ``goal.targets`` [Q, 2] name the two first texts: equal texts are no negatives of each other.
    """
    count = len(goal.weights)
    scores_QC = settings.scale * texts.first_QD @ torch.cat([texts.second_QD, texts.rest_RD]).T
    own_QQ = scores_QC[:, :count].masked_fill(same_texts(goal.targets), -torch.inf)
    scores_QC = torch.cat([own_QQ, scores_QC[:, count:]], 1)
    right_Q = torch.arange(count, device=scores_QC.device)
    each_Q = F.cross_entropy(scores_QC, right_Q, reduction="none")
    if settings.symmetric:
        each_Q = (each_Q + F.cross_entropy(own_QQ.T, right_Q, reduction="none")) / 2
    return (each_Q * goal.weights).sum()


def same_texts(names_Q2: torch.Tensor) -> torch.Tensor:
    """[Q, Q] whether the second text of a column would be a false negative of the row: one of the two texts is the same."""
    first, second = names_Q2.unbind(-1)
    same = (first[:, None] == first) | (second[:, None] == second) | (first[:, None] == second)
    return same & ~torch.eye(len(first), dtype=torch.bool, device=first.device)


def triplet_loss(texts: Texts, goal: GoalBatch, settings: EmbeddingHeadSettings) -> torch.Tensor:
    """How much nearer than by the margin each hard negative is, less than the second text; the mean over a question's."""
    apart_R = (texts.first_QD[texts.owner_R] * texts.rest_RD).sum(-1) - texts.cosines_Q[texts.owner_R]
    counts_Q = torch.bincount(texts.owner_R, minlength=len(goal.weights)).clamp(min=1)
    return (F.relu(apart_R + settings.margin) * (goal.weights / counts_Q)[texts.owner_R]).sum()


def contrastive_loss(texts: Texts, goal: GoalBatch, settings: EmbeddingHeadSettings) -> torch.Tensor:
    """Half the squared distance of texts that belong together, and of others half the square of what lacks to the margin."""
    distances_Q = 1 - texts.cosines_Q
    alike_Q = goal.targets
    each_Q = alike_Q * distances_Q.square() + (1 - alike_Q) * F.relu(settings.margin - distances_Q).square()
    return (each_Q * goal.weights).sum() / 2


def cosine_loss(texts: Texts, goal: GoalBatch, settings: EmbeddingHeadSettings) -> torch.Tensor:
    """Squared differences of cosines and scores."""
    return ((texts.cosines_Q - goal.targets).square() * goal.weights).sum()


def cosent_loss(texts: Texts, goal: GoalBatch, settings: EmbeddingHeadSettings) -> torch.Tensor:
    """log(1 + Σ exp(scale · (cosine i - cosine j))) over pairs with score i < score j; as a sum: times the weights."""
    scores_Q = settings.scale * texts.cosines_Q
    counted_Q = goal.weights > 0
    wrong_QQ = (goal.targets[:, None] < goal.targets) & counted_Q[:, None] & counted_Q
    apart_QQ = (scores_Q[:, None] - scores_Q).masked_fill(~wrong_QQ, -torch.inf)
    return torch.cat([scores_Q.new_zeros(1), apart_QQ.flatten()]).logsumexp(0) * goal.weights.sum()


EMBEDDING_LOSSES: Mapping[str, Callable[[Texts, GoalBatch, EmbeddingHeadSettings], torch.Tensor]] = {
    "ranking": ranking_loss,
    "triplet": triplet_loss,
    "contrastive": contrastive_loss,
    "cosine": cosine_loss,
    "cosent": cosent_loss,
}
"""Kind of a goal's answer → its loss."""
WHOLE_LOSSES = frozenset({"ranking", "cosent"})
"""Those that compare all questions of a step."""
