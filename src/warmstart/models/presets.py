"""Named sizes. A preset leaves the vocabulary to the tokenizer; its own size is what the paper's counts refer to."""

import re
from typing import Any

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.models.settings import KINDS, BackboneSettings

MODERN: dict[str, Any] = {
    "norm": "pre", "norm_kind": "rms", "norm_eps": 1e-6, "positions": "rotary", "mlp": "gated", "activation": "silu",
    "qk_norm": True, "bias": False, "embedding_dropout": 0.0, "attention_dropout": 0.0, "residual_dropout": 0.0,
}  # fmt: skip

BERT: dict[str, Any] = {
    "sight": "full", "norm": "post", "norm_eps": 1e-12, "embedding_norm": True, "segments": 2, "activation": "gelu",
    "lm_transform": True,
}  # fmt: skip
ENCODER_DECODER: dict[str, Any] = {
    "kind": "encoder-decoder", "norm": "pre", "embedding_norm": True, "activation": "gelu"
}  # fmt: skip
BI_TRANSFORMER: dict[str, Any] = {"kind": "bi-transformer", "norm": "pre", "positions": "sinusoidal"}
LSTM_ENCODER_DECODER: dict[str, Any] = {"kind": "lstm-encoder-decoder"}
NO_DROPOUT: dict[str, Any] = {"embedding_dropout": 0.0, "attention_dropout": 0.0, "residual_dropout": 0.0}

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
        "activation": "gelu",
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
        "activation": "gelu",
        "embedding_dropout": 0.0,
        "attention_dropout": 0.0,
        "residual_dropout": 0.0,
    },
    # Devlin et al. 2018, base: 109,514,298 weights with 30,522 tokens and its head for words. Post-norm and segments, so
    # that the folder is transformers' BERT.
    "bert": BERT | {"vocab_size": 30522, "context": 512, "layers": 12, "width": 768, "heads": 12, "hidden": 3072},
    # For two CPU cores, and for tests.
    "bert-mini": BERT
    | NO_DROPOUT
    | {"vocab_size": 8192, "context": 128, "layers": 4, "width": 256, "heads": 4, "hidden": 1024},
    "bert-tiny": BERT
    | NO_DROPOUT
    | {"vocab_size": 512, "context": 64, "layers": 2, "width": 32, "heads": 2, "hidden": 64},
    # What has become of the same model since: rotary positions, root-mean-square norm, gated feed-forward, shared keys, a
    # norm on queries and keys, no biases (Su et al. 2021, Touvron et al. 2023; the folder is Qwen3's). 106.6M weights.
    "modern": MODERN
    | {"vocab_size": 40478, "context": 512, "layers": 12, "width": 768, "heads": 12, "kv_heads": 4, "hidden": 2048},
    "modern-mini": MODERN
    | {"vocab_size": 8192, "context": 256, "layers": 6, "width": 384, "heads": 6, "kv_heads": 2, "hidden": 1024},
    "modern-micro": MODERN
    | {"vocab_size": 4096, "context": 128, "layers": 4, "width": 256, "heads": 4, "kv_heads": 2, "hidden": 704},
    # Dai and Le 2015, section 4: 1,024 cells, embeddings of 512; what drops out is a recipe's, task by task.
    "lstm": {"kind": "lstm", "vocab_size": 30000, "width": 1024, "embedding_width": 512},
    # Radford et al. 2018, table 5: one layer of 2,048 cells in GPT-1's place; its token table serves the softmax.
    "lstm-gpt1": {
        "kind": "lstm",
        "vocab_size": 40478,
        "context": 512,
        "width": 768,
        "cells": 2048,
        "tied": True,
        "embedding_dropout": 0.1,
        "output_dropout": 0.1,
    },
    # After Merity et al. 2017 as Howard and Ruder 2018 (section 4.1) use it: three layers, tied, everything drops out; each
    # layer is projected to 400 (theirs: the last has 400 cells), and so all are alike.
    "lstm-awd": {
        "kind": "lstm",
        "vocab_size": 30000,
        "context": 1050,
        "layers": 3,
        "width": 400,
        "cells": 1150,
        "tied": True,
        "bptt": 70,
        "word_dropout": 0.05,
        "embedding_dropout": 0.4,
        "layer_dropout": 0.3,
        "output_dropout": 0.4,
        "weight_dropout": 0.5,
    },
    # For two CPU cores, as gpt1-mini is.
    "lstm-mini": {
        "kind": "lstm",
        "vocab_size": 8192,
        "context": 400,
        "width": 512,
        "embedding_width": 256,
        "init_std": 0.08,
    },
    # For tests.
    "lstm-tiny": {
        "kind": "lstm",
        "vocab_size": 512,
        "context": 64,
        "width": 32,
        "embedding_width": 24,
        "init_std": 0.1,
    },
    # Vaswani et al. 2017, base, as mBART has its parts (so the folder is an mBART): positions are learned, norms come first
    # and one stands on the embeddings. 63,610,880 weights with their 37,000 tokens.
    "encoder-decoder": ENCODER_DECODER
    | {"vocab_size": 37000, "context": 512, "layers": 6, "width": 512, "heads": 8, "hidden": 2048},
    # For two CPU cores.
    "encoder-decoder-mini": ENCODER_DECODER
    | {"vocab_size": 8192, "context": 128, "layers": 3, "width": 256, "heads": 4, "hidden": 1024},
    # For tests.
    "encoder-decoder-tiny": ENCODER_DECODER
    | NO_DROPOUT
    | {"vocab_size": 512, "context": 64, "layers": 2, "width": 32, "heads": 2, "hidden": 64},
    # Ramachandran et al. 2016, translation: three layers, the first of 4,096 cells projected to 1,024; those above it are
    # 1,024 wide (theirs 1,000), so that they can be added to the first.
    "lstm-encoder-decoder": LSTM_ENCODER_DECODER
    | {
        "vocab_size": 90000,
        "context": 512,
        "layers": 3,
        "width": 1024,
        "cells": 4096,
        "upper_cells": 1024,
        "embedding_dropout": 0.2,
        "layer_dropout": 0.2,
        "output_dropout": 0.2,
    },
    # For two CPU cores: the first layer and the tables are lstm-mini's.
    "lstm-encoder-decoder-mini": LSTM_ENCODER_DECODER
    | {"vocab_size": 8192, "context": 128, "layers": 2, "width": 512, "embedding_width": 256, "init_std": 0.08},
    # For tests.
    "lstm-encoder-decoder-tiny": LSTM_ENCODER_DECODER
    | {"vocab_size": 512, "context": 64, "layers": 2, "width": 32, "embedding_width": 24, "init_std": 0.1},
    # Edunov et al. 2019, as their released code has it: two towers of 12 layers, embeddings times √width. Without its key
    # and value for nothing in the towers' attention, and without dropout after ReLU.
    "bilm": BI_TRANSFORMER
    | {
        "vocab_size": 37000,
        "context": 512,
        "layers": 12,
        "width": 1024,
        "heads": 16,
        "hidden": 4096,
        "activation": "relu",
        "embedding_scale": 32.0,
    },
    # For two CPU cores.
    "bilm-mini": BI_TRANSFORMER
    | NO_DROPOUT
    | {"vocab_size": 8192, "context": 128, "layers": 3, "width": 256, "heads": 4, "hidden": 1024, "activation": "gelu"},
    # For tests.
    "bilm-tiny": BI_TRANSFORMER
    | NO_DROPOUT
    | {"vocab_size": 512, "context": 64, "layers": 2, "width": 32, "heads": 2, "hidden": 64},
    "gpt1-tiny": {"vocab_size": 512, "context": 64, "layers": 2, "width": 32, "heads": 2, "hidden": 64},
}


