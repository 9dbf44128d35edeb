"""Folders of ``sentence-transformers``: a text is read as the mean of its states, with a head behind it where there is one.

Such a folder is a model folder of ``transformers`` and three modules beside it, which ``modules.json`` lists: the
transformer itself, what it reads of a text (``1_Pooling``) and, of ours, the linear of a head (``2_Dense``). The library
loads the whole as one model, which gives a head's numbers for a text. A head that compares two texts is no module of the
library, which gives the vectors that it compares; it stands in ``pair_head``.
"""

import shutil
from pathlib import Path
from typing import Any

import torch

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_json
from warmstart.models.files import WEIGHTS, read_tensors, write_tensors

MODULES, POOLING, DENSE, READER = "modules.json", "1_Pooling", "2_Dense", "sentence_bert_config.json"
PAIR_HEAD = "pair_head"
CONFIG = "config.json"
LINEAR = f"{DENSE}.linear"
"""The head's linear among the tensors of such a folder."""
_MEAN = "pooling_mode_mean_tokens"


def reads_mean(folder: Path) -> bool:
    """Whether the model in ``folder`` reads a text as the mean of its tokens' states, and as nothing else.

    Raises:
        BadInput: the file that says so is damaged.
    """
    modules = _read(folder / MODULES, [])
    paths = [str(one.get("path")) for one in modules if str(one.get("type", "")).endswith(".Pooling")]
    modes = _read(folder / paths[0] / CONFIG, {}) if paths else {}
    return str(modes.get("pooling_mode", "mean" if _only_mean(modes) else "")) == "mean"


def _only_mean(modes: dict[str, Any]) -> bool:
    """As the library wrote it before it named one mode: a truth value for each."""
    return [name for name, on in modes.items() if name.startswith("pooling_mode_") and on] == [_MEAN]


def _read(path: Path, otherwise: Any) -> Any:
    if not path.is_file():
        return otherwise
    found = read_json(path)
    if not isinstance(found, type(otherwise)):
        raise BadInput(
            "a file of sentence-transformers is damaged", where=str(path), next_step="restore the folder from a copy"
        )
    return found


def write_modules(folder: Path, width: int, length: int, head: dict[str, torch.Tensor], *, apart: bool) -> None:
    """Writes what makes the model folder one of sentence-transformers.

    Args:
        folder: of the model.
        width: of its states.
        length: the most tokens that it reads.
        head: "weight" [size, width] and, where it has one, "bias" [size] of the linear that reads the mean.
        apart: whether it reads what is made of the means of two texts.
    """
    kinds = {"": "Transformer", POOLING: "Pooling"} | ({} if apart else {DENSE: "Dense"})
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(kinds.items())
    ]
    write_json(folder / MODULES, listed)
    write_json(folder / READER, {"max_seq_length": length, "do_lower_case": False})
    write_json(folder / POOLING / CONFIG, {"word_embedding_dimension": width, _MEAN: True})
    place = folder / (PAIR_HEAD if apart else DENSE)
    place.mkdir(parents=True, exist_ok=True)
    write_tensors(place / WEIGHTS, {f"linear.{name}": tensor for name, tensor in head.items()})
    if apart:
        return
    dense = {
        "in_features": width, "out_features": len(head["weight"]), "bias": "bias" in head,
        "activation_function": "torch.nn.modules.linear.Identity",
    }  # fmt: skip
    write_json(place / CONFIG, dense)


def remove_modules(folder: Path) -> None:
    """Removes what :func:`write_modules` wrote, where it did."""
    for path in (folder / MODULES, folder / READER):
        path.unlink(missing_ok=True)
    for name in (POOLING, DENSE, PAIR_HEAD):
        shutil.rmtree(folder / name, ignore_errors=True)


def read_head(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a head's linear, named as :data:`LINEAR`; none where the folder has no head."""
    path = next((folder / name / WEIGHTS for name in (PAIR_HEAD, DENSE) if (folder / name / WEIGHTS).is_file()), None)
    return {} if path is None else {f"{DENSE}.{name}": tensor for name, tensor in read_tensors(path).items()}
