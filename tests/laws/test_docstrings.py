"""What docstrings say holds. Witness: their examples, run by the standard library's doctest; the code that they stand in."""

import ast
import builtins
import doctest
import re
from collections.abc import Iterator
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


FILES = {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
CLASSES = {node.name for tree in FILES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def listed(docstring: str, section: str) -> Iterator[str]:
    """The names before a colon in a section of a docstring; ``A, B: why`` lists two."""
    found = re.search(rf"^{section}:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    for line in re.findall(r"^    ([\w*][\w*., ]*):", found[1] if found else "", re.MULTILINE):
        yield from (name.strip().lstrip("*") for name in line.split(","))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_a_docstring_lists_is_there(path: Path) -> None:
    """Invariant: what it says is raised is a class, and what it says of arguments is said of those that there are."""
    for node in ast.walk(FILES[path]):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node) or ""
            raised = {name.rpartition(".")[2] for name in listed(docstring, "Raises")}
            assert raised <= CLASSES | {*dir(builtins)}, node.name
            given = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
            assert {*listed(docstring, "Args")} <= given, node.name
