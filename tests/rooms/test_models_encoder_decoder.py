"""The encoder-decoder: the law of sight between its sides, torch's own layers, parts and depths, and what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.encoder_decoder import EncoderDecoder
from warmstart.models.lora import add_lora, merge_lora
from warmstart.models.model import Model
from warmstart.models.positions import sinusoidal_table
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings, TokenHeadSettings
from warmstart.models.sides import split_sides
from warmstart.models.transformer import Transformer
from warmstart.transfer.start import PartTransfer, start_from

SIZES = ((5, 3), (2, 7), (5, 1), (9, 4), (1, 2))
T5 = {
    "norm_kind": "rms", "positions": "none", "relative_bins": 8, "relative_distance": 6, "bias": False, "mlp": "gated",
    "attention_scale": 1.0, "head_width": 12, "logit_scale": 0.2, "embedding_norm": False,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "pre": {},
    "post, sinusoidal, two tables": {
        "norm": "post", "positions": "sinusoidal", "shared_tokens": False, "embedding_norm": True
    },
    "t5": T5 | {"decoder_layers": 3},
    "untied, shared weights": {"tied": False, "output_bias": True, "layers": 4, "layer_groups": 2, "decoder_layers": 2},
}  # fmt: skip


def make(**changes: Any) -> Model:
    backbone = preset("encoder-decoder-tiny", vocab_size=40, context=24, init_std=0.3, **changes)
    return Model.fresh(ModelSettings(backbone=backbone), 1).eval()


def pair(source: int, target: int, seed: int = 0) -> Example:
    """A source of turn 0 and a target of turns 1 2 …, each of whose places predicts its own token."""
    ids = np.random.default_rng([source, target, seed]).integers(0, 40, source + target)
    places = np.arange(source + target)
    goal = Goal.each(places[source:], ids[source:])
    return Example(ids, np.maximum(places - source + 1, 0), places, {"lm": goal})


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_does_not_depend_on_its_neighbours(kind: str) -> None:
    """Invariant: states and losses of packed pairs equal those of each alone; states of reads equal those of all."""
    model, examples = make(**KINDS[kind]), [pair(*sizes) for sizes in SIZES]
    batch = collate([[example] for example in examples])
    with torch.no_grad():
        packed, reads = model.backbone(batch), batch.goals["lm"].reads
        alone = torch.cat([model.backbone(collate([[example]])) for example in examples])
        torch.testing.assert_close(packed, alone, atol=2e-5, rtol=2e-5)
        torch.testing.assert_close(model.backbone(batch, None, reads), packed[reads])
        torch.testing.assert_close(model.backbone.layer_states(batch)[-1], packed)
        assert len(model.backbone.layer_states(batch)) == 1 + max(
            model.settings.backbone.layers, model.backbone.decoder.settings.layers
        )


@pytest.mark.parametrize("kind", KINDS)
def test_who_sees_whom(kind: str) -> None:
    """The law of sight, token by token: a source is seen whole by both, of a target each token sees what came before."""
    model, (source, target) = make(**KINDS[kind]), (4, 5)
    example = pair(source, target)

    def states(changed: int | None) -> torch.Tensor:
        ids = example.ids.copy()
        if changed is not None:
            ids[changed] = (ids[changed] + 1) % 40
        with torch.no_grad():
            return model.backbone(collate([[Example(ids, example.turns, example.positions, {})]]))  # type: ignore[no-any-return]

    plain = states(None)
    for changed in range(source + target):
        moved = (states(changed) - plain).abs().amax(1) > 1e-6
        sees = np.ones(9, bool) if changed < source else np.arange(9) >= changed
        assert moved.tolist() == sees.tolist()


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_is_torchs_transformer(norm: str) -> None:
    """Witness: torch's encoder and decoder layers with the same weights (GELU, layer norms, biases, one table)."""
    model = make(norm=norm, layers=2)
    body = model.backbone
    assert isinstance(body, EncoderDecoder)
    given = {
        "d_model": 32,
        "nhead": 2,
        "dim_feedforward": 64,
        "dropout": 0.0,
        "activation": "gelu",
        "batch_first": True,
    }
    encoders = [nn.TransformerEncoderLayer(**given, norm_first=norm == "pre") for _ in range(2)]  # type: ignore[arg-type]
    decoders = [nn.TransformerDecoderLayer(**given, norm_first=norm == "pre") for _ in range(2)]  # type: ignore[arg-type]
    for theirs, ours in zip([*encoders, *decoders], [*body.encoder.blocks, *body.decoder.blocks], strict=True):
        own = ours.state_dict()
        names = {
            "self_attn.in_proj_": "attention.qkv.", "self_attn.out_proj.": "attention.out.", "linear1.": "mlp.up.",
            "linear2.": "mlp.down.", "multihead_attn.out_proj.": "cross.out.", "norm1.": "norm1.",
        }  # fmt: skip
        norms = {"norm2.": "cross_norm.", "norm3.": "norm2."} if "cross_norm.weight" in own else {"norm2.": "norm2."}
        taken = {
            key: own[key.replace(front, name)]
            for key in theirs.state_dict()
            for front, name in (names | norms).items()
            if key.startswith(front)
        }
        if "cross.q.weight" in own:
            for part in ("weight", "bias"):
                taken[f"multihead_attn.in_proj_{part}"] = torch.cat([own[f"cross.q.{part}"], own[f"cross.kv.{part}"]])
        theirs.load_state_dict(taken)
        theirs.eval()
    for sizes in SIZES:
        example = pair(*sizes)
        ids, table = torch.from_numpy(example.ids), body.tokens.weight
        source, target = ids[: sizes[0]], ids[sizes[0] :]
        with torch.no_grad():
            read = body.encoder.embedding_norm(table[source] + body.encoder.positions.weight[: sizes[0]])[None]
            for layer in encoders:
                read = layer(read)
            read = read if body.encoder.final_norm is None else body.encoder.final_norm(read)
            written = body.decoder.embedding_norm(table[target] + body.decoder.positions.weight[: sizes[1]])[None]
            mask = nn.Transformer.generate_square_subsequent_mask(sizes[1])
            for layer in decoders:
                written = layer(written, read, tgt_mask=mask, tgt_is_causal=True)
            written = written if body.decoder.final_norm is None else body.decoder.final_norm(written)
            ours = body(collate([[example]]))
        torch.testing.assert_close(ours, torch.cat([read[0], written[0]]), atol=2e-5, rtol=2e-5)


