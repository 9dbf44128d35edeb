"""Whatever breaks a command off, and whenever, its end is that of an unbroken one (bench/kill.py does more of it)."""

import importlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.usefixtures("one_thread")
BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def kill() -> Iterator[ModuleType]:
    """The bench, in small parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        module = importlib.import_module("kill")
        with module.small_parts():
            yield module
        for name in ("kill", "power_loss"):
            sys.modules.pop(name)


@pytest.mark.parametrize("name", ["pretrain", "prepare"])
def test_a_broken_command_comes_to_the_end_of_an_unbroken_one(name: str, kill: ModuleType, tmp_path: Path) -> None:
    """Witness: the weights, metrics and reports of the unbroken command; a kill, a stop and a loss of power."""
    scenario = next(one for one in kill.scenarios(tmp_path) if one.name == name)
    bench = kill.Bench(tmp_path, scenario, random.Random(7))
    bench.rng.random = lambda: 0.0  # by a call of the file system: which one is drawn, and no clock
    for round_of in kill.ROUNDS.values():
        found = round_of(bench)
        assert found["broken"] >= 1
        assert not any(found.get(what) for what in ("different", "repeated", "late", "other exit codes"))


def test_a_disk_without_power_has_what_was_synced_and_perhaps_more(kill: ModuleType, tmp_path: Path) -> None:
    """Witness: fsync's own promise, over a hundred draws of what else the disk may have."""
    power, root = sys.modules["power_loss"], tmp_path / "root"
    root.mkdir()
    (root / "old").write_bytes(b"old")
    code = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(BENCH)!r})
from power_loss import Recorder
root = Path({str(root)!r})
Recorder(root, Path({str(tmp_path / "store")!r}))
with open(root / "log", "ab") as file:
    file.write(b"synced"); file.flush(); os.fsync(file.fileno()); file.write(b" not")
descriptor = os.open(root, os.O_RDONLY); os.fsync(descriptor)
(root / "late").write_bytes(b"late")
(root / "old").unlink()
"""
    import shutil
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True)
    found = set()
    for seed in range(100):
        copy, store = tmp_path / f"root{seed}", tmp_path / f"store{seed}"
        copy.mkdir()
        shutil.copytree(tmp_path / "store", store)
        image = store / "image"
        power._folder(root.stat().st_ino, image, store, {root.stat().st_ino: root}, random.Random(seed))
        log = (image / "log").read_bytes()
        assert log.startswith(b"synced") and len(log) <= len(b"synced not")
        found.add((log, (image / "old").exists(), (image / "late").exists()))
        shutil.rmtree(store)
    assert {old for _, old, _ in found} == {late for _, _, late in found} == {True, False}
    assert {b"synced", b"synced not"} < {log for log, _, _ in found}
