"""GPT-1 as its authors released it in 2018: ten ``.npy`` files of one flat row of numbers, and ``params_shapes.json``.

The row holds the positions, the tokens, then twelve tensors a layer; linears are [1, in, out] (Radford et al. 2018, code).
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.layout import backbone

SHAPES = "params_shapes.json"
PARTS = 10
HEAD_WIDTH = 64
LAYER = (
    "h.{}.attn.c_attn.weight", "h.{}.attn.c_attn.bias", "h.{}.attn.c_proj.weight", "h.{}.attn.c_proj.bias",
    "h.{}.ln_1.weight", "h.{}.ln_1.bias", "h.{}.mlp.c_fc.weight", "h.{}.mlp.c_fc.bias", "h.{}.mlp.c_proj.weight",
    "h.{}.mlp.c_proj.bias", "h.{}.ln_2.weight", "h.{}.ln_2.bias",
)  # fmt: skip


def is_release(folder: Path) -> bool:
    """Whether ``folder`` holds it."""
    return (folder / SHAPES).is_file()


def release_settings(folder: Path) -> TransformerSettings:
    """The sizes that follow from the shapes.

    Raises:
        BadInput: these are not the shapes of a GPT-1.
    """
    positions, tokens, *layers = _shapes(folder)
    if len(layers) % len(LAYER) or not layers:
        raise BadInput(
            "these are not the shapes of a GPT-1", where=str(folder / SHAPES), value=f"{len(layers)} tensors in layers",
            allowed=f"a multiple of {len(LAYER)}",
        )  # fmt: skip
    return backbone(
        vocab_size=tokens[0], context=positions[0], layers=len(layers) // len(LAYER), width=tokens[1],
        heads=max(1, tokens[1] // HEAD_WIDTH), hidden=4 * tokens[1],
    )  # fmt: skip


def release_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The weights under the names of GPT-1's layout in ``transformers``.

    Raises:
        BadInput: a part is missing or no plain array, or there are more or fewer numbers than the shapes say.
    """
    shapes = _shapes(folder)
    numbers = np.concatenate([_part(folder / f"params_{n}.npy") for n in range(PARTS)])
    sizes = [math.prod(shape) for shape in shapes]
    if sum(sizes) != len(numbers):
        raise BadInput(
            f"the parts do not hold as many numbers as {SHAPES} says", where=str(folder), value=f"{len(numbers):,}",
            allowed=f"{sum(sizes):,}", next_step="fetch the folder again",
        )  # fmt: skip
    names = ["positions_embed.weight", "tokens_embed.weight"]
    names += [name.format(layer) for layer in range((len(shapes) - 2) // len(LAYER)) for name in LAYER]
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return {
        name: torch.from_numpy(part.reshape(shape[1:] if len(shape) == 3 else shape).astype(np.float32))
        for name, part, shape in zip(names, parts, shapes, strict=True)
    }


def _shapes(folder: Path) -> list[list[int]]:
    shapes: Any = read_json(folder / SHAPES)
    good = isinstance(shapes, list) and all(isinstance(s, list) and all(isinstance(n, int) for n in s) for s in shapes)
    if not good or len(shapes) < 2 or [len(shape) for shape in shapes[:2]] != [2, 2]:
        raise BadInput(
            "not the shapes of a GPT-1", where=str(folder / SHAPES), value=json.dumps(shapes),
            allowed="a list of shapes, positions and tokens first",
        )  # fmt: skip
    return [list(shape) for shape in shapes]


def _part(path: Path) -> Any:
    if not path.is_file():
        raise BadInput(
            "a part of the weights is missing", where=str(path), allowed=f"params_0.npy to params_{PARTS - 1}.npy"
        )
    try:
        numbers = np.load(path).ravel()
    except (ValueError, OSError, EOFError) as error:
        raise BadInput(f"not a readable array ({error})", where=str(path), next_step="fetch it again") from None
    if numbers.dtype.kind != "f":
        raise BadInput(
            "the array holds no floats", where=str(path), value=str(numbers.dtype), allowed="float32, float16, float64",
            next_step="fetch it again",
        )  # fmt: skip
    return numbers
