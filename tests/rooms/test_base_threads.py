"""How long threads spin: what the C library has read by the time that torch is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from warmstart.base.threads import SPINS, spin_briefly

COMMAND = [
    "-m",
    "warmstart",
    "explain",
    "pretrain",
    "--corpus",
    "text.txt",
    "--model",
    "gpt1-tiny",
    "--vocab-size",
    "280",
]
FACE = ["-c", "import warmstart; warmstart.Classifier; import torch"]


def read_by_libgomp(home: Path, arguments: list[str], settings: dict[str, str]) -> dict[str, str]:
    """Runs Python in ``home`` and returns the settings that libgomp shows when torch loads it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=home, env=kept | settings | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(re.findall(r"(\w+) = '(.*)'", done.stderr))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text; skips where torch's threads are not libgomp's."""
    folder = tmp_path_factory.mktemp("threads")
    (folder / "text.txt").write_text("The fox runs over the hill.\n\n" * 40)
    if "GOMP_SPINCOUNT" not in read_by_libgomp(folder, ["-c", "import torch"], {}):
        pytest.skip("torch's threads are not libgomp's here")
    return folder


@pytest.mark.parametrize("arguments", [COMMAND, FACE], ids=["command", "face"])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"GOMP_SPINCOUNT": SPINS}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "passive"}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}),
    ],
    ids=["ours", "count", "policy"],
)
def test_ours_is_read_unless_the_user_has_one(
    home: Path, arguments: list[str], settings: dict[str, str], expected: dict[str, str]
) -> None:
    """Witness: libgomp's own list of what it has read."""
    assert read_by_libgomp(home, arguments, settings).items() >= expected.items()


def test_nothing_else_is_touched() -> None:
    """Invariant: one variable, and only where neither setting stands."""
    for before in ({}, {"OMP_NUM_THREADS": "3"}, {"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "1"}):
        after = dict(before)
        spin_briefly(after)
        assert after == ({"GOMP_SPINCOUNT": SPINS} if before.keys() <= {"OMP_NUM_THREADS"} else {}) | before
