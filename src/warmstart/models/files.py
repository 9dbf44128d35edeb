"""Files of weights: safetensors, float32. Nothing here is ever read with pickle.

Everything that could be wrong with such a file is found before a weight is used: missing or truncated, a missing, extra or
misshapen tensor.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from warmstart.base.errors import BadInput
from warmstart.base.files import check_no_pointer, disk_errors, mode_of_umask, read_json, sync
from warmstart.base.old_names import parameter_name
from warmstart.models.model import Model

_NOTE = "warmstart"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
RESAVE = (
    'where you trust it, in that folder: python -c "import torch, safetensors.torch as s; '
    "s.save_file({{k: v.clone() for k, v in torch.load('{pickle}', weights_only=True).items()}}, '{weights}')\""
)
RESAVE_PARTS = (
    "save them again where you trust them: AutoModelForMaskedLM or AutoModelForCausalLM"
    ".from_pretrained({source}).save_pretrained(NEW)"
)
ONE_PICKLE = ("pytorch_model.bin", "model.pt", "model.pth", "model.ckpt")
PICKLES = (*ONE_PICKLE, "pytorch_model.bin.index.json", "tf_model.h5")


def save_weights(model: Model, path: Path) -> None:
    """Writes the weights alone, as float32, atomically."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.tmp")
        try:
            write_tensors(part, {name: tensor.float() for name, tensor in model.state_dict().items()})
            sync(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], note: str = "") -> None:
    """Writes a safetensors file, with a ``note`` in its head; an error of the disk is an ``OSError`` as anywhere else."""
    metadata = {_NOTE: note} if note else {"format": "pt"}  # one key: the library writes several in no fixed order
    try:
        with mode_of_umask(path):  # the library's own would hide the file from everyone else
            save_file({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, path, metadata=metadata)
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error


def missing(name: str, where: str) -> BadInput:
    """The error for a tensor that is not there."""
    return BadInput(f"the weight {name!r} is missing", where=where, next_step="the file belongs to another config.json")


def misshapen(name: str, found: torch.Tensor, expected: torch.Tensor, where: str) -> BadInput:
    """The error for a tensor of another shape than the settings say, with both shapes."""
    return BadInput(
        f"the weight {name!r} has another shape than config.json says", where=where, value=tuple(found.shape),
        allowed=str(tuple(expected.shape)),
    )  # fmt: skip


def pickled(where: str, next_step: str) -> BadInput:
    """The error for weights that only a pickle holds."""
    return BadInput(
        "these weights are not safetensors, and a pickle can run any code, so it is not read", where=where,
        allowed=WEIGHTS, next_step=next_step,
    )  # fmt: skip


def weights_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder: one, or those that an index names.

    Raises:
        BadInput: there are none; where there are pickles instead, the way to get safetensors.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        index = read_json(folder / INDEX)
        names = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(names, dict) or not names:
            raise BadInput("the index of the weights is damaged", where=str(folder / INDEX))
        return [folder / name for name in sorted({Path(str(name)).name for name in names.values()})]
    for name in PICKLES:
        if (folder / name).is_file():
            how = RESAVE if name in ONE_PICKLE else RESAVE_PARTS
            raise pickled(str(folder / name), how.format(pickle=name, weights=WEIGHTS, source="…"))
    raise BadInput(
        "weights file not found", where=str(folder / WEIGHTS), next_step="check the path, or finish the run first"
    )


def tensor_names(folder: Path) -> set[str]:
    """The names of all tensors in a model folder; reads no weights."""
    names: set[str] = set()
    for path in weights_files(folder):
        with _open(path) as file:
            names.update(file.keys())
    return names


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name → shape of each tensor in a safetensors file; reads no weights."""
    with _open(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 not a dict


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file; a missing or damaged file is a :class:`BadInput`."""
    with _open(path) as file:
        return {parameter_name(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict


def read_note(path: Path) -> str:
    """The note in the head of a safetensors file, or nothing; a missing or damaged file is a :class:`BadInput`."""
    with _open(path) as file:
        return str((file.metadata() or {}).get(_NOTE, ""))


def digest_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names and values, in whatever order they are."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _open(path: Path) -> safe_open:
    if not Path(path).is_file():
        raise BadInput("weights file not found", where=str(path), next_step="check the path, or finish the run first")
    check_no_pointer(Path(path))
    try:
        return safe_open(str(path), framework="pt")
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(
            f"the weights file is damaged ({error})", where=str(path), next_step="restore it from a copy or run again"
        ) from None
