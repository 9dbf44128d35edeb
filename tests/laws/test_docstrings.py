"""Examples in docstrings hold. Witness: the examples themselves, run by the standard library's doctest."""

import doctest
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import warmstart.base.errors

PACKAGE = Path(warmstart.base.errors.__file__).parents[1]
MODULES = [
    ".".join(["warmstart", *path.relative_to(PACKAGE).with_suffix("").parts])
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_file_hold(name: str) -> None:
    """Invariant: each gives what stands below it; NumPy is at hand as ``np``."""
    found = doctest.testmod(import_module(name), extraglobs={"np": np})
    assert found.attempted > 0 and found.failed == 0
