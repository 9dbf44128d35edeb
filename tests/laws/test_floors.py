"""The house stands: imports run downhill, and a few things happen in one place only. Witness: the syntax trees."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import warmstart.base.errors

PACKAGE = Path(warmstart.base.errors.__file__).parents[1]
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in FILES}

FLOORS = (
    ("base",),
    ("text", "example", "metrics", "readers"),
    ("corpora", "streams", "objectives", "tasks", "models", "report"),
    ("transfer", "decode", "train"),
    ("evaluate",),
    ("recipe",),
    ("verbs",),
    ("demo",),
    ("cli",),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
MOST_LINES, MOST_FUNCTION_LINES = 400, 50


def room_of(path: Path) -> str | None:
    """The room that a file is in; ``None`` for the package's own files, which stand above the house."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def module_of(path: Path) -> str:
    """``…/warmstart/base/errors.py`` → ``warmstart.base.errors``."""
    parts = ("warmstart", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in FILES}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it: at the top, in functions, under TYPE_CHECKING, by name."""
    package = module_of(path).split(".")[: None if path.name == "__init__.py" else -1]
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (
                f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in MODULES or not node.module
            )
        elif isinstance(node, ast.Call) and _dotted(node.func) in (
            "importlib.import_module",
            "import_module",
            "__import__",
        ):
            first = node.args[0] if node.args else None
            yield str(first.value) if isinstance(first, ast.Constant) else "warmstart.?"


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, by the dotted name of what is called."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Call):
            yield _dotted(node.func), node


def _dotted(node: ast.expr) -> str:
    """``torch.load`` as written; a call on anything but a name shows as ``?``."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def shown(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_every_room_has_a_floor() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and list(path.glob("*.py"))}
    assert rooms <= FLOOR_OF.keys()


def uphill(path: Path) -> list[str]:
    room = room_of(path)
    found = []
    for name in imports(path):
        parts = name.split(".")
        if room is None or parts[0] != "warmstart" or parts[1:2] == [room]:
            continue
        if len(parts) < 2 or parts[1] not in FLOOR_OF or FLOOR_OF[parts[1]] >= FLOOR_OF[room]:
            found.append(f"{shown(path)} imports {name}")
    return found


def test_rooms_import_lower_floors_only() -> None:
    assert [line for path in FILES for line in uphill(path)] == []


def test_no_circles_inside_a_room() -> None:
    for room in FLOOR_OF:
        inside = {module_of(path): path for path in FILES if room_of(path) == room}
        graph = {name: {found for found in imports(path) if found in inside} - {name} for name, path in inside.items()}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(f"{room}: {' → '.join(error.args[1])}")


def test_init_files_hold_a_docstring_only() -> None:
    for path in FILES:
        if path.name == "__init__.py" and path.parent != PACKAGE:
            body = TREES[path].body
            assert len(body) == 1 and ast.get_docstring(TREES[path]), shown(path)


def test_models_know_no_text_and_no_ranks() -> None:
    for path in FILES:
        if room_of(path) == "models":
            names = set(imports(path))
            assert not any(name.startswith(("torch.distributed", "warmstart.text")) for name in names), shown(path)
            assert not any(name.startswith(("torch.distributed", "dist.")) for name, _ in calls(path)), shown(path)


def test_training_knows_no_task_and_no_metric() -> None:
    for path in FILES:
        if room_of(path) == "train":
            assert not any(name.startswith(("warmstart.tasks", "warmstart.metrics")) for name in imports(path)), shown(
                path
            )


def test_one_place_calls_backward() -> None:
    found = [shown(path) for path in FILES for name, _ in calls(path) if name.rsplit(".", 1)[-1] == "backward"]
    assert found == ["train/step.py"]


def test_one_place_prints() -> None:
    assert {shown(path) for path in FILES for name, _ in calls(path) if name == "print"} <= {"base/console.py"}


def test_nothing_unpickles_or_evaluates_text() -> None:
    for path in FILES:
        assert not {name.split(".")[0] for name in imports(path)} & UNSAFE_MODULES, shown(path)
        for name, call in calls(path):
            assert name not in ("eval", "exec", "torch.load", "yaml.load", "yaml.unsafe_load"), f"{shown(path)}: {name}"
            assert not any(keyword.arg == "allow_pickle" for keyword in call.keywords), shown(path)


def test_files_and_functions_are_short() -> None:
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, shown(path)
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= MOST_FUNCTION_LINES, f"{shown(path)}: {node.name} has {lines} lines"
