"""From a recipe file, flags and ``--set`` to one typed tree, and from the tree back to a file.

What comes later wins: defaults < file < flags < ``--set``. Each value keeps its source, so that an error can name the line
or the flag.
"""

import csv
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from warmstart.base.errors import BadInput, suggest
from warmstart.base.settings import Settings, merge, option_of
from warmstart.config.fields import NO_DEFAULT, default_at, entry_class, field_at, group_class, is_list
from warmstart.config.flags import flags_of
from warmstart.config.foreign_names import foreign_name_error
from warmstart.config.problems import bad_input_of
from warmstart.config.yaml_file import KeyPath, read_yaml

S = TypeVar("S", bound=Settings)
BASE = "base"
"""Key of a recipe file: another file, from which it states what differs."""


def compose(
    kind: type[S], *, recipe: str | None = None, flags: Mapping[str, Any] | None = None, sets: Sequence[str] = ()
) -> S:
    """The tree that a recipe file, flags and assignments make together.

    Args:
        kind: the settings class of a verb.
        recipe: path of a YAML file that states what differs from the defaults.
        flags: name of a flag (``--lr``) → its value, as typed or already of the field's type.
        sets: ``a.b=value`` each; the values of a list have commas between them.

    Raises:
        BadInput: anything that cannot be read: an unknown key, a value that its field does not accept, a missing one.
    """
    tree = _RecipeTree(kind)
    if recipe is not None:
        tree.add_file(recipe)
    known = {flag.name: flag for flag in flags_of(kind)}
    for name, value in (flags or {}).items():
        if name not in known:
            raise foreign_name_error(name, kind) or BadInput(
                "unknown option", value=name, next_step=suggest(name, known) or "the verb's --help lists the options"
            )
        tree.set_value(known[name].path, value, name)
    for text in sets:
        path, value = _parse_assignment(text)
        tree.set_value(path, value, f"--set {'.'.join(path)}")
    try:
        return kind.model_validate(tree.values)
    except ValidationError as error:
        raise bad_input_of(error, kind, tree.sources) from None


def changed(recipe: S, path: str, value: str, flag: str) -> S:
    """A tree with one field set, by its path with dots; ``flag`` is named where that cannot be.

    Raises:
        BadInput: an unknown field, or a value that it does not accept.
    """
    tree = _RecipeTree(type(recipe))
    tree.values = recipe.model_dump(mode="json", exclude_none=True)
    tree.set_value(tuple(path.split(".")), value, f"{flag} {path}")
    try:
        return type(recipe).model_validate(tree.values)
    except ValidationError as error:
        raise bad_input_of(error, type(recipe), tree.sources) from None


def split_values(text: str, flag: str) -> tuple[str, list[str]]:
    """``a.b=x,y`` → the path of a field and the values that it takes in turn.

    Raises:
        BadInput: it is no such assignment.
    """
    path, value = _parse_assignment(text, flag)
    return ".".join(path), _split_list(value, flag)


class _Dumper(yaml.SafeDumper):
    """Quotes the characters that YAML takes for line ends, which PyYAML would write as they are."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if any(end in text for end in "\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def to_yaml(recipe: Settings) -> str:
    """The whole tree as YAML, defaults included and what is not set left out; :func:`compose` reads an equal tree back."""
    return _dump(recipe.model_dump(mode="json", exclude_none=True))


def changes_to_yaml(recipe: Settings) -> str:
    """What differs from the defaults of this tree, as YAML; :func:`compose` reads an equal tree back."""
    return _dump(_changes(type(recipe), recipe.model_dump(mode="json"), ()))


def _changes(kind: type[Settings], tree: dict[str, Any], above: KeyPath) -> dict[str, Any]:
    """The fields of a group of ``kind``'s tree whose values are not the defaults."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        path = (*above, name)
        field, default = field_at(kind, path), default_at(kind, path)
        if field is not None and group_class(field.annotation) and isinstance(value, dict):
            inner = _changes(kind, value, path)
            found |= {name: inner} if inner else {}
        elif field is not None and (entry := entry_class(field.annotation)):
            found |= {name: {key: _changes(entry, one, ()) for key, one in value.items()}} if value else {}
        elif default is NO_DEFAULT or TypeAdapter(Any).dump_python(default, mode="json") != value:
            found |= {} if value is None else {name: value}
    return found


