"""GPT-2 (Radford et al. 2019) as ``transformers`` lays it out: linears transposed, one joint projection."""

from collections.abc import Collection
from typing import Any

from warmstart.models.settings import Activation, TransformerSettings
from warmstart.transfer.layout import Config, HeadPlace, Layout, Name, activation, backbone, linear, only, required

ACTIVATIONS: dict[str, Activation] = {
    "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu", "relu": "relu", "silu": "silu",
}  # fmt: skip
_THEIRS = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False})
    width = required(config, "n_embd")
    return backbone(
        vocab_size=required(config, "vocab_size"),
        context=required(config, "n_positions"),
        layers=required(config, "n_layer"),
        width=width,
        heads=required(config, "n_head"),
        hidden=config.get("n_inner") or 4 * width,
        norm="pre",
        activation=activation(config.get("activation_function", "gelu_new"), ACTIVATIONS),
        tied=config.get("tie_word_embeddings", True) or "lm_head.weight" not in names,
        embedding_dropout=config.get("embd_pdrop", 0.1),
        attention_dropout=config.get("attn_pdrop", 0.1),
        residual_dropout=config.get("resid_pdrop", 0.1),
        norm_eps=config.get("layer_norm_epsilon", 1e-5),
        init_std=config.get("initializer_range", 0.02),
    )


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return {
        "vocab_size": settings.vocab_size,
        "n_positions": settings.context,
        "n_layer": settings.layers,
        "n_embd": settings.width,
        "n_head": settings.heads,
        "n_inner": settings.hidden,
        "activation_function": _THEIRS[settings.activation],
        "tie_word_embeddings": settings.tied,
        "embd_pdrop": settings.embedding_dropout,
        "attn_pdrop": settings.attention_dropout,
        "resid_pdrop": settings.residual_dropout,
        "layer_norm_epsilon": settings.norm_eps,
        "initializer_range": settings.init_std,
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
        Name("tokens.weight", ("wte.weight",)),
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
