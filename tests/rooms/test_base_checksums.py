"""Checksums of a folder: hashlib as witness; every file that a model needs is held to what was written."""

import hashlib
import json
from pathlib import Path

import pytest

from warmstart.base.checksums import FILE, check_folder, write_checksums
from warmstart.base.errors import BadInput
from warmstart.base.run_folder import RunFolder

FILES = {
    "model.safetensors": b"weights", "config.json": b"{}", "tokenizer.json": b"[]", "metrics.jsonl": b"{}\n",
    "README.md": b"a card", "2_Dense/model.safetensors": b"linear",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with a part in a folder of its own."""
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    write_checksums(tmp_path)
    return tmp_path


def test_every_file_but_the_card_has_its_sum(folder: Path) -> None:
    """Witness: hashlib."""
    wanted = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in FILES.items()
        if name != "README.md"
    }
    assert json.loads((folder / FILE).read_text()) == wanted
    check_folder(folder)


@pytest.mark.parametrize("name", [name for name in FILES if name != "README.md"])
@pytest.mark.parametrize("damage", ["a bit", "cut", "longer", "empty"])
def test_a_changed_file_is_named(name: str, damage: str, folder: Path) -> None:
    """Witness: the bytes that differ."""
    data = FILES[name]
    changed = {"a bit": bytes([data[0] ^ 4]) + data[1:], "cut": data[:-1], "longer": data + b"\0", "empty": b""}
    (folder / name).write_bytes(changed[damage])
    with pytest.raises(BadInput, match="not what was written") as caught:
        check_folder(folder)
    assert str(folder / name) in str(caught.value)


def test_what_a_model_can_do_without_may_be_missing(folder: Path) -> None:
    """Invariant: a copy of the model alone is a model; one without its tokenizer is not."""
    (folder / "metrics.jsonl").unlink()
    (folder / "README.md").write_text("another card")
    check_folder(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BadInput, match="missing"):
        check_folder(folder)


@pytest.mark.parametrize("content", ["", "[]", '{"config.json": 3}', '{"config.json": {"bytes": 2}}', "\0" * 9])
def test_damaged_sums_vouch_for_nothing(content: str, folder: Path) -> None:
    """Invariant: they are named themselves."""
    (folder / FILE).write_text(content)
    with pytest.raises(BadInput) as caught:
        check_folder(folder)
    assert FILE in str(caught.value)


def test_a_folder_without_sums_is_left_alone(folder: Path) -> None:
    """Invariant: as those of other libraries are."""
    (folder / FILE).unlink()
    (folder / "model.safetensors").write_bytes(b"other")
    check_folder(folder)


def test_a_finished_run_vouches_for_its_report(tmp_path: Path) -> None:
    """Witness: the report's own bytes, which are written after the sums."""
    run = RunFolder(tmp_path / "run")
    run.create("a: recipe\n", {"verb": "none"})
    run.finish({"steps": 3})
    sums = json.loads((run.path / FILE).read_text())
    assert sums["report.json"]["sha256"] == hashlib.sha256((run.path / "report.json").read_bytes()).hexdigest()
    assert {*sums} == {"config.yaml", "manifest.json", "report.json"}
    (run.path / "report.json").write_text('{"steps": 4}')
    with pytest.raises(BadInput, match=r"report\.json"):
        run.check_model()
