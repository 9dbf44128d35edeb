"""Losses of sentence encoders against sentence-transformers' own classes, on the same vectors, with their gradients."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.example.batch import GoalBatch, join_goals
from warmstart.models.embedding_head import EmbeddingHead
from warmstart.models.embedding_losses import same_texts
from warmstart.models.presets import preset
from warmstart.models.settings import EmbeddingHeadSettings

Q, WIDTH = 6, 8


class Given(torch.nn.Module):
    """What the library asks of an encoder: the vectors of a column of texts, and how long these are."""

    def get_embedding_dimension(self) -> int:
        return WIDTH

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["vectors"]}


def theirs(name: str, columns: Sequence[torch.Tensor], labels: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    losses = pytest.importorskip("sentence_transformers", minversion="5").sentence_transformer.losses
    model: Any = Given()
    made = {
        "ranking": lambda: losses.MultipleNegativesRankingLoss(model, scale=20.0),
        "symmetric": lambda: losses.MultipleNegativesRankingLoss(
            model, scale=20.0, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
        ),
        "triplet": lambda: losses.TripletLoss(model, losses.TripletDistanceMetric.COSINE, 0.5),
        "contrastive": lambda: losses.ContrastiveLoss(model, margin=0.5),
        "cosine": lambda: losses.CosineSimilarityLoss(model),
        "cosent": lambda: losses.CoSENTLoss(model, scale=20.0),
    }[name]()
    loss = losses.MatryoshkaLoss(model, made, list(sizes)) if sizes else made
    return loss([{"vectors": column} for column in columns], labels)  # type: ignore[no-any-return]


def goal_of(texts: Sequence[int], targets: torch.Tensor, answer: str) -> GoalBatch:
    """A goal that reads one state of each text, of which question q has ``texts[q]``."""
    count = sum(texts)
    question = torch.repeat_interleave(torch.tensor(texts))
    reads, weights = torch.arange(count), torch.ones(len(texts))
    return GoalBatch(reads, question, targets, weights, float(len(texts)), "pairs", answer, reads)


def different(count: int, first: int = 0) -> torch.Tensor:
    """[Q, 2] names of texts that are all different."""
    return torch.arange(2 * count).view(count, 2) + first


def head(**fields: Any) -> EmbeddingHead:
    return EmbeddingHead(EmbeddingHeadSettings(kind="embedding", pool="sum", **fields), preset("gpt1-tiny"))


FORMS: dict[str, tuple[int, torch.Tensor]] = {
    "ranking": (2, different(Q)),
    "negatives": (3, different(Q)),
    "more negatives": (4, different(Q)),
    "symmetric": (2, different(Q)),
    "triplet": (3, different(Q)),
    "contrastive": (2, torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])),
    "cosine": (2, torch.tensor([0.0, 0.2, 0.4, 0.4, 0.9, 1.0])),
    "cosent": (2, torch.tensor([0.0, 3.2, 4.0, 4.0, 1.5, 5.0])),
}


@pytest.mark.parametrize("sizes", [(), (8, 4, 2)])
@pytest.mark.parametrize("form", FORMS)
def test_a_loss_and_its_gradient_are_those_of_the_library(form: str, sizes: tuple[int, ...]) -> None:
    """Witness: the class of this name of sentence-transformers on the same vectors; their mean is sum / weight."""
    count, targets = FORMS[form]
    answer = form if form in EmbeddingHead.losses else "ranking"
    columns = torch.randn(count, Q, WIDTH, generator=torch.Generator().manual_seed(3)).requires_grad_()
    own = columns.transpose(0, 1).reshape(-1, WIDTH)
    found = head(symmetric=form == "symmetric", sizes=sizes).loss(own, goal_of([count] * Q, targets, answer))
    [gradient] = torch.autograd.grad(found.sum / found.weight, columns)
    wanted = theirs(form if form in ("symmetric",) else answer, list(columns), targets, sizes)
    torch.testing.assert_close(found.sum / found.weight, wanted)
    torch.testing.assert_close(gradient, torch.autograd.grad(wanted, columns)[0])


def test_equal_texts_are_no_negatives_of_each_other() -> None:
    """Witness: written out by hand: rows of the softmax without the columns of equal texts."""
    names = torch.tensor([[1, 2], [1, 3], [4, 2], [5, 6], [7, 5]])
    wanted = np.zeros((5, 5), bool)
    for row, column in [(0, 1), (1, 0), (0, 2), (2, 0), (3, 4)]:
        wanted[row, column] = True
    assert np.array_equal(same_texts(names).numpy(), wanted)
    vectors = torch.nn.functional.normalize(torch.randn(10, WIDTH, generator=torch.Generator().manual_seed(0)), dim=1)
    first, second = vectors[0::2], vectors[1::2]
    expected = 0.0
    for row in range(5):
        kept = [column for column in range(5) if not wanted[row, column]]
        scores = (20 * second[kept] @ first[row]).exp()
        expected -= float(torch.log(scores[kept.index(row)] / scores.sum()))
    found = head().loss(vectors, goal_of([2] * 5, names, "ranking"))
    assert float(found.sum) == pytest.approx(expected, rel=1e-5)


def test_questions_may_have_different_numbers_of_negatives() -> None:
    """Witness: brute force over candidates; of triplets over negatives, their mean for each question."""
    counts = [2, 4, 3]
    vectors = torch.nn.functional.normalize(torch.randn(9, WIDTH, generator=torch.Generator().manual_seed(1)), dim=1)
    groups = list(torch.split(vectors, counts))
    candidates = torch.cat([group[1:2] for group in groups] + [group[2:] for group in groups])
    ranking = sum(
        float(-torch.log_softmax(20 * candidates @ group[0], 0)[number]) for number, group in enumerate(groups)
    )
    assert float(head().loss(vectors, goal_of(counts, different(3), "ranking")).sum) == pytest.approx(ranking, rel=1e-5)
    triplet = sum(float(torch.relu(g[2:] @ g[0] - g[1] @ g[0] + 0.3).mean()) for g in groups if len(g) > 2)
    found = head(margin=0.3).loss(vectors, goal_of(counts, different(3), "triplet"))
    assert float(found.sum) == pytest.approx(triplet, rel=1e-5)


@pytest.mark.parametrize("answer", ["ranking", "cosent"])
def test_a_goal_that_was_split_is_joined_again(answer: str) -> None:
    """Witness: the loss of the goal that was never split."""
    vectors = torch.randn(10, WIDTH, generator=torch.Generator().manual_seed(2))
    targets = different(4) if answer == "ranking" else torch.tensor([1.0, 3.0, 2.0, 0.0])
    counts = [2, 3, 3, 2] if answer == "ranking" else [2, 2, 2, 2]
    vectors = vectors[: sum(counts)]
    parts = [goal_of(counts[:1], targets[:1], answer), goal_of(counts[1:], targets[1:], answer)]
    whole = head().loss(vectors, goal_of(counts, targets, answer))
    joined = head().loss(vectors, join_goals(parts))
    assert torch.equal(joined.sum, whole.sum) and joined.weight == whole.weight
