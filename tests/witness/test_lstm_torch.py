"""Our LSTM against torch's nn.LSTM driven by hand, weights copied: values and gradients."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.lstm import LSTM
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.backward import backward as from_the_end
from warmstart.objectives.causal import causal
from warmstart.streams.carry import CarriedRowSource
from warmstart.streams.stream import Stream

LENGTHS = (11, 17, 3, 17, 1)


def body(**changes: Any) -> LSTM:
    """A double-precision backbone with biases that would show a swap of gates."""
    settings = preset("lstm-tiny", **({"vocab_size": 64, "init_std": 0.4, "width": 6, "embedding_width": 5} | changes))
    found = Model.fresh(ModelSettings(backbone=settings), 1).double().train().backbone
    assert isinstance(found, LSTM)
    for layer in found.layers:
        for cells in layer.cells:
            nn.init.normal_(cells.input.bias, std=0.5)
    return found


def torchs(found: LSTM, direction: int = 0) -> nn.LSTM:
    """nn.LSTM with the same weights."""
    s = found.settings
    net = nn.LSTM(s.table_width, s.num_cells, s.layers, proj_size=0 if s.num_cells == s.width else s.width).double()
    for number, layer in enumerate(found.layers):
        cells = layer.direction(direction)
        named = {"weight_ih": cells.input.weight, "bias_ih": cells.input.bias, "weight_hh": cells.recurrent.weight}
        named |= {} if cells.project is None else {"weight_hr": cells.project.weight}
        named["bias_hh"] = torch.zeros_like(cells.input.bias)
        for name, tensor in named.items():
            getattr(net, f"{name}_l{number}").data = tensor.detach().clone()
    return net


def texts(lengths: tuple[int, ...] = LENGTHS) -> list[np.ndarray]:
    return [np.random.default_rng(n).integers(0, 64, n) for n in lengths]


@pytest.mark.parametrize("sizes", [{"layers": 1}, {"layers": 3}, {"layers": 2, "cells": 9}], ids=str)
def test_states_and_slopes_equal_torchs(sizes: dict[str, int]) -> None:
    """Witness: nn.LSTM over a PackedSequence; every weight's gradient, and that of the token table."""
    found = body(**sizes)
    net, table = torchs(found), found.tokens.weight.detach().clone().requires_grad_()
    packed = pack_sequence([table[torch.from_numpy(one)] for one in texts()], enforce_sorted=False)
    padded, lengths = pad_packed_sequence(net(packed)[0], batch_first=True)
    theirs = torch.cat([row[:length] for row, length in zip(padded, lengths, strict=True)])
    ours = found(collate([[Example.left_to_right(one, {})] for one in texts()]))
    assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    pull = torch.randn(ours.shape, dtype=ours.dtype, generator=torch.Generator().manual_seed(0))
    (ours * pull).sum().backward()
    (theirs * pull).sum().backward()
    assert torch.allclose(found.tokens.weight.grad, table.grad, rtol=1e-10, atol=1e-10)
    for number, layer in enumerate(found.layers):
        cells = layer.direction(0)
        pairs = [
            (cells.input.weight, f"weight_ih_l{number}"), (cells.input.bias, f"bias_ih_l{number}"),
            (cells.recurrent.weight, f"weight_hh_l{number}"),
        ]  # fmt: skip
        pairs += [] if cells.project is None else [(cells.project.weight, f"weight_hr_l{number}")]
        for mine, name in pairs:
            assert torch.allclose(mine.grad, getattr(net, name).grad, rtol=1e-10, atol=1e-10), name


def test_float32_and_bfloat16_equal_torch_to_their_own_accuracy() -> None:
    """Witness: nn.LSTM in double precision; steps enough for the recurrent weight to be laid out for them."""
    found = body(layers=2)
    [net], one = [torchs(found)], texts((40,))[0]
    exact = net(found.tokens.weight[torch.from_numpy(one)].detach())[0]
    batch = collate([[Example.left_to_right(one, {})]])
    for dtype, near in ((torch.float32, 1e-6), (torch.bfloat16, 0.03)):
        assert float((found.to(dtype)(batch).double() - exact).detach().abs().max()) < near, dtype


def by_hand(net: nn.LSTM, embedded: torch.Tensor, bptt: int) -> torch.Tensor:
    """The states of one text whose gradient is cut every ``bptt`` steps from its end."""
    first = len(embedded) % bptt or bptt
    state, found = None, []
    for start, stop in zip([0, *range(first, len(embedded), bptt)], range(first, len(embedded) + 1, bptt), strict=True):
        states, state = net(embedded[start:stop], state)
        state = tuple(part.detach() for part in state)
        found.append(states)
    return torch.cat(found)


