"""GPT-2 (Radford et al. 2019) as ``transformers`` lays it out: linears transposed, one joint projection."""

from collections.abc import Collection
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
    only,
    read_keys,
    their_activation,
    write_keys,
)

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "n_positions"),
    Key("layers", "n_layer"),
    Key("width", "n_embd"),
    Key("heads", "n_head"),
    Key("embedding_dropout", "embd_pdrop", 0.1),
    Key("attention_dropout", "attn_pdrop", 0.1),
    Key("residual_dropout", "resid_pdrop", 0.1),
    Key("norm_eps", "layer_norm_epsilon", 1e-5),
    Key("init_std", "initializer_range", 0.02),
)


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False})
    sizes = read_keys(config, KEYS)
    return backbone(
        **sizes,
        hidden=config.get("n_inner") or 4 * sizes["width"],
        norm="pre",
        activation=activation(config.get("activation_function", "gelu_new")),
        tied=config.get("tie_word_embeddings", True) or "lm_head.weight" not in names,
    )


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return write_keys(settings, KEYS) | {
        "n_inner": settings.hidden,
        "activation_function": their_activation(settings.activation),
        "tie_word_embeddings": settings.tied,
    }


BLOCK = (
    *linear("blocks.{}.attention.qkv", "h.{}.attn.c_attn", transposed=True),
    *linear("blocks.{}.attention.out", "h.{}.attn.c_proj", transposed=True),
    *linear("blocks.{}.norm1", "h.{}.ln_1"),
    *linear("blocks.{}.mlp.up", "h.{}.mlp.c_fc", transposed=True),
    *linear("blocks.{}.mlp.down", "h.{}.mlp.c_proj", transposed=True),
    *linear("blocks.{}.norm2", "h.{}.ln_2"),
)

LAYOUT = Layout(
    model_type="gpt2",
    settings=_settings,
    config=_config,
    names=(
        Name("tokens.weight", ("wte.weight",), twins=("lm_head.weight",)),
        Name("positions.weight", ("wpe.weight",)),
        *BLOCK,
        *linear("final_norm", "ln_f"),
        Name("output.weight", ("lm_head.weight",), outer=True),
    ),
    prefix="transformer.",
    language_model="GPT2LMHeadModel",
    heads={
        "label": HeadPlace("GPT2ForSequenceClassification", "score", bias=False),
        "labels": HeadPlace("GPT2ForSequenceClassification", "score", bias=False),
        "score": HeadPlace("GPT2ForSequenceClassification", "score", bias=False),
        "choice": HeadPlace("GPT2DoubleHeadsModel", "multiple_choice_head.summary"),
        "tags": HeadPlace("GPT2ForTokenClassification", "classifier"),
        "span": HeadPlace("GPT2ForQuestionAnswering", "qa_outputs"),
    },
    ignored=(".attn.bias", ".attn.masked_bias", "lm_head.weight"),  # where it is tied, the table itself
)
