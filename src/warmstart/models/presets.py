"""Named sizes. A preset leaves the vocabulary to the tokenizer; its own size is what the paper's counts refer to."""

from typing import Any

from warmstart.base.errors import BadInput, unknown
from warmstart.models.settings import TransformerSettings

PRESETS: dict[str, dict[str, Any]] = {
    # Radford et al. 2018: 116,534,784 weights with 40,478 + 0 tokens and 512 positions.
    "gpt1": {"vocab_size": 40478, "context": 512, "layers": 12, "width": 768, "heads": 12, "hidden": 3072},
    # Radford et al. 2019, the smallest: 124,439,808 weights.
    "gpt2": {
        "vocab_size": 50257,
        "context": 1024,
        "layers": 12,
        "width": 768,
        "heads": 12,
        "hidden": 3072,
        "norm": "pre",
    },
    # For two CPU cores: a useful model in half an hour. Layer norm comes first, since post-norm stays at the entropy of
    # single tokens for the first million tokens; the exact GELU is faster than tanh on a CPU (docs/models.md).
    "gpt1-mini": {
        "vocab_size": 8192,
        "context": 256,
        "layers": 6,
        "width": 384,
        "heads": 6,
        "hidden": 1536,
        "norm": "pre",
        "gelu": "exact",
        "embedding_dropout": 0.0,
        "attention_dropout": 0.0,
        "residual_dropout": 0.0,
    },
    # For the demo: a few minutes on two cores, installation included.
    "gpt1-micro": {
        "vocab_size": 4096,
        "context": 128,
        "layers": 4,
        "width": 256,
        "heads": 4,
        "hidden": 1024,
        "norm": "pre",
        "gelu": "exact",
        "embedding_dropout": 0.0,
        "attention_dropout": 0.0,
        "residual_dropout": 0.0,
    },
    # For tests.
    "gpt1-tiny": {"vocab_size": 512, "context": 64, "layers": 2, "width": 32, "heads": 2, "hidden": 64},
}


def preset(name: str, **changes: Any) -> TransformerSettings:
    """The settings called ``name`` with some fields changed.

    Raises:
        BadInput: no such preset, or sizes that do not fit together.
    """
    if name not in PRESETS:
        raise unknown("model preset", name, PRESETS, "--model")
    return check(TransformerSettings.model_validate(PRESETS[name] | changes))


def check(settings: TransformerSettings, where: str = "model.heads") -> TransformerSettings:
    """``settings``, if the heads divide the width."""
    if settings.width % settings.heads:
        raise BadInput(
            f"the width {settings.width} does not divide into {settings.heads} heads", where=where,
            value=settings.heads, allowed=f"a divisor of {settings.width}",
        )  # fmt: skip
    return settings
