"""BART (Lewis et al. 2020) and its relatives as ``transformers`` lays them out: mBART, Marian, Pegasus.

| family | norms | norm on the embeddings | positions |
|---|---|---|---|
| BART | behind | yes | a table whose first two rows serve nobody |
| mBART | before, and after the last layer | yes | the same |
| Marian | behind | no | sines and cosines |
| Pegasus | before, and after the last layer | no | sines and cosines |

A class of a text is read by BART behind the last token of a decoder that has read the text again, through a linear and tanh;
mBART's class shifts the text otherwise, and is not read.

All have one token table, times √width where the config says so, and a bias of the logits beside the weights (zeros, but for
Marian). Marian alone may keep a table for each side.
"""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from warmstart.models.encoder_decoder_settings import EncoderDecoderSettings
from warmstart.transfer.layout import (
    Config,
    HeadPlace,
    Key,
    Layout,
    Name,
    activation,
    checked,
    linear,
    only,
    read_keys,
    their_activation,
    write_keys,
)
from warmstart.transfer.name_forms import LaterRows, OneRow

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "max_position_embeddings"),
    Key("layers", "encoder_layers"),
    Key("width", "d_model"),
    Key("heads", "encoder_attention_heads"),
    Key("hidden", "encoder_ffn_dim"),
    Key("decoder_layers", "decoder_layers"),
    Key("decoder_heads", "decoder_attention_heads"),
    Key("decoder_hidden", "decoder_ffn_dim"),
    Key("residual_dropout", "dropout", 0.1),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("init_std", "init_std", 0.02),
)
SHARED = "share_encoder_decoder_embeddings"
LOGITS_BIAS = "final_logits_bias"
HEAD = "classification_head"
POOLER_WEIGHTS = ("pooler.dense.weight", f"{HEAD}.dense.weight")


def _reader(
    shape: dict[str, Any], allowed: dict[str, Any]
) -> Callable[[Config, Collection[str]], EncoderDecoderSettings]:
    """Reads the config of a family of this shape; ``allowed`` are the only values of keys that would change it."""

    def settings(config: Config, names: Collection[str]) -> EncoderDecoderSettings:
        only(config, {"tie_word_embeddings": True} | allowed)
        sizes = read_keys(config, KEYS)
        own = {
            "embedding_scale": math.sqrt(sizes["width"]) if config.get("scale_embedding") else 1.0,
            "activation": activation(str(config.get("activation_function", "gelu"))),
            "output_bias": LOGITS_BIAS in names,
            "pooler": any(name in names for name in POOLER_WEIGHTS),
            "embedding_dropout": sizes["residual_dropout"],
            "shared_tokens": bool(config.get(SHARED, True)),
        }
        return checked(EncoderDecoderSettings, sizes | shape | own)

    return settings


def _config(settings: EncoderDecoderSettings) -> dict[str, Any]:
    decoder, before = settings.decoder, settings.norm == "pre"
    return write_keys(settings, KEYS) | {
        "normalize_before": before,  # of the published configs; other programs read them
        "add_final_layer_norm": before,
        "normalize_embedding": settings.embedding_norm,
        "decoder_layers": decoder.layers,
        "decoder_attention_heads": decoder.heads,
        "decoder_ffn_dim": decoder.hidden,
        "scale_embedding": settings.embedding_scale != 1,
        "activation_function": their_activation(settings.activation),
        "tie_word_embeddings": True,
        "is_encoder_decoder": True,
    }


def _marian_config(settings: EncoderDecoderSettings) -> dict[str, Any]:
    return _config(settings) | {SHARED: settings.shared_tokens, "decoder_vocab_size": settings.vocab_size}


