"""The model folder: ``config.json`` and ``model.safetensors`` (float32). Nothing here is ever read with pickle.

Everything that could be wrong with such a folder is found before a weight is used: a missing or truncated file, an
unknown or impossible setting, a missing, extra or misshapen tensor.
"""

import os
import re
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, read_json, write_json
from warmstart.models.model import Model
from warmstart.models.presets import check
from warmstart.models.settings import ModelSettings

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save_model(model: Model, folder: Path) -> None:
    """Writes settings and weights; ``folder`` is made where needed."""
    write_json(folder / CONFIG, {"model_type": "warmstart", **model.settings.model_dump()})
    save_weights(model, folder / WEIGHTS)


def save_weights(model: Model, path: Path) -> None:
    """Writes the weights alone, as float32, atomically."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.tmp")
        try:
            write_tensors(part, {name: tensor.float() for name, tensor in model.state_dict().items()})
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Writes a safetensors file; an error of the disk is an ``OSError`` as anywhere else."""
    try:
        save_file({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, path, metadata={"format": "pt"})
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> Model:
    """The model in ``folder``, in evaluation mode.

    Raises:
        BadInput: there is none, or a file is damaged or does not fit the others.
    """
    model = Model(load_settings(folder))
    load_weights(model, Path(folder) / WEIGHTS)
    return model.to(dtype).eval()


def load_settings(folder: Path) -> ModelSettings:
    """The settings in ``folder/config.json``."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise BadInput(
            "no model here",
            where=str(folder),
            next_step=f"give a run or a model folder (it holds {CONFIG} and {WEIGHTS})",
        )
    raw = read_json(path)
    if not isinstance(raw, dict) or raw.pop("model_type", None) != "warmstart":
        raise BadInput("not a warmstart model", where=str(path), next_step="give a folder that warmstart wrote")
    try:
        settings = ModelSettings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"impossible model setting {field!r}: {first['msg']}", where=str(path), value=first["input"]
        ) from None
    check(settings.backbone, str(path))
    return settings


def load_weights(model: Model, path: Path) -> None:
    """Copies the tensors in ``path`` into ``model``, all of them and nothing else."""
    found = read_tensors(path)
    expected = model.state_dict()
    for name, tensor in expected.items():
        if name not in found:
            raise BadInput(
                f"the weight {name!r} is missing", where=str(path), next_step="the file belongs to another config.json"
            )
        if found[name].shape != tensor.shape:
            raise BadInput(
                f"the weight {name!r} has another shape than config.json says", where=str(path),
                value=tuple(found[name].shape), allowed=str(tuple(tensor.shape)),
            )  # fmt: skip
    extra = sorted(set(found) - set(expected))
    if extra:
        raise BadInput(f"the weight {extra[0]!r} has no place in this model", where=str(path))
    with torch.no_grad():
        for name, tensor in expected.items():
            tensor.copy_(found[name])


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file; a missing or damaged file is a :class:`BadInput`."""
    if not Path(path).is_file():
        raise BadInput("weights file not found", where=str(path), next_step="check the path, or finish the run first")
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(
            f"the weights file is damaged ({error})", where=str(path), next_step="restore it from a copy or run again"
        ) from None
