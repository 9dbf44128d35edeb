"""The map of the house is the house. Witness: the folders of the package, and the floors that the imports are held to."""

import ast
import importlib
import re

from pages import ROOT, blocks

PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROOMS = {path.parent.name for path in (ROOT / "src" / "warmstart").glob("*/__init__.py")}


def floors() -> list[set[str]]:
    """The floors that ``tests/laws/test_floors.py`` holds, from the lowest, with the rooms that there are."""
    tree = ast.parse((ROOT / "tests" / "laws" / "test_floors.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FLOORS":
            return [found for floor in ast.literal_eval(node.value) if (found := set(floor) & ROOMS)]
    raise AssertionError("no FLOORS")


def test_the_floors_are_those_of_the_law() -> None:
    drawn = next(block.text for block in blocks(PAGE) if re.match(r" *\d+  cli", block.text))
    lines = [re.match(r" *\d+ +([a-z]+(?: · [a-z]+)*)", line) for line in reversed(drawn.splitlines())]
    assert [set(line[1].split(" · ")) for line in lines if line] == floors()


def test_every_room_has_a_row_and_a_page() -> None:
    rows = re.findall(r"(?m)^\| \[`(\w+)`\]\((\w+)\.md\)", TEXT)
    assert {room for room, _ in rows} == ROOMS and all(room == page for room, page in rows)


def test_the_tables_of_the_seams_exist() -> None:
    """A seam's table is written ``room/file.py:NAME``."""
    named = re.findall(r"`(\w+)/([\w/]+)\.py:(\w+)`", TEXT)
    assert named
    for room, file, table in named:
        module = importlib.import_module(f"warmstart.{room}.{file.replace('/', '.')}")
        assert hasattr(module, table), (room, file, table)
