"""By which products a model makes vectors: what is fast on this processor and near enough to float32.

Numbers of a vector of length 1 are below 1: split products, exact to 5e-6 of the largest result, keep their fifth decimal.
Where bfloat16 is asked for, a processor with AMX computes in float32 with rounded products: MiniLM's vectors are then 1.1e-3
from float32's, with states in bfloat16 3e-3. Norms make smaller what the layers before them lose, so the last ones lose most
and are split: 0.8e-3.
"""

import torch

from warmstart.decode.packed import Packed, layer_parts, pack_parts, product, reading_product, rounding_product
from warmstart.models import kernels
from warmstart.models.model import Model
from warmstart.train.precision import default_device

SPLIT_SHARE = 6  # of so many layers the last is split where the others are rounded


def rounds(precision: str) -> bool:
    """Whether a model that is asked for in ``precision`` is a float32 one with rounded products here."""
    return precision == "bf16" and kernels.splits(torch.float32, default_device(), kernels.EVEN)


def plain_products(model: Model, rows: int, *, short: bool) -> list[Packed]:
    """The products of a model in its own number format; ``short`` vectors have length 1."""
    return pack_parts(layer_parts(model), rows, reading_product if short else product)


def rounded_products(model: Model, rows: int) -> list[Packed]:
    """The products of a float32 model, rounded to bfloat16 but for those of the last layers."""
    parts, layers = layer_parts(model), model.backbone.units()
    num_split = -(-len(layers) // SPLIT_SHARE)
    last = {part for layer in layers[len(layers) - num_split :] for part in layer.modules()}
    return [
        *pack_parts((part for part in parts if part not in last), rows, rounding_product),
        *pack_parts((part for part in parts if part in last), rows, reading_product),
    ]
