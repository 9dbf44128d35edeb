"""RoBERTa (Liu et al. 2019) and XLM-R (Conneau et al. 2020) as ``transformers`` lays them out: one architecture.

Positions are counted from the id of the padding token plus 1, so the first two rows of their table serve no token; and the
table of segments has one row, which every token gets. Both are folded into our positions: theirs[2:] + segment.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.bert import BLOCK, KEYS, POOLER, TOKENS, encoder, heads
from warmstart.transfer.layout import (
    Config,
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
    """Our positions from theirs and the one row that is added to every token."""

    def take(self, found: Tensors) -> torch.Tensor:
        """Ours, from theirs."""
        positions, segment = (found[name] for name in self.theirs)
        return positions[UNUSED:] + segment

    def give(self, ours: torch.Tensor, rows: Iterable[int]) -> dict[str, torch.Tensor]:
        """Theirs, from ours, with nothing to add."""
        unused = ours.new_zeros(UNUSED, ours.shape[1])
        return dict(zip(self.theirs, (torch.cat([unused, ours]), unused[:1].clone()), strict=True))


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"pad_token_id": PAD, "type_vocab_size": 1})
    if detect_parts(names)["lm_transform"]:
        only(config, {"hidden_act": "gelu"})  # the head for words has it always
    context = int(read_keys(config, [key for key in KEYS if key.ours == "context"])["context"])
    return encoder(config, names, read_keys(config, SIZES) | {"segments": 0, "context": context - UNUSED})


def _config(settings: TransformerSettings) -> dict[str, Any]:
    return write_keys(settings, SIZES) | {
        "max_position_embeddings": settings.context + UNUSED,
        "type_vocab_size": 1,
        "hidden_act": their_activation(settings.activation),
    }


def _layout(model_type: str, model: str) -> Layout:
    return Layout(
        model_type=model_type,
        settings=_settings,
        config=_config,
        names=(
            TOKENS,
            Positions(
                "positions.weight",
                ("embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"),
            ),
            *linear("embedding_norm", "embeddings.LayerNorm"),
            *BLOCK,
            *linear("lm_transform.linear", "lm_head.dense", outer=True),
            *linear("lm_transform.norm", "lm_head.layer_norm", outer=True),
            Name("lm_transform.bias", ("lm_head.bias",), outer=True, twins=("lm_head.decoder.bias",)),
        ),
        prefix="roberta.",
        language_model=f"{model}ForMaskedLM",
        heads=heads(model, linear("pooler", "classifier.dense", outer=True), "classifier.out_proj", choice=POOLER),
        ignored=("position_ids", "lm_head.decoder.weight", "lm_head.decoder.bias"),
        base=f"{model}Model",
        pooler=POOLER,
        pad_id=PAD,
    )


ROBERTA = _layout("roberta", "Roberta")
XLM_R = _layout("xlm-roberta", "XLMRoberta")
