"""Linear chains: every path of every chain, one by one, is the witness of what is computed by steps."""

from itertools import pairwise, product

import pytest
import torch

from warmstart.models.chains import best_scores, log_partition, pack_chains, path_scores

Paths = dict[tuple[int, ...], torch.Tensor]
RAGGED = [[3, 1, 4, 2], [1], [5], [2, 2, 2], [1, 4, 4, 1]]


def drawn(lengths: list[int], classes: int, scale: float = 1.5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Texts [M], emissions [M, C] in the order of the reads, and transitions."""
    generator = torch.Generator().manual_seed(sum(lengths) + classes)
    texts = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    emissions = torch.randn(len(texts), classes, generator=generator, dtype=torch.float64) * scale
    transitions = torch.randn(classes, classes, generator=generator, dtype=torch.float64) * scale
    return texts, emissions.requires_grad_(), transitions.requires_grad_()


def all_paths(emissions_TC: torch.Tensor, transitions_CC: torch.Tensor) -> Paths:
    """The score of each path through one chain."""
    length, classes = emissions_TC.shape
    return {
        path: torch.stack([emissions_TC[place, own] for place, own in enumerate(path)]).sum()
        + sum(transitions_CC[before, own] for before, own in pairwise(path))
        for path in product(range(classes), repeat=length)
    }


@pytest.mark.parametrize("lengths", RAGGED, ids=str)
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_the_sum_over_all_paths_and_its_gradient(lengths: list[int], classes: int) -> None:
    """Witness: the logarithm of the sum over all paths, and autograd through that sum; chains weigh differently."""
    texts, emissions, transitions = drawn(lengths, classes)
    chains = pack_chains(texts)
    found = torch.empty(len(lengths), dtype=torch.float64)
    ranked = sorted(range(len(lengths)), key=lambda n: -lengths[n])
    found = log_partition(emissions[chains.order], transitions, chains)
    parts = torch.split(emissions, lengths)
    wanted = torch.stack([torch.stack([*all_paths(parts[n], transitions).values()]).logsumexp(0) for n in ranked])
    torch.testing.assert_close(found, wanted)
    weights = torch.arange(1.0, len(lengths) + 1, dtype=torch.float64)
    ours = torch.autograd.grad((found * weights).sum(), (emissions, transitions))
    theirs = torch.autograd.grad((wanted * weights).sum(), (emissions, transitions), allow_unused=True)
    torch.testing.assert_close(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], torch.zeros_like(transitions) if theirs[1] is None else theirs[1])


@pytest.mark.parametrize("lengths", RAGGED, ids=str)
def test_the_gradient_is_that_of_finite_differences(lengths: list[int]) -> None:
    """Witness: torch's gradcheck, of the sum over paths and of the score of one."""
    texts, emissions, transitions = drawn(lengths, 3)
    chains = pack_chains(texts)
    path = torch.arange(len(texts)) % 3
    assert torch.autograd.gradcheck(lambda e, t: log_partition(e, t, chains), (emissions, transitions))
    assert torch.autograd.gradcheck(lambda e, t: path_scores(e, t, path, chains), (emissions, transitions))


@pytest.mark.parametrize("lengths", RAGGED, ids=str)
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_the_best_paths(lengths: list[int], classes: int) -> None:
    """Witness: all paths: the best one through each class at each read; its greatest numbers are the best path of all."""
    texts, emissions, transitions = drawn(lengths, classes)
    chains = pack_chains(texts)
    packed = best_scores(emissions[chains.order], transitions, chains)
    found = torch.empty_like(packed).index_copy(0, chains.order, packed)
    for own, part in zip(torch.split(found, lengths), torch.split(emissions, lengths), strict=True):
        paths = all_paths(part.detach(), transitions.detach())
        best = max(paths, key=lambda path, paths=paths: float(paths[path]))  # type: ignore[misc]
        assert tuple(own.argmax(1).tolist()) == best
        for place, each in product(range(len(part)), range(classes)):
            through = max(score for path, score in paths.items() if path[place] == each)
            assert float(own[place, each]) == pytest.approx(float(through - paths[best]), abs=1e-5)


def test_of_equally_good_paths_one_is_taken_whole() -> None:
    """Witness: by hand: 0 0 0 and 1 1 1 are best alike, and every mixture of them is worse."""
    chains = pack_chains(torch.zeros(3, dtype=torch.int64))
    scores = best_scores(torch.zeros(3, 2), torch.eye(2), chains)
    assert len(set(scores.argmax(1).tolist())) == 1


def test_great_scores_stay_finite() -> None:
    """Invariant: a constant on all emissions of a read, or on all transitions, adds itself; no gradient is lost."""
    texts, emissions, transitions = drawn([4, 2], 3)
    chains = pack_chains(texts)
    packed = emissions.detach()[chains.order]
    plain = log_partition(packed, transitions, chains)
    moved = log_partition(packed + 1e4, transitions - 2e3, chains)
    lengths = torch.tensor([4.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(moved, plain + 1e4 * lengths - 2e3 * (lengths - 1))
    far = (packed * 1e5).requires_grad_()
    log_partition(far, transitions, chains).sum().backward()
    assert far.grad is not None
    torch.testing.assert_close(far.grad.sum(1), torch.ones(6, dtype=torch.float64))
