"""UniLM v1, v1.2 (Dong et al. 2019) and v2 (Bao et al. 2020): BERT with six segments and, in v2, biases of distances.

``transformers`` has no class for them; a folder is the authors' config, with ``model_type: unilm``, beside safetensors.
Files of v2 keep queries, keys and values in one matrix, and no bias for keys: a bias that is the same for all keys of a
query changes no softmax, so it is 0 here. What is written has BERT's names, which the authors' code reads too.
"""

from collections.abc import Collection
from typing import Any

import torch

from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.bert import BLOCK, EMBEDDINGS, KEYS, POOLER, TIED, WORDS, encoder, heads
from warmstart.transfer.layout import Config, Key, Layout, Name, read_keys, their_activation, write_keys

FUSED = ".qkv_linear.weight"
SIZES = (
    *(key for key in KEYS if key.ours != "segments"),
    Key("segments", "type_vocab_size", 6),
    Key("relative_bins", "rel_pos_bins", 0),
    Key("relative_distance", "max_rel_pos", 128),
)


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    texts = (config.get("source_type_id", 0), config.get("target_type_id", 1))
    return encoder(config, names, read_keys(config, SIZES) | {"text_segments": texts})


def _config(settings: TransformerSettings) -> dict[str, Any]:
    source, target = settings.text_segments
    return write_keys(settings, SIZES) | {
        "hidden_act": their_activation(settings.activation),
        "source_type_id": source,
        "target_type_id": target,
    }


def split_joint_projections(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a file with joint projections taken apart, and the biases of distances where v1's names end."""
    made: dict[str, torch.Tensor] = {}
    for name, tensor in found.items():
        if name.endswith(FUSED):
            place = name.removesuffix(FUSED)
            made |= {f"{place}.{part}.weight": rows for part, rows in zip(_PARTS, _thirds(tensor), strict=True)}
            made[f"{place}.key.bias"] = tensor.new_zeros(len(tensor) // 3)
        elif name.endswith((".q_bias", ".v_bias")):
            place, _, part = name.rpartition(".")
            made[f"{place}.{_BIASES[part]}.bias"] = tensor.reshape(-1)
        else:
            made[name.replace("encoder.rel_pos_bias.", "rel_pos_bias.")] = tensor
    return made


_PARTS = ("query", "key", "value")
_BIASES = {"q_bias": "query", "v_bias": "value"}


def _thirds(joint: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Rows of queries, keys and values; what does not divide goes to the last, whose shape is then refused."""
    size = len(joint) // 3
    return joint[:size], joint[size : 2 * size], joint[2 * size :]


LAYOUT = Layout(
    model_type="unilm",
    settings=_settings,
    config=_config,
    names=(
        *EMBEDDINGS,
        Name("relative.table.weight", ("rel_pos_bias.weight",), transposed=True),
        *BLOCK,
        *WORDS,
    ),
    prefix="bert.",
    language_model="UnilmForMaskedLM",
    heads=heads("Unilm", POOLER),
    ignored=TIED,
    base="UnilmModel",
    pooler=POOLER,
    today=split_joint_projections,
)
