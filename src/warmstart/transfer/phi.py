"""Phi-1, 1.5 and 2 (Gunasekar et al. 2023) as ``transformers`` has them: attention beside feed-forward, after one norm.

Half of each head is rotated (Phi-2: two fifths), all linears have biases, and so has each token in the softmax.
"""

from collections.abc import Collection
from typing import Any

from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.layout import (
    Config,
    Key,
    Layout,
    Name,
    activation,
    backbone,
    linear,
    only,
    read_keys,
    their_activation,
    write_keys,
)
from warmstart.transfer.llama import heads
from warmstart.transfer.rope import read_share, rope_keys, rotary_fields, write_rope, write_share

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "max_position_embeddings"),
    Key("layers", "num_hidden_layers"),
    Key("width", "hidden_size"),
    Key("heads", "num_attention_heads"),
    Key("hidden", "intermediate_size"),
    Key("embedding_dropout", "embd_pdrop", 0.0),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("residual_dropout", "resid_pdrop", 0.0),
    Key("norm_eps", "layer_norm_eps", 1e-5),
    Key("init_std", "initializer_range", 0.02),
)
SHARE = "partial_rotary_factor"


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"qk_layernorm": False})
    sizes, said = read_keys(config, KEYS), rope_keys(config)
    untied = "lm_head.weight" in names
    if untied:
        only(config, {"tie_word_embeddings": False})
    return backbone(
        **sizes,
        **rotary_fields(config, said),
        kv_heads=config.get("num_key_value_heads"),
        positions="rotary",
        rotary_width=read_share(config, said, sizes["width"] // sizes["heads"], SHARE, 0.5),
        norm="pre",
        parallel="one_norm",
        activation=activation(config.get("hidden_act", "gelu_new")),
        tied=not untied,
        output_bias=untied,
    )


def _config(settings: TransformerSettings) -> dict[str, Any]:
    share = write_share(settings)
    return (
        write_keys(settings, KEYS)
        | write_rope(settings.rotary_base, settings.rotary_scaling, partial_rotary_factor=share)
        | {
            SHARE: share,
            "num_key_value_heads": settings.key_heads,
            "hidden_act": their_activation(settings.activation),
            "tie_word_embeddings": False,
        }
    )


_LAYER = "layers.{}"
LAYOUT = Layout(
    model_type="phi",
    settings=_settings,
    config=_config,
    names=(
        Name("tokens.weight", ("embed_tokens.weight",)),
        *linear("blocks.{}.attention.qkv", *(f"{_LAYER}.self_attn.{part}_proj" for part in "qkv")),
        *linear("blocks.{}.attention.out", f"{_LAYER}.self_attn.dense"),
        *linear("blocks.{}.norm1", f"{_LAYER}.input_layernorm"),
        *linear("blocks.{}.mlp.up", f"{_LAYER}.mlp.fc1"),
        *linear("blocks.{}.mlp.down", f"{_LAYER}.mlp.fc2"),
        *linear("final_norm", "final_layernorm"),
        *linear("output", "lm_head", outer=True),
    ),
    prefix="model.",
    language_model="PhiForCausalLM",
    heads=heads("Phi"),
    ignored=("rotary_emb.inv_freq",),
)