def test_pseudo_tokens_keep_their_turns() -> None:
    """Invariant: a mask of turn -t, at the place of target t, sees the source and the targets before t, no other mask."""
    model, ids = make(), np.arange(9)
    turns, positions = np.array([0, 0, 0, 1, 2, 3, -1, -2, -3]), np.array([0, 1, 2, 3, 4, 5, 3, 4, 5])
    with torch.no_grad():
        both = model.backbone(collate([[Example(ids, turns, positions, {})]]))
        for place in (1, 2, 3):  # its own mask in the place of the token, all that stands before, and nothing else
            kept = [0, 1, 2, *range(3, 2 + place), 5 + place]
            alone = Example(ids[kept], np.array([0, 0, 0, *range(1, place + 1)]), positions[kept], {})
            torch.testing.assert_close(both[5 + place], model.backbone(collate([[alone]]))[-1], atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_has_a_depth_and_a_gradient(kind: str) -> None:
    """Invariant: the depths name all parameters, embeddings lowest, the encoder below the decoder; each is learned."""
    model = make(**KINDS[kind])
    depths = model.backbone.parameter_depths()
    assert depths.keys() == {name for name, _ in model.backbone.named_parameters()}
    layers = model.settings.backbone.num_blocks
    assert len(model.backbone.blocks) == layers == max(depths.values()) - 1
    encoder = {depth for name, depth in depths.items() if name.startswith("encoder.blocks.")}
    decoder = {depth for name, depth in depths.items() if name.startswith("decoder.blocks.")}
    assert {*range(1, layers + 1)} == encoder | decoder and min(encoder) == max(decoder) + 1
    assert depths["decoder.tokens.weight"] == layers + 1
    model(collate([[pair(*sizes)] for sizes in SIZES]))["lm"].sum.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_lora_stands_beside_the_linears_of_both_stacks() -> None:
    """Invariant: products of zero change nothing; merged they are gone, and what they learned stays."""
    model, batch = make(), collate([[pair(*sizes)] for sizes in SIZES])
    plain = model(batch)["lm"].sum.item()
    names = [*model.state_dict()]
    add_lora(model.backbone.blocks, 2, 4.0, 0.0, torch.Generator().manual_seed(0))
    added = [name for name, parameter in model.named_parameters() if name.endswith(".b") and parameter.requires_grad]
    assert len(added) == 2 * 4 + 2 * 7 and any(".cross.kv." in name for name in added)
    assert model(batch)["lm"].sum.item() == pytest.approx(plain)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".b"):
                parameter += 0.1
    moved = model(batch)["lm"].sum.item()
    merge_lora(model)
    assert [*model.state_dict()] == names and abs(moved - plain) > 0.1
    assert model(batch)["lm"].sum.item() == pytest.approx(moved, rel=1e-4)


