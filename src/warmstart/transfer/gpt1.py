"""GPT-1 (Radford et al. 2018) as ``transformers`` lays it out: GPT-2's block with the norm after each sum."""

from collections.abc import Collection
from typing import Any

from warmstart.models.transformer_settings import Activation, TransformerSettings
from warmstart.transfer.gpt2 import BLOCK, KEYS
from warmstart.transfer.layout import (
    Config,
    HeadPlace,
    Layout,
    Name,
    activation,
    backbone,
    read_keys,
    their_activation,
    write_keys,
)

ACTIVATIONS: dict[str, Activation] = {"gelu": "gelu_tanh", "relu": "relu", "silu": "silu", "swish": "silu"}


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    sizes = read_keys(config, KEYS)
    called = activation(config.get("afn", "gelu"), ACTIVATIONS)
    return backbone(**sizes, hidden=4 * sizes["width"], norm="post", activation=called)


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return write_keys(settings, KEYS) | {"afn": their_activation(settings.activation, ACTIVATIONS) or "gelu"}


LAYOUT = Layout(
    model_type="openai-gpt",
    settings=_settings,
    config=_config,
    names=(
        Name("tokens.weight", ("tokens_embed.weight",), twins=("lm_head.weight",)),
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
