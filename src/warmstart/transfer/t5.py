"""T5 (Raffel et al. 2020), its version 1.1 and FLAN-T5, and mT5 (Xue et al. 2021) as ``transformers`` lays them out.

No biases, root-mean-square norms before the parts, bins of distance in place of positions, scores that are not divided by
the width of a head. The first version has ReLU, and one table whose rows meet states times 1/√width in the softmax; 1.1 and
mT5 have a gate with GELU and a softmax table of their own. ``transformers`` tells the two by ``tie_word_embeddings``.
"""

from collections.abc import Collection
from typing import Any

from warmstart.models.encoder_decoder_settings import EncoderDecoderSettings
from warmstart.transfer.layout import (
    Config,
    Key,
    Layout,
    Name,
    activation,
    checked,
    read_keys,
    their_activation,
    write_keys,
)
from warmstart.transfer.name_forms import UpOrGate

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "n_positions", 512),
    Key("layers", "num_layers"),
    Key("width", "d_model"),
    Key("heads", "num_heads"),
    Key("head_width", "d_kv"),
    Key("hidden", "d_ff"),
    Key("relative_bins", "relative_attention_num_buckets", 32),
    Key("relative_distance", "relative_attention_max_distance", 128),
    Key("residual_dropout", "dropout_rate", 0.1),
    Key("norm_eps", "layer_norm_epsilon", 1e-6),
)
GATE, GELU = "gated-", "gelu"  # which with a gate is its approximation by tanh


def _settings(config: Config, names: Collection[str]) -> EncoderDecoderSettings:
    return _sizes(config, names, config.get("scale_decoder_outputs", config.get("tie_word_embeddings") is not False))


def _multilingual(config: Config, names: Collection[str]) -> EncoderDecoderSettings:
    return _sizes(config, names, False)


def _sizes(config: Config, names: Collection[str], scaled: bool) -> EncoderDecoderSettings:
    """The backbone, whose softmax reads scaled states of the one table, or states as they are."""
    sizes, part = read_keys(config, KEYS), str(config.get("feed_forward_proj", "relu"))
    gated, name = part.startswith(GATE), part.removeprefix(GATE)
    own = {
        "decoder_layers": config.get("num_decoder_layers") or sizes["layers"],
        "positions": "none",
        "norm": "pre",
        "norm_kind": "rms",
        "bias": False,
        "attention_scale": 1.0,
        "mlp": "gated" if gated else "plain",
        "activation": "gelu_tanh" if gated and name == GELU else activation(name),
        "logit_scale": sizes["width"] ** -0.5 if scaled else 1.0,
        "tied": scaled or "lm_head.weight" not in names,
        "embedding_dropout": sizes["residual_dropout"],
        "attention_dropout": sizes["residual_dropout"],
    }
    return checked(EncoderDecoderSettings, sizes | own)


def _config(settings: EncoderDecoderSettings) -> dict[str, Any]:
    name, gated, scaled = their_activation(settings.activation), settings.mlp == "gated", settings.logit_scale != 1
    if gated and settings.activation == "gelu_tanh":
        name = GELU
    return write_keys(settings, KEYS) | {
        "d_kv": settings.per_head,
        "num_decoder_layers": settings.decoder.layers,
        "feed_forward_proj": f"{GATE if gated else ''}{name}",
        "scale_decoder_outputs": scaled,
        "tie_word_embeddings": scaled,
        "is_encoder_decoder": True,
    }


def _attention(ours: str, theirs: str) -> tuple[Name, ...]:
    return (
        Name(f"{ours}.qkv.weight", tuple(f"{theirs}.{part}.weight" for part in "qkv")),
        Name(f"{ours}.out.weight", (f"{theirs}.o.weight",)),
    )


def _stack(side: str, last: int) -> tuple[Name, ...]:
    """A stack whose feed-forward part is the one numbered ``last``."""
    ours, layer = f"{side}.blocks.{{}}", f"{side}.block.{{}}.layer"
    dense = f"{layer}.{last}.DenseReluDense"
    return (
        *_attention(f"{ours}.attention", f"{layer}.0.SelfAttention"),
        Name(f"{ours}.norm1.weight", (f"{layer}.0.layer_norm.weight",)),
        UpOrGate(
            f"{ours}.mlp.up.weight", (f"{dense}.wi.weight",), gated=(f"{dense}.wi_0.weight", f"{dense}.wi_1.weight")
        ),
        Name(f"{ours}.mlp.down.weight", (f"{dense}.wo.weight",)),
        Name(f"{ours}.norm2.weight", (f"{layer}.{last}.layer_norm.weight",)),
        Name(
            f"{side}.relative.table.weight", (f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight",)
        ),
        Name(f"{side}.final_norm.weight", (f"{side}.final_layer_norm.weight",)),
    )


_SOURCE = "decoder.block.{}.layer.1"
NAMES = (
    Name(
        "decoder.tokens.weight",
        ("shared.weight",),
        twins=("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"),
    ),
    *_stack("encoder", 1),
    *_stack("decoder", 2),
    Name("decoder.blocks.{}.cross.q.weight", (f"{_SOURCE}.EncDecAttention.q.weight",)),
    Name("decoder.blocks.{}.cross.kv.weight", tuple(f"{_SOURCE}.EncDecAttention.{part}.weight" for part in "kv")),
    Name("decoder.blocks.{}.cross.out.weight", (f"{_SOURCE}.EncDecAttention.o.weight",)),
    Name("decoder.blocks.{}.cross_norm.weight", (f"{_SOURCE}.layer_norm.weight",)),
    Name("decoder.output.weight", ("lm_head.weight",)),
)


def _layout(name: str, settings: Any) -> Layout:
    return Layout(
        model_type=name,
        settings=settings,
        config=_config,
        names=NAMES,
        prefix="",
        language_model=f"{name.upper()}ForConditionalGeneration",
        heads={},
        # Where they are tied, the table itself; a table of distances between source and target that nobody has read.
        ignored=("embed_tokens.weight", "lm_head.weight", "EncDecAttention.relative_attention_bias.weight"),
        backbone=EncoderDecoderSettings,
        tied_if_absent=True,
    )


T5, MT5 = _layout("t5", _settings), _layout("mt5", _multilingual)
