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

MAX_BYTES = 1 << 20
EMPTY = ("", "~", "null")
"""How YAML writes 'no value' when it is not in quotes."""

KeyPath = tuple[str, ...]


@dataclass(slots=True)
class YamlTree:
    """The content of a file.

    Attributes:
        path: of the file.
        values: groups as dictionaries, lists, strings, and ``None`` for a key without a value.
        lines: path of each key and list item → its line, counted from 1.
    """

    path: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)


def read_yaml(path: str) -> YamlTree:
    """Reads one recipe file.

    Raises:
        BadInput: missing, too large, not UTF-8, broken YAML, not a group of keys, an alias, a key written twice.
    """
    tree = YamlTree(path)
    try:
        root = yaml.compose(_read_text(path), Loader=yaml.BaseLoader)
        if root is None:
            return tree
        if not isinstance(root, yaml.MappingNode):
            raise BadInput(
                "not a recipe", where=f"{path}:{_line_of(root)}", allowed="keys with values, one per line",
                next_step="write for example 'model: {preset: gpt1-mini}'",
            )  # fmt: skip
        tree.values = _NodeReader(tree).read(root, ())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        raise BadInput(
            f"broken YAML ({problem})", where=f"{path}:{mark.line + 1}" if mark else path,
            next_step="correct this line: 'key: value', groups indented by spaces",
        ) from None  # fmt: skip
    except RecursionError:
        raise BadInput(
            "groups are nested too deeply for a recipe", where=path, next_step="is this the file you meant?"
        ) from None
    return tree


def _read_text(path: str) -> str:
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise BadInput(
                "too large for a recipe", where=path, value=os.path.getsize(path), allowed=f"<= {MAX_BYTES} bytes",
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


def _line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _NodeReader:
    """From YAML's nodes to plain values; a node that comes twice was reached through an alias."""

    def __init__(self, tree: YamlTree) -> None:
        self.tree = tree
        self.seen: set[int] = set()

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        if id(node) in self.seen:
            where = f"{self.tree.path}:{self.tree.lines.get(path, _line_of(node))}"
            raise BadInput("a recipe has no aliases (*name)", where=where, next_step="write the value out")
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._read_group(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._read_item(item, (*path, str(number))) for number, item in enumerate(node.value)]
        unquoted = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if unquoted and node.value in EMPTY else node.value

    def _read_item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.tree.lines[path] = _line_of(node)
        return self.read(node, path)

    def _read_group(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            where = f"{self.tree.path}:{_line_of(key)}"
            if not isinstance(key, yaml.ScalarNode):
                raise BadInput("a key must be one word", where=where, next_step="write 'key: value'")
            inner = (*path, str(key.value))
            if key.value in found:
                raise BadInput(
                    "a key is written twice", where=where, value=".".join(inner),
                    next_step=f"keep one; the first stands on line {self.tree.lines[inner]}",
                )  # fmt: skip
            self.tree.lines[inner] = _line_of(key)
            found[str(key.value)] = self.read(value, inner)
        return found
