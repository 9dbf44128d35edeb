"""What stands in the ``config.json`` of a model folder beside the sizes: its class, the labels, ids of special tokens.

What would change the meaning of all weights, a quantiser, is found here.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.models.files import WEIGHTS
from warmstart.transfer.adapter import JOINED, adapt_config, base_of, is_adapter
from warmstart.transfer.tensors import DEQUANTISE

CONFIG, OWN = "config.json", "warmstart"
QUANTISERS = ("quantization_config", "compression_config")
SPECIAL_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")
_VALUE = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?|true|false", re.IGNORECASE)
WORD_CLASSES = ("LMHead", "ForCausalLM", "ForMaskedLM", "ForPreTraining", "ForConditionalGeneration", "MarianMT")
"""What the names of classes that guess words have in them."""


def read_config(folder: Path) -> dict[str, Any]:
    """The config of the model in ``folder``; of an adapter that of the model that it makes of its base.

    Raises:
        BadInput: there is none, it names no architecture, or the weights beside it are quantised.
    """
    if not is_adapter(folder):
        return _read_own_config(folder)
    own = next((name for name in (CONFIG, JOINED) if (folder / name).is_file()), None)
    return adapt_config(_read_own_config(folder, own) if own else _read_own_config(base_of(folder)), folder)


def _read_own_config(folder: Path, name: str = CONFIG) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise BadInput(
            "no model here",
            where=str(folder),
            next_step=f"give a run or a model folder (it holds {CONFIG} and {WEIGHTS})",
        )
    raw = read_json(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("model_type"), str):
        raise BadInput(
            "not the config of a model: it names no model_type",
            where=str(path),
            next_step='give a run or a model folder; of a UniLM add "model_type": "unilm"',
        )
    for key in QUANTISERS:
        if raw.get(key):
            method, bits = _quantiser(raw[key])
            raise BadInput(
                f"these weights are quantised{bits} (key {key!r})", where=str(path), value=method,
                allowed="weights in float32, float16 or bfloat16", next_step=DEQUANTISE,
            )  # fmt: skip
    _check_values(raw, str(path))
    _check_own(raw.get(OWN), f"{path}, key {OWN!r}")
    return raw


def _check_values(config: Mapping[str, Any], where: str) -> None:
    """Refuses numbers and truth values that are texts: ``"32"`` times 4 is another text, and ``"false"`` counts as true."""
    for key, value in config.items():
        if (
            isinstance(value, str)
            and _VALUE.fullmatch(value.strip())
            and not key.startswith("_")
            and "version" not in key
        ):
            raise BadInput(
                "a number or a truth value in quotation marks", where=f"{where}, key {key!r}", value=value,
                next_step="write it without them, or fetch the file again",
            )  # fmt: skip


def _check_own(found: Any, where: str) -> None:
    """Refuses what stands under our own key and is not what we write there."""
    objects = (found, found.get("backbone"), found.get("heads")) if isinstance(found, dict) else (found,)
    if not all(part is None or isinstance(part, dict) for part in objects):
        raise BadInput(
            "not settings of a model", where=where, value=found, allowed="objects, as they were written",
            next_step="restore the folder from a copy",
        )  # fmt: skip


def _quantiser(stated: Any) -> tuple[Any, str]:
    """The method that a config states, and the bits of a weight in words; bitsandbytes says neither where it is old."""
    if not isinstance(stated, dict):
        return stated, ""
    loaded = next((bits for bits in (4, 8) if stated.get(f"load_in_{bits}bit")), None)
    bits = stated.get("bits") or stated.get("w_bit") or loaded
    method = stated.get("quant_method") or (None if loaded is None else "bitsandbytes")
    return method, "" if bits is None else f" to {bits} bits"


def class_of(config: Mapping[str, Any]) -> str:
    """The class that reads a folder, as its config says; empty where it says nothing."""
    names = config.get("architectures")
    return str(names[0]) if isinstance(names, list) and names else ""


def task_class(config: Mapping[str, Any]) -> str | None:
    """The class of a foreign config, where that neither guesses words nor is without a head."""
    name = class_of(config)
    if config["model_type"] == OWN or OWN in config or not name or name.endswith("Model"):
        return None
    return None if any(word in name for word in WORD_CLASSES) else name


def unread_head(folder: Path) -> str | None:
    """The class of the task that the model in ``folder`` was trained for, where there is one: for folders without a task."""
    return task_class(read_config(folder))


def is_own(folder: Path) -> bool:
    """Whether we wrote the config in a folder."""
    config = read_config(folder)
    return config["model_type"] == OWN or OWN in config


def labels_of(config: Mapping[str, Any], where: str = CONFIG) -> tuple[str, ...]:
    """The names of the labels in a config, by number; where it has none, those of ``transformers``.

    Raises:
        BadInput: they are not numbered from 0, or two have one name.
    """
    names = config.get("id2label") or {str(number): f"LABEL_{number}" for number in range(_num_labels(config, where))}
    numbers = [str(number) for number in range(len(names))] if isinstance(names, dict) else []
    if not numbers or {*names} != {*numbers}:
        raise BadInput(
            "the labels are not numbered from 0", where=f"{where}, key 'id2label'", value=names,
            allowed='names by number, such as {"0": "no", "1": "yes"}',
        )  # fmt: skip
    found = tuple(str(names[number]) for number in numbers)
    if len(set(found)) < len(found):
        raise BadInput(
            "two labels have one name", where=f"{where}, key 'id2label'", value=", ".join(found),
            next_step="give each label a name of its own",
        )  # fmt: skip
    _check_agreement(found, config.get("label2id"), where)
    return found


def _check_agreement(names: Sequence[str], numbers: Any, where: str) -> None:
    """Refuses labels that ``id2label`` numbers in another way than ``label2id``; names of the one alone say nothing."""
    for number, name in enumerate(names):
        if isinstance(numbers, dict) and str(numbers.get(name, number)) != str(number):
            raise BadInput(
                f"the labels contradict each other: {name!r} is {number} in id2label and {numbers[name]} in label2id",
                where=where, next_step="correct the one that is wrong",
            )  # fmt: skip


def _num_labels(config: Mapping[str, Any], where: str) -> int:
    count = config.get("num_labels", 2)
    if not isinstance(count, int) or count < 1:
        raise BadInput("not a number of labels", where=f"{where}, key 'num_labels'", value=count, allowed="1 or more")
    return count


def label_names(folder: Path) -> tuple[str, ...]:
    """The names of the labels in the config of a folder, by number."""
    return labels_of(read_config(folder), str(folder / CONFIG))


def special_ids(folder: Path) -> dict[str, Any]:
    """The ids of special tokens that the config of a folder states, under its keys; one may be a list, or ``None``."""
    if not is_adapter(folder) and not (folder / CONFIG).is_file():
        return {}
    config = read_config(folder)
    return {key: config[key] for key in SPECIAL_IDS if key in config}
