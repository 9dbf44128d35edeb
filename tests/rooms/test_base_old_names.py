"""Names in files of older runs. Witness: the content of these files, as the older versions wrote it."""

from pathlib import Path
from typing import Any

import pytest

from warmstart.base.old_names import (
    CHECKPOINT_KEYS,
    IMAGE_PROCESSOR_KEYS,
    KERNEL_KEYS,
    TASK_OPTION_KEYS,
    WEIGHT_ACCOUNT_KEYS,
    existing_file,
    parameter_name,
    rename_keys,
    run_metadata,
)


def test_the_file_with_the_old_name_is_read_where_it_is_alone(tmp_path: Path) -> None:
    """Witness: the files of a folder."""
    name = "image_processor.json"
    assert existing_file(tmp_path, name) == tmp_path / name
    (tmp_path / "raster.json").write_text("{}")
    assert existing_file(tmp_path, name) == tmp_path / "raster.json"
    (tmp_path / name).write_text("{}")
    assert existing_file(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    "keys", [IMAGE_PROCESSOR_KEYS, KERNEL_KEYS, CHECKPOINT_KEYS, WEIGHT_ACCOUNT_KEYS, TASK_OPTION_KEYS]
)
def test_no_name_of_today_is_an_old_name(keys: dict[str, str]) -> None:
    """Invariant: renaming twice is renaming once, and the values stay."""
    old = {key: number for number, key in enumerate([*keys, "another"])}
    today = rename_keys(old, keys)
    assert list(today) == [*keys.values(), "another"] and list(today.values()) == list(old.values())
    assert rename_keys(today, keys) == today


@pytest.mark.parametrize(
    ("old", "objective"),
    [
        ({"direction": "backward", "again": False}, "backward"),
        ({"direction": "forward", "again": True}, "autoencoder"),
        ({"direction": "both"}, "both"),
        ({"direction": "forward"}, None),
    ],
)
def test_direction_and_again_become_the_objective(old: dict[str, Any], objective: str | None) -> None:
    """Witness: the objectives that wrote these pairs."""
    assert run_metadata(old | {"clean": ["ftfy"]}) == {"clean": ["ftfy"], "objective": objective}


def test_options_of_a_task_are_read_with_old_and_new_keys() -> None:
    """Witness: a file with a group for each kind, one with ``options`` and an old key, and one of today."""
    today = {"task": {"kind": "seq2seq", "options": {"postprocess": "question"}}}
    grouped = {"task": {"kind": "seq2seq", "tags": {}, "span": {}, "seq2seq": {"cleanup": "question"}}}
    assert run_metadata(grouped) == run_metadata(today) == today
    assert run_metadata({"task": {"kind": "seq2seq", "options": {"cleanup": "question"}}}) == today
    assert run_metadata({"task": None}) == {"task": None} and run_metadata([1]) == [1]


def test_the_input_weights_of_an_lstm_have_another_name() -> None:
    """Witness: a tensor's name in an older file."""
    assert parameter_name("backbone.blocks.0.cells.1.given.weight") == "backbone.blocks.0.cells.1.input.weight"
    assert parameter_name("backbone.tokens.weight") == "backbone.tokens.weight"
