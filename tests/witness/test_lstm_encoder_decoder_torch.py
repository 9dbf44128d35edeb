"""The LSTM encoder-decoder against torch's own cells, stepped one pair and one token at a time: states and gradients."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.attentive_recurrence import run_attentive_steps
from warmstart.models.lstm import LSTM, Cells
from warmstart.models.lstm_encoder_decoder import LSTMEncoderDecoder
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.recurrence import Steps, Weights
from warmstart.models.settings import ModelSettings, TokenHeadSettings
from warmstart.models.source_memory import SourceMemory
from warmstart.transfer.start import PartTransfer, start_from

SIZES = ((5, 3), (2, 7), (5, 1), (9, 4), (1, 2))
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dot, last layer alone": {"attention_score": "dot", "attended_layers": "last", "decoder_residual": "none"},
    "gated, three layers": {"layers": 3, "decoder_residual": "gated"},
    "projected, clipped": {"layers": 3, "cells": 9, "upper_cells": 7, "cell_clip": 0.4},
}


def make(**changes: Any) -> Model:
    """In double precision, with biases and a mixture that would show a swap of parts."""
    sizes = {"vocab_size": 40, "init_std": 0.4, "width": 6, "embedding_width": 5, **changes}
    model = Model.fresh(ModelSettings(backbone=preset("lstm-encoder-decoder-tiny", **sizes)), 1).double().eval()
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or ".mix." in name:
            nn.init.normal_(parameter, std=0.5)
    return model


def body(model: Model) -> LSTMEncoderDecoder:
    assert isinstance(model.backbone, LSTMEncoderDecoder)
    return model.backbone


def pair(source: int, target: int) -> Example:
    """A source of turn 0 and a target of turns 1 2 …, each of whose places predicts its own token."""
    ids = np.random.default_rng([source, target]).integers(0, 40, source + target)
    places = np.arange(source + target)
    goal = Goal.each(places[source:], ids[source:])
    return Example(ids, np.maximum(places - source + 1, 0), places, {"lm": goal})


class Stepped:
    """One layer by torch's LSTMCell where nothing is projected or clipped, else by the equations of nn.LSTM's page."""

    def __init__(self, cells: Cells, feed: nn.Linear | None, clip: float | None) -> None:
        weight = cells.input.weight if feed is None else torch.cat([cells.input.weight, feed.weight], 1)
        self.cells, self.weight, self.clip = cells, weight, clip
        self.h, self.c = (weight.new_zeros(n) for n in (cells.recurrent.in_features, len(weight) // 4))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        bias, recurrent = self.cells.input.bias, self.cells.recurrent.weight
        if self.cells.project is None and self.clip is None:
            self.h, self.c = torch.lstm_cell(
                x[None], (self.h[None], self.c[None]), self.weight, recurrent, bias, torch.zeros_like(bias)
            )
            self.h, self.c = self.h[0], self.c[0]
            return self.h
        i, f, g, o = (self.weight @ x + recurrent @ self.h + bias).chunk(4)
        c = f.sigmoid() * self.c + i.sigmoid() * g.tanh()
        self.c = c if self.clip is None else c.clamp(-self.clip, self.clip)
        out = o.sigmoid() * self.c.tanh()
        self.h = out if self.cells.project is None else self.cells.project.weight @ out
        return self.h


def by_hand(found: LSTMEncoderDecoder, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The states of one pair, token by token."""
    s, clip = found.settings, found.settings.cell_clip
    encoder = [Stepped(layer.direction(0), None, clip) for layer in found.encoder.layers]
    read: list[list[torch.Tensor]] = [[] for _ in encoder]
    for token in source:
        x = found.encoder.tokens.weight[token]
        for layer, states in zip(encoder, read, strict=True):
            x = layer(x)
            states.append(x)
    first, last = torch.stack(read[0]), torch.stack(read[-1])
    values = torch.cat([first, last], 1) if s.attended_layers == "first_and_last" else last
    decoder = found.decoder
    below = Stepped(decoder.layers[0].direction(0), None, clip)
    upper = [Stepped(layer.cells, layer.feed, clip) for layer in decoder.upper_layers]
    context, written = values.new_zeros(values.shape[1]), []
    for token in target:
        h1 = below(decoder.tokens.weight[token])
        x = torch.cat([h1, context])
        for layer in upper:
            x = layer(x)
        scores = torch.stack([x @ (key if decoder.score is None else decoder.score.weight @ key) for key in last])
        context = scores.softmax(0) @ values
        u = torch.tanh(decoder.mix.weight @ torch.cat([x, context]))
        if decoder.gate is not None:
            g = torch.sigmoid(decoder.gate.weight @ h1 + decoder.gate.bias)
            u = g * h1 + (1 - g) * u
        written.append(h1 + u if s.decoder_residual == "plain" else u)
    return torch.cat([last, torch.stack(written)])


