"""Text is split at newlines only: ``str.splitlines`` also splits at form feeds and U+2028. Witness: the syntax trees."""

import ast
from pathlib import Path

import warmstart.base.errors

PACKAGE = Path(warmstart.base.errors.__file__).parents[1]


def test_nothing_is_split_at_other_line_ends() -> None:
    """Invariant: no call of ``splitlines`` in the package."""
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "splitlines"
    ]
    assert found == []
