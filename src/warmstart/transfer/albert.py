"""ALBERT (Lan et al. 2020) as ``transformers`` lays it out: layers that share their weights, and narrow tables.

A linear brings the tables to the width of the states, even where both are equally wide.
"""

from collections.abc import Collection
from typing import Any

from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.bert import EMBEDDINGS, KEYS, encoder, heads
from warmstart.transfer.layout import (
    Config,
    Key,
    Layout,
    Name,
    linear,
    only,
    read_keys,
    their_activation,
    write_keys,
)

SIZES = (*KEYS, Key("embedding_width", "embedding_size"), Key("layer_groups", "num_hidden_groups", 1))


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"inner_group_num": 1})
    dropouts = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    theirs = {"hidden_act": "gelu_new", **dropouts, **config}
    return encoder(theirs, names, read_keys(theirs, SIZES))


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return write_keys(settings, SIZES) | {"inner_group_num": 1, "hidden_act": their_activation(settings.activation)}


_LAYER = "encoder.albert_layer_groups.{}.albert_layers.0"
_POOLER = linear("pooler", "pooler")
LAYOUT = Layout(
    model_type="albert",
    settings=_settings,
    config=_config,
    names=(
        *EMBEDDINGS,
        *linear("widening", "encoder.embedding_hidden_mapping_in"),
        *linear("blocks.{}.attention.qkv", *(f"{_LAYER}.attention.{part}" for part in ("query", "key", "value"))),
        *linear("blocks.{}.attention.out", f"{_LAYER}.attention.dense"),
        *linear("blocks.{}.norm1", f"{_LAYER}.attention.LayerNorm"),
        *linear("blocks.{}.mlp.up", f"{_LAYER}.ffn"),
        *linear("blocks.{}.mlp.down", f"{_LAYER}.ffn_output"),
        *linear("blocks.{}.norm2", f"{_LAYER}.full_layer_layer_norm"),
        *linear("lm_transform.linear", "predictions.dense", outer=True),
        *linear("lm_transform.norm", "predictions.LayerNorm", outer=True),
        Name("lm_transform.bias", ("predictions.bias",), outer=True, twins=("predictions.decoder.bias",)),
    ),
    prefix="albert.",
    language_model="AlbertForMaskedLM",
    heads=heads("Albert", _POOLER),
    ignored=("position_ids", "predictions.decoder.weight", "predictions.decoder.bias"),
    base="AlbertModel",
    pooler=_POOLER,
)
