"""The names in files of older runs → their names today. No other module knows an old name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE_NAMES = {"image_processor.json": "raster.json"}
"""Name of a file today → its old name."""
IMAGE_PROCESSOR_KEYS = {"spread": "std"}
KERNEL_KEYS = {"longest_plain": "eager_max_len", "plain_dropout": "eager_dropout"}
CHECKPOINT_KEYS = {"backbone.lanes": "backbone.carry"}
WEIGHT_ACCOUNT_KEYS = {
    "moved": "loaded", "made": "initialised", "left": "unused", "weights_moved": "weights_loaded",
    "weights_made": "weights_initialised",
}  # fmt: skip
"""Old key → new key, for each kind of file."""
OBJECTIVE_NAMES = {
    "forward False": None,
    "forward True": "autoencoder",
    "backward False": "backward",
    "both False": "both",
}
"""``direction`` and ``again`` of a language model → its objective, where these two say it."""

_LSTM_INPUT = re.compile(r"(backbone\.blocks\.\d+\.cells\.\d+)\.given\.")
TASK_OPTIONS = {"tagging": "tags", "span": "span", "seq2seq": "seq2seq"}
"""Kind of task → the key that held its options."""
OPTIONS = {"longest": "max_answer"}


def existing_file(folder: Path, name: str) -> Path:
    """The file ``name`` in a folder; if only the file with its old name is there, that one."""
    path = folder / name
    old = folder / FILE_NAMES.get(name, name)
    return old if old.is_file() and not path.is_file() else path


def rename_keys(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """``values`` with old keys replaced by today's, as ``names`` says."""
    return {names.get(name, name): value for name, value in values.items()}


def parameter_name(name: str) -> str:
    """The name of a parameter of a model."""
    return _LSTM_INPUT.sub(r"\1.input.", name)


def run_metadata(values: Any) -> Any:
    """What ``warmstart.json`` holds, in today's form."""
    return _task_options(_objective(values)) if isinstance(values, dict) else values


def _objective(values: dict[str, Any]) -> dict[str, Any]:
    """With the name of the objective where an older run wrote ``direction`` and ``again``."""
    known = {key: value for key, value in values.items() if key not in ("direction", "again")}
    pair = f"{values.get('direction', 'forward')} {values.get('again', False)}"
    if len(known) == len(values) or pair not in OBJECTIVE_NAMES:
        return values
    return known | {"objective": OBJECTIVE_NAMES[pair]}


def _task_options(values: dict[str, Any]) -> dict[str, Any]:
    """With the options of a task under one key, whatever its kind."""
    task = values.get("task")
    if not isinstance(task, dict) or "options" in task:
        return values
    options = task.get(TASK_OPTIONS.get(task.get("kind", ""), ""), {})
    known = {key: value for key, value in task.items() if key not in TASK_OPTIONS.values()}
    return values | {"task": known | {"options": rename_keys(options, OPTIONS)}}
