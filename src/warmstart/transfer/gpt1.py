"""GPT-1 (Radford et al. 2018) as ``transformers`` lays it out: GPT-2's block with the norm after each sum."""

from collections.abc import Collection
from typing import Any

from warmstart.models.settings import Activation, TransformerSettings
from warmstart.transfer.gpt2 import BLOCK
from warmstart.transfer.layout import Config, HeadPlace, Layout, Name, activation, backbone, required

ACTIVATIONS: dict[str, Activation] = {"gelu": "gelu_tanh", "relu": "relu", "silu": "silu", "swish": "silu"}
_THEIRS = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    width = required(config, "n_embd")
    return backbone(
        vocab_size=required(config, "vocab_size"),
        context=required(config, "n_positions"),
        layers=required(config, "n_layer"),
        width=width,
        heads=required(config, "n_head"),
        hidden=4 * width,
        norm="post",
        activation=activation(config.get("afn", "gelu"), ACTIVATIONS),
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
        "afn": _THEIRS.get(settings.activation, "gelu"),
        "embd_pdrop": settings.embedding_dropout,
        "attn_pdrop": settings.attention_dropout,
        "resid_pdrop": settings.residual_dropout,
        "layer_norm_epsilon": settings.norm_eps,
        "initializer_range": settings.init_std,
    }


LAYOUT = Layout(
    model_type="openai-gpt",
    settings=_settings,
    config=_config,
    names=(
        Name("tokens.weight", ("tokens_embed.weight",)),
        Name("positions.weight", ("positions_embed.weight",)),
        *BLOCK,
    ),
    prefix="transformer.",
    language_model="OpenAIGPTLMHeadModel",
    heads={
        "label": HeadPlace("OpenAIGPTForSequenceClassification", "score", bias=False),
        "labels": HeadPlace("OpenAIGPTForSequenceClassification", "score", bias=False),
        "score": HeadPlace("OpenAIGPTForSequenceClassification", "score", bias=False),
        "choice": HeadPlace("OpenAIGPTDoubleHeadsModel", "multiple_choice_head.summary"),
    },
    ignored=(".attn.bias", "position_ids", "lm_head.weight"),  # where it is tied, the table itself
)
