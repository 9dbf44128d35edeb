"""Presets: sizes as published, and sizes that do not fit refused."""

import math

import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.models.initialise import Undrawn
from warmstart.models.model import Model
from warmstart.models.presets import PRESETS, preset
from warmstart.models.settings import HeadSettings, ModelSettings


@pytest.mark.parametrize(("name", "published"), [("gpt1", 116_534_784), ("gpt2", 124_439_808), ("bert", 109_514_298)])
def test_parameters_as_published(name: str, published: int) -> None:
    """Witness: the tensor shapes of the released checkpoints; built without memory on torch's meta device."""
    with torch.device("meta"):
        model = Model(ModelSettings(backbone=preset(name)))
    assert model.num_parameters == published


@pytest.mark.parametrize("name", [name for name in PRESETS if PRESETS[name].get("kind") == "lstm"])
def test_an_lstm_has_its_arithmetic(name: str) -> None:
    """Witness: the closed form, V·E + (V·W unless tied), per layer 4·C·(in + W + 1), and W·C for a projection."""
    s = preset(name)
    with torch.device("meta"):
        model = Model(ModelSettings(backbone=s))
    tables = s.vocab_size * (s.table_width if s.tied else s.table_width + s.width)
    project = s.width * s.num_cells if s.num_cells != s.width else 0
    given = [s.table_width, *[s.width] * (s.layers - 1)]
    assert model.num_parameters == tables + sum(4 * s.num_cells * (x + s.width + 1) + project for x in given)


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("lstm-encoder-decoder")])
def test_an_lstm_encoder_decoder_has_its_arithmetic(name: str) -> None:
    """Witness: the closed form: two token tables and one softmax; first layers as an LSTM's; above them 4·G·(W + W + 1) and
    in the second of the decoder 4·G·C more for the context; W² for the score, W·(W + C) for the mixture."""
    s = preset(name)
    with torch.device("meta"):
        model = Model(ModelSettings(backbone=s))
    width, above, context = s.width, s.cells_of(1), 2 * s.width
    tables = s.vocab_size * (2 * s.table_width + width)
    project = width * s.num_cells if s.num_cells != width else 0
    first = 4 * s.num_cells * (s.table_width + width + 1) + project
    upper = (s.layers - 1) * 4 * above * (2 * width + 1)
    attention = 4 * above * context + width**2 + width * (width + context)
    assert model.num_parameters == tables + 2 * (first + upper) + attention


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("bilm")])
def test_a_bidirectional_language_model_has_its_arithmetic(name: str) -> None:
    """Witness: the closed form: one table, 4·D² + 9·D + 2·D·H + H per layer of each tower, a norm above each; in the cloze
    layer as many less a norm, and 2·D for a token without neighbours."""
    s = preset(name)
    with torch.device("meta"):
        model = Model(ModelSettings(backbone=s))
    per_layer = 4 * s.width**2 + 9 * s.width + 2 * s.width * s.hidden + s.hidden
    assert model.num_parameters == s.vocab_size * s.width + 2 * (s.layers * per_layer + 2 * s.width) + per_layer


