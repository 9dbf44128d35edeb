"""GPT-1's release of 2018: made files of that layout, weight by weight, and what can be wrong with them."""

import json
from pathlib import Path

import numpy as np
import pytest

from warmstart.base.errors import BadInput
from warmstart.transfer.folder import load_model, load_settings

WIDTH, CONTEXT, VOCAB, LAYERS = 64, 7, 11, 2
SHAPES = [[CONTEXT, WIDTH], [VOCAB, WIDTH]] + LAYERS * [
    [1, WIDTH, 3 * WIDTH], [3 * WIDTH], [1, WIDTH, WIDTH], [WIDTH], [WIDTH], [WIDTH],
    [1, WIDTH, 4 * WIDTH], [4 * WIDTH], [1, 4 * WIDTH, WIDTH], [WIDTH], [WIDTH], [WIDTH],
]  # fmt: skip


@pytest.fixture
def release(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Ten parts of unequal length, as the authors cut them without regard to tensors."""
    numbers = np.random.default_rng(1).normal(size=sum(int(np.prod(s)) for s in SHAPES)).astype(np.float32)
    (tmp_path / "params_shapes.json").write_text(json.dumps(SHAPES))
    for n, part in enumerate(np.array_split(numbers, 10)):
        np.save(tmp_path / f"params_{n}.npy", part)
    return tmp_path, numbers


def test_every_number_is_where_it_belongs(release: tuple[Path, np.ndarray]) -> None:
    """Witness: the row of numbers cut by hand at the places that the shapes say."""
    folder, numbers = release
    size = load_settings(folder).backbone
    assert (size.vocab_size, size.context, size.layers, size.width, size.heads, size.hidden) == (11, 7, 2, 64, 1, 256)
    assert (size.norm, size.activation) == ("post", "gelu_tanh")
    found = load_model(folder).state_dict()
    ours = [
        "attention.qkv.weight", "attention.qkv.bias", "attention.out.weight", "attention.out.bias", "norm1.weight",
        "norm1.bias", "mlp.up.weight", "mlp.up.bias", "mlp.down.weight", "mlp.down.bias", "norm2.weight", "norm2.bias",
    ]  # fmt: skip
    names = ["positions.weight", "tokens.weight", *(f"blocks.{n}.{name}" for n in range(LAYERS) for name in ours)]
    start = 0
    for name, shape in zip(names, SHAPES, strict=True):
        part = numbers[start : (start := start + int(np.prod(shape)))].reshape([n for n in shape if n != 1])
        tensor = found[f"backbone.{name}"].numpy()
        assert np.array_equal(tensor, part.T if tensor.ndim == 2 and len(shape) == 3 else part), name
    assert len(found) == len(names)


def test_damage_is_one_sentence(release: tuple[Path, np.ndarray]) -> None:
    """Bad input: a part that is missing, one that is too short, one of pickled objects, shapes of something else."""
    folder, numbers = release
    part = np.load(folder / "params_9.npy")
    np.save(folder / "params_9.npy", part[:-1])
    with pytest.raises(BadInput, match=f"do not hold as many numbers.*got '{len(numbers) - 1:,}'"):
        load_model(folder)
    np.save(folder / "params_9.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match=r"params_9.npy: not a readable array \(Object arrays cannot be loaded"):
        load_model(folder)
    (folder / "params_9.npy").unlink()
    with pytest.raises(BadInput, match=r"params_9.npy: a part of the weights is missing"):
        load_model(folder)
    (folder / "params_shapes.json").write_text(json.dumps(SHAPES[:-1]))
    with pytest.raises(BadInput, match="not the shapes of a GPT-1; got '23 tensors in layers'"):
        load_model(folder)
