"""The LSTM backbone: residual sums, clipping, dropouts, bounded memory, decoding, and what it refuses."""

from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.lstm import LSTM
from warmstart.models.model import Model
from warmstart.models.packing import pack
from warmstart.models.presets import preset
from warmstart.models.recurrence import State, Weights, run_layer, run_steps, run_torch_layer
from warmstart.models.settings import HeadSettings, ModelSettings


def model(**changes: object) -> Model:
    settings = preset("lstm-tiny", **({"vocab_size": 64, "init_std": 0.4} | changes))
    return Model.fresh(ModelSettings(backbone=settings, heads={"label": HeadSettings(kind="class", size=2)}), 1)


def body(**changes: object) -> LSTM:
    found = model(**changes).double().backbone
    assert isinstance(found, LSTM)
    return found


def example(length: int, seed: int = 0) -> Example:
    return Example.left_to_right(np.random.default_rng(seed).integers(0, 64, length), {})


def test_equations_one_by_one() -> None:
    """Witness: the equations written out in NumPy, with a projection, clipped cells and a residual sum."""
    found = body(layers=2, width=5, cells=8, embedding_width=6, cell_clip=0.2, residual=True).eval()
    ids = np.random.default_rng(3).integers(0, 64, 12)
    x = found.tokens.weight.detach().numpy()[ids]
    for number, layer in enumerate(found.layers):
        cells = layer.direction(0)
        inputs, bias, recurrent, project = (
            w.detach().numpy() for w in (cells.input.weight, cells.input.bias, cells.recurrent.weight, cells.project.weight)
        )  # fmt: skip
        h, c, out = np.zeros(5), np.zeros(8), []
        for row in x:
            i, f, g, o = np.split(inputs @ row + bias + recurrent @ h, 4)
            i, f, o = (1 / (1 + np.exp(-z)) for z in (i, f, o))
            c = np.clip(f * c + i * np.tanh(g), -0.2, 0.2)
            h = project @ (o * np.tanh(c))
            out.append(h + row if number else h)
        x = np.array(out)
    ours = found(collate([[Example.left_to_right(ids, {})]])).detach().numpy()
    assert (np.abs(x) > 0.05).any() and np.allclose(ours, x, atol=1e-12)


@pytest.mark.parametrize("clip", [None, 0.3])
def test_slopes_equal_differences(clip: float | None) -> None:
    """Witness: finite differences (torch.autograd.gradcheck) of the recurrence, lengths unequal."""
    draw = torch.Generator().manual_seed(0)
    sizes, shapes = [3, 3, 2, 1], ((9, 4), (20, 4), (20,), (20, 3), (3, 5))
    given = [torch.randn(s, dtype=torch.float64, generator=draw).requires_grad_() for s in shapes]

    def outputs(*parts: torch.Tensor) -> torch.Tensor:
        weights = Weights(*parts[1:])
        start = State(torch.full((3, 3), 0.1).double(), torch.full((3, 5), 0.2).double())
        return run_steps(parts[0], weights, start, sizes, clip)[0]

    assert torch.autograd.gradcheck(outputs, given)


@pytest.mark.parametrize("project", [True, False])
def test_one_call_is_all_steps(project: bool) -> None:
    """Witness: torch's own kernel: outputs, where each sequence stands at its end, and every gradient."""
    draw = torch.Generator().manual_seed(0)
    sizes, width = [4, 4, 2, 1, 1], 3 if project else 5
    shapes = ((sum(sizes), 4), (20, 4), (20,), (20, width), *([(3, 5)] if project else []))
    given = [torch.randn(s, dtype=torch.float64, generator=draw).requires_grad_() for s in shapes]
    weights = Weights(*given[1:], *([] if project else [None]))
    start = State(torch.full((4, width), 0.1).double(), torch.full((4, 5), 0.2).double())
    found = []
    for way in (run_layer, run_torch_layer):
        outputs, after = way(given[0], weights, start, sizes)
        found.append([outputs, *after, *torch.autograd.grad(outputs.square().sum(), given)])
        assert not after.output.requires_grad and not after.cells.requires_grad
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.parametrize("changes", [{}, {"cells": 40}, {"cell_clip": 0.3}], ids=str)
def test_a_gpu_steps_as_a_cpu(changes: dict[str, Any]) -> None:
    """Witness: the CPU: states and gradients of texts that are longer than the cut, without clipping by torch's kernels."""
    many, found = [example(n, n) for n in (5, 30, 8, 9, 1, 16)], []
    for device in ("cpu", "cuda"):
        model = body(layers=2, bptt=8, **changes).to(device)
        states = model(collate([[one] for one in many]).to(device))
        grads = torch.autograd.grad(states.square().sum(), list(model.blocks.parameters()))
        found.append([part.cpu() for part in (states, *grads)])
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-8)