@pytest.mark.parametrize("kind", KINDS)
def test_states_and_gradients_equal_those_stepped_by_hand(kind: str) -> None:
    """Witness: torch's cell and softmax, one pair after the other; every weight's gradient."""
    model = make(**KINDS[kind])
    found, examples = body(model), [pair(*sizes) for sizes in SIZES]
    batch = collate([[example] for example in examples])
    ours = found(batch)
    theirs = torch.cat([
        by_hand(found, *torch.from_numpy(example.ids).split(list(sizes)))
        for sizes, example in zip(SIZES, examples, strict=True)
    ])  # fmt: skip
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    reads = batch.goals["lm"].reads
    torch.testing.assert_close(found(batch, None, reads), ours[reads])
    layers = found.layer_states(batch)
    torch.testing.assert_close(layers[-1], ours)
    assert len(layers) == found.settings.layers + 1
    pull = torch.randn(ours.shape, dtype=ours.dtype, generator=torch.Generator().manual_seed(0))
    weights = dict(found.named_parameters())
    weights.pop("decoder.output.weight")  # of the softmax, which no state reads
    slopes = [torch.autograd.grad((states * pull).sum(), [*weights.values()]) for states in (ours, theirs)]
    for name, mine, hand in zip(weights, *slopes, strict=True):
        assert bool(mine.any()), name
        torch.testing.assert_close(mine, hand, rtol=1e-8, atol=1e-9, msg=name)


def test_gradients_through_dropout_between_the_layers() -> None:
    """Witness: finite differences, of every weight, key and value, with a part of each text's states dropped."""
    torch.manual_seed(0)
    sizes, width, cells, states = [3, 2, 2], 3, 4, 5

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64).requires_grad_()

    layers = [drawn(4 * cells, width), drawn(4 * cells), drawn(4 * cells, width), drawn(width, cells)] * 2
    layers = [part.detach().clone().requires_grad_() for part in layers]
    mask = torch.tensor([[2.0, 0, 2], [0, 2, 2], [2, 2, 0]], dtype=torch.float64)
    bias = torch.zeros(3, 1, states, dtype=torch.float64)
    bias[1, :, 3:] = -torch.inf

    def run(
        gates: torch.Tensor, feed: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, *flat: torch.Tensor
    ) -> Any:
        both = [Weights(*flat[:4]), Weights(*flat[4:])]
        source = SourceMemory(keys, values, bias)
        outputs, contexts = run_attentive_steps(gates, feed, both, [mask], source, Steps(sizes, None))
        return (*outputs, contexts)

    given = (
        drawn(sum(sizes), 4 * cells),
        drawn(4 * cells, 2 * width),
        drawn(3, states, width),
        drawn(3, states, 2 * width),
    )
    assert torch.autograd.gradcheck(run, (*given, *layers))


def test_who_sees_whom() -> None:
    """Brute force: of a target each token sees what came before and the whole source; a source sees what came before."""
    found, (source, target), example = body(make()), (4, 5), pair(4, 5)

    def states(changed: int | None) -> torch.Tensor:
        ids = example.ids.copy()
        if changed is not None:
            ids[changed] = (ids[changed] + 1) % 40
        with torch.no_grad():
            return found(collate([[Example(ids, example.turns, example.positions, {})]]))  # type: ignore[no-any-return]

    plain = states(None)
    for changed in range(source + target):
        moved = (states(changed) - plain).abs().amax(1) > 1e-9
        assert moved.tolist() == (np.arange(9) >= changed).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_has_a_depth(kind: str) -> None:
    """Invariant: the depths name all parameters, the tables lowest, the encoder below the decoder."""
    found = body(make(**KINDS[kind]))
    depths = found.parameter_depths()
    assert depths.keys() == {name for name, _ in found.named_parameters()}
    assert len(found.blocks) == found.settings.num_blocks == max(depths.values()) - 1
    encoder = {depth for name, depth in depths.items() if name.startswith("encoder.blocks.")}
    decoder = {depth for name, depth in depths.items() if name.startswith(("decoder.blocks.", "decoder.upper."))}
    assert {*range(1, len(found.blocks) + 1)} == encoder | decoder and min(encoder) == max(decoder) + 1