@pytest.mark.parametrize("bptt", [4, 17, 400])
@pytest.mark.parametrize("reads", ["all", "last"])
def test_truncated_backpropagation(bptt: int, reads: str) -> None:
    """Witness: nn.LSTM with its states detached by hand; no cut at all where texts are short."""
    found = body(layers=2, bptt=bptt)
    net, table = torchs(found), found.tokens.weight.detach().clone().requires_grad_()
    states = [by_hand(net, table[torch.from_numpy(one)], bptt) for one in texts()]
    if bptt >= max(LENGTHS):
        assert all(torch.equal(s, net(table[torch.from_numpy(one)])[0]) for s, one in zip(states, texts(), strict=True))
    batch = collate([[Example.left_to_right(one, {})] for one in texts()])
    last = torch.from_numpy(np.cumsum(LENGTHS) - 1) if reads == "last" else None
    ours = found(batch, None, last)
    theirs = torch.cat(states if last is None else [s[-1:] for s in states])
    assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    assert torch.allclose(found.tokens.weight.grad, table.grad, rtol=1e-10, atol=1e-10)
    assert torch.allclose(
        found.layers[0].direction(0).recurrent.weight.grad, net.weight_hh_l0.grad, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("cells", [6, 9])
def test_states_are_handed_on_in_lanes(backward: bool, cells: int) -> None:
    """Witness: nn.LSTM driven by hand, its states detached and handed on as the batches say; two micro-batches a step."""
    width, carry_rows = 5, 3
    found = body(layers=2, bptt=width, cells=cells)
    net, table = torchs(found), found.tokens.weight.detach().clone().requires_grad_()
    corpus = Documents((38, 9, 61, 2, 1, 17))
    found.begin_carry(carry_rows)
    source = CarriedRowSource(
        corpus, width, from_the_end if backward else causal, 0, carry_rows, seed=4, backward=backward
    )
    stream = Stream(source, carry_rows, 0, accumulation=2, shuffle=False)
    state: dict[int, Any] = {}
    slopes = [torch.zeros_like(table), torch.zeros_like(table)]
    carried = 0
    for step in range(stream.steps_per_epoch):
        for batch in stream.batches(step):
            assert batch.carry_out is not None
            carry_in = np.full(len(batch.lengths), -1) if batch.carry_in is None else batch.carry_in
            theirs = []
            for ids, old, lane in zip(batch.ids.split(batch.lengths.tolist()), carry_in, batch.carry_out, strict=True):
                carried += old >= 0
                flip = (0,) if backward else ()
                states, after = net(table[ids.flip(flip)], state[old] if old >= 0 else None)
                state[int(lane)] = tuple(part.detach() for part in after)
                theirs.append(states.flip(flip))
            ours = found(batch)
            assert torch.allclose(ours, torch.cat(theirs), rtol=1e-6, atol=1e-6)  # lanes are kept in float32
            for number, (weight, states) in enumerate(((found.tokens.weight, ours), (table, torch.cat(theirs)))):
                [slope] = torch.autograd.grad(states.square().sum(), [weight])
                slopes[number] += slope
    assert carried >= 10
    assert torch.allclose(*slopes, rtol=1e-6, atol=1e-5)


class Documents:
    """A corpus of random documents in memory."""

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self.ids = np.concatenate(texts(lengths))
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.num_tokens = len(self.ids)

    def tokens(self, start: int, stop: int) -> np.ndarray:
        return self.ids[start:stop]


def test_two_directions_are_two_models() -> None:
    """Witness: two nn.LSTM, the second over the text reversed; turns say which reads a text."""
    found = body(layers=2, directions=2)
    one, two = texts((9, 7))
    falling = Example(two, np.arange(7)[::-1].copy(), np.arange(7), {})
    ours = found(collate([[Example.left_to_right(one, {})], [falling]]))
    ahead = torchs(found, 0)(found.tokens.weight[torch.from_numpy(one)])[0]
    back = torchs(found, 1)(found.tokens.weight[torch.from_numpy(two[::-1].copy())])[0].flip(0)
    assert torch.allclose(ours, torch.cat([ahead, back]), rtol=1e-12, atol=1e-12)


def test_vectors_are_read_by_a_linear() -> None:
    """Witness: nn.LSTM over the products of the vectors with the table; its gradient too."""
    found = body(layers=2)
    net, table = torchs(found), found.tokens.weight.detach().clone().requires_grad_()
    rows = [np.random.default_rng(n).normal(size=(n, 64)) for n in LENGTHS]
    ours = found(collate([[Example.left_to_right(one, {})] for one in rows]))
    theirs = torch.cat([net(torch.from_numpy(one) @ table)[0] for one in rows])
    assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    assert torch.allclose(found.tokens.weight.grad, table.grad, rtol=1e-10, atol=1e-10)
