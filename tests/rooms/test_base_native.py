"""What the libraries below torch have read: libgomp by the time that torch is there, oneDNN by its first product."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from warmstart.base.native import PRODUCTS, SPINS, set_native
from warmstart.models.kernels import onednn_has_bf16

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
    """Invariant: three variables, the first only where neither of two settings stands."""
    ours = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": PRODUCTS, "LRU_CACHE_CAPACITY": PRODUCTS}
    for before in ({}, {"OMP_NUM_THREADS": "3"}, {"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "1"}):
        after = dict(before)
        set_native(after)
        assert after == ({"GOMP_SPINCOUNT": SPINS} if before.keys() <= {"OMP_NUM_THREADS"} else {}) | ours | before
    users = {"GOMP_SPINCOUNT": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7", "LRU_CACHE_CAPACITY": "8"}
    set_native(users)
    assert list(users.values()) == ["1", "7", "8"]


PRODUCTS_OF_MANY_SIZES = """
import warmstart
warmstart.Classifier
import torch
ones = torch.ones(300, 32, dtype=torch.bfloat16)
for rows in [*range(16, 216), 200, 16]:
    torch.nn.functional.linear(ones[:rows], ones[:32])
"""


@pytest.mark.skipif(not onednn_has_bf16(), reason="oneDNN has no bfloat16 here")
def test_few_products_are_kept() -> None:
    """Witness: oneDNN's own list of what it makes: of 200 sizes the last are still there, the first is made again."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ONEDNN", "LRU"))}
    done = subprocess.run(
        [sys.executable, "-c", PRODUCTS_OF_MANY_SIZES], env=kept | {"ONEDNN_VERBOSE": "profile_create"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    made = re.findall(r"create:cache_miss.*,(\d+)x32:32x32,", done.stdout)
    assert [made.count(rows) for rows in ("200", "16")] == [1, 2]
