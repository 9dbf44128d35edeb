"""BLOOM (Scao et al. 2022) as ``transformers`` has it: scores that fall with the distance, and a norm on the embeddings.

Queries, keys and values lie head by head. Its config says no longest text; it was trained with 2,048 tokens.
"""

from collections.abc import Collection
from typing import Any

from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.layout import (
    Config,
    HeadPlace,
    Key,
    Layout,
    Name,
    backbone,
    linear,
    only,
    read_keys,
    required_key,
    write_keys,
)
from warmstart.transfer.llama import heads
from warmstart.transfer.name_forms import HeadByHead

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "seq_length", 2048),
    Key("layers", "n_layer"),
    Key("heads", "n_head"),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("residual_dropout", "hidden_dropout", 0.0),
    Key("norm_eps", "layer_norm_epsilon", 1e-5),
    Key("init_std", "initializer_range", 0.02),
)
OLD_KEYS = {"n_layer": "num_hidden_layers", "n_head": "num_attention_heads", "hidden_size": "n_embed"}


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"apply_residual_connection_post_layernorm": False})
    config = {today: config[old] for today, old in OLD_KEYS.items() if config.get(old) is not None} | {
        key: value for key, value in config.items() if value is not None
    }
    width = int(required_key(config, "hidden_size"))
    return backbone(
        **read_keys(config, KEYS),
        width=width,
        hidden=4 * width,
        positions="alibi",
        norm="pre",
        embedding_norm=True,
        activation="gelu_tanh",
        tied=config.get("tie_word_embeddings", True) or "lm_head.weight" not in names,
        embedding_dropout=0.0,
    )


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return write_keys(settings, KEYS) | {
        "hidden_size": settings.width,
        "apply_residual_connection_post_layernorm": False,
        "tie_word_embeddings": settings.tied,
    }


_LAYER = "h.{}"
_QKV = f"{_LAYER}.self_attention.query_key_value"
LAYOUT = Layout(
    model_type="bloom",
    settings=_settings,
    config=_config,
    names=(
        Name("tokens.weight", ("word_embeddings.weight",), twins=("lm_head.weight",)),
        *linear("embedding_norm", "word_embeddings_layernorm"),
        HeadByHead("blocks.{}.attention.qkv.weight", (f"{_QKV}.weight",)),
        HeadByHead("blocks.{}.attention.qkv.bias", (f"{_QKV}.bias",)),
        *linear("blocks.{}.attention.out", f"{_LAYER}.self_attention.dense"),
        *linear("blocks.{}.norm1", f"{_LAYER}.input_layernorm"),
        *linear("blocks.{}.mlp.up", f"{_LAYER}.mlp.dense_h_to_4h"),
        *linear("blocks.{}.mlp.down", f"{_LAYER}.mlp.dense_4h_to_h"),
        *linear("blocks.{}.norm2", f"{_LAYER}.post_attention_layernorm"),
        *linear("final_norm", "ln_f"),
        Name("output.weight", ("lm_head.weight",), outer=True),
    ),
    prefix="transformer.",
    language_model="BloomForCausalLM",
    heads=heads("Bloom", tags="classifier") | {"span": HeadPlace("BloomForQuestionAnswering", "qa_outputs")},
    ignored=("lm_head.weight",),  # where it is tied, the table itself
)
