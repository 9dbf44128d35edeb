"""From a recipe file, flags and ``--set`` to one typed tree, and from the tree back to a file.

Later words win: defaults < file < flags < ``--set``. Each value remembers where it was said, so that an error can name the
line or the flag.
"""

import csv
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.settings import Settings
from warmstart.config.fields import field_at, is_list
from warmstart.config.flags import SETTINGS, flags_of
from warmstart.config.problems import explained
from warmstart.config.yaml_file import Place, read_yaml

S = TypeVar("S", bound=Settings)


def compose(
    kind: type[S], *, recipe: str | None = None, flags: Mapping[str, Any] | None = None, sets: Sequence[str] = ()
) -> S:
    """The tree that the user asks for.

    Args:
        kind: the settings class of a verb.
        recipe: path of a YAML file that states what differs from the defaults.
        flags: name of a flag (``--lr``) → its value, as typed or already of the field's type.
        sets: ``a.b=value`` each; the values of a list have commas between them.

    Raises:
        BadInput: anything that cannot be read: an unknown key, a value that its field does not accept, a missing one.
    """
    said = _Said(kind)
    if recipe is not None:
        said.read(recipe)
    known = {flag.name: flag for flag in flags_of(SETTINGS[kind.__name__])}
    for name, value in (flags or {}).items():
        if name not in known:
            raise unknown_name_error("option", name, known)
        said.put(tuple(known[name].path.split(".")), value, name)
    for text in sets:
        path, value = _assignment(text)
        said.put(path, value, f"--set {'.'.join(path)}")
    try:
        return kind.model_validate(said.tree)
    except ValidationError as error:
        raise explained(error, kind, said.origins) from None


class _Dumper(yaml.SafeDumper):
    """Quotes the characters that YAML takes for line ends, which PyYAML would write as they are."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if any(end in text for end in "\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _quoted)


def resolved(recipe: Settings) -> str:
    """The whole tree as YAML, defaults included and what is not set left out; :func:`compose` reads an equal tree back."""
    tree = recipe.model_dump(mode="json", exclude_none=True)
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


class _Said:
    """The tree as it is put together, and where each value was said."""

    def __init__(self, kind: type[Settings]) -> None:
        self.kind = kind
        self.tree: dict[str, Any] = {}
        self.origins: dict[Place, str] = {}

    def read(self, path: str) -> None:
        """Takes in a recipe file; a known key without a value counts as not written."""
        found = read_yaml(path)
        for place, line in found.lines.items():
            self.origins[place] = f"{path}:{line}, {'.'.join(place)}"
        self.tree = self._written(found.values, ())

    def _written(self, values: dict[str, Any], above: Place) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in values.items():
            place = (*above, name)
            if isinstance(value, dict):
                kept[name] = self._written(value, place)
            elif value is not None or field_at(self.kind, place) is None:
                kept[name] = value
        return kept

    def put(self, path: Place, value: Any, origin: str) -> None:
        """Says the value of one field; what was said of it before is forgotten."""
        field = field_at(self.kind, path)
        if isinstance(value, str) and field is not None and is_list(field):
            value = _parts(value, origin)
        here = self.tree
        for depth, name in enumerate(path[:-1], start=1):
            inner = here.setdefault(name, {})
            if not isinstance(inner, dict):
                where = self.origins.get(path[:depth], ".".join(path[:depth]))
                raise BadInput("not a group of keys", where=where, value=inner, next_step="correct it")
            here = inner
        here[path[-1]] = value
        for place in [place for place in self.origins if place[: len(path)] == path]:
            del self.origins[place]
        self.origins[path] = origin


def _parts(text: str, origin: str) -> list[str]:
    """The values of a list that is one string: commas between them, as in a line of CSV."""
    try:
        parts = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error:
        raise BadInput(
            "a quotation mark that is not closed", where=origin, value=text,
            allowed='values with commas between them; in quotation marks what has a comma or such a mark in it: the,","',
        ) from None  # fmt: skip
    return [part.strip() for part in parts if part.strip()]


def _assignment(text: str) -> tuple[Place, str]:
    path, equals, value = text.partition("=")
    place = tuple(part.strip() for part in path.split("."))
    if not equals or not all(place):
        raise BadInput(
            "not an assignment", where="--set", value=text, allowed="a.b=value",
            next_step="write for example --set train.optimizer.beta2=0.98",
        )  # fmt: skip
    return place, value.strip()
