"""What a run remembers beside its weights: files of older runs, written by hand as these runs wrote them."""

import json
from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.objectives.table import evaluation_objective
from warmstart.run.metadata import FILE, RunMetadata, read_metadata, write_metadata

OLD = {"task": None, "search": None, "clean": ["ftfy"], "direction": "forward", "again": False}


@pytest.mark.parametrize(
    ("changes", "sight", "direction", "evaluated_by"),
    [
        ({}, "causal", "forward", "causal"),
        ({}, "full", "forward", "masked"),
        ({"again": True}, "causal", "forward", "autoencoder"),
        ({"direction": "backward"}, "causal", "backward", "backward"),
        ({"direction": "both"}, "causal", "both", "both"),
    ],
)
def test_the_objective_of_an_older_run(
    changes: dict[str, object], sight: str, direction: str, evaluated_by: str, tmp_path: Path
) -> None:
    """Witness: by what such a run was evaluated before it remembered the name of its objective."""
    (tmp_path / FILE).write_text(json.dumps(OLD | changes))
    metadata = read_metadata(tmp_path)
    assert (metadata.clean, metadata.direction) == (("ftfy",), direction)
    assert evaluation_objective(metadata.objective, sight).name == evaluated_by


def test_a_name_is_written_and_read_again(tmp_path: Path) -> None:
    """Invariant: the same value comes back, and the direction follows from it."""
    write_metadata(tmp_path, RunMetadata(objective="backward"))
    assert read_metadata(tmp_path) == RunMetadata(objective="backward")
    assert read_metadata(tmp_path).direction == "backward"


@pytest.mark.parametrize("changes", [{"direction": "sideways"}, {"again": "perhaps"}, {"direction": ["forward"]}])
def test_a_damaged_older_file_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    """Bad input: a value that no run wrote."""
    (tmp_path / FILE).write_text(json.dumps(OLD | changes))
    with pytest.raises(BadInput, match="restore it from a copy"):
        read_metadata(tmp_path)