def test_a_text_alone_and_among_others_is_the_same() -> None:
    """Invariant of the law of sight: no result depends on the neighbours, lengths beyond the cut among them."""
    found = body(layers=2, bptt=8).eval()
    many = [example(n, n) for n in (5, 30, 8, 9, 1, 16)]
    together = found(collate([[one] for one in many]))
    alone = torch.cat([found(collate([[one]])) for one in many])
    assert torch.allclose(together, alone, rtol=1e-12, atol=1e-12)


def test_a_change_reaches_only_what_comes_after() -> None:
    """Invariant: the law of sight, for texts read from their beginning and from their end."""
    found = body(layers=2, directions=2, bptt=5).eval()
    for turns, place in ((np.arange(12), 4), (np.arange(12)[::-1].copy(), 7)):
        ids = np.arange(12)
        before = found(collate([[Example(ids, turns, np.arange(12), {})]]))
        ids = np.where(np.arange(12) == place, 50, ids)
        after = found(collate([[Example(ids, turns, np.arange(12), {})]]))
        moved = (before != after).any(1).numpy()
        assert np.array_equal(moved, turns >= turns[place])


def test_long_texts_are_read_in_bounded_memory() -> None:
    """Witness: bytes that autograd keeps for the way back, of a text twenty times as long, read at its end."""
    found = body(layers=1, bptt=50).train()

    def kept(length: int) -> int:
        total, seen = 0, set()

        def pack_hook(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal total
            if tensor.data_ptr() not in seen:
                seen.add(tensor.data_ptr())
                total += tensor.numel() * tensor.itemsize
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack_hook, lambda tensor: tensor):
            alive = found(collate([[example(length)]]), None, torch.tensor([length - 1]))
        assert alive.requires_grad
        return total

    assert kept(2000) < 1.1 * kept(100)


def test_chunks_hold_every_token_once_and_end_with_the_text() -> None:
    """Invariants of packing: each token once, in order; chunks after the first are whole; sizes never rise."""
    lengths = (23, 8, 16, 1, 17)
    [found] = pack(collate([[example(n)] for n in lengths]), 8, 1)
    everything = np.concatenate([chunk.tokens for chunk in found.chunks])
    assert sorted(everything) == list(range(sum(lengths)))
    for chunk in found.chunks:
        assert sum(chunk.sizes) == len(chunk.tokens) and (np.diff(chunk.sizes) <= 0).all()
    assert [chunk.sizes[0] for chunk in found.chunks] == [2, 3, 5] and found.chunks[0].num_carried == 0


def test_dropout_of_embeddings_takes_whole_dimensions_of_a_text_and_of_words_whole_tokens() -> None:
    """Witness: what the first layer is given, by a hook."""
    found = body(embedding_dropout=0.5, bptt=4).train()
    seen: list[torch.Tensor] = []
    found.layers[0].register_forward_hook(lambda module, args, out: seen.append(args[0].detach()))
    found(collate([[example(12)]]))
    gone = torch.cat(seen) == 0
    assert torch.equal(gone.all(0), gone.any(0)) and gone.any() and not gone.all()
    found, seen = body(word_dropout=0.5).train(), []
    found.layers[0].register_forward_hook(lambda module, args, out: seen.append(args[0].detach()))
    found(collate([[example(30)]]))
    gone = seen[0] == 0
    assert torch.equal(gone.all(1), gone.any(1)) and gone.any() and not gone.all()


def test_dropout_of_states_takes_the_same_dimensions_at_every_token_of_a_text() -> None:
    """Witness: Merity et al. 2017, section 4.2, seen by a hook and by the states that a head reads, over chunks of 4."""
    found = body(layers=2, layer_dropout=0.5, output_dropout=0.5, bptt=4).train()
    torch.manual_seed(1)
    batch = collate([[example(11)], [example(9)]])
    seen: list[torch.Tensor] = []
    found.layers[1].register_forward_hook(lambda module, args, out: seen.append(args[0].detach()))
    states = found(batch)
    texts = np.concatenate([chunk.texts for packing in pack(batch, 4, 1) for chunk in packing.chunks])
    between, last = torch.cat(seen), found.apply_dropout(states, batch)
    reads = torch.tensor([1, 5, 12, 19])
    some = found.apply_dropout(states[reads], batch, reads)
    for rows, owner in ((between, texts), (last, [0] * 11 + [1] * 9), (some, [0, 0, 1, 1])):
        gone = rows == 0
        own = [gone[torch.tensor(np.array(owner) == text)] for text in (0, 1)]
        assert all(torch.equal(each.all(0), each.any(0)) and each.any() and not each.all() for each in own)
        assert not torch.equal(own[0].any(0), own[1].any(0))  # each text has a mask of its own
    kept = last != 0
    assert torch.allclose(last[kept], 2 * states[kept])  # what stays is scaled up


