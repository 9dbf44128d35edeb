"""What lies in ``resume/`` and ``best/``: files of others are left alone, damaged ones of ours are found."""

import os
import pickle
import resource
import shutil
from pathlib import Path

import pytest
import torch

from warmstart.base.checksums import entry
from warmstart.base.errors import BadInput, DiskFull
from warmstart.base.files import write_json
from warmstart.models.files import write_tensors
from warmstart.train.checkpoint import (
    MANIFEST,
    STATE,
    TENSORS,
    CheckpointWriter,
    load_best,
    save,
    save_best,
)
from warmstart.train.checkpoints import find_newest

A = {"a": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(3)}


def test_what_is_no_checkpoint_is_left_alone(tmp_path: Path) -> None:
    """Witness: the file system; a partial checkpoint of ours goes, with the oldest but two."""
    save(tmp_path, 4, A, {})
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "step-list.txt").write_text("mine")
    (tmp_path / "step-000000099").write_text("a file")
    shutil.copytree(tmp_path / "step-000000004", tmp_path / "step-000000004 copy")
    (tmp_path / ".step-000000005.ab12.tmp").mkdir()
    found = find_newest(tmp_path)
    assert (
        found is not None
        and found.tensors is not None
        and found.state["step"] == 4
        and torch.equal(found.tensors["a"], A["a"])
    )
    save(tmp_path, 5, A, {})
    save(tmp_path, 6, A, {})
    strays = {".DS_Store", "step-list.txt", "step-000000099", "step-000000004 copy"}
    assert {path.name for path in tmp_path.iterdir()} == strays | {"step-000000005", "step-000000006"}


def test_only_strays_are_no_checkpoint_at_all(tmp_path: Path) -> None:
    """Invariant: as an empty folder."""
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    assert find_newest(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"state.json": {"bytes": 1}}', "\0" * 20])
def test_a_damaged_manifest_vouches_for_nothing(tmp_path: Path, content: str) -> None:
    """Witness: manifests that name no sums of both files."""
    save(tmp_path, 4, A, {})
    (tmp_path / "step-000000004" / MANIFEST).write_text(content)
    with pytest.raises(BadInput, match="no checkpoint here is whole"):
        find_newest(tmp_path)


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
    """Invariant: those of a step that the run has still to evaluate are its own, written just before the process died."""
    path = tmp_path / "model.safetensors"
    save_best(path, 20, A)
    with pytest.raises(BadInput, match=r"got .those of step 20.; allowed: those of step 40"):
        load_best(path, 40, 60)
    assert load_best(path, 10, 15)


def step_of(folder: Path, *, strict: bool = False) -> int:
    found = find_newest(folder, strict=strict)
    assert found is not None
    return int(found.state["step"])


@pytest.mark.parametrize("name", [TENSORS, STATE, MANIFEST])
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_taken(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: a byte that differs in each of the files; with ``strict`` nothing is taken in its place."""
    save(tmp_path, 4, A, {})
    save(tmp_path, 6, A, {})
    path = tmp_path / "step-000000006" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert step_of(tmp_path) == 4
    assert f"step-000000006 is damaged ({name})" in capsys.readouterr().err.replace("\n", " ")
    with pytest.raises(BadInput, match=f"{name} is not what was written"):
        step_of(tmp_path, strict=True)


@pytest.mark.parametrize("name", [TENSORS, STATE, MANIFEST])
def test_files_of_two_checkpoints_that_were_exchanged_are_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: two files as they were written, of the same size, each in the place of the other."""
    save(tmp_path, 4, A, {"tokens": 40})
    save(tmp_path, 6, {"a": A["a"] + 1, "count": A["count"] + 1}, {"tokens": 60})
    one, other = (tmp_path / f"step-00000000{step}" / name for step in (4, 6))
    first, second = one.read_bytes(), other.read_bytes()
    assert len(first) == len(second) and first != second
    one.write_bytes(second)
    other.write_bytes(first)
    with pytest.raises(BadInput, match="no checkpoint here is whole"):
        find_newest(tmp_path)
    said = capsys.readouterr().err.replace("\n", " ")
    assert all(f"step-00000000{step} is damaged" in said for step in (4, 6))


def test_a_step_that_is_saved_again_is_never_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the folder between the two renames by which the new one takes the place of the old."""
    save(tmp_path, 4, A, {"stale": 0})
    replace, seen = os.replace, []

    def watched(source: Path, target: Path) -> None:
        replace(source, target)
        seen.append(step_of(tmp_path))

    monkeypatch.setattr(os, "replace", watched)
    save(tmp_path, 4, A, {"stale": 1})
    assert set(seen) == {4} and len(seen) >= 2
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000004"]


def test_checkpoints_of_a_way_that_was_left_go(tmp_path: Path) -> None:
    """Invariant: a run that goes on from an older checkpoint never comes back to the one that was damaged."""
    for step in (2, 4, 6):
        save(tmp_path, step, A, {}, keep=3)
    save(tmp_path, 5, A, {}, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000004", "step-000000005"]


def test_what_is_written_meanwhile_is_what_was_saved(tmp_path: Path) -> None:
    """Invariant: the values at the time of the call, whatever the training does with its tensors then."""
    writer = CheckpointWriter(tmp_path / "resume", tmp_path / "best" / "model.safetensors", tmp_path / "metrics.jsonl")
    tensors = {name: tensor.clone() for name, tensor in A.items()}
    writer.set_best(3, tensors)
    writer.save(4, tensors, {})
    for tensor in tensors.values():
        tensor.zero_()
    writer.wait()
    found = find_newest(tmp_path / "resume")
    assert found is not None and found.tensors is not None and torch.equal(found.tensors["a"], A["a"])
    assert torch.equal(load_best(tmp_path / "best" / "model.safetensors", 3, 4)["a"], A["a"])


@pytest.mark.usefixtures("one_thread")
def test_a_full_disk_leaves_the_checkpoint_before_whole(tmp_path: Path) -> None:
    """Witness: the operating system's limit on the size of a file, in a process of its own."""
    child = os.fork()
    if child == 0:
        writer = CheckpointWriter(tmp_path / "resume", tmp_path / "best", tmp_path / "log")
        writer.save(1, A, {})
        writer.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
        writer.save(2, {"a": torch.zeros(100, 100)}, {})
        try:
            writer.wait()
        except DiskFull as error:
            os._exit(7 if "no space left" in str(error) and error.exit_code == 1 else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert step_of(tmp_path / "resume") == 1
    assert [path.name for path in (tmp_path / "resume").iterdir()] == ["step-000000001"]


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_a_pickle_in_the_place_of_a_checkpoint_is_not_opened(tmp_path: Path) -> None:
    """Witness: an object whose loading would leave a file, with a manifest that vouches for it; plain and as torch saves."""
    save(tmp_path / "resume", 4, A, {})
    place = tmp_path / "resume" / "step-000000004"
    for write in (lambda path, trap: path.write_bytes(pickle.dumps(trap)), lambda path, trap: torch.save(trap, path)):
        write(place / TENSORS, Trap(tmp_path / "sprung"))
        write_json(place / MANIFEST, {name: entry(place / name) for name in (TENSORS, STATE)})
        with pytest.raises(BadInput, match="no checkpoint here is whole"):
            find_newest(tmp_path / "resume")
    assert not (tmp_path / "sprung").exists()