def test_it_begins_as_the_language_model_of_its_decoder() -> None:
    """Invariant (Ramachandran et al. 2016): started from language models, the states of a target are the model's own."""
    settings = preset("lstm-encoder-decoder-tiny", vocab_size=40)
    lm = preset("lstm-tiny", vocab_size=40)
    sides = [Model.fresh(ModelSettings(backbone=lm), seed).eval() for seed in (2, 3)]
    model = Model.fresh(ModelSettings(backbone=settings), 1).eval()
    account = start_from(
        model,
        PartTransfer(sides[0], target_part="backbone.encoder", layers=1),
        PartTransfer(sides[1], target_part="backbone.decoder", layers=1),
    )
    source, target = body(model), sides[1].backbone
    assert isinstance(target, LSTM)
    assert {name for name in account.loaded if "output" in name} == {"backbone.decoder.output.weight"}
    assert all(name in account.initialised for name in ("backbone.encoder.blocks.1.cells.0.input.weight",))
    assert torch.equal(source.encoder.tokens.weight, sides[0].backbone.tokens.weight)
    ids = np.random.default_rng(0).integers(0, 40, 9)
    places = np.arange(9)
    with torch.no_grad():
        whole = model.score_tokens(collate([[Example(ids, np.maximum(places - 3, 0), places, {
            "lm": Goal.each(places[4:8], ids[5:])})]]))  # fmt: skip
        alone = sides[1].score_tokens(
            collate([[Example.left_to_right(ids[4:], {"lm": Goal.each(places[:4], ids[5:])})]])
        )
    assert torch.equal(whole.losses, alone.losses)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": 1}, "needs a layer above its first"),
        ({"directions": 2}, "no other directions"),
        ({"vectors": True}, "no other vectors"),
        ({"upper_cells": 8}, "at least as many cells"),
        ({"heads": 2}, "has no such size"),
    ],
)
def test_what_it_has_not_is_refused(changes: dict[str, Any], words: str) -> None:
    """Bad input: no layer above the language model's, cells that are too few, a size of Transformers."""
    with pytest.raises(BadInput, match=words):
        preset("lstm-encoder-decoder-tiny", **changes)


def alone(count: int, side: str) -> Example:
    """A text of one side: each of its places predicts the next token."""
    ids, places = np.random.default_rng([count, len(side)]).integers(0, 40, count + 1), np.arange(count)
    turns = np.zeros(count, np.int64) if side == "source" else places + 1
    goal = replace(Goal.each(places, ids[1:]), head="" if side == "source" else "lm")
    return Example(ids[:-1], turns, places, {f"{side}_lm": goal})


MIXED = ["pair", "source", "target", "pair", "source", "pair"]


@pytest.mark.parametrize(
    "sides", [MIXED, ["source"], ["target"], ["source", "target"], ["target", "pair"]], ids="-".join
)
def test_texts_of_one_side_are_read_by_its_language_model(sides: list[str]) -> None:
    """Witness: the first layer of that side as an LSTM of its own; pairs beside them are as they are alone."""
    found = body(make(encoder_softmax=True, layers=3))
    examples = [pair(4 + n, 3) if side == "pair" else alone(3 + n, side) for n, side in enumerate(sides)]
    whole = found(collate([[example] for example in examples]))
    expected = []
    for side, example in zip(sides, examples, strict=True):
        if side == "pair":
            expected.append(found(collate([[example]])))
            continue
        stack = found.encoder if side == "source" else found.decoder
        lm = LSTM(stack.settings.model_copy(update={"layers": 1, "softmax": True})).double()
        lm.load_state_dict({name: stack.state_dict()[name] for name in lm.state_dict()})
        expected.append(lm(collate([[Example.left_to_right(example.ids, {})]])))
    torch.testing.assert_close(whole, torch.cat(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_language_models_loss_reaches_its_own_weights_only(side: str) -> None:
    """Ramachandran et al. 2016: the loss of a side's text has a gradient in that side's tables and first layer alone."""
    stack = {"source": "encoder", "target": "decoder"}[side]
    settings = ModelSettings(
        backbone=preset("lstm-encoder-decoder-tiny", vocab_size=40, encoder_softmax=True),
        heads={"source_lm": TokenHeadSettings(kind="tokens", table="encoder")},
    )
    model = Model.fresh(settings, 1)
    [loss] = model(collate([[alone(6, side)]])).values()
    loss.sum.backward()
    reached = {name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    parts = ("tokens.weight", "output.weight", *(f"blocks.0.cells.0.{part}" for part in (
        "input.weight", "input.bias", "recurrent.weight")))  # fmt: skip
    assert reached == {f"backbone.{stack}.{part}" for part in parts}