def _layer(side: str) -> tuple[Name, ...]:
    ours, theirs = f"{side}.blocks.{{}}", f"{side}.layers.{{}}"
    return (
        *linear(f"{ours}.attention.qkv", *(f"{theirs}.self_attn.{part}_proj" for part in "qkv")),
        *linear(f"{ours}.attention.out", f"{theirs}.self_attn.out_proj"),
        *linear(f"{ours}.norm1", f"{theirs}.self_attn_layer_norm"),
        *linear(f"{ours}.mlp.up", f"{theirs}.fc1"),
        *linear(f"{ours}.mlp.down", f"{theirs}.fc2"),
        *linear(f"{ours}.norm2", f"{theirs}.final_layer_norm"),
        *linear(f"{side}.embedding_norm", f"{side}.layernorm_embedding"),
        *linear(f"{side}.final_norm", f"{side}.layer_norm"),
        LaterRows(f"{side}.positions.weight", (f"{side}.embed_positions.weight",)),
    )


_SOURCE = "decoder.layers.{}.encoder_attn"
NAMES = (
    *_layer("encoder"),
    *_layer("decoder"),
    *linear("decoder.blocks.{}.cross.q", f"{_SOURCE}.q_proj"),
    *linear("decoder.blocks.{}.cross.kv", f"{_SOURCE}.k_proj", f"{_SOURCE}.v_proj"),
    *linear("decoder.blocks.{}.cross.out", f"{_SOURCE}.out_proj"),
    *linear("decoder.blocks.{}.cross_norm", f"{_SOURCE}_layer_norm"),
    OneRow("decoder.output_bias", (LOGITS_BIAS,), outer=True),
)
ONE_TABLE = Name(
    "decoder.tokens.weight",
    ("shared.weight",),
    twins=("lm_head.weight", "model.decoder.embed_tokens.weight", "model.encoder.embed_tokens.weight"),
)


class _Sided(Name):
    """A token table of Marian, which has one for both sides, or one for each."""

    __slots__ = ()

    def sized(self, settings: Any) -> Name:
        """The same for a model of these sizes."""
        if settings.shared_tokens and self.ours == ONE_TABLE.ours:
            return ONE_TABLE
        return Name(self.ours, self.theirs, twins=("lm_head.weight",) if self.ours == ONE_TABLE.ours else ())


SIDES = (
    _Sided(ONE_TABLE.ours, ("decoder.embed_tokens.weight",)),
    _Sided("encoder.tokens.weight", ("encoder.embed_tokens.weight",)),
)


def _layout(
    name: str, family: str, shape: dict[str, Any], allowed: dict[str, Any], config: Any = _config,
    tables: tuple[Name, ...] = (ONE_TABLE,), heads: Mapping[str, HeadPlace] | None = None,
) -> Layout:  # fmt: skip
    return Layout(
        model_type=name,
        settings=_reader(shape, allowed),
        config=config,
        names=(*NAMES, *tables),
        prefix="model.",
        language_model=f"{family}ForConditionalGeneration" if name != "marian" else "MarianMTModel",
        heads=heads or {},
        ignored=("embed_tokens.weight", "lm_head.weight", "embed_positions.weight", "shared.weight"),
        backbone=EncoderDecoderSettings,
    )


OF_ONE_TABLE = {SHARED: True}
BART = _layout(
    "bart", "Bart", {"norm": "post", "embedding_norm": True},
    OF_ONE_TABLE
    | {
        "normalize_before": False, "add_final_layer_norm": False, "normalize_embedding": True, "extra_pos_embeddings": 2,
        "static_position_embeddings": False,
    },
    heads=dict.fromkeys(
        ("label", "labels", "score"),
        HeadPlace(
            "BartForSequenceClassification", f"{HEAD}.out_proj", pooler=linear("decoder.pooler", f"{HEAD}.dense", outer=True)
        ),
    ),
)  # fmt: skip
MBART = _layout("mbart", "MBart", {"norm": "pre", "embedding_norm": True}, OF_ONE_TABLE)
MARIAN = _layout(
    "marian", "Marian", {"norm": "post", "positions": "sinusoidal"},
    {"normalize_before": False, "add_final_layer_norm": False, "normalize_embedding": False},
    _marian_config, SIDES,
)  # fmt: skip
PEGASUS = _layout("pegasus", "Pegasus", {"norm": "pre", "positions": "sinusoidal"}, OF_ONE_TABLE)
