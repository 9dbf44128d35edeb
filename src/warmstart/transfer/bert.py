"""BERT (Devlin et al. 2018) as ``transformers`` lays it out: three projections, a pooler, a head of its own for words."""

from collections.abc import Collection
from typing import Any

from warmstart.models.settings import TransformerSettings
from warmstart.transfer.gpt2 import ACTIVATIONS
from warmstart.transfer.layout import Config, HeadPlace, Layout, Name, activation, backbone, linear, only, required

_THEIRS = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"position_embedding_type": "absolute", "is_decoder": False, "tie_word_embeddings": True})
    dropout = config.get("hidden_dropout_prob", 0.1)
    return backbone(
        sight="full",
        vocab_size=required(config, "vocab_size"),
        context=required(config, "max_position_embeddings"),
        layers=required(config, "num_hidden_layers"),
        width=required(config, "hidden_size"),
        heads=required(config, "num_attention_heads"),
        hidden=required(config, "intermediate_size"),
        segments=config.get("type_vocab_size", 2),
        norm="post",
        embedding_norm=True,
        activation=activation(config.get("hidden_act", "gelu"), ACTIVATIONS),
        lm_transform=any(name.startswith("cls.predictions.transform") for name in names),
        pooler=any(name.endswith("pooler.dense.weight") for name in names),
        embedding_dropout=dropout,
        attention_dropout=config.get("attention_probs_dropout_prob", 0.1),
        residual_dropout=dropout,
        norm_eps=config.get("layer_norm_eps", 1e-12),
        init_std=config.get("initializer_range", 0.02),
    )


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return {
        "vocab_size": settings.vocab_size,
        "max_position_embeddings": settings.context,
        "num_hidden_layers": settings.layers,
        "hidden_size": settings.width,
        "num_attention_heads": settings.heads,
        "intermediate_size": settings.hidden,
        "type_vocab_size": settings.segments,
        "hidden_act": _THEIRS[settings.activation],
        "hidden_dropout_prob": settings.residual_dropout,
        "attention_probs_dropout_prob": settings.attention_dropout,
        "layer_norm_eps": settings.norm_eps,
        "initializer_range": settings.init_std,
    }


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
