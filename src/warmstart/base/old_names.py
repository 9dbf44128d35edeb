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
PROGRESS_KEYS = {"judged": "evaluated_step"}
WEIGHT_ACCOUNT_KEYS = {
    "moved": "loaded", "made": "initialised", "left": "unused", "weights_moved": "weights_loaded",
    "weights_made": "weights_initialised",
}  # fmt: skip
TASK_OPTION_KEYS = {"longest": "max_answer", "cleanup": "postprocess"}
"""Old key → key today, for each kind of file."""
TASK_OPTION_GROUPS = {"tagging": "tags", "span": "span", "seq2seq": "seq2seq"}
"""Kind of task → the old key of its options."""
OBJECTIVE_NAMES = {
    "forward False": None,
    "forward True": "autoencoder",
    "backward False": "backward",
    "both False": "both",
}
"""Old ``direction`` and ``again`` of a language model → its objective today, if they decide it."""

_LSTM_INPUT = re.compile(r"(backbone\.blocks\.\d+\.cells\.\d+)\.given\.")


def existing_file(folder: Path, name: str) -> Path:
    """The file ``name`` in a folder; if only the file with its old name is there, that one."""
    path = folder / name
    old = folder / FILE_NAMES.get(name, name)
    return old if old.is_file() and not path.is_file() else path


def rename_keys(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """``values`` with old keys replaced by today's, as ``names`` says."""
    return {names.get(name, name): value for name, value in values.items()}


def parameter_name(name: str) -> str:
    """The name today of a model's parameter."""
    return _LSTM_INPUT.sub(r"\1.input.", name)


def run_metadata(values: Any) -> Any:
    """The content of ``warmstart.json`` in today's form."""
    return _rename_options(_rename_objective(values)) if isinstance(values, dict) else values


def _rename_objective(values: dict[str, Any]) -> dict[str, Any]:
    """With ``objective`` in place of ``direction`` and ``again``."""
    others = {key: value for key, value in values.items() if key not in ("direction", "again")}
    pair = f"{values.get('direction', 'forward')} {values.get('again', False)}"
    if len(others) == len(values) or pair not in OBJECTIVE_NAMES:
        return values
    return others | {"objective": OBJECTIVE_NAMES[pair]}


def _rename_options(values: dict[str, Any]) -> dict[str, Any]:
    """With the options of the task's kind under ``options``, and without those of other kinds."""
    task = values.get("task")
    if not isinstance(task, dict):
        return values
    group = "options" if "options" in task else TASK_OPTION_GROUPS.get(task.get("kind", ""), "")
    options = task.get(group, {})
    others = {key: value for key, value in task.items() if key not in TASK_OPTION_GROUPS.values()}
    return values | {"task": others | {"options": rename_keys(options, TASK_OPTION_KEYS)}}