PUBLISHED = re.compile(r"(?:m?bart|(?:m|by)?t5|flan|pegasus|marian|led|prophetnet|nllb)(?![a-z])", re.IGNORECASE)
"""How the names of published encoder-decoders begin."""


def preset(name: str, **changes: Any) -> BackboneSettings:
    """The settings called ``name`` with some fields changed.

    Raises:
        BadInput: no such preset, a size that its kind does not have, or sizes that do not fit together.
    """
    if name not in PRESETS and PUBLISHED.match(name):
        raise BadInput(
            "a published encoder-decoder, and no preset", where="--model", value=name, allowed=", ".join(sorted(PRESETS)),
            next_step=f"start from it with --start OWNER/{name}, or train one anew with --model encoder-decoder-mini",
        )  # fmt: skip
    if name not in PRESETS:
        raise unknown_name_error("model preset", name, PRESETS, "--model")
    return change_settings(PRESETS[name], changes)


def change_settings(base: dict[str, Any], changes: dict[str, Any]) -> BackboneSettings:
    """The settings ``base`` with some fields changed.

    Raises:
        BadInput: a size that a backbone of this kind does not have, or sizes that do not fit together.
    """
    found = KINDS[base.get("kind", "transformer")]
    for field, value in changes.items():
        if field not in found.model_fields:
            raise BadInput(
                f"{found.NOUN} has no such size", where=f"model.{field}", value=value,
                allowed=", ".join(sorted(found.model_fields.keys() - {"kind"})),
            )  # fmt: skip
    return found.model_validate(base | changes).check()
