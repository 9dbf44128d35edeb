"""Named sizes. A preset leaves the vocabulary to the tokenizer; its own size is what the paper's counts refer to."""

from typing import Any, TypeVar

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.models.settings import KINDS, BackboneSettings, LSTMSettings, TransformerSettings

S = TypeVar("S", bound=BackboneSettings)

MODERN: dict[str, Any] = {
    "norm": "pre", "norm_kind": "rms", "norm_eps": 1e-6, "positions": "rotary", "mlp": "gated", "activation": "silu",
    "qk_norm": True, "bias": False, "embedding_dropout": 0.0, "attention_dropout": 0.0, "residual_dropout": 0.0,
}  # fmt: skip

BERT: dict[str, Any] = {
    "sight": "full", "norm": "post", "norm_eps": 1e-12, "embedding_norm": True, "segments": 2, "activation": "gelu",
    "lm_transform": True,
}  # fmt: skip
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
    "gpt1-tiny": {"vocab_size": 512, "context": 64, "layers": 2, "width": 32, "heads": 2, "hidden": 64},
}


def preset(name: str, **changes: Any) -> BackboneSettings:
    """The settings called ``name`` with some fields changed.

    Raises:
        BadInput: no such preset, a size that its kind does not have, or sizes that do not fit together.
    """
    if name not in PRESETS:
        raise unknown_name_error("model preset", name, PRESETS, "--model")
    return change_settings(PRESETS[name], changes)


def change_settings(base: dict[str, Any], changes: dict[str, Any]) -> BackboneSettings:
    """The settings ``base`` with some fields changed.

    Raises:
        BadInput: a size that a backbone of this kind does not have, or sizes that do not fit together.
    """
    kind = base.get("kind", "transformer")
    for field, value in changes.items():
        if field not in KINDS[kind].model_fields:
            raise BadInput(
                f"an {kind} has no such size" if kind == "lstm" else f"a {kind} has no such size",
                where=f"model.{field}", value=value, allowed=", ".join(sorted(KINDS[kind].model_fields.keys() - {"kind"})),
            )  # fmt: skip
    return check_sizes(KINDS[kind].model_validate(base | changes))


def check_sizes(settings: S, where: str = "") -> S:
    """``settings``, if its parts fit together.

    Args:
        settings: of a backbone.
        where: the file that they stand in, if they come from one.

    Raises:
        BadInput: heads that do not divide the width, shared keys that do not divide the heads, positions that two
            choices want differently, a softmax by a table of another width, or a projection that makes nothing smaller.
    """
    if isinstance(settings, LSTMSettings):
        _check_lstm(settings, where)
    else:
        _check_transformer(settings, where or "model.heads")
    return settings


def _check_lstm(settings: LSTMSettings, where: str) -> None:
    if settings.tied and settings.table_width != settings.width:
        raise BadInput(
            "a softmax that uses the token table needs embeddings as wide as the states", where=where or "model.tied",
            value=f"{settings.table_width} and {settings.width}", allowed="the same width, or tied false",
            next_step="set model.embedding_width to the width, or model.tied to false",
        )  # fmt: skip
    if settings.num_cells < settings.width:
        raise BadInput(
            "an LSTM needs at least as many cells as its states are wide", where=where or "model.cells",
            value=settings.num_cells, allowed=f"{settings.width} or more",
            next_step="raise model.cells, or lower model.width",
        )  # fmt: skip


def _check_transformer(settings: TransformerSettings, where: str) -> None:
    if settings.head_width is None and settings.width % settings.heads:
        raise BadInput(
            f"the width {settings.width} does not divide into {settings.heads} heads", where=where,
            value=settings.heads, allowed=f"a divisor of {settings.width}", next_step="change --heads or --width",
        )  # fmt: skip
    if settings.heads % settings.key_heads:
        raise BadInput(
            f"{settings.heads} attention heads cannot share {settings.key_heads} heads of keys and values evenly",
            where=where, value=settings.key_heads, allowed=f"a divisor of {settings.heads}",
            next_step="change kv_heads or heads",
        )  # fmt: skip
    if settings.positions == "rotary" and settings.per_head % 2:
        raise BadInput(
            "rotary positions need heads of an even width", where=where, value=f"heads of {settings.per_head}",
            allowed="an even width per head", next_step="change head_width, or width and heads",
        )  # fmt: skip
    if settings.relative_bins % 4 or settings.relative_bins >= 4 * settings.relative_distance:
        raise BadInput(
            "this number of bins of distance cannot be divided into two directions of near and far ones", where=where,
            value=settings.relative_bins, allowed=f"a multiple of 4 below {4 * settings.relative_distance}",
            next_step="change relative_bins or relative_distance",
        )  # fmt: skip
    if settings.embedding_width and (settings.joint_table or not settings.tied):
        raise BadInput(
            "embeddings of another width than the states need a tied softmax and no joint table", where=where,
            value=f"tied {settings.tied}, joint table {settings.joint_table}", allowed="tied true, joint table false",
            next_step="leave embedding_width out, or change the two",
        )  # fmt: skip
    if max(settings.text_segments) >= max(2, settings.segments):
        raise BadInput(
            "a text has a segment that the segment table does not have", where=where, value=settings.text_segments,
            allowed=f"0 to {settings.segments - 1}", next_step="change text_segments or segments",
        )  # fmt: skip
    if settings.joint_table and (settings.positions == "rotary" or not settings.tied):
        raise BadInput(
            "one matrix for tokens and positions needs learned positions and a tied softmax", where=where,
            value=f"positions {settings.positions}, tied {settings.tied}", allowed="positions learned, tied true",
            next_step="set joint_table to false, or change the two",
        )  # fmt: skip
