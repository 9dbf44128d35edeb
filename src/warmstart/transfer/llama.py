"""Llama (Touvron et al. 2023) and Qwen3, which is the same with a norm on queries and keys, as ``transformers`` has them."""

from collections.abc import Callable, Collection
from typing import Any

from warmstart.base.errors import BadInput
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


def _settings_of(qk_norm: bool) -> Callable[[Config, Collection[str]], TransformerSettings]:
    def settings(config: Config, names: Collection[str]) -> TransformerSettings:
        only(config, {"attention_bias": False, "mlp_bias": False, "use_sliding_window": False})
        return backbone(
            **read_keys(config, KEYS),
            kv_heads=config.get("num_key_value_heads"),
            head_width=config.get("head_dim"),
            positions="rotary",
            rotary_base=_base(config),
            norm="pre",
            norm_kind="rms",
            qk_norm=qk_norm,
            mlp="gated",
            activation=activation(config.get("hidden_act", "silu")),
            bias=False,
            tied=config.get("tie_word_embeddings", False) or "lm_head.weight" not in names,
            embedding_dropout=0.0,
            residual_dropout=0.0,
        )

    return settings


def _base(config: Config) -> float:
    """The base of the rotary frequencies, in the old form of the key and the new one."""
    rope = config.get("rope_parameters") or {}
    kind = rope.get("rope_type", "default")
    if config.get("rope_scaling") or kind != "default":
        raise BadInput(
            "rotary positions with scaling are not supported", where="config.json",
            value=config.get("rope_scaling") or kind, allowed="rope_type default",
        )  # fmt: skip
    return float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0)


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return write_keys(settings, KEYS) | {
        "num_key_value_heads": settings.key_heads,
        "head_dim": settings.per_head,
        "rope_theta": settings.rotary_base,
        "rope_parameters": {"rope_theta": settings.rotary_base, "rope_type": "default"},
        "hidden_act": their_activation(settings.activation),
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": settings.tied,
    }


_LAYER = "layers.{}"
_NAMES = (
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


def _layout(model_type: str, family: str, qk_norm: bool) -> Layout:
    return Layout(
        model_type=model_type,
        settings=_settings_of(qk_norm),
        config=_config,
        names=_NAMES,
        prefix="model.",
        language_model=f"{family}ForCausalLM",
        heads={
            "label": HeadPlace(f"{family}ForSequenceClassification", "score", bias=False),
            "labels": HeadPlace(f"{family}ForSequenceClassification", "score", bias=False),
            "score": HeadPlace(f"{family}ForSequenceClassification", "score", bias=False),
            "tags": HeadPlace(f"{family}ForTokenClassification", "score"),
        },
        ignored=("rotary_emb.inv_freq", "lm_head.weight"),  # where it is tied, the table itself
    )


LLAMA = _layout("llama", "Llama", qk_norm=False)
QWEN3 = _layout("qwen3", "Qwen3", qk_norm=True)
