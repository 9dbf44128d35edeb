"""DistilBERT (Sanh et al. 2019) as ``transformers`` lays it out: a BERT without segments, with names of its own."""

from collections.abc import Collection
from typing import Any

from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.bert import TOKENS, encoder, heads
from warmstart.transfer.layout import Config, Key, Layout, Name, linear, read_keys, their_activation, write_keys

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "max_position_embeddings"),
    Key("layers", "n_layers"),
    Key("width", "dim"),
    Key("heads", "n_heads"),
    Key("hidden", "hidden_dim"),
    Key("residual_dropout", "dropout", 0.1),
    Key("attention_dropout", "attention_dropout", 0.1),
    Key("init_std", "initializer_range", 0.02),
)


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    sizes = read_keys(config, KEYS) | {"norm_eps": 1e-12, "pooler_activation": "relu"}
    return encoder({**config, "hidden_act": config.get("activation", "gelu")}, names, sizes)


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return write_keys(settings, KEYS) | {"activation": their_activation(settings.activation)}


_LAYER = "transformer.layer.{}"
_BETWEEN = linear("pooler", "pre_classifier", outer=True)
LAYOUT = Layout(
    model_type="distilbert",
    settings=_settings,
    config=_config,
    names=(
        TOKENS,
        Name("positions.weight", ("embeddings.position_embeddings.weight",)),
        *linear("embedding_norm", "embeddings.LayerNorm"),
        *linear("blocks.{}.attention.qkv", *(f"{_LAYER}.attention.{part}_lin" for part in "qkv")),
        *linear("blocks.{}.attention.out", f"{_LAYER}.attention.out_lin"),
        *linear("blocks.{}.norm1", f"{_LAYER}.sa_layer_norm"),
        *linear("blocks.{}.mlp.up", f"{_LAYER}.ffn.lin1"),
        *linear("blocks.{}.mlp.down", f"{_LAYER}.ffn.lin2"),
        *linear("blocks.{}.norm2", f"{_LAYER}.output_layer_norm"),
        *linear("lm_transform.linear", "vocab_transform", outer=True),
        *linear("lm_transform.norm", "vocab_layer_norm", outer=True),
        Name("lm_transform.bias", ("vocab_projector.bias",), outer=True),
    ),
    prefix="distilbert.",
    language_model="DistilBertForMaskedLM",
    heads=heads("DistilBert", _BETWEEN),
    ignored=("position_ids", "vocab_projector.weight"),
    base="DistilBertModel",
)
