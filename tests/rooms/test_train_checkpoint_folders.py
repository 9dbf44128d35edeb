"""Which checkpoints of a folder are kept and which is taken, of both forms."""

from pathlib import Path

import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.base.files import write_json
from warmstart.train.checkpoint import save
from warmstart.train.checkpoint_folders import drop_others, newest_first
from warmstart.train.checkpoints import find_newest
from warmstart.train.sharded_checkpoint import MANIFEST, STATE, _entry


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_few_are_kept(tmp_path: Path) -> None:
    """Witness: names by hand: newer than the one just written, and half written: gone; of either form; a stranger stays."""
    make(tmp_path, "sharded-000000002", "step-000000004", "sharded-000000006", "sharded-000000009", "step-000000003")
    make(tmp_path, ".sharded-000000006.x1", "notes")
    drop_others(tmp_path / "sharded-000000006", 2)
    assert names(tmp_path) == ["notes", "sharded-000000006", "step-000000004"]


def test_the_newest_come_first_whatever_their_form(tmp_path: Path) -> None:
    """Witness: names by hand; one that was being replaced comes after its successor; strangers are none."""
    make(tmp_path, "step-000000010", "sharded-000000012", ".step-000000012.old", "sharded-000000009", "step-000000012")
    make(tmp_path, ".sharded-000000099.tmp", "step-1", "notes")
    assert [path.name for path in newest_first(tmp_path)] == [
        "step-000000012", "sharded-000000012", ".step-000000012.old", "step-000000010", "sharded-000000009",
    ]  # fmt: skip


def sharded(folder: Path, step: int) -> Path:
    """A checkpoint as several processes leave it, without any tensor."""
    place = folder / f"sharded-{step:09d}"
    place.mkdir()
    write_json(place / STATE, {"step": step})
    write_json(place / MANIFEST, {STATE: _entry(place / STATE)})
    return place


@pytest.mark.parametrize("newest", ["flat", "sharded"])
def test_a_damaged_newest_gives_way_to_the_other_form(
    newest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: a byte that differs; the checkpoint before is of the other form and older than a third one."""
    steps = {"flat": (8, 6), "sharded": (6, 8)}[newest]
    sharded(tmp_path, 2)
    save(tmp_path, steps[0], {"a": torch.arange(3.0)}, {}, keep=9)
    sharded(tmp_path, steps[1])
    place = newest_first(tmp_path)[0]
    (place / STATE).write_text((place / STATE).read_text() + " ")
    found = find_newest(tmp_path)
    assert found is not None and found.state["step"] == 6 and (found.folder is None) == (newest == "sharded")
    assert f"{place} is damaged (state.json)" in capsys.readouterr().err
    with pytest.raises(BadInput, match=r"this checkpoint is damaged: state\.json"):
        find_newest(tmp_path, strict=True)
