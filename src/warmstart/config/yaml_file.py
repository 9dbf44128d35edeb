"""A recipe file as a tree of strings, each with its line.

Scalars stay strings, since YAML guesses (``1e-4`` would be a string, ``no`` false, ``012`` ten): a value is read by its
field's type. What could hurt is refused: a file beyond a megabyte, aliases (a few lines of them can stand for gigabytes),
endless nesting, a key written twice.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from warmstart.base.errors import BadInput, suggest

LARGEST = 1 << 20
"""Bytes."""
NOTHING = ("", "~", "null")
"""How YAML writes 'no value' when it is not in quotes."""

Place = tuple[str, ...]


@dataclass(slots=True)
class YamlTree:
    """What a file says.

    Attributes:
        path: of the file.
        values: groups as dictionaries, lists, strings, and ``None`` for a key without a value.
        lines: where each key and list item stands, counted from 1.
    """

    path: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)


def read_yaml(path: str) -> YamlTree:
    """Reads one recipe file.

    Raises:
        BadInput: missing, too large, not UTF-8, broken YAML, not a group of keys, an alias, a key written twice.
    """
    tree = YamlTree(path)
    try:
        root = yaml.compose(_text(path), Loader=yaml.BaseLoader)
        if root is None:
            return tree
        if not isinstance(root, yaml.MappingNode):
            raise BadInput(
                "not a recipe", where=f"{path}:{_line(root)}", allowed="keys with values, one per line",
                next_step="write for example 'model: {preset: gpt1-mini}'",
            )  # fmt: skip
        tree.values = _Walk(tree).value(root, ())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        raise BadInput(
            f"broken YAML ({problem})", where=f"{path}:{mark.line + 1}" if mark else path,
            next_step="correct this line: 'key: value', groups indented by spaces",
        ) from None  # fmt: skip
    except RecursionError:
        raise BadInput("nested too deeply for a recipe", where=path, next_step="is this the file you meant?") from None
    return tree


def _text(path: str) -> str:
    try:
        if os.path.getsize(path) > LARGEST:
            raise BadInput(
                "too large for a recipe", where=path, value=os.path.getsize(path), allowed=f"<= {LARGEST} bytes",
                next_step="is this the file you meant?",
            )  # fmt: skip
        data = Path(path).read_bytes()
    except FileNotFoundError:
        folder = os.path.dirname(path) or "."
        beside = os.listdir(folder) if os.path.isdir(folder) else []
        hint = suggest(os.path.basename(path), beside) or "check the path"
        raise BadInput("file not found", where=path, next_step=hint) from None
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path, next_step="check the path") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(
            f"not UTF-8 text ({error.reason})", where=f"{path}:{line}", next_step="save the recipe as UTF-8"
        ) from None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Walk:
    """From YAML's nodes to plain values; a node that comes twice was reached through an alias."""

    def __init__(self, tree: YamlTree) -> None:
        self.tree = tree
        self.seen: set[int] = set()

    def value(self, node: yaml.Node, place: Place) -> Any:
        if id(node) in self.seen:
            where = f"{self.tree.path}:{self.tree.lines.get(place, _line(node))}"
            raise BadInput("aliases (*name) are not read in a recipe", where=where, next_step="write the value out")
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.item(inner, (*place, str(number))) for number, inner in enumerate(node.value)]
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if plain and node.value in NOTHING else node.value

    def item(self, node: yaml.Node, place: Place) -> Any:
        self.tree.lines[place] = _line(node)
        return self.value(node, place)

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, inner in node.value:
            where = f"{self.tree.path}:{_line(key)}"
            if not isinstance(key, yaml.ScalarNode):
                raise BadInput("a key must be one word", where=where, next_step="write 'key: value'")
            here = (*place, str(key.value))
            if key.value in found:
                raise BadInput(
                    "a key is written twice", where=where, value=".".join(here),
                    next_step=f"keep one; the first stands on line {self.tree.lines[here]}",
                )  # fmt: skip
            self.tree.lines[here] = _line(key)
            found[str(key.value)] = self.value(inner, here)
        return found
