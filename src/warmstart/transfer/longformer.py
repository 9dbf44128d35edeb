"""Longformer (Beltagy et al. 2020) as ``transformers`` lays it out: a RoBERTa whose tokens see a window.

Each layer has a second set of projections for tokens that see all: the first one where a class is read, as theirs does by
itself, and none before words and tags. Theirs also makes the question of a span, and what stands behind the separator of a
choice, such tokens; these heads are not read.
"""

import math
from collections.abc import Collection
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.bert import BLOCK, POOLER, TOKENS, encoder, heads
from warmstart.transfer.layout import Config, Layout, detect_parts, linear, only
from warmstart.transfer.roberta import (
    PAD,
    POSITIONS,
    SIZES,
    WORDS,
    WORDS_TIED,
    context_of,
    encoder_config,
)
from warmstart.transfer.sliding import shortest_cycle

ONLY = {"pad_token_id": PAD, "type_vocab_size": 1, "onnx_export": False}
CLASSIFIER = "classifier.out_proj.weight"
"""What a folder has that reads a class."""


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, ONLY | ({"hidden_act": "gelu"} if detect_parts(names)["lm_transform"] else {}))
    sizes = context_of(config, SIZES)
    ranges = (width // 2 + 1 for width in _widths(config, sizes["layers"]))
    windows = tuple(None if one >= sizes["context"] else one for one in ranges)
    more = {"global_attention": True, "global_first": CLASSIFIER in names, "windows": shortest_cycle(windows)}
    return encoder(config, names, sizes | {"segments": 0} | more)


def _widths(config: Config, layers: int) -> list[int]:
    """The width of the window of each layer, both sides together."""
    found = config.get("attention_window", 512)
    widths = list(found) if isinstance(found, list) else [found] * layers
    if len(widths) != layers or any(type(width) is not int or width < 2 or width % 2 for width in widths):
        raise BadInput(
            "the windows are no even numbers, one for each layer", where="config.json, key 'attention_window'",
            value=found, allowed=f"an even number, or {layers} of them", next_step="mend the file",
        )  # fmt: skip
    return widths


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return encoder_config(settings) | {"type_vocab_size": 1, "attention_window": _write_widths(settings)}


def _write_widths(settings: TransformerSettings) -> list[int]:
    """The same the other way; theirs divides a text evenly into the windows of every layer, so the widest is a multiple."""
    windows = [settings.window_of(layer) for layer in range(settings.layers)]
    step = math.lcm(2, *(2 * (window - 1) for window in windows if window and window > 1))
    whole = -(-2 * (settings.context - 1) // step) * step
    return [2 * (window - 1) if window else whole for window in windows]


_SELF = "encoder.layer.{}.attention.self"
_READ = ("SequenceClassification", "TokenClassification")
_HEADS = heads("Longformer", linear("pooler", "classifier.dense", outer=True), "classifier.out_proj")
LAYOUT = Layout(
    model_type="longformer",
    settings=_settings,
    config=_config,
    names=(
        TOKENS,
        POSITIONS,
        *linear("embedding_norm", "embeddings.LayerNorm"),
        *BLOCK,
        *linear("blocks.{}.attention.globals.query", f"{_SELF}.query_global"),
        *linear("blocks.{}.attention.globals.key", f"{_SELF}.key_global"),
        *linear("blocks.{}.attention.globals.value", f"{_SELF}.value_global"),
        *WORDS,
    ),
    prefix="longformer.",
    language_model="LongformerForMaskedLM",
    heads={g: place for g, place in _HEADS.items() if place.architecture.endswith(_READ)},
    ignored=WORDS_TIED,
    base="LongformerModel",
    pooler=POOLER,
    pad_id=PAD,
)
