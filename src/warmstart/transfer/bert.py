"""BERT (Devlin et al. 2018) as ``transformers`` lays it out: three projections, a pooler, a head of its own for words."""

from collections.abc import Collection
from typing import Any

from warmstart.models.settings import TransformerSettings
from warmstart.transfer.layout import (
    Config,
    HeadPlace,
    Key,
    Layout,
    Name,
    activation,
    backbone,
    linear,
    named,
    only,
    stated,
    their_activation,
)

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "max_position_embeddings"),
    Key("layers", "num_hidden_layers"),
    Key("width", "hidden_size"),
    Key("heads", "num_attention_heads"),
    Key("hidden", "intermediate_size"),
    Key("segments", "type_vocab_size", 2),
    Key("residual_dropout", "hidden_dropout_prob", 0.1),
    Key("attention_dropout", "attention_probs_dropout_prob", 0.1),
    Key("norm_eps", "layer_norm_eps", 1e-12),
    Key("init_std", "initializer_range", 0.02),
)


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"position_embedding_type": "absolute", "is_decoder": False, "tie_word_embeddings": True})
    sizes = stated(config, KEYS)
    return backbone(
        **sizes,
        sight="full",
        norm="post",
        embedding_norm=True,
        embedding_dropout=sizes["residual_dropout"],
        activation=activation(config.get("hidden_act", "gelu")),
        lm_transform=any(name.startswith("cls.predictions.transform") for name in names),
        pooler=any(name.endswith("pooler.dense.weight") for name in names),
    )


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return named(settings, KEYS) | {"hidden_act": their_activation(settings.activation)}


_LAYER = "encoder.layer.{}"
LAYOUT = Layout(
    model_type="bert",
    settings=_settings,
    config=_config,
    names=(
        Name("tokens.weight", ("embeddings.word_embeddings.weight",)),
        Name("positions.weight", ("embeddings.position_embeddings.weight",)),
        Name("segments.weight", ("embeddings.token_type_embeddings.weight",)),
        *linear("embedding_norm", "embeddings.LayerNorm"),
        *linear("blocks.{}.attention.qkv", *(f"{_LAYER}.attention.self.{part}" for part in ("query", "key", "value"))),
        *linear("blocks.{}.attention.out", f"{_LAYER}.attention.output.dense"),
        *linear("blocks.{}.norm1", f"{_LAYER}.attention.output.LayerNorm"),
        *linear("blocks.{}.mlp.up", f"{_LAYER}.intermediate.dense"),
        *linear("blocks.{}.mlp.down", f"{_LAYER}.output.dense"),
        *linear("blocks.{}.norm2", f"{_LAYER}.output.LayerNorm"),
        *linear("pooler", "pooler.dense"),
        *linear("lm_transform.linear", "cls.predictions.transform.dense", outer=True),
        *linear("lm_transform.norm", "cls.predictions.transform.LayerNorm", outer=True),
        Name("lm_transform.bias", ("cls.predictions.bias",), outer=True),
    ),
    prefix="bert.",
    language_model="BertForMaskedLM",
    heads={
        "label": HeadPlace("BertForSequenceClassification", "classifier"),
        "labels": HeadPlace("BertForSequenceClassification", "classifier"),
        "score": HeadPlace("BertForSequenceClassification", "classifier"),
        "choice": HeadPlace("BertForMultipleChoice", "classifier"),
        "tags": HeadPlace("BertForTokenClassification", "classifier"),
        "span": HeadPlace("BertForQuestionAnswering", "qa_outputs"),
    },
    # the softmax's own copies of the table and its bias are tied to those above
    ignored=("position_ids", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"),
)
