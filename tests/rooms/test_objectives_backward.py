"""Reading from the end: the frame, and that a backward text is a forward one in a mirror, whatever reads it."""

import numpy as np
import pytest
import torch

from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.example.sight import sees
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.backward import backward
from warmstart.objectives.both import both
from warmstart.objectives.causal import causal


def test_worked_example() -> None:
    """Witness: by hand: 5 8 2 is read as 2 8; 2 is asked for 8 and 8 for 5."""
    [example] = backward(np.array([5, 8, 2]))
    goal = example.goals["lm"]
    assert (example.ids.tolist(), example.turns.tolist(), example.positions.tolist()) == ([8, 2], [1, 0], [1, 0])
    assert dict(zip(goal.reads.tolist(), goal.targets.tolist(), strict=True)) == {1: 8, 0: 5}


def test_nobody_sees_what_is_asked() -> None:
    """Invariant: no token that a read sees stands before it, where its target is."""
    [example] = backward(np.arange(9))
    for read, target in zip(example.goals["lm"].reads.tolist(), example.goals["lm"].targets.tolist(), strict=True):
        seen = [t for t in range(len(example)) if t == read or sees(example.turns[[read]], example.turns[[t]])[0]]
        assert min(seen) == read and example.ids[read] == target + 1


@pytest.mark.parametrize("name", ["gpt1-tiny", "modern-mini", "lstm-tiny"])
def test_a_backward_model_is_a_forward_one_of_the_mirrored_text(name: str) -> None:
    """Invariant: the loss and its gradient are those of the next token on the ids in opposite order."""
    sizes = {"layers": 2, "width": 32, "heads": 2, "kv_heads": 1, "hidden": 64} if name == "modern-mini" else {}
    rates = dict.fromkeys(("embedding_dropout", "attention_dropout", "residual_dropout"), 0.0) if "gpt" in name else {}
    model = Model.fresh(ModelSettings(backbone=preset(name, vocab_size=64, **sizes, **rates)), 1).double()
    draw, found = np.random.default_rng(0), []
    texts = [draw.integers(0, 64, n) for n in (2, 17, 9)]
    for batch in (collate([backward(ids) for ids in texts]), collate([causal(ids[::-1]) for ids in texts])):
        loss = model(batch)["lm"]
        assert loss.weight == sum(len(ids) - 1 for ids in texts)
        found.append([loss.sum.detach(), *torch.autograd.grad(loss.sum, list(model.parameters()))])
    torch.testing.assert_close(found[0], found[1])


def test_twice_mirrored_is_as_it_was() -> None:
    """Invariant: segments, goals and all."""
    [example] = backward(np.arange(5, 12))
    example = Example(example.ids, example.turns, example.positions, example.goals, np.arange(6) // 4)
    again = example.reverse().reverse()
    for name in ("ids", "turns", "positions", "segments"):
        assert getattr(again, name).tolist() == getattr(example, name).tolist()
    assert again.goals["lm"].reads.tolist() == example.goals["lm"].reads.tolist()


def test_both_ends_are_two_models_side_by_side() -> None:
    """Witness: with layers for each direction, losses and gradients are the sums of a forward and a backward model's."""
    model = Model.fresh(ModelSettings(backbone=preset("lstm-tiny", vocab_size=64, directions=2)), 1).double()
    ids, found = np.random.default_rng(0).integers(0, 64, 20), []
    for frame in (both, causal, backward):
        loss = model(collate([frame(ids)]))["lm"]
        slopes = torch.autograd.grad(loss.sum, list(model.parameters()), allow_unused=True)
        found.append([loss.sum.detach(), *slopes])
    unread = {
        name
        for row in found[1:]
        for (name, _), slope in zip(model.named_parameters(), row[1:], strict=True)
        if slope is None
    }
    assert {name.split("cells.")[1][0] for name in unread} == {"0", "1"}  # each reads by its own layers only
    for whole, *parts in zip(*found, strict=True):
        torch.testing.assert_close(whole, sum(part for part in parts if part is not None))
