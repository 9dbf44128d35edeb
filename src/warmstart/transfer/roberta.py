"""RoBERTa (Liu et al. 2019), XLM-R (Conneau et al. 2020) and CamemBERT (Martin et al. 2020): one architecture.

As ``transformers`` lays them out, positions are counted from the id of the padding token plus 1, so the first two rows of
their table serve no token; and the table of segments has one row, which every token gets. Both are folded into our
positions: theirs[2:] + segment.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.bert import BLOCK, KEYS, POOLER, TOKENS, encoder, heads
from warmstart.transfer.layout import (
    Config,
    Key,
    Layout,
    Name,
    Tensors,
    detect_parts,
    linear,
    only,
    read_keys,
    their_activation,
    write_keys,
)

PAD = 1
UNUSED = PAD + 1  # rows of positions that no token has
SIZES = tuple(key for key in KEYS if key.ours not in ("context", "segments"))


@dataclass(frozen=True, slots=True)
class Positions(Name):
    """Our positions from theirs and, where there is one, the one row that is added to every token."""

    def take(self, found: Tensors) -> torch.Tensor:
        """Ours, from theirs."""
        positions, *segment = (found[name] for name in self.theirs)
        return positions[UNUSED:].float() + segment[0].float() if segment else positions[UNUSED:]

    def give(self, ours: torch.Tensor, rows: Iterable[int]) -> dict[str, torch.Tensor]:
        """Theirs, from ours, with nothing to add."""
        unused = ours.new_zeros(UNUSED, ours.shape[1])
        parts = (torch.cat([unused, ours]), unused[:1].clone())
        return dict(zip(self.theirs, parts[: len(self.theirs)], strict=True))


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"pad_token_id": PAD, "type_vocab_size": 1})
    if detect_parts(names)["lm_transform"]:
        only(config, {"hidden_act": "gelu"})  # the head for words has it always
    return encoder(config, names, context_of(config, SIZES) | {"segments": 0})


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return encoder_config(settings) | {"type_vocab_size": 1}


def context_of(config: Config, sizes: Iterable[Key]) -> dict[str, Any]:
    """The values of ``sizes``, and the context without the rows of positions that no token has."""
    context = int(read_keys(config, [key for key in KEYS if key.ours == "context"])["context"])
    return read_keys(config, sizes) | {"context": context - UNUSED}


def encoder_config(settings: TransformerSettings) -> dict[str, Any]:
    """The same the other way, with the activation."""
    return write_keys(settings, SIZES) | {
        "max_position_embeddings": settings.context + UNUSED,
        "hidden_act": their_activation(settings.activation),
    }


POSITIONS = Positions(
    "positions.weight", ("embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight")
)
WORDS = (
    *linear("lm_transform.linear", "lm_head.dense", outer=True),
    *linear("lm_transform.norm", "lm_head.layer_norm", outer=True),
    Name("lm_transform.bias", ("lm_head.bias",), outer=True, twins=("lm_head.decoder.bias",)),
)
WORDS_TIED = ("position_ids", "lm_head.decoder.weight", "lm_head.decoder.bias")


def _layout(model_type: str, model: str) -> Layout:
    return Layout(
        model_type=model_type,
        settings=_settings,
        config=_config,
        names=(
            TOKENS,
            POSITIONS,
            *linear("embedding_norm", "embeddings.LayerNorm"),
            *BLOCK,
            *WORDS,
        ),
        prefix="roberta.",
        language_model=f"{model}ForMaskedLM",
        heads=heads(model, linear("pooler", "classifier.dense", outer=True), "classifier.out_proj", choice=POOLER),
        ignored=WORDS_TIED,
        base=f"{model}Model",
        pooler=POOLER,
        pad_id=PAD,
    )


ROBERTA = _layout("roberta", "Roberta")
XLM_R = _layout("xlm-roberta", "XLMRoberta")
CAMEMBERT = _layout("camembert", "Camembert")