def test_two_language_models_start_the_two_stacks() -> None:
    """Witness: tensors compared one by one; what reads the source is new (Ramachandran et al. 2016)."""
    model = make(shared_tokens=False, tied=False)
    sides = {
        side: Model.fresh(ModelSettings(backbone=getattr(model.settings.backbone, side)), seed)
        for seed, side in enumerate(("encoder", "decoder"), start=2)
    }
    account = start_from(
        model, *(PartTransfer(source, target_part=f"backbone.{side}") for side, source in sides.items())
    )
    for side, source in sides.items():
        for name, tensor in getattr(model.backbone, side).state_dict().items():
            if name in source.backbone.state_dict():
                assert torch.equal(tensor, source.backbone.state_dict()[name])
    new = {name for name in account.initialised}
    assert new == {name for name in model.state_dict() if ".cross" in name}


def test_sines_and_cosines_are_those_of_the_paper() -> None:
    """Worked by hand: Vaswani et al. 2017, section 3.5: sin(pos / 10000^(2i/d)) and cos of the same."""
    table = sinusoidal_table(30, 8)
    for position, place in ((0, 0), (1, 1), (7, 3), (29, 2)):
        angle = position / 10000 ** (2 * place / 8)
        assert table[position, [place, 4 + place]].tolist() == pytest.approx([np.sin(angle), np.cos(angle)], abs=1e-6)


MIXED = ["pair", "source", "target", "pair", "source", "pair"]


def alone(count: int, side: str) -> Example:
    """A text of one side: each token of a target predicts the next, of a source two are guessed at their places."""
    ids, places = np.random.default_rng([count, len(side)]).integers(0, 40, count), np.arange(count)
    turns, reads = (np.zeros(count, np.int64), places[:2]) if side == "source" else (places + 1, places)
    goal = replace(Goal.each(reads, ids[reads]), head="" if side == "source" else "lm")
    return Example(ids, turns, places, {f"{side}_lm": goal})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "sides", [MIXED, ["source"], ["target"], ["source", "target"], ["target", "pair"]], ids="-".join
)
def test_texts_of_one_side_are_read_by_its_language_model(kind: str, sides: list[str]) -> None:
    """Witness: the layers of that side as a Transformer of their own; pairs beside them are as they are alone."""
    body = make(encoder_softmax=True, **KINDS[kind]).backbone
    examples = [pair(4 + n, 3) if side == "pair" else alone(3 + n, side) for n, side in enumerate(sides)]
    with torch.no_grad():
        whole, expected = body(collate([[example] for example in examples])), []
        for side, example in zip(sides, examples, strict=True):
            batch = collate([[example]])
            if side == "pair":
                expected.append(body(batch))
                continue
            stack: Any = body.encoder if side == "source" else body.decoder
            lm = Transformer(stack.settings.model_copy(update={"lm_transform": False})).eval()
            own = {"tokens.weight": body.tokens.weight} | stack.state_dict()
            lm.load_state_dict({name: own[name] for name in lm.state_dict()})
            expected.append(lm(batch if side == "source" else collate([[Example.left_to_right(example.ids, {})]])))
    torch.testing.assert_close(whole, torch.cat(expected), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_language_models_loss_reaches_its_own_weights_only(side: str) -> None:
    """Ramachandran et al. 2016: the loss of a side's text has a gradient in that side's layers and tables alone."""
    backbone = preset("encoder-decoder-tiny", vocab_size=40, shared_tokens=False, encoder_softmax=True)
    heads = {"source_lm": TokenHeadSettings(kind="tokens", table="encoder")}
    model = Model.fresh(ModelSettings(backbone=backbone, heads=heads), 1)
    [loss] = model(collate([[alone(6, side)]])).values()
    loss.sum.backward()
    reached = {name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    stack = {"source": "encoder", "target": "decoder"}[side]
    expected = {name for name, _ in model.named_parameters() if name.startswith(f"backbone.{stack}")}
    assert reached == {name for name in expected if ".cross" not in name}


@pytest.mark.parametrize("turns", [[0, 1, 0], [0, 1, 1, 0, 2]])
def test_a_document_with_mixed_sides_is_refused(turns: list[int]) -> None:
    """Bad input: a source stands inside a target."""
    good = pair(2, 2)
    bad = Example(np.zeros(len(turns), np.int64), np.array(turns), np.arange(len(turns)), {})
    with pytest.raises(ValueError, match="a source"):
        split_sides(collate([[good], [bad]]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"joint_table": True}, "has no joint_table"),
        ({"parallel": "own_norms"}, "has no parallel"),
        ({"norm": "both"}, "before its parts or behind"),
        ({"decoder_heads": 5}, "does not divide into 5 heads"),
        ({"disentangled": ("c2p",)}, "has no disentangled"),
    ],
)
def test_what_it_has_not_is_refused(changes: dict[str, Any], words: str) -> None:
    """Bad input: parts of a single stack, or sizes that do not fit."""
    with pytest.raises(BadInput, match=words):
        preset("encoder-decoder-tiny", **changes)
