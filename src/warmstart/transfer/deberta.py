"""DeBERTa, its v2 and v3 and mDeBERTa (He et al. 2021, 2023) as ``transformers`` lays them out: disentangled attention.

The first one has no buckets of distance and no bias for keys, and its queries, keys and values lie head by head. The head
for words is read under both of its names: BERT's (``legacy``) and that of the published files, and written under BERT's. The
discriminator's head of v3 has no place here. A convolution beside the first layer (the v2-xlarge models) is refused.
"""

from collections.abc import Collection
from typing import Any

import torch

from warmstart.base.errors import BadInput
from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.bert import BLOCK, EMBEDDINGS, KEYS, TIED, WORDS, encoder, heads
from warmstart.transfer.layout import (
    POOLER_ACTIVATIONS,
    Config,
    Key,
    Layout,
    Name,
    activation,
    linear,
    only,
    read_keys,
    their_activation,
    write_keys,
)
from warmstart.transfer.name_forms import HeadByHead

SIZES = tuple(Key(key.ours, key.theirs, 0 if key.ours == "segments" else key.default) for key in KEYS)
ONLY_FIRST = {"relative_attention": True, "pooler_hidden_size": None, "embedding_size": None, "talking_head": False}
ONLY = {"relative_attention": True, "pooler_hidden_size": None, "embedding_size": None, "conv_kernel_size": 0}
PUBLISHED = "lm_predictions.lm_head."
NAMES = {"LayerNorm": "transform.LayerNorm", "dense": "transform.dense", "bias": "bias"}


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    buckets = config.get("position_buckets", -1)
    return _encoder(config, names, ONLY, {
        "distance_buckets": buckets if buckets > 0 else None,
        "distance_norm": _has_norm(config),
        "shared_distance_keys": config.get("share_att_key", False),
    })  # fmt: skip


def _first_settings(config: Config, names: Collection[str]) -> TransformerSettings:
    return _encoder(config, names, ONLY_FIRST, {"key_bias": False})


def _encoder(
    config: Config, names: Collection[str], only_so: dict[str, Any], own: dict[str, Any]
) -> TransformerSettings:
    """The backbone, with what all have in common and what is a version's own; ``None`` in ``only_so`` is the width."""
    width = config.get("hidden_size")
    only(config, {key: width if value is None else value for key, value in only_so.items()})
    sizes = read_keys(config, SIZES)
    longest = config.get("max_relative_positions", -1)
    theirs = {**config, "tie_word_embeddings": True}  # the table serves the words in any case
    there = [name.replace(f"{PUBLISHED}dense", "cls.predictions.transform.dense") for name in names]
    common = {
        "positions": "learned" if config.get("position_biased_input", True) else "none",
        "disentangled": _kinds(config),
        "relative_distance": longest if longest > 0 else sizes["context"],
        "pooler_activation": activation(config.get("pooler_hidden_act", "gelu"), POOLER_ACTIVATIONS),
    }
    return encoder(theirs, there, sizes | common | own)


def _kinds(config: Config) -> tuple[str, ...]:
    """What a score holds beside content to content."""
    found = config.get("pos_att_type") or ()
    kinds = found.lower().split("|") if isinstance(found, str) else found
    stripped = [kind.strip() for kind in kinds]
    if not stripped or not {*stripped} <= {"c2p", "p2c"}:
        raise BadInput(
            "unknown kind of disentangled attention", where="config.json, key 'pos_att_type'", value=found,
            allowed="c2p, p2c or both",
        )  # fmt: skip
    return tuple(sorted({*stripped}))


def _has_norm(config: Config) -> bool:
    """Whether the rows of distances are normed."""
    return "layer_norm" in [name.strip() for name in str(config.get("norm_rel_ebd", "none")).lower().split("|")]


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return _first_config(settings) | {
        "position_buckets": settings.distance_buckets or -1,
        "norm_rel_ebd": "layer_norm" if settings.distance_norm else "none",
        "share_att_key": settings.shared_distance_keys,
    }


def _first_config(settings: TransformerSettings) -> dict[str, Any]:
    return write_keys(settings, SIZES) | {
        "hidden_act": their_activation(settings.activation),
        "relative_attention": True,
        "position_biased_input": settings.positions == "learned",
        "pos_att_type": list(settings.disentangled),
        "max_relative_positions": settings.relative_distance,
        "pooler_hidden_act": settings.pooler_activation,
        "pooler_hidden_size": settings.width,
        "legacy": True,
    }


def _with_one_head(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors with the head for words under BERT's names."""
    renamed = {}
    for name, tensor in found.items():
        part, _, rest = name.removeprefix(PUBLISHED).partition(".")
        inside = name.startswith(PUBLISHED) and part in NAMES
        renamed[f"cls.predictions.{NAMES[part]}{'.' * bool(rest)}{rest}" if inside else name] = tensor
    return renamed


_SELF = "encoder.layer.{}.attention.self"
_DISTANCES = "blocks.{}.attention.distances"
_AROUND = tuple(name for name in BLOCK if "qkv" not in name.ours)
LAYOUT = Layout(
    model_type="deberta-v2",
    settings=_settings,
    config=_config,
    names=(
        *EMBEDDINGS,
        Name("distances.table.weight", ("encoder.rel_embeddings.weight",)),
        *linear("distances.norm", "encoder.LayerNorm"),
        *linear("blocks.{}.attention.qkv", *(f"{_SELF}.{part}_proj" for part in ("query", "key", "value"))),
        *linear(f"{_DISTANCES}.key", f"{_SELF}.pos_key_proj"),
        *linear(f"{_DISTANCES}.query", f"{_SELF}.pos_query_proj"),
        *_AROUND,
        *WORDS,
    ),
    prefix="deberta.",
    language_model="DebertaV2ForMaskedLM",
    heads=heads("DebertaV2", linear("pooler", "pooler.dense", outer=True)),
    ignored=TIED,
    base="DebertaV2Model",
    today=_with_one_head,
)
_FIRST_HEADS = heads("Deberta", linear("pooler", "pooler.dense", outer=True))
_FIRST_HEADS = {g: place for g, place in _FIRST_HEADS.items() if not place.architecture.endswith("MultipleChoice")}
FIRST = Layout(
    model_type="deberta",
    settings=_first_settings,
    config=_first_config,
    names=(
        *EMBEDDINGS,
        Name("distances.table.weight", ("encoder.rel_embeddings.weight",)),
        HeadByHead("blocks.{}.attention.qkv.weight", (f"{_SELF}.in_proj.weight",)),
        Name("blocks.{}.attention.qkv.query_bias", (f"{_SELF}.q_bias",)),
        Name("blocks.{}.attention.qkv.value_bias", (f"{_SELF}.v_bias",)),
        Name(f"{_DISTANCES}.key.weight", (f"{_SELF}.pos_proj.weight",)),
        *linear(f"{_DISTANCES}.query", f"{_SELF}.pos_q_proj"),
        *_AROUND,
        *WORDS,
    ),
    prefix="deberta.",
    language_model="DebertaForMaskedLM",
    heads=_FIRST_HEADS,
    ignored=TIED,
    base="DebertaModel",
    today=_with_one_head,
)
