"""A table whose entries are imported when they are asked for."""

import math
import subprocess
import sys

import pytest

from warmstart.base.lazy_table import LazyTable, TableEntry


def test_it_is_a_dictionary_of_what_stands_there() -> None:
    """Witness: a dict of the same entries."""
    table = LazyTable[object]({"down": TableEntry("math:floor", "rounds down"), "up": TableEntry("math:ceil")})
    assert dict(table) == {"down": math.floor, "up": math.ceil} and list(table) == ["down", "up"] and len(table) == 2
    assert table.help == {"down": "rounds down", "up": ""}
    table["near"] = round
    assert table["near"] is round and "near" in table
    del table["near"], table["up"]
    assert dict(table) == {"down": math.floor}
    with pytest.raises(KeyError):
        table["up"]


def test_an_entry_is_made_once() -> None:
    """Invariant: asked for twice, it is the same object."""
    table = LazyTable[object]({"list": TableEntry("builtins:list")}, make=lambda found: found())
    assert table["list"] is table["list"] and table["list"] == []


def test_the_names_of_kinds_and_objectives_cost_no_numpy() -> None:
    """Witness: the modules that a fresh Python holds after it has read the names."""
    code = (
        "import sys; from warmstart.tasks.table import KINDS; from warmstart.objectives.table import OBJECTIVES;"
        "print(len(KINDS) > 0 < len(OBJECTIVES.help), 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