@pytest.mark.parametrize("name", [name for name in PRESETS if not name.startswith(("lstm", "bilm"))])
def test_every_preset_has_its_arithmetic(name: str) -> None:
    """Witness: the closed form: (V + T)·D tables, 12·D² + 13·D per layer where the hidden width is 4·D; the modern ones
    have shared keys, three matrices in the feed-forward part, gains only, and no table of positions; BERT has a head
    for words."""
    s = preset(name)
    per_layer = 4 * s.width**2 + 4 * s.width + 2 * s.width * s.hidden + s.hidden + s.width + 4 * s.width
    final, tables = 2 * s.width if s.norm == "pre" else 0, s.vocab_size + s.context
    if name.startswith("modern"):
        shared = s.width * s.width * s.kv_heads // s.heads
        per_layer = 2 * s.width**2 + 2 * shared + 3 * s.width * s.hidden + 2 * s.width + 2 * (s.width // s.heads)
        final, tables = s.width, s.vocab_size
    if name.startswith(
        "encoder-decoder"
    ):  # positions on both sides; the decoder's layers read the source, after a norm
        final, tables = 2 * (final + 2 * s.width), tables + s.context  # with a norm on the embeddings of each
        per_layer = 2 * per_layer + 4 * s.width**2 + 6 * s.width
    if name.startswith("bert"):  # a norm, segments, and the head for words: a linear, a norm, a bias per token
        final, tables = 2 * s.width + s.width**2 + 3 * s.width + s.vocab_size, tables + 2
    with torch.device("meta"):
        model = Model(ModelSettings(backbone=s, heads={"label": HeadSettings(kind="class", size=3)}))
    head = 3 * s.width + 3
    assert model.num_parameters == tables * s.width + s.layers * per_layer + final + head


def test_fresh_weights_follow_from_the_seed_and_the_paper() -> None:
    """Witness: Radford et al. 2018, section 4.1: N(0, 0.02²), biases 0; the same seed gives the same weights."""
    settings = ModelSettings(backbone=preset("gpt1-tiny"))
    first, again, other = (Model.fresh(settings, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["backbone.tokens.weight"], other["backbone.tokens.weight"])
    assert float(first["backbone.tokens.weight"].std()) == pytest.approx(0.02, rel=0.02)
    for name, tensor in first.items():
        if name.endswith("bias"):
            assert not tensor.any(), name
        if "norm" in name and name.endswith("weight"):
            assert bool((tensor == 1).all()), name


def test_unknown_preset() -> None:
    """Bad input: every part of the sentence."""
    with pytest.raises(BadInput) as caught:
        preset("gpt1-mimi")
    assert str(caught.value) == (
        "--model: unknown model preset; got 'gpt1-mimi'; allowed: bert, bert-mini, bert-tiny, bilm, bilm-mini, bilm-tiny, "
        "encoder-decoder, encoder-decoder-mini, encoder-decoder-tiny, gpt1, gpt1-micro, gpt1-mini, gpt1-tiny, gpt2, "
        "lstm, lstm-awd, lstm-encoder-decoder, lstm-encoder-decoder-mini, lstm-encoder-decoder-tiny, lstm-gpt1, lstm-mini, "
        "lstm-tiny, modern, modern-micro, modern-mini; did you mean 'gpt1-mini'?"
    )


def test_heads_that_do_not_divide_the_width() -> None:
    """Bad input: every part of the sentence."""
    with pytest.raises(BadInput) as caught:
        preset("gpt1-tiny", heads=3)
    assert str(caught.value) == (
        "model.heads: the width 32 does not divide into 3 heads; got 3; allowed: a divisor of 32; "
        "change --heads or --width."
    )


@pytest.mark.parametrize("name", ["bart", "BART-large", "mbart", "t5-small", "mt5", "flan-t5-base", "pegasus"])
def test_models_of_an_encoder_and_a_decoder_are_named_as_such(name: str) -> None:
    """Bad input: they are no slip of another name."""
    with pytest.raises(BadInput, match=r"a published encoder-decoder.*--start OWNER") as error:
        preset(name)
    assert "did you mean" not in str(error.value)
    with pytest.raises(BadInput, match="did you mean 'bert'"):
        preset("bertt")


@pytest.mark.parametrize("name", [name for name in PRESETS if name.endswith(("-tiny", "-micro"))])
def test_every_weight_is_drawn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant: what memory held before is nowhere in a fresh model; here it held no numbers."""
    left = []

    def leave(self: Undrawn, weight: torch.Tensor) -> torch.Tensor:
        left.append(weight)
        return weight.data.fill_(math.nan)

    monkeypatch.setattr(Undrawn, "leave", leave)
    heads = {
        "label": HeadSettings(kind="class", size=3),
        "deep": HeadSettings(kind="class", size=2, hidden=8, norm="batch"),
        "tags": HeadSettings(kind="crf", size=3, lstm=4),
    }
    model = Model.fresh(ModelSettings(backbone=preset(name, vocab_size=270), heads=heads), 5)
    assert not [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
    assert left
