"""ModernBERT (Warner et al. 2024) as ``transformers`` lays it out: layers with a window between layers without one.

One layer, ``head``, stands between the states and the words, or between them and any task's linear: a folder has the one
or the other. A class reads the first token, or the mean of all (``classifier_pooling``).
"""

from collections.abc import Collection
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.layout import (
    POOLER_ACTIVATIONS,
    Config,
    HeadPlace,
    Key,
    Layout,
    Name,
    activation,
    backbone,
    detect_parts,
    linear,
    only,
    read_keys,
    their_activation,
    write_keys,
)
from warmstart.transfer.sliding import GLOBAL, LOCAL, read_windows, shortest_cycle, write_windows

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "max_position_embeddings"),
    Key("layers", "num_hidden_layers"),
    Key("width", "hidden_size"),
    Key("heads", "num_attention_heads"),
    Key("hidden", "intermediate_size"),
    Key("embedding_dropout", "embedding_dropout", 0.0),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("residual_dropout", "mlp_dropout", 0.0),
    Key("norm_eps", "norm_eps", 1e-5),
    Key("norm_bias", "norm_bias", False),
    Key("init_std", "initializer_range", 0.02),
)
ONLY = {
    "attention_bias": False, "mlp_bias": False, "classifier_bias": False, "decoder_bias": True,
    "tie_word_embeddings": True,
}  # fmt: skip
_BASES = {GLOBAL: ("global_rope_theta", 160_000.0), LOCAL: ("local_rope_theta", 10_000.0)}


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    act = config.get("hidden_activation", "gelu")
    only(config, ONLY | {"classifier_activation": act})
    sizes = read_keys(config, KEYS)
    windows = _windows(config, sizes["layers"])
    parts = detect_parts(names)
    words = parts["lm_transform"] or "decoder.bias" in names
    pooler = parts["pooler"] or ("classifier.weight" in names and "head.dense.weight" in names)
    if words and pooler:
        raise BadInput("one layer cannot serve words and a task", where="config.json")
    return backbone(
        **sizes,
        sight="full",
        positions="rotary",
        windows=windows,
        rotary_base=_base(config, GLOBAL),
        local_rotary_base=_base(config, LOCAL) if any(windows) else None,
        norm="pre",
        first_norm=False,
        embedding_norm=True,
        mlp="gated",
        activation=activation(act),
        bias=False,
        lm_transform=words,
        pooler=pooler,
        pooler_norm=True,
        pooler_activation=activation(act, POOLER_ACTIVATIONS),
    )


def _windows(config: Config, layers: int) -> tuple[int | None, ...]:
    """How far a token sees in each layer: as a row of words, or as one layer in so many that sees all."""
    every = config.get("global_attn_every_n_layers", 3)
    types = config.get("layer_types") or [LOCAL if number % every else GLOBAL for number in range(layers)]
    if len(types) != layers:
        raise BadInput(
            "the kinds of attention are not one for each layer", where="config.json, key 'layer_types'", value=types,
            allowed=f"{layers} of {GLOBAL}, {LOCAL}",
        )  # fmt: skip
    return shortest_cycle(read_windows(types, config.get("local_attention", 128) // 2 + 1))


def _base(config: Config, kind: str) -> float:
    """The base of the rotary frequencies, in the old form of the key and the new one."""
    key, default = _BASES[kind]
    rope = (config.get("rope_parameters") or {}).get(kind) or {}
    scaled = config.get("rope_scaling") or rope.get("rope_type", "default")
    if scaled != "default":
        raise BadInput(
            "rotary positions with scaling are not supported", where="config.json", value=scaled,
            allowed="rope_type default",
        )  # fmt: skip
    return float(rope.get("rope_theta") or config.get(key) or default)


def _config(settings: TransformerSettings) -> dict[str, Any]:
    kinds, width = write_windows(settings)
    local = settings.rotary_base_of(1)
    return (
        write_keys(settings, KEYS)
        | ONLY
        | {
            "hidden_activation": their_activation(settings.activation),
            "classifier_activation": their_activation(settings.activation),
            "cls_token_id": None,  # else ids of the published vocabulary
            "sep_token_id": None,
            "layer_types": kinds,
            "local_attention": 2 * ((width or 65) - 1),
            "rope_parameters": {
                GLOBAL: {"rope_type": "default", "rope_theta": settings.rotary_base},
                LOCAL: {"rope_type": "default", "rope_theta": local},
            },
        }
    )


_LAYER = "layers.{}"
_POOLER = (
    Name("pooler.weight", ("head.dense.weight",), outer=True),
    *linear("pooler_norm", "head.norm", outer=True),
)
_CLASSIFIER = {
    goal: HeadPlace(f"ModernBertFor{kind}", "classifier", pooler=_POOLER, pools=pools)
    for kind, goals, pools in (
        ("SequenceClassification", ("label", "labels", "score"), ("sum", "mean")),
        ("MultipleChoice", ("choice",), ("sum",)),
        ("TokenClassification", ("tags",), ("sum",)),
        ("QuestionAnswering", ("span",), ("sum",)),
    )
    for goal in goals
}
LAYOUT = Layout(
    model_type="modernbert",
    settings=_settings,
    config=_config,
    names=(
        Name("tokens.weight", ("embeddings.tok_embeddings.weight",), twins=("decoder.weight",)),
        *linear("embedding_norm", "embeddings.norm"),
        *linear("blocks.{}.norm1", f"{_LAYER}.attn_norm"),
        Name("blocks.{}.attention.qkv.weight", (f"{_LAYER}.attn.Wqkv.weight",)),
        Name("blocks.{}.attention.out.weight", (f"{_LAYER}.attn.Wo.weight",)),
        *linear("blocks.{}.norm2", f"{_LAYER}.mlp_norm"),
        Name("blocks.{}.mlp.up.weight", (f"{_LAYER}.mlp.Wi.weight",)),
        Name("blocks.{}.mlp.down.weight", (f"{_LAYER}.mlp.Wo.weight",)),
        *linear("final_norm", "final_norm"),
        Name("lm_transform.linear.weight", ("head.dense.weight",), outer=True),
        *linear("lm_transform.norm", "head.norm", outer=True),
        Name("lm_transform.bias", ("decoder.bias",), outer=True),
    ),
    prefix="model.",
    language_model="ModernBertForMaskedLM",
    heads=_CLASSIFIER,
    ignored=("decoder.weight",),
    base="ModernBertModel",
    pool_key="classifier_pooling",
)
