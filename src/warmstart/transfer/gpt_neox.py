"""GPT-NeoX (Black et al. 2022) and Pythia (Biderman et al. 2023) as ``transformers`` has them.

Attention stands beside the feed-forward part, a quarter of each head is rotated; queries, keys and values lie head by head.
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
    activation,
    backbone,
    linear,
    read_keys,
    their_activation,
    write_keys,
)
from warmstart.transfer.llama import heads
from warmstart.transfer.name_forms import HeadByHead
from warmstart.transfer.rope import read_share, rope_keys, rotary_fields, write_rope, write_share

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "max_position_embeddings"),
    Key("layers", "num_hidden_layers"),
    Key("width", "hidden_size"),
    Key("heads", "num_attention_heads"),
    Key("hidden", "intermediate_size"),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("residual_dropout", "hidden_dropout", 0.0),
    Key("norm_eps", "layer_norm_eps", 1e-5),
    Key("init_std", "initializer_range", 0.02),
)
SHARE, BASE = "rotary_pct", "rotary_emb_base"
"""What older configs call the share of a head that is rotated, and the base."""
OUTPUT = ("embed_out.weight", "lm_head.weight")


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    sizes, said = read_keys(config, KEYS), rope_keys(config)
    biased = bool(config.get("attention_bias", True))
    return backbone(
        **sizes,
        **rotary_fields(config, said, base_key=BASE),
        **({} if biased else {"qkv_bias": False, "out_bias": False}),
        positions="rotary",
        rotary_width=read_share(config, said, sizes["width"] // sizes["heads"], SHARE, 0.25),
        norm="pre",
        parallel="own_norms" if config.get("use_parallel_residual", True) else "none",
        activation=activation(config.get("hidden_act", "gelu")),
        tied=config.get("tie_word_embeddings", False) or {*OUTPUT}.isdisjoint(names),
        embedding_dropout=0.0,
    )


def _config(settings: TransformerSettings) -> dict[str, Any]:
    share = write_share(settings)
    return (
        write_keys(settings, KEYS)
        | write_rope(settings.rotary_base, settings.rotary_scaling, partial_rotary_factor=share)
        | {
            SHARE: share,
            BASE: settings.rotary_base,
            "attention_bias": settings.has_qkv_bias and settings.has_out_bias,
            "use_parallel_residual": settings.parallel == "own_norms",
            "hidden_act": their_activation(settings.activation),
            "tie_word_embeddings": settings.tied,
        }
    )


_LAYER = "layers.{}"
_QKV = f"{_LAYER}.attention.query_key_value"
LAYOUT = Layout(
    model_type="gpt_neox",
    settings=_settings,
    config=_config,
    names=(
        Name("tokens.weight", ("embed_in.weight",), twins=OUTPUT),
        HeadByHead("blocks.{}.attention.qkv.weight", (f"{_QKV}.weight",)),
        HeadByHead("blocks.{}.attention.qkv.bias", (f"{_QKV}.bias",)),
        *linear("blocks.{}.attention.out", f"{_LAYER}.attention.dense"),
        *linear("blocks.{}.norm1", f"{_LAYER}.input_layernorm"),
        *linear("blocks.{}.mlp.up", f"{_LAYER}.mlp.dense_h_to_4h"),
        *linear("blocks.{}.mlp.down", f"{_LAYER}.mlp.dense_4h_to_h"),
        *linear("blocks.{}.norm2", f"{_LAYER}.post_attention_layernorm"),
        *linear("final_norm", "final_layer_norm"),
        Name("output.weight", OUTPUT[:1], outer=True, twins=OUTPUT[1:]),
    ),
    prefix="gpt_neox.",
    language_model="GPTNeoXForCausalLM",
    heads=heads("GPTNeoX", tags="classifier") | {"span": HeadPlace("GPTNeoXForQuestionAnswering", "qa_outputs")},
    ignored=("rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias", *OUTPUT),
    output=OUTPUT,
)
