"""BERT (Devlin et al. 2018) as ``transformers`` lays it out: three projections, a pooler, a head of its own for words.

What its relatives (RoBERTa, ELECTRA, UniLM) have in common with it stands here. MiniLM (Wang et al. 2020) is a BERT.
"""

from collections.abc import Collection
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
    detect_parts,
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
    Key("segments", "type_vocab_size", 2),
    Key("residual_dropout", "hidden_dropout_prob", 0.1),
    Key("attention_dropout", "attention_probs_dropout_prob", 0.1),
    Key("norm_eps", "layer_norm_eps", 1e-12),
    Key("init_std", "initializer_range", 0.02),
)


ONLY = {"position_embedding_type": "absolute", "is_decoder": False, "tie_word_embeddings": True}
"""What changes what a model of this family computes in a way that is not built."""


def encoder(config: Config, names: Collection[str], sizes: dict[str, Any]) -> TransformerSettings:
    """The backbone of ``sizes`` with what all models of this family share."""
    only(config, ONLY)
    return backbone(
        **sizes,
        sight="full",
        norm="post",
        embedding_norm=True,
        embedding_dropout=sizes["residual_dropout"],
        activation=activation(config.get("hidden_act", "gelu")),
        **detect_parts(names),
    )


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    sizes = read_keys(config, KEYS)
    if not sizes["segments"]:
        raise BadInput("this architecture has segments", where="config.json", value=0, allowed="type_vocab_size >= 1")
    return encoder(config, names, sizes)


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return write_keys(settings, KEYS) | {"hidden_act": their_activation(settings.activation)}


_LAYER = "encoder.layer.{}"
BLOCK = (
    *linear("blocks.{}.attention.qkv", *(f"{_LAYER}.attention.self.{part}" for part in ("query", "key", "value"))),
    *linear("blocks.{}.attention.out", f"{_LAYER}.attention.output.dense"),
    *linear("blocks.{}.norm1", f"{_LAYER}.attention.output.LayerNorm"),
    *linear("blocks.{}.mlp.up", f"{_LAYER}.intermediate.dense"),
    *linear("blocks.{}.mlp.down", f"{_LAYER}.output.dense"),
    *linear("blocks.{}.norm2", f"{_LAYER}.output.LayerNorm"),
)
TOKENS = Name(
    "tokens.weight",
    ("embeddings.word_embeddings.weight",),
    twins=(
        "cls.predictions.decoder.weight", "lm_head.decoder.weight", "generator_lm_head.weight", "vocab_projector.weight",
        "predictions.decoder.weight",
    ),
)  # fmt: skip
"""The table, which the softmax of every encoder has under a name of its own."""
EMBEDDINGS = (
    TOKENS,
    Name("positions.weight", ("embeddings.position_embeddings.weight",)),
    Name("segments.weight", ("embeddings.token_type_embeddings.weight",)),
    *linear("embedding_norm", "embeddings.LayerNorm"),
)
WORDS = (
    *linear("lm_transform.linear", "cls.predictions.transform.dense", outer=True),
    *linear("lm_transform.norm", "cls.predictions.transform.LayerNorm", outer=True),
    Name("lm_transform.bias", ("cls.predictions.bias",), outer=True, twins=("cls.predictions.decoder.bias",)),
)
TIED = ("position_ids", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
"""The softmax's own copies of the table and its bias."""
POOLER = linear("pooler", "pooler.dense")


def heads(
    model: str, pooler: tuple[Name, ...], linear: str = "classifier", choice: tuple[Name, ...] = ()
) -> dict[str, HeadPlace]:
    """The heads that every model of this family has.

    Args:
        model: how their classes begin.
        pooler: between the backbone and the linear of a class or score of a whole text.
        linear: that linear.
        choice: the same for multiple choice, where it is another than ``pooler``.
    """
    text = HeadPlace(f"{model}ForSequenceClassification", linear, pooler=pooler)
    return {
        "label": text,
        "labels": text,
        "score": text,
        "choice": HeadPlace(f"{model}ForMultipleChoice", "classifier", pooler=choice or pooler),
        "tags": HeadPlace(f"{model}ForTokenClassification", "classifier"),
        "span": HeadPlace(f"{model}ForQuestionAnswering", "qa_outputs"),
    }


LAYOUT = Layout(
    model_type="bert",
    settings=_settings,
    config=_config,
    names=(*EMBEDDINGS, *BLOCK, *WORDS),
    prefix="bert.",
    language_model="BertForMaskedLM",
    heads=heads("Bert", POOLER),
    ignored=TIED,
    base="BertModel",
    pooler=POOLER,
)
