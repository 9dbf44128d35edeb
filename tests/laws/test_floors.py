"""The house stands: imports run downhill, and a few things happen in one place only. Witness: the syntax trees."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import warmstart.base.errors

PACKAGE = Path(warmstart.base.errors.__file__).parents[1]

FLOORS = (
    ("base",),
    ("text", "image", "example", "metrics", "readers"),
    ("corpora", "streams", "objectives", "tasks", "models", "reporting"),
    ("transfer", "decode", "train"),
    ("evaluation", "zeroshot", "config", "run"),
    ("build",),
    ("study", "embed"),
    ("verbs",),
    ("demo",),
    ("cli",),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
DYNAMIC = ("importlib.import_module", "import_module", "__import__")
LAZY = "base/lazy_table.py"
"""Imports what the lines of tables name; each line counts as an import of the file that it stands in."""
MOST_LINES, MOST_FUNCTION_LINES = 400, 50


@dataclass(frozen=True)
class File:
    """One file of the package; ``place`` is its path inside it, without a room for the package's own files."""

    place: str
    source: str

    @property
    def room(self) -> str | None:
        return self.place.split("/")[0] if "/" in self.place else None

    @property
    def module(self) -> str:
        return ".".join(["warmstart", *self.place.removesuffix(".py").removesuffix("__init__").strip("/").split("/")])

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.place)


FILES = [File(path.relative_to(PACKAGE).as_posix(), path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]
MODULES = {file.module for file in FILES}


def imports(file: File) -> Iterator[str]:
    """Every module that a file imports, wherever in it: at the top, in functions, under TYPE_CHECKING, by name."""
    package = ["warmstart", *file.place.split("/")[:-1]]
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            deeper = [f"{base}.{alias.name}" for alias in node.names]
            yield from (name for name in deeper if name in MODULES or base == "warmstart")
        elif isinstance(node, ast.Call) and dotted(node.func) in DYNAMIC:
            first = node.args[0] if node.args else None
            if file.place != LAZY:
                yield str(first.value) if isinstance(first, ast.Constant) else "warmstart.?"
        elif isinstance(node, ast.Call) and dotted(node.func) == "TableEntry":
            first = node.args[0] if node.args else None
            yield str(first.value).split(":")[0] if isinstance(first, ast.Constant) else "warmstart.?"


def calls(file: File) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, by the dotted name of what is called."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def dotted(node: ast.expr) -> str:
    """``torch.load`` as written; a call on anything but a name shows as ``?``."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def test_rooms_say_which_floor_they_are_on() -> None:
    """Witness: the first words of each room's docstring and of its page."""
    pages = PACKAGE.parents[1] / "docs"
    told = {file.room: ast.get_docstring(file.tree) or "" for file in FILES if file.place == f"{file.room}/__init__.py"}
    assert {room: text.partition(":")[0] for room, text in told.items()} == {
        room: f"Floor {number}" for room, number in FLOOR_OF.items()
    }
    named = {
        room: re.findall(r"^Floor (\d+)", (pages / f"{room}.md").read_text("utf-8"), re.MULTILINE) for room in told
    }
    assert {room: found for room, found in named.items() if found} == {
        room: [str(FLOOR_OF[room])] for room, found in named.items() if found and room is not None
    }


def test_every_room_has_a_floor() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and list(path.glob("*.py"))}
    assert rooms <= FLOOR_OF.keys()


def uphill(file: File) -> list[str]:
    room = file.room
    found = []
    for name in imports(file):
        parts = name.split(".")
        if room is None or parts[0] != "warmstart" or parts[1:2] == [room]:
            continue
        if len(parts) < 2 or parts[1] not in FLOOR_OF or FLOOR_OF[parts[1]] >= FLOOR_OF[room]:
            found.append(f"{file.place} imports {name}")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "from warmstart.config.load import compose",
        "import warmstart.cli.main as m",
        "def f():\n    from warmstart.verbs import predict",
        "if TYPE_CHECKING:\n    from warmstart.tasks.spec import Kind",
        "from ..corpora import prepare",
        "from warmstart import build",
        "import importlib\nimportlib.import_module('warmstart.cli')",
        "import importlib\nimportlib.import_module(name)",
        "from warmstart.attic import junk",
        "TableEntry('warmstart.verbs.predict:predict')",
        "TableEntry(name)",
    ],
)
def test_an_import_uphill_or_sideways_is_seen(source: str) -> None:
    """Witness: files that break the rule, as a file of models/ could."""
    assert uphill(File("models/wrong.py", source))
    assert not uphill(File("models/right.py", "from warmstart.base.errors import BadInput\nimport torch"))


def test_rooms_import_lower_floors_only() -> None:
    assert [line for file in FILES for line in uphill(file)] == []


def test_no_circles_inside_a_room() -> None:
    for room in FLOOR_OF:
        inside = {file.module: file for file in FILES if file.room == room}
        graph = {name: {found for found in imports(file) if found in inside} - {name} for name, file in inside.items()}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(f"{room}: {' → '.join(error.args[1])}")


def test_init_files_hold_a_docstring_only() -> None:
    for file in FILES:
        if file.place.endswith("/__init__.py"):
            assert len(file.tree.body) == 1 and ast.get_docstring(file.tree), file.place


def test_models_know_no_text_and_no_ranks() -> None:
    for file in FILES:
        if file.room == "models":
            names = set(imports(file))
            assert not any(name.startswith(("torch.distributed", "warmstart.text")) for name in names), file.place
            assert not any(name.startswith(("torch.distributed", "dist.")) for name, _ in calls(file)), file.place


def test_training_knows_no_task_and_no_metric() -> None:
    for file in FILES:
        if file.room == "train":
            wrong = [name for name in imports(file) if name.startswith(("warmstart.tasks", "warmstart.metrics"))]
            assert not wrong, file.place


def test_one_place_calls_backward() -> None:
    found = [file.place for file in FILES for name, _ in calls(file) if name.rsplit(".", 1)[-1] == "backward"]
    assert found == ["train/step.py"]


def test_one_place_prints() -> None:
    assert {file.place for file in FILES for name, _ in calls(file) if name == "print"} <= {"base/console.py"}


def test_nothing_unpickles_or_evaluates_text() -> None:
    for file in FILES:
        assert not {name.split(".")[0] for name in imports(file)} & UNSAFE_MODULES, file.place
        for name, call in calls(file):
            assert name not in ("eval", "exec", "torch.load", "yaml.load", "yaml.unsafe_load"), f"{file.place}: {name}"
            assert not any(keyword.arg == "allow_pickle" for keyword in call.keywords), file.place


def test_files_and_functions_are_short() -> None:
    for file in FILES:
        assert len(file.source.splitlines()) <= MOST_LINES, file.place
        for node in ast.walk(file.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= MOST_FUNCTION_LINES, f"{file.place}: {node.name} has {lines} lines"
