"""Folders of ``sentence-transformers``: a text is read as the mean of its states, with a head behind it where there is one.

Such a folder is a model folder of ``transformers`` and three modules beside it, which ``modules.json`` lists: the
transformer itself, what it reads of a text (``1_Pooling``) and, of ours, the linear of a head (``2_Dense``). The library
loads the whole as one model, which gives a head's numbers for a text. A head that compares two texts is no module of the
library, which gives the vectors that it compares; it stands in ``pair_head``. A model that has learned vectors has length 1
behind them (``2_Normalize``), since all its losses are of cosines.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_json
from warmstart.models.files import WEIGHTS, read_tensors, write_tensors

MODULES, POOLING, DENSE, READER = "modules.json", "1_Pooling", "2_Dense", "sentence_bert_config.json"
NORMALISE = "2_Normalize"
PAIR_HEAD = "pair_head"
CONFIG, TOKENIZER = "config.json", "tokenizer_config.json"
LINEAR = f"{DENSE}.linear"
"""The head's linear among the tensors of such a folder."""
_MODES = {
    "mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "lasttoken": "pooling_mode_lasttoken"
}  # fmt: skip
_OFF = {pooling: {} if pooling == "mean" else {_MODES["mean"]: False} for pooling in _MODES}
"""What the library would take the mean for, where nothing else is said."""


TextPooling = Literal["mean", "cls", "lasttoken"]
POOLINGS: tuple[TextPooling, ...] = ("mean", "cls", "lasttoken")


@dataclass(frozen=True, slots=True)
class SentenceModules:
    """How a folder of sentence-transformers makes the vector of a text.

    Attributes:
        pooling: of the states of its tokens, special tokens among them; empty where it names none or several.
        normalise: whether the vector is brought to length 1.
        length: most tokens that are read; ``None``: as many as the model can.
        lower: whether the text is put in small letters first.
        others: kinds of modules of which the vector is made as well.
    """

    pooling: str = ""
    normalise: bool = False
    length: int | None = None
    lower: bool = False
    others: tuple[str, ...] = ()

    def text_pooling(self, where: str) -> TextPooling:
        """The pooling, where the vector can be made here.

        Raises:
            BadInput: another pooling, or modules that are not known here.
        """
        if self.others or self.pooling not in POOLINGS:
            raise BadInput(
                "this sentence encoder makes its vectors in a way that is not read here", where=where,
                value=", ".join(self.others) or self.pooling or "no single pooling",
                allowed=f"a pooling ({', '.join(POOLINGS)}) and Normalize", next_step="choose a pooling: --pooling mean",
            )  # fmt: skip
        return self.pooling


def read_modules(folder: Path) -> SentenceModules | None:
    """What the files of ``folder`` say; ``None`` where it is no folder of that library.

    Raises:
        BadInput: such a file is damaged.
    """
    modules = _read(folder / MODULES, [])
    if not modules:
        return None
    if not all(isinstance(one, dict) for one in modules):
        raise _damaged(folder / MODULES)
    kinds = {str(one.get("type", "")).rsplit(".", 1)[-1]: str(one.get("path")) for one in modules}
    modes = _read(folder / kinds.get("Pooling", POOLING) / CONFIG, {})
    reader = _read(folder / READER, {})
    others = tuple(kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize"))
    length = reader.get("max_seq_length") or _read(folder / TOKENIZER, {}).get("model_max_length")
    if not isinstance(length, int | float | None):
        raise _damaged(folder / READER)
    return SentenceModules(
        str(modes.get("pooling_mode") or _only_mode(modes)), "Normalize" in kinds, int(length) if length else None,
        bool(reader.get("do_lower_case")), others,
    )  # fmt: skip


def _only_mode(modes: dict[str, Any]) -> str:
    """As the library wrote it before it named one mode: a truth value for each."""
    found = [name for name, on in modes.items() if name.startswith("pooling_mode_") and on]
    return (
        found[0].removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token") if len(found) == 1 else ""
    )


def _read(path: Path, otherwise: Any) -> Any:
    if not path.is_file():
        return otherwise
    found = read_json(path)
    if not isinstance(found, type(otherwise)):
        raise _damaged(path)
    return found


def _damaged(path: Path) -> BadInput:
    return BadInput(
        "a file of sentence-transformers is damaged", where=str(path), next_step="restore the folder from a copy"
    )


def write_modules(folder: Path, width: int, length: int, *, pooling: str, normalise: bool, dense: bool) -> None:
    """Writes what makes the model folder one of sentence-transformers.

    Args:
        folder: of the model.
        width: of its states.
        length: the most tokens that it reads.
        pooling: of the states of a text, as the library calls it.
        normalise: whether vectors are brought to length 1.
        dense: whether a linear reads them (:func:`write_linear`).
    """
    kinds = {"": "Transformer", POOLING: "Pooling"}
    kinds |= ({DENSE: "Dense"} if dense else {}) | ({NORMALISE: "Normalize"} if normalise else {})
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(kinds.items())
    ]
    write_json(folder / MODULES, listed)
    write_json(folder / READER, {"max_seq_length": length, "do_lower_case": False})
    write_json(folder / POOLING / CONFIG, {"word_embedding_dimension": width, _MODES[pooling]: True} | _OFF[pooling])
    if normalise:
        (folder / NORMALISE).mkdir(exist_ok=True)


def write_linear(folder: Path, width: int, head: dict[str, torch.Tensor], *, apart: bool) -> None:
    """Writes the linear of a head.

    Args:
        folder: of the model.
        width: of its states.
        head: "weight" [size, width] and, where it has one, "bias" [size] of the linear that reads the mean.
        apart: whether it reads what is made of the means of two texts.
    """
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
    """Removes what :func:`write_modules` and :func:`write_linear` wrote, where they did."""
    for path in (folder / MODULES, folder / READER):
        path.unlink(missing_ok=True)
    for name in (POOLING, DENSE, NORMALISE, PAIR_HEAD):
        shutil.rmtree(folder / name, ignore_errors=True)


def read_head(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a head's linear, named as :data:`LINEAR`; none where the folder has no head."""
    path = next((folder / name / WEIGHTS for name in (PAIR_HEAD, DENSE) if (folder / name / WEIGHTS).is_file()), None)
    return {} if path is None else {f"{DENSE}.{name}": tensor for name, tensor in read_tensors(path).items()}
