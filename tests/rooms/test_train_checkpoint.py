"""What lies in ``resume/`` and ``best/``: files of others are left alone, damaged ones of ours are found."""

import shutil
from pathlib import Path

import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.models.files import write_tensors
from warmstart.train.checkpoint import MANIFEST, load_best, load_newest, save, save_best

A = {"a": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(3)}


def test_what_is_no_checkpoint_is_left_alone(tmp_path: Path) -> None:
    """Witness: the file system; a partial checkpoint of ours goes, with the older one."""
    save(tmp_path, 4, A, {})
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "step-list.txt").write_text("mine")
    (tmp_path / "step-000000099").write_text("a file")
    shutil.copytree(tmp_path / "step-000000004", tmp_path / "step-000000004 copy")
    (tmp_path / ".step-000000005.ab12.tmp").mkdir()
    found = load_newest(tmp_path)
    assert found is not None and found[1]["step"] == 4 and torch.equal(found[0]["a"], A["a"])
    save(tmp_path, 6, A, {})
    strays = {".DS_Store", "step-list.txt", "step-000000099", "step-000000004 copy"}
    assert {path.name for path in tmp_path.iterdir()} == strays | {"step-000000006"}


def test_only_strays_are_no_checkpoint_at_all(tmp_path: Path) -> None:
    """Invariant: as an empty folder."""
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    assert load_newest(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"state.json": {"bytes": 1}}', "\0" * 20])
def test_a_damaged_manifest_vouches_for_nothing(tmp_path: Path, content: str) -> None:
    """Witness: manifests that name no sums of both files."""
    save(tmp_path, 4, A, {})
    (tmp_path / "step-000000004" / MANIFEST).write_text(content)
    with pytest.raises(BadInput, match="no checkpoint here is whole"):
        load_newest(tmp_path)


def test_the_best_weights_are_what_was_written(tmp_path: Path) -> None:
    """Invariant: the same values; also from a file of an older run, which has no sum."""
    path = tmp_path / "best" / "model.safetensors"
    save_best(path, 40, A)
    assert all(torch.equal(value, A[name]) for name, value in load_best(path, 40, 60).items())
    write_tensors(path, A)
    assert load_best(path, 40, 60).keys() == A.keys()


@pytest.mark.parametrize("damage", ["zeroed", "cut", "one bit", "gone"])
def test_damaged_best_weights_are_found(tmp_path: Path, damage: str) -> None:
    """Witness: the byte that differs; the file format itself loads a flipped bit silently."""
    path = tmp_path / "model.safetensors"
    save_best(path, 40, A)
    data = bytearray(path.read_bytes())
    data[-9] ^= 16
    path.write_bytes({"zeroed": bytes(len(data)), "cut": data[: len(data) // 2]}.get(damage, bytes(data)))
    if damage == "gone":
        path.unlink()
    with pytest.raises(BadInput, match=r"damaged|missing") as caught:
        load_best(path, 40, 60)
    assert str(path) in str(caught.value)


def test_best_weights_of_another_step_are_refused(tmp_path: Path) -> None:
    """Invariant: those of a step that the run has still to come to are its own, written just before the process died."""
    path = tmp_path / "model.safetensors"
    save_best(path, 20, A)
    with pytest.raises(BadInput, match=r"got .those of step 20.; allowed: those of step 40"):
        load_best(path, 40, 60)
    assert load_best(path, 10, 15)
