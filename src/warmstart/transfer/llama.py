"""Llama (Touvron et al. 2023) as ``transformers`` has it, and those that are the same but for a few choices.

Llama 3's longer context is a scaling of its rotary positions; Qwen2 has biases on queries, keys and values; Qwen3 a norm on
queries and keys.
"""

from collections.abc import Callable, Collection
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
    only,
    read_keys,
    their_activation,
    write_keys,
)
from warmstart.transfer.rope import rope_keys, rotary_fields, write_rope

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "max_position_embeddings"),
    Key("layers", "num_hidden_layers"),
    Key("width", "hidden_size"),
    Key("heads", "num_attention_heads"),
    Key("hidden", "intermediate_size"),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("norm_eps", "rms_norm_eps", 1e-6),
    Key("init_std", "initializer_range", 0.02),
)


def _biases(config: Config) -> dict[str, bool]:
    """Llama and Qwen3 say which linears have biases."""
    attention = bool(config.get("attention_bias", False))
    others = bool(config.get("mlp_bias", False))
    return {"bias": others} if attention == others else {"bias": others, "qkv_bias": attention, "out_bias": attention}


def _qwen2_biases(config: Config) -> dict[str, bool]:
    return {"bias": False, "qkv_bias": True}


def _settings_of(
    qk_norm: bool, biases: Callable[[Config], dict[str, bool]]
) -> Callable[[Config, Collection[str]], Any]:
    def settings(config: Config, names: Collection[str]) -> TransformerSettings:
        only(config, {"use_sliding_window": False})
        return backbone(
            **read_keys(config, KEYS),
            **rotary_fields(config, rope_keys(config)),
            **biases(config),
            kv_heads=config.get("num_key_value_heads"),
            head_width=config.get("head_dim"),
            positions="rotary",
            norm="pre",
            norm_kind="rms",
            qk_norm=qk_norm,
            mlp="gated",
            activation=activation(config.get("hidden_act", "silu")),
            tied=config.get("tie_word_embeddings", False) or "lm_head.weight" not in names,
            embedding_dropout=0.0,
            residual_dropout=0.0,
        )

    return settings


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return (
        write_keys(settings, KEYS)
        | write_rope(settings.rotary_base, settings.rotary_scaling)
        | {
            "num_key_value_heads": settings.key_heads,
            "head_dim": settings.per_head,
            "hidden_act": their_activation(settings.activation),
            "attention_bias": settings.has_qkv_bias and settings.has_out_bias,
            "mlp_bias": settings.bias,
            "tie_word_embeddings": settings.tied,
        }
    )


_LAYER = "layers.{}"
NAMES = (
    Name("tokens.weight", ("embed_tokens.weight",), twins=("lm_head.weight",)),
    *linear("blocks.{}.attention.qkv", *(f"{_LAYER}.self_attn.{part}_proj" for part in "qkv")),
    *linear("blocks.{}.attention.out", f"{_LAYER}.self_attn.o_proj"),
    Name("blocks.{}.attention.q_norm.weight", (f"{_LAYER}.self_attn.q_norm.weight",)),
    Name("blocks.{}.attention.k_norm.weight", (f"{_LAYER}.self_attn.k_norm.weight",)),
    Name("blocks.{}.norm1.weight", (f"{_LAYER}.input_layernorm.weight",)),
    *linear("blocks.{}.mlp.up", f"{_LAYER}.mlp.gate_proj", f"{_LAYER}.mlp.up_proj"),
    *linear("blocks.{}.mlp.down", f"{_LAYER}.mlp.down_proj"),
    Name("blocks.{}.norm2.weight", (f"{_LAYER}.post_attention_layernorm.weight",)),
    Name("final_norm.weight", ("norm.weight",)),
    Name("output.weight", ("lm_head.weight",), outer=True),
)


def heads(family: str, *, tags: str = "score") -> dict[str, HeadPlace]:
    """Classifiers of a decoder, without biases, and its tagger, whose linear is called ``tags``."""
    label = HeadPlace(f"{family}ForSequenceClassification", "score", bias=False)
    return {"label": label, "labels": label, "score": label, "tags": HeadPlace(f"{family}ForTokenClassification", tags)}


def _layout(
    model_type: str, family: str, *, qk_norm: bool = False, biases: Callable[[Config], dict[str, bool]] = _biases
) -> Layout:
    return Layout(
        model_type=model_type,
        settings=_settings_of(qk_norm, biases),
        config=_config,
        names=NAMES,
        prefix="model.",
        language_model=f"{family}ForCausalLM",
        heads=heads(family),
        ignored=("rotary_emb.inv_freq", "lm_head.weight"),  # where it is tied, the table itself
    )


LLAMA = _layout("llama", "Llama")
QWEN2 = _layout("qwen2", "Qwen2", biases=_qwen2_biases)
QWEN3 = _layout("qwen3", "Qwen3", qk_norm=True)
