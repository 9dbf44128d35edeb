"""The tensors of a model folder: their names, whether they are plain numbers, and how they come into a model.

Codes of quantised weights are refused, and so are weights that are no number: both would be read without a complaint, and
every answer would be nonsense.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from warmstart.base.errors import BadInput
from warmstart.models.files import misshapen, missing, read_tensors, weights_files
from warmstart.models.model import Model
from warmstart.transfer.layout import Name, Tensors

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
DEQUANTISE = (
    "take the model that they were made from (--scheme lora trains little of it), or save them again dequantised, "
    "from_pretrained(…).dequantize().save_pretrained(NEW) in transformers, where their library runs"
)
COMPILED, PARALLEL = "_orig_mod.", "module."
"""What torch.compile puts before names of tensors, and what DataParallel puts before all of them."""
_OLD_NAMES = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))


@dataclass(frozen=True, slots=True, eq=False)
class FoundTensors:
    """The tensors of a folder.

    Attributes:
        tensors: today's name → tensor.
        where: the folder, or its one file.
        files: today's name → the file that holds it.
    """

    tensors: dict[str, torch.Tensor]
    where: str
    files: Mapping[str, str]

    def place(self, name: str) -> str:
        """Where a tensor stands."""
        return self.files.get(name, self.where)


def current_names(names: Collection[str]) -> dict[str, str]:
    """Name of each tensor in a file → its name today, without what a wrapper of the model put before it."""
    today = {name: _current_name(name) for name in names}
    while today and all(name.startswith(PARALLEL) for name in today.values()):
        today = {name: found.removeprefix(PARALLEL) for name, found in today.items()}
    return today


def _current_name(name: str) -> str:
    """Norms of the first BERT checkpoints were called gamma and beta."""
    for old, new in (*_OLD_NAMES, (COMPILED, "")):
        name = name.replace(old, new)
    return name


def read_folder(folder: Path) -> FoundTensors:
    """All tensors of the safetensors files in ``folder``."""
    paths = weights_files(folder)
    found = {path: read_tensors(path) for path in paths}
    today = current_names([name for tensors in found.values() for name in tensors])
    return FoundTensors(
        {today[name]: tensor for tensors in found.values() for name, tensor in tensors.items()},
        str(paths[0] if len(paths) == 1 else folder),
        {today[name]: str(path) for path, tensors in found.items() for name in tensors},
    )


def fill_model(
    model: Model, found: FoundTensors, names: Mapping[str, Name], ignored: tuple[str, ...]
) -> tuple[str, ...]:
    """Copies all weights of ``model`` from ``found``.

    Args:
        model: any weights; filled in place.
        found: the tensors.
        names: name of each of the model's tensors → where it lies among them.
        ignored: ends of names of tensors that hold nothing learned.

    Returns:
        The names that nothing was taken from.

    Raises:
        BadInput: a tensor is missing or misshapen, holds codes instead of numbers, or a number that is none; two tensors
            that should be one are not alike.
    """
    state = model.state_dict()
    own = {theirs for ours in state for theirs in names[ours].theirs}
    places = {ours: names[ours].in_file(found.tensors, own) for ours in state}
    read = {theirs for place in places.values() for theirs in place.theirs}
    _check_numbers(found, read, ignored)
    if not model.settings.heads:
        _check_twins([names[ours] for ours in state], found, own)
    with torch.no_grad():
        for ours, tensor in state.items():
            theirs = places[ours].theirs
            _check_alike(theirs, found)
            taken = places[ours].take(found.tensors)
            if taken.shape != tensor.shape:
                raise misshapen(" + ".join(theirs), taken, tensor, found.where)
            tensor.copy_(taken)
            if not _is_finite(tensor):
                raise _not_finite(theirs, found)
    return tuple(sorted(name for name in set(found.tensors) - read if not name.endswith(ignored)))


def _is_finite(tensor: torch.Tensor) -> bool:
    """Whether all numbers are numbers; the sum, which is quickly made, says so unless it is too large itself."""
    return bool(torch.isfinite(tensor.sum()) or torch.isfinite(tensor).all())


def _check_numbers(found: FoundTensors, read: Collection[str], ignored: tuple[str, ...]) -> None:
    """Refuses integers and 8-bit floats where weights should be: a tensor that is read, or a table beside these."""
    for name, tensor in found.tensors.items():
        is_table = tensor.dim() > 1 and tensor.dtype != torch.bool and not name.endswith(ignored)
        if tensor.dtype not in FLOATS and (name in read or is_table):
            raise BadInput(
                f"the weight {name!r} is quantised: it holds codes, not numbers", where=found.place(name),
                value=str(tensor.dtype).removeprefix("torch."), allowed="float32, float16, bfloat16, float64",
                next_step=DEQUANTISE,
            )  # fmt: skip


def _check_twins(names: Iterable[Name], found: FoundTensors, own: Collection[str]) -> None:
    """Refuses a tied table or bias of a language model that stands in the file twice, with different numbers.

    Some versions of ``transformers`` take the one for both, others each for itself; a trained softmax would be lost.
    """
    for name in names:
        for twin in name.twins:
            first = found.tensors.get(name.theirs[0])
            other = found.tensors.get(twin)
            if first is None or other is None or twin in own or _are_one(first, other):
                continue
            raise BadInput(
                f"the config ties {name.theirs[0]!r} and {twin!r}, yet their numbers differ", where=found.place(twin),
                next_step="save the model without the one that is not used; where the architecture knows "
                "tie_word_embeddings, write false to keep both",
            )  # fmt: skip


def _are_one(first: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are the same but for rounding to 16 bits."""
    return first.shape == other.shape and torch.allclose(first.float(), other.float(), 1e-2, 1e-4, equal_nan=True)


def _check_alike(theirs: tuple[str, ...], found: FoundTensors) -> None:
    """All parts of one of our tensors are there and can stand one below the other."""
    for name in theirs:
        if name not in found.tensors:
            raise _without(name, found)
        if found.tensors[name].shape[1:] != found.tensors[theirs[0]].shape[1:]:
            raise misshapen(name, found.tensors[name], found.tensors[theirs[0]], found.where)


def _without(name: str, found: FoundTensors) -> BadInput:
    """The error for a tensor that is not there: where all names have a prefix that nobody knows, that is said."""
    longer = min((other for other in found.tensors if other.endswith(f".{name}")), default=name)
    prefix = longer.removesuffix(name)
    if not prefix or sum(other.startswith(prefix) for other in found.tensors) * 2 <= len(found.tensors):
        return missing(name, found.where)
    return BadInput(
        "the names of the weights have an unknown prefix", where=found.where, value=longer, allowed=name,
        next_step=f"save them again without {prefix!r}",
    )  # fmt: skip


def _not_finite(theirs: tuple[str, ...], found: FoundTensors) -> BadInput:
    """The error for weights that are no number, or beyond float32: whose they are."""

    def bad(tensors: Tensors, name: str) -> torch.Tensor:
        return tensors[name][~torch.isfinite(tensors[name].float())]

    name = next((name for name in theirs if len(bad(found.tensors, name))), theirs[0])
    value = next(iter(bad(found.tensors, name).tolist()), None)
    return BadInput(
        f"the weight {name!r} holds what is no finite number", where=found.place(name), value=value,
        next_step="fetch the file again, or take a checkpoint from before its training diverged",
    )  # fmt: skip
