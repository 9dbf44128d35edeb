"""ELECTRA (Clark et al. 2020) as ``transformers`` lays it out: tables of a width of their own, and a linear to the states'.

The generator guesses words and is read whole. Of the discriminator the backbone is read; its head, which tells replaced
tokens, has no place here.
"""

from collections.abc import Collection
from typing import Any

from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.bert import BLOCK, EMBEDDINGS, KEYS, encoder, heads
from warmstart.transfer.layout import (
    Config,
    Layout,
    Name,
    detect_parts,
    linear,
    only,
    read_keys,
    required_key,
    their_activation,
    write_keys,
)

SUMMARY = {"summary_type": "first", "summary_use_proj": True, "summary_activation": "gelu"}


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    found = detect_parts(names)
    if found["lm_transform"]:
        only(config, {"hidden_act": "gelu"})  # the head for words has it always
    if found["pooler"]:
        only(config, SUMMARY)
    sizes = read_keys(config, KEYS)
    tables = required_key(config, "embedding_size")
    if tables != sizes["width"]:
        sizes["embedding_width"] = tables
    return encoder(config, names, sizes | {"pooler_activation": "gelu"})


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return (
        write_keys(settings, KEYS)
        | SUMMARY
        | {"embedding_size": settings.table_width, "hidden_act": their_activation(settings.activation)}
    )


LAYOUT = Layout(
    model_type="electra",
    settings=_settings,
    config=_config,
    names=(
        *EMBEDDINGS,
        *linear("widening", "embeddings_project"),
        *BLOCK,
        *linear("lm_transform.linear", "generator_predictions.dense", outer=True),
        *linear("lm_transform.norm", "generator_predictions.LayerNorm", outer=True),
        Name("lm_transform.bias", ("generator_lm_head.bias",), outer=True),
    ),
    prefix="electra.",
    language_model="ElectraForMaskedLM",
    heads=heads(
        "Electra",
        linear("pooler", "classifier.dense", outer=True),
        "classifier.out_proj",
        choice=linear("pooler", "sequence_summary.summary", outer=True),
    ),
    ignored=("position_ids", "generator_lm_head.weight"),
    base="ElectraModel",
)
