"""A start from word vectors alone: rows of the token table are taken from a file, all else is newly made.

Dai and Le 2015 (tables 2 and 4) call it the LSTM initialised with word2vec embeddings.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings
from warmstart.transfer.start import WeightAccount


def check_width(vectors: Mapping[int, NDArray[np.float32]], size: BackboneSettings, where: str) -> None:
    """Refuses vectors that are not as wide as the token table, and a model that has none."""
    if not size.has_token_table:
        raise BadInput(
            "a model that reads characters has no place for word vectors", where=where, allowed="a model with a token table",
            next_step="leave model.characters out, or the vectors",
        )  # fmt: skip
    width = len(next(iter(vectors.values())))
    if width != size.table_width:
        raise BadInput(
            "the vectors are not as wide as the model's embeddings", where=where, value=width, allowed=str(size.table_width),
            next_step=f"add --set model.{size.TABLE_WIDTH}={width}",
        )  # fmt: skip


def start_from_vectors(model: Model, vectors: Mapping[int, NDArray[np.float32]]) -> WeightAccount:
    """Writes ``vectors`` (row of the token table → [E]) into a freshly drawn float32 ``model``, in place."""
    table = model.backbone.tokens.weight
    with torch.no_grad():
        for row, vector in vectors.items():
            table[row] = torch.from_numpy(vector)
    taken = len(vectors) * table.shape[1]
    name = next(name for name, parameter in model.named_parameters() if parameter is table)
    rest = [other for other in model.state_dict() if other != name]
    made = [f"{name}[{len(table) - len(vectors):,} rows]", *rest]
    return WeightAccount([f"{name}[{len(vectors):,} rows]"], made, [], taken, model.num_parameters - taken)
