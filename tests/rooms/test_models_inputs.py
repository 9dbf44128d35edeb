"""Tokens read as the states of a language model: the mixture, who sees whom, what is trained, what a search reads."""

import contextlib
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.decode.packed import packed_softmax
from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.scalar_mix import ScalarMix
from warmstart.models.settings import HeadSettings, InputSettings, ModelSettings

V, SIZES = 40, ((5, 3), (2, 7), (1, 4))
PAIR, LSTM_PAIR = "encoder-decoder-tiny", "lstm-encoder-decoder-tiny"
LMS: dict[str, dict[str, Any]] = {
    "gpt": {"name": "gpt1-tiny"}, "deep": {"name": "gpt1-tiny", "layers": 3, "norm": "pre", "positions": "rotary"},
    "lstm": {"name": "lstm-tiny", "layers": 2, "embedding_width": 32}, "narrow": {"name": "lstm-tiny"},
    "both": {"name": "lstm-tiny", "directions": 2, "layers": 2, "residual": True}, "bert": {"name": "bert-tiny"},
}  # fmt: skip
CAUSAL = ("gpt", "deep", "lstm", "narrow")


def lm(name: str) -> Any:
    words = dict(LMS[name])
    return preset(words.pop("name"), vocab_size=V, context=24, init_std=0.3, **words).with_parts(pooler=False, lm=False)


def make(backbone: str, inputs: dict[str, dict[str, Any]], heads: Any = None, **changes: Any) -> Model:
    size = preset(backbone, vocab_size=V, context=24, init_std=0.3, **changes)
    made = {stack: InputSettings(**{**own, "backbone": lm(own["backbone"])}) for stack, own in inputs.items()}
    return Model.fresh(ModelSettings(backbone=size, inputs=made, heads=heads or {}), 1).eval()


def pair(source: int, target: int) -> Example:
    """A source of turn 0 and a target of turns 1 2 …, each of whose places predicts its own token."""
    ids = np.random.default_rng([source, target]).integers(0, V, source + target)
    places = np.arange(source + target)
    goal = Goal.each(places[source:], ids[source:])
    return Example(ids, np.maximum(places - source + 1, 0), places, {"lm": goal})


def pairs() -> Batch:
    return collate([[pair(*sizes)] for sizes in SIZES])


# ---- the mixture


@pytest.mark.parametrize("norm", [True, False])
def test_the_mixture_is_the_papers(norm: bool) -> None:
    """Witness: Peters et al. 2018, equation 1, in NumPy; its gradient by finite differences."""
    draw = torch.Generator().manual_seed(0)
    layers = [torch.randn(5, 7, generator=draw, dtype=torch.float64, requires_grad=True) for _ in range(4)]
    mix = ScalarMix(4, norm=norm, dropout=0.0).double()
    np.testing.assert_allclose(mix(layers).detach(), _mix(layers, np.zeros(4), 1.0, norm), rtol=1e-9)
    with torch.no_grad():
        mix.scores.copy_(torch.tensor([0.3, -1.0, 2.0, 0.1]))
        mix.gain.fill_(1.7)
    np.testing.assert_allclose(mix(layers).detach(), _mix(layers, mix.scores.detach().numpy(), 1.7, norm), rtol=1e-9)
    given = (mix.scores, mix.gain, *layers)
    assert torch.autograd.gradcheck(lambda *_: mix(layers), given)  # type: ignore[no-untyped-call]


def _mix(layers: list[torch.Tensor], scores: np.ndarray, gain: float, norm: bool) -> np.ndarray:
    weights = np.exp(scores) / np.exp(scores).sum()
    total = np.zeros(layers[0].shape)
    for weight, states in zip(weights, layers, strict=True):
        h = states.detach().numpy()
        if norm:
            h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-5)
        total += weight * h
    return gain * total


