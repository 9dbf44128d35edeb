"""MPNet (Song et al. 2020) as ``transformers`` lays it out: a RoBERTa without segments, with biases of distances.

The 32 bins and the distance of 128 stand in its class, not in its config. One table of biases serves all layers.
"""

from collections.abc import Collection
from typing import Any

from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.bert import POOLER, TOKENS, encoder, heads
from warmstart.transfer.layout import Config, Layout, Name, linear, only
from warmstart.transfer.roberta import PAD, SIZES, WORDS, WORDS_TIED, Positions, context_of, encoder_config

BINS, DISTANCE = 32, 128


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"relative_attention_num_buckets": BINS, "hidden_act": "gelu"})
    sizes = context_of(config, SIZES) | {"relative_bins": BINS, "relative_distance": DISTANCE}
    return encoder(config, names, sizes)


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return encoder_config(settings) | {"relative_attention_num_buckets": BINS}


_LAYER = "encoder.layer.{}"
LAYOUT = Layout(
    model_type="mpnet",
    settings=_settings,
    config=_config,
    names=(
        TOKENS,
        Positions("positions.weight", ("embeddings.position_embeddings.weight",)),
        *linear("embedding_norm", "embeddings.LayerNorm"),
        Name("relative.table.weight", ("encoder.relative_attention_bias.weight",)),
        *linear("blocks.{}.attention.qkv", *(f"{_LAYER}.attention.attn.{part}" for part in "qkv")),
        *linear("blocks.{}.attention.out", f"{_LAYER}.attention.attn.o"),
        *linear("blocks.{}.norm1", f"{_LAYER}.attention.LayerNorm"),
        *linear("blocks.{}.mlp.up", f"{_LAYER}.intermediate.dense"),
        *linear("blocks.{}.mlp.down", f"{_LAYER}.output.dense"),
        *linear("blocks.{}.norm2", f"{_LAYER}.output.LayerNorm"),
        *WORDS,
    ),
    prefix="mpnet.",
    language_model="MPNetForMaskedLM",
    heads=heads("MPNet", linear("pooler", "classifier.dense", outer=True), "classifier.out_proj", choice=POOLER),
    ignored=WORDS_TIED,
    base="MPNetModel",
    pooler=POOLER,
    pad_id=PAD,
)
