"""Llama (Touvron et al. 2023) as ``transformers`` has it, and those that are the same but for a few choices.

Llama 3's longer context is a scaling of its rotary positions; Mistral's tokens see a window; Qwen2 has biases on queries,
keys and values; Qwen3 a norm on queries and keys.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
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
    required_key,
    their_activation,
    write_keys,
)
from warmstart.transfer.rope import rope_keys, rotary_fields, write_rope
from warmstart.transfer.sliding import GLOBAL, LOCAL, Windows, read_windows, shortest_cycle, write_windows

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


def _no_biases(config: Config) -> dict[str, bool]:
    return {"bias": False}


def _qkv_biases(config: Config) -> dict[str, bool]:
    return {"bias": False, "qkv_bias": True}


def _no_windows(config: Config) -> Windows:
    return ()


def _one_window(config: Config) -> Windows:
    """Mistral's, of all layers."""
    return (config.get("sliding_window", 4096),)


def _upper_windows(config: Config) -> Windows:
    """Qwen's, which the layers have that the config names, or those from one on."""
    if not config.get("use_sliding_window", False) or config.get("sliding_window", 4096) is None:
        return ()
    full = int(config.get("max_window_layers", 28))
    kinds = config.get("layer_types") or [LOCAL if n >= full else GLOBAL for n in range(_layers(config))]
    return read_windows(kinds, config.get("sliding_window", 4096))


def _layers(config: Config) -> int:
    return int(required_key(config, "num_hidden_layers"))


@dataclass(frozen=True, slots=True)
class _Choices:
    """Where the families differ: a norm on queries and keys, what a config says of biases, and of windows."""

    qk_norm: bool = False
    biases: Callable[[Config], dict[str, bool]] = _no_biases
    windows: Callable[[Config], Windows] = _no_windows

    def settings(self, config: Config, names: Collection[str]) -> TransformerSettings:
        """Our settings."""
        return backbone(
            **read_keys(config, KEYS),
            **rotary_fields(config, rope_keys(config)),
            **self.biases(config),
            windows=shortest_cycle(self.windows(config)),
            kv_heads=config.get("num_key_value_heads"),
            head_width=config.get("head_dim"),
            positions="rotary",
            norm="pre",
            norm_kind="rms",
            qk_norm=self.qk_norm,
            mlp="gated",
            activation=activation(config.get("hidden_act", "silu")),
            tied=config.get("tie_word_embeddings", False) or "lm_head.weight" not in names,
            embedding_dropout=0.0,
            residual_dropout=0.0,
        )

    def config(self, settings: TransformerSettings) -> dict[str, Any]:
        """Theirs."""
        kinds, window = write_windows(settings)
        upper = self.windows is _upper_windows and window is not None
        return (
            write_keys(settings, KEYS)
            | write_rope(settings.rotary_base, settings.rotary_scaling)
            | {
                "num_key_value_heads": settings.key_heads,
                "head_dim": settings.per_head,
                "hidden_act": their_activation(settings.activation),
                "attention_bias": settings.has_qkv_bias and settings.has_out_bias,
                "mlp_bias": settings.bias,
                "sliding_window": window,
                **({"use_sliding_window": True, "layer_types": kinds} if upper else {}),
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


def heads(family: str, *, tags: str | None = "score") -> dict[str, HeadPlace]:
    """Classifiers of a decoder, without biases, and its tagger, whose linear is called ``tags``; ``None``: it has none."""
    label = HeadPlace(f"{family}ForSequenceClassification", "score", bias=False)
    found = {"label": label, "labels": label, "score": label}
    return found if tags is None else found | {"tags": HeadPlace(f"{family}ForTokenClassification", tags)}


def _layout(model_type: str, family: str, choices: _Choices) -> Layout:
    return Layout(
        model_type=model_type,
        settings=choices.settings,
        config=choices.config,
        names=NAMES,
        prefix="model.",
        language_model=f"{family}ForCausalLM",
        heads=heads(family),
        ignored=("rotary_emb.inv_freq", "lm_head.weight"),  # where it is tied, the table itself
    )


LLAMA = _layout("llama", "Llama", _Choices(biases=_biases))
MISTRAL = _layout("mistral", "Mistral", _Choices(windows=_one_window))
QWEN2 = _layout("qwen2", "Qwen2", _Choices(biases=_qkv_biases, windows=_upper_windows))
QWEN3 = _layout("qwen3", "Qwen3", _Choices(qk_norm=True, biases=_biases, windows=_upper_windows))