def test_every_dropout_is_off_outside_training() -> None:
    """Invariant: two passes agree, and in training they do not."""
    rates = dict.fromkeys(
        ("embedding_dropout", "word_dropout", "layer_dropout", "output_dropout", "weight_dropout"), 0.3
    )
    for name, rate in rates.items():
        found = body(layers=2, **{name: rate})
        batch = collate([[example(9)]])
        read = [found.train().apply_dropout(found(batch), batch) for _ in range(2)]
        assert not torch.equal(*read), name
        assert torch.equal(found.eval()(batch), found(batch)), name


def test_branches_go_on_where_the_source_stands() -> None:
    """Witness: whole texts read at once; sources of different lengths, padded, in pieces, then branches that cross."""
    found = body(layers=2, residual=True, cells=40, cell_clip=0.3).eval()
    draw = np.random.default_rng(1)
    ids, lengths = torch.from_numpy(draw.integers(0, 64, (3, 5))), torch.tensor([4, 2, 0])
    past = found.new_cache(3, 5)
    for start, stop in ((0, 3), (3, 5)):
        past.begin_source(lengths, start, stop, full=False)
        found.forward_cached(ids[:, start:stop], 0, past, answers=0)
    texts = [[ids[row, :length].tolist()] for row, length in enumerate(lengths)]
    kept, parents = [2, 0], torch.from_numpy(draw.integers(0, 3, (2, 3)))
    past.select(torch.tensor(kept))
    texts = [texts[row] * 3 for row in kept]
    past.reorder(torch.zeros(2, 3, dtype=torch.int64))
    for step in range(3):
        new = torch.from_numpy(draw.integers(0, 64, (2, 3)))
        past.begin_step(lengths[kept] + step, 3, 0)
        states = found.forward_cached(new, 0, past, answers=3)
        texts = [
            [[*text, int(token)] for text, token in zip(*row, strict=True)] for row in zip(texts, new, strict=True)
        ]
        for row, column in np.ndindex(2, 3):
            whole = found(collate([[Example.left_to_right(np.array(texts[row][column]), {})]]))
            assert torch.allclose(states[row, column], whole[-1], rtol=1e-12, atol=1e-12)
        texts = [[row[parent] for parent in of] for row, of in zip(texts, parents.tolist(), strict=True)]
        past.reorder(parents)


def test_goals_and_answers() -> None:
    """Invariant: the same interface as every backbone: losses by goal, answers by head, losses of tokens."""
    found = model()
    one = example(9)
    goals = {"lm": Goal.each(np.arange(8), one.ids[1:]), "label": Goal.each(np.array([8]), np.array([1]))}
    batch = collate([[Example.left_to_right(one.ids, goals)]])
    losses = found(batch)
    assert losses["lm"].weight == 8 and losses["label"].weight == 1
    assert float(losses["lm"].sum.detach()) == pytest.approx(
        float(found.eval().score_tokens(batch).losses.sum()), rel=1e-5
    )
    assert found.answers(batch)["label"].shape == (1, 2)


@pytest.mark.parametrize(
    "turns", [np.zeros(4, np.int64), np.array([0, 0, 1, 2]), np.array([0, 1, -1, 2])], ids=["full", "prefix", "pseudo"]
)
def test_frames_that_look_ahead_are_refused(turns: np.ndarray) -> None:
    """Bad input: the sentence says which backbone can."""
    with pytest.raises(BadInput, match=r"one token after another.*Transformer"):
        body()(collate([[Example(np.arange(4), turns, np.arange(4), {})]]))


def test_sizes_that_do_not_fit_together() -> None:
    """Bad input: every part of the sentences."""
    with pytest.raises(BadInput) as caught:
        preset("lstm-tiny", tied=True, embedding_width=7)
    assert str(caught.value).startswith(
        "model.tied: a softmax that uses the token table needs embeddings as wide as the states"
    )
    with pytest.raises(BadInput, match="cells: an LSTM needs at least as many cells as its states are wide"):
        preset("lstm-tiny", cells=3)
    with pytest.raises(BadInput) as caught:
        preset("lstm-tiny", heads=4)
    assert str(caught.value).startswith(
        "model.heads: an LSTM has no such size; got 4; allowed: bptt, cell_clip, cells, "
    )