def test_weights_of_the_mixture_drop_out_in_training_only() -> None:
    """Invariant: of equal layers the mixture is k/4 / (1 - p) of one where k weights are kept; in evaluation it is one."""
    mix, one = ScalarMix(4, norm=False, dropout=0.5), torch.ones(1)
    assert mix.eval()([one] * 4).item() == 1
    torch.manual_seed(0)
    found = {round(mix.train()([one] * 4).item() * 2, 4) for _ in range(60)}
    assert found <= {0, 1, 2, 3, 4} and len(found) > 2


# ---- what is read


@pytest.mark.parametrize("kind", ["mix", "tune"])
@pytest.mark.parametrize("stack", ["encoder", "decoder"])
def test_a_stack_reads_the_states_that_its_language_model_has_alone(stack: str, kind: str) -> None:
    """Witness: the language model as a model of its own, text by text: its states, mixed by hand and projected."""
    model = make(PAIR, {stack: {"backbone": "deep", "kind": kind}}, embedding_norm=False, norm="post")
    part = model.backbone.stacks()[stack]
    assert part.inputs is not None and part.positions is None
    alone = Model(ModelSettings(backbone=lm("deep")))
    alone.backbone.load_state_dict(part.inputs.lm.state_dict())
    example = pair(5, 4)
    ids = example.ids[:5] if stack == "encoder" else example.ids[5:]
    with torch.no_grad():
        layers = alone.eval().backbone.layer_states(collate([[Example.left_to_right(ids, {})]]))
        read = layers[-1]
        if kind == "mix":
            read = torch.stack([torch.nn.functional.layer_norm(h, (32,)) for h in layers]).mean(0)
        expected = part.inputs.below.project(read)
        found = model.backbone.layer_states(collate([[example]]))[0]
    torch.testing.assert_close(found[:5] if stack == "encoder" else found[5:], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("inputs", [{}, {"text": {"backbone": "deep", "place": "beside"}}])
@pytest.mark.parametrize("backbone", ["gpt1-tiny", "lstm-tiny"])
def test_noise_is_added_to_what_tokens_are_read_as(backbone: str, inputs: dict[str, dict[str, Any]]) -> None:
    """Witness: the same model whose table has the noise in the row of each token; no token occurs twice."""
    model = make(backbone, inputs)
    batch = collate(
        [[Example.left_to_right(np.arange(first, first + count), {})] for first, count in ((3, 5), (20, 8))]
    )
    noise = torch.randn(13, model.backbone.tables().tokens.shape[1], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = model.backbone(batch, model.backbone.tables()._replace(noise=noise))
        plain = model.backbone(batch)
        model.backbone.tokens.weight[batch.ids] += noise
        torch.testing.assert_close(found, model.backbone(batch))
    assert not torch.allclose(found, plain, atol=1e-2)


def test_a_view_of_one_head_reads_what_the_model_reads() -> None:
    """Invariant: a model of the view's settings has the view's weights, those of its inputs too."""
    heads = {name: HeadSettings(kind="class", size=2) for name in ("mood", "kind")}
    model = make("gpt1-tiny", {"text": {"backbone": "lstm", "place": "beside"}}, heads)
    view = model.with_heads({"label": "mood"})
    other = Model(view.settings)
    other.load_state_dict(view.state_dict())
    assert {*other.state_dict()} == {name.replace("heads.mood", "heads.label") for name in model.state_dict()} - {
        name for name in model.state_dict() if "heads.kind" in name
    }


@pytest.mark.parametrize("name", LMS)
@pytest.mark.parametrize("backbone", [PAIR, LSTM_PAIR])
def test_a_pair_does_not_depend_on_its_neighbours(backbone: str, name: str) -> None:
    """Invariant: packed pairs have the states of each alone; of a target each token sees what came before, no more."""
    inputs = {"encoder": {"backbone": name}} | ({"decoder": {"backbone": name}} if name in CAUSAL else {})
    model, batch = make(backbone, inputs), pairs()
    with torch.no_grad():
        packed = model.backbone(batch)
        alone = torch.cat([model.backbone(collate([[pair(*sizes)]])) for sizes in SIZES])
        torch.testing.assert_close(packed, alone, atol=2e-5, rtol=2e-5)
        example, plain = pair(4, 5), model.backbone(collate([[pair(4, 5)]]))
        for changed in range(9):
            ids = example.ids.copy()
            ids[changed] = (ids[changed] + 1) % V
            moved = model.backbone(collate([[Example(ids, example.turns, example.positions, {})]])) - plain
            if backbone == PAIR or changed >= 4:
                sees = np.ones(9, bool) if changed < 4 else np.arange(9) >= changed
                assert ((moved.abs().amax(1) > 1e-6).numpy() == sees).all()


@pytest.mark.parametrize("name", ["both", "bert"])
def test_a_language_model_of_both_directions_sees_the_whole_source(name: str) -> None:
    """Brute force: the first token's embedding changes with the last token; that of a model from left to right does not."""
    ids = np.array([3, 1, 4, 1, 5])
    other = np.array([3, 1, 4, 1, 6])
    for own, sees in ((name, True), ("gpt", False)):
        part = make(PAIR, {"encoder": {"backbone": own}}).backbone.stacks()["encoder"]
        assert part.inputs is not None
        with torch.no_grad():
            first = [part.inputs(collate([[Example.full_sight(some, {})]]), torch.empty(0))[0] for some in (ids, other)]
        assert bool((first[0] != first[1]).any()) is sees


def test_states_of_two_directions_are_those_of_each_beside_the_other() -> None:
    """Witness: Peters et al. 2018, section 3.1: a text and the same text from its end, each by its own layers."""
    body = Model.fresh(ModelSettings(backbone=lm("both")), 3).eval().backbone
    ids = np.array([3, 1, 4, 1, 5])
    with torch.no_grad():
        every = body.text_states(collate([[Example.full_sight(ids, {})]]))
        forward = body.layer_states(collate([[Example.left_to_right(ids, {})]]))
        backward = body.layer_states(collate([[Example.left_to_right(ids[::-1].copy(), {}).reverse()]]))
    assert (len(every), every[0].shape[1]) == body.text_shape == (2, 64)  # embeddings are 24 wide: they take no part
    for found, one, other in zip(every, forward[1:], backward[1:], strict=True):
        torch.testing.assert_close(found, torch.cat([one, other], 1))


@pytest.mark.parametrize("backbone", ["gpt1-tiny", "lstm-tiny", "bert-tiny"])
def test_beside_the_own_embeddings(backbone: str) -> None:
    """Witness: what the table gives plus what the language model gives, and positions as ever."""
    model = make(backbone, {"text": {"backbone": "both", "place": "beside"}})
    body, ids = model.backbone, np.array([3, 1, 4, 1, 5])
    plain = make(backbone, {})
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if ".inputs." not in name})
    whole = Example.full_sight if backbone == "bert-tiny" else Example.left_to_right
    batch = collate([[whole(ids, {})]])
    with torch.no_grad():
        table = body.tokens.weight.clone()
        more = body.inputs.below(body.inputs.lm.text_states(batch))  # type: ignore[union-attr,operator]
        plain.backbone.tokens.weight[:5] = table[ids] + more  # a table of what each place reads
        rows = collate([[whole(np.arange(5), {})]])
        torch.testing.assert_close(body(batch), plain.backbone(rows), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("at", ["output", "both"])
def test_at_the_output_heads_read_a_mixture_of_its_own(at: str) -> None:
    """Witness: Peters et al. 2018, section 3.3: the reader's states and another mixture, added by hand."""
    model = make("lstm-tiny", {"text": {"backbone": "both", "place": "beside", "at": at}})
    ids = np.array([3, 1, 4, 1, 5])
    body, batch = model.backbone, collate([[Example.left_to_right(ids, {"lm": Goal.each(np.arange(2), ids[:2])})]])
    assert body.inputs is not None and (body.inputs.below is None) == (at == "output")
    with torch.no_grad():
        whole = body.last_states(batch)
        added = body.inputs.above(body.inputs.lm.text_states(batch))
        torch.testing.assert_close(whole, body(batch) + added)
        reads = torch.tensor([1, 4])
        torch.testing.assert_close(body.last_states(batch, None, reads), whole[reads])
        torch.testing.assert_close(model.run(batch, all_states=True).states, whole)


# ---- what is trained


@pytest.mark.parametrize("kind", ["mix", "tune"])
def test_a_frozen_language_model_gets_no_gradient(kind: str) -> None:
    """Invariant: of a mixture its weights learn and nothing of the language model; a tuned one learns too."""
    model = make(PAIR, {side: {"backbone": "gpt", "kind": kind} for side in ("encoder", "decoder")}).train()
    model(pairs())["lm"].sum.backward()
    for name, parameter in model.named_parameters():
        frozen = ".inputs.lm." in name and kind == "mix"
        assert (parameter.grad is None) == frozen == (not parameter.requires_grad), name
    assert not model.backbone.stacks()["encoder"].inputs.lm.training or kind == "tune"  # type: ignore[union-attr]


@pytest.mark.parametrize("backbone", [PAIR, LSTM_PAIR])
def test_no_weight_is_left_without_a_use(backbone: str) -> None:
    """Invariant: in training each parameter that is trained has a gradient, so no table stands there unread."""
    inputs = {side: {"backbone": "gpt"} for side in ("encoder", "decoder")}
    model = make(backbone, inputs).train()
    model(pairs())["lm"].sum.backward()
    unread = [name for name, own in model.named_parameters() if own.requires_grad and own.grad is None and own.numel()]
    assert unread == []
    assert {f"backbone.{name}" for name in model.backbone.parameter_depths()} == {
        name for name, _ in model.named_parameters() if name.startswith("backbone.")
    }


# ---- a search


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("backbone", [PAIR, LSTM_PAIR])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_search_reads_what_training_reads(backbone: str, name: str, packed: bool) -> None:
    """Witness: the whole pair read anew for every token; texts of a source part, and a source leaves; weights are packed."""
    inputs = {side: {"backbone": name} for side in ("encoder", "decoder")}
    model = make(backbone, inputs)
    body = model.backbone
    sources = [np.array([3, 1, 4]), np.array([1, 5, 9, 2, 6])]

    def anew(source: np.ndarray, text: list[int]) -> torch.Tensor:
        places, count = np.arange(len(source) + len(text)), len(source)
        example = Example(np.array([*source, *text]), np.maximum(places - count + 1, 0), places, {})
        return body(collate([[example]]))[-1]  # type: ignore[no-any-return]

    def step(texts: list[list[list[int]]], number: int) -> None:
        cache.begin_step(places[: len(texts)] + number, len(texts[0]), 0)
        states = body.forward_cached(
            torch.tensor([[text[-1] for text in own] for own in texts]), 0, cache, len(texts[0])
        )
        for row, own in enumerate(texts):
            for place, text in enumerate(own):
                torch.testing.assert_close(states[row, place], anew(kept[row], text), atol=2e-5, rtol=2e-5)

    with torch.inference_mode(), packed_softmax(model, 4) if packed else contextlib.nullcontext():
        cache, places = body.read_sources(sources, 0)
        kept = list(sources)
        step([[[7]], [[7]]], 0)
        cache.reorder(torch.zeros(2, 2, dtype=torch.int64))
        step([[[7, 8], [7, 2]], [[7, 3], [7, 9]]], 1)
        cache.reorder(torch.tensor([[1, 1], [1, 0]]))
        step([[[7, 2, 5], [7, 2, 6]], [[7, 9, 5], [7, 3, 6]]], 2)
        cache.select(torch.tensor([1]))
        kept = kept[1:]
        step([[[7, 9, 5, 1], [7, 3, 6, 2]]], 3)
