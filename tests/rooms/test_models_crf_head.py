"""The CRF head: torch's own layers, all paths, and hand-made counts are the witnesses."""

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from warmstart.example.batch import GoalBatch
from warmstart.example.example import Goal
from warmstart.models.crf_head import CRFHead
from warmstart.models.heads import build_head
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings

WIDTH, CLASSES, LENGTHS = 6, 3, [2, 4, 1]


def crf(**settings: Any) -> CRFHead:
    torch.manual_seed(1)
    given = HeadSettings(**{"kind": "crf", "size": CLASSES, "dropout": 0.0} | settings)
    made = build_head(given, preset("gpt1-tiny", width=WIDTH))
    assert isinstance(made, CRFHead)
    for tensor in (made.transitions, made.first, made.last):
        nn.init.normal_(tensor)
    return made


def asked(targets: list[int], weights: list[float]) -> GoalBatch:
    """Words of three texts; what stands between them is not read, and text 1 of four has no word at all."""
    place = torch.arange(len(targets))
    texts = torch.repeat_interleave(torch.tensor([0, 2, 3]), torch.tensor(LENGTHS))
    return GoalBatch(place, place, torch.tensor(targets), torch.tensor(weights), sum(weights), "tags", document=texts)


def states() -> torch.Tensor:
    return torch.randn(sum(LENGTHS), WIDTH, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def best_path(head: CRFHead, emissions_TC: torch.Tensor) -> tuple[int, ...]:
    """The best of all paths of a text."""
    paths = scores_of(head, emissions_TC)
    return max(paths, key=lambda path: float(paths[path]))


def scores_of(head: CRFHead, emissions_TC: torch.Tensor) -> dict[tuple[int, ...], torch.Tensor]:
    """Every path of a text."""
    found = {}
    for path in product(range(CLASSES), repeat=len(emissions_TC)):
        score = head.first[path[0]] + head.last[path[-1]]
        score = score + sum(emissions_TC[place, own] for place, own in enumerate(path))
        found[path] = score + sum(head.transitions[a, b] for a, b in pairwise(path))
    return found


def test_the_loss_is_that_of_the_whole_path() -> None:
    """Witness: the softmax over all paths of each text, with autograd's gradients; a text without tags has weight 0."""
    head, x = crf(), states().requires_grad_()
    goal = asked([2, 0, 1, 1, 0, 2, 1], [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.0])
    loss = head.loss(x, goal)
    wanted = x.new_zeros(())
    parts = zip(torch.split(head.linear(x), LENGTHS), torch.split(goal.targets, LENGTHS), (1.0, 0.5, 0.0), strict=True)
    for emissions, targets, weight in parts:
        paths = scores_of(head, emissions)
        wanted = wanted + weight * (torch.stack([*paths.values()]).logsumexp(0) - paths[tuple(targets.tolist())])
    torch.testing.assert_close(loss.sum, wanted)
    assert loss.weight == goal.total_weight == 4.0
    weights = (x, *head.parameters())
    for ours, theirs in zip(torch.autograd.grad(loss.sum, weights), torch.autograd.grad(wanted, weights), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_answers_are_the_best_path_of_each_text() -> None:
    """Witness: all paths of each text."""
    head, x = crf().eval(), states()
    answers = head(x, asked([0] * 7, [1.0] * 7))
    for own, emissions in zip(torch.split(answers, LENGTHS), torch.split(head.linear(x), LENGTHS), strict=True):
        assert tuple(own.argmax(1).tolist()) == best_path(head, emissions)


def test_without_pairs_it_is_a_softmax() -> None:
    """Witness: the head of classes, with the same linear: loss, gradient and the likeliest classes."""
    head, x = crf(), states()
    with torch.no_grad():
        for tensor in (head.transitions, head.first, head.last):
            tensor.zero_()
    plain = build_head(HeadSettings(kind="class", size=CLASSES, dropout=0.0), preset("gpt1-tiny", width=WIDTH))
    plain.linear.load_state_dict(head.linear.state_dict())
    goal = asked([2, 0, 1, 1, 0, 2, 1], [1.0] * 7)
    ours, theirs = head.loss(x, goal), plain.loss(x, goal)
    torch.testing.assert_close(ours.sum, theirs.sum)
    grads = (torch.autograd.grad(loss.sum, made.linear.weight)[0] for loss, made in ((ours, head), (theirs, plain)))
    torch.testing.assert_close(*grads)
    assert torch.equal(head(x, goal).argmax(1), plain(x, goal).argmax(1))


def test_the_lstm_over_the_words() -> None:
    """Witness: torch.nn.LSTM, bidirectional, on each text by itself."""
    head, x = crf(lstm=5).eval(), states()
    theirs = nn.LSTM(WIDTH, 5, bidirectional=True, batch_first=True)
    with torch.no_grad():
        for cells, end in zip(head.cells, ("", "_reverse"), strict=True):
            getattr(theirs, f"weight_ih_l0{end}").copy_(cells.input.weight)  # type: ignore[union-attr]
            getattr(theirs, f"bias_ih_l0{end}").copy_(cells.input.bias)  # type: ignore[union-attr]
            getattr(theirs, f"weight_hh_l0{end}").copy_(cells.recurrent.weight)  # type: ignore[union-attr]
            getattr(theirs, f"bias_hh_l0{end}").zero_()
    answers = head(x, asked([0] * 7, [1.0] * 7))
    for own, part in zip(torch.split(answers, LENGTHS), torch.split(x, LENGTHS), strict=True):
        emissions = head.linear(theirs(part[None])[0][0])
        assert tuple(own.argmax(1).tolist()) == best_path(head, emissions)
        best, second = torch.stack([*scores_of(head, emissions).values()]).topk(2).values.tolist()
        assert float(own.topk(2, 1).values[:, 1].max()) == pytest.approx(second - best, abs=1e-5)


def test_pairs_begin_as_they_are_counted() -> None:
    """Witness: by hand, of 0 1 | 0 0 1: six events in all beside the ends: 0 three times, 1 twice, an end twice."""
    head = crf()
    goals = [Goal.each(np.arange(n), np.array(path)) for n, path in ((2, [0, 1]), (3, [0, 0, 1]))]
    unknown = Goal.each(np.arange(2), np.array([1, 1]), np.zeros(2, np.float32))
    head.begin_from([*goals, unknown])
    share = np.array([3, 2, 2]) / 7  # of 0, 1 and an end; class 2 never occurs
    after_0, after_1 = np.array([1, 2, 0]), np.array([0, 0, 2])
    wanted = [(counts / share + 1) / (counts.sum() + 1) for counts in (after_0, after_1)]
    np.testing.assert_allclose(head.transitions[:2, :2].detach().exp(), [row[:2] for row in wanted], rtol=1e-5)
    np.testing.assert_allclose(head.last[:2].detach().exp(), [row[2] for row in wanted], rtol=1e-5)
    np.testing.assert_allclose(head.first.detach().exp(), [(2 / share[0] + 1) / 3, 1 / 3, 1.0], rtol=1e-5)
    assert head.transitions[:2, 2].tolist() == head.transitions[2].tolist()[:2] == [0.0, 0.0]


def test_no_word_is_no_loss() -> None:
    """Invariant: an empty sum, and no answer."""
    head, none = crf(lstm=2), torch.zeros(0, dtype=torch.int64)
    goal = GoalBatch(none, none, none, torch.zeros(0), 0.0, "tags", document=none)
    x = torch.zeros(0, WIDTH, requires_grad=True)
    loss = head.loss(x, goal)
    loss.sum.backward()
    assert float(loss.sum.detach()) == loss.weight == 0.0 and head(x, goal).shape == (0, CLASSES)