def _dump(tree: dict[str, Any]) -> str:
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


class _RecipeTree:
    """The values as they are put together, and the source of each: file and line, flag or ``--set``."""

    def __init__(self, kind: type[Settings]) -> None:
        self.kind = kind
        self.values: dict[str, Any] = {}
        self.sources: dict[KeyPath, str] = {}

    def add_file(self, path: str, reading: tuple[str, ...] = ()) -> None:
        """Reads a recipe file over the one that it names as its ``base``; a known key without a value counts as absent.

        Args:
            path: of the file.
            reading: files that lead to it.
        """
        found = read_yaml(path)
        base = found.values.pop(BASE, None)
        if base is not None:
            self.add_file(_base_of(path, base, reading), (*reading, os.path.abspath(path)))
        for key_path, line in found.lines.items():
            self.sources[key_path] = f"{path}:{line}, {'.'.join(key_path)}"
        self.values = merge(self.values, self._without_empty_keys(found.values, ()))

    def _without_empty_keys(self, values: dict[str, Any], above: KeyPath) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in values.items():
            path = (*above, name)
            if isinstance(value, dict):
                kept[name] = self._without_empty_keys(value, path)
            elif value is not None or field_at(self.kind, path) is None:
                kept[name] = value
        return kept

    def set_value(self, path: KeyPath, value: Any, source: str) -> None:
        """Sets one field, in place of what the file or another flag gave it."""
        field = field_at(self.kind, path)
        if field is not None and is_list(field):
            value = _split_list(value, source) if isinstance(value, str) else value
        elif isinstance(value, list | tuple | dict) and field is not None and option_of(field).joins_values:
            parts = [f"{name}={part}" for name, part in value.items()] if isinstance(value, dict) else value
            value = ",".join(map(str, parts))
        group = self.values
        for depth, name in enumerate(path[:-1], start=1):
            inner = group.setdefault(name, {})
            if not isinstance(inner, dict):
                where = self.sources.get(path[:depth], ".".join(path[:depth]))
                raise BadInput("not a group of keys", where=where, value=inner, next_step="correct it")
            group = inner
        group[path[-1]] = value
        for old in [old for old in self.sources if old[: len(path)] == path]:
            del self.sources[old]
        self.sources[path] = source


def _base_of(path: str, base: Any, reading: tuple[str, ...]) -> str:
    """The file that a recipe differs from; its path is relative to the recipe's.

    Raises:
        BadInput: it is no path, or a file that leads back to itself.
    """
    where = f"{path}, {BASE}"
    if not isinstance(base, str):
        raise BadInput("not the path of a recipe", where=where, value=base, next_step=f"write '{BASE}: other.yaml'")
    found = os.path.join(os.path.dirname(path), base)
    if os.path.abspath(found) in (*reading, os.path.abspath(path)):
        raise BadInput("this recipe leads back to itself", where=where, value=base, next_step="name another file")
    return found


def _split_list(text: str, source: str) -> list[str]:
    """The values of a list that is one string: commas between them, as in a line of CSV."""
    try:
        parts = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error:
        raise BadInput(
            "a quotation mark that is not closed", where=source, value=text,
            allowed="values separated by commas; a value that contains a comma or a quotation mark stands in quotation "
            'marks: the,","',
        ) from None  # fmt: skip
    return [part.strip() for part in parts if part.strip()]


def _parse_assignment(text: str, flag: str = "--set") -> tuple[KeyPath, str]:
    keys, equals, value = text.partition("=")
    path = tuple(part.strip() for part in keys.split("."))
    if not equals or not all(path):
        raise BadInput(
            "not an assignment", where=flag, value=text, allowed="a.b=value",
            next_step=f"write for example {flag} train.optimizer.beta2=0.98",
        )  # fmt: skip
    return path, value.strip()
