"""What pydantic found wrong with a tree of settings, as the one sentence that the user reads."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from warmstart.base.errors import BadInput, nearest_name, suggest
from warmstart.base.settings import Settings
from warmstart.config.fields import (
    NO_DEFAULT,
    allowed_in_words,
    choices,
    default_at,
    entry_class,
    field_at,
    field_paths,
    group_class,
    type_in_words,
)
from warmstart.config.flags import flags_of
from warmstart.config.foreign_names import foreign_name_error
from warmstart.config.yaml_file import KeyPath

_OUT_OF_RANGE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number")


def bad_input_of(error: ValidationError, kind: type[Settings], sources: Mapping[KeyPath, str]) -> BadInput:
    """The first problem as a :class:`BadInput`; a key that does not exist comes first, since it explains missing ones.

    Args:
        error: what validation of ``kind`` raised.
        kind: the settings class.
        sources: where each value comes from: file and line, flag or ``--set``.
    """
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    path = tuple(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return _unknown_key(kind, path, sources)
    if first["type"] == "missing":
        return _missing(kind, path)
    if first["type"] == "bad_input":
        cause: BadInput = first["ctx"]["error"]
        return cause.with_where(_source(path, sources)) if path else cause
    return _bad_input(first, kind, path, sources)


def _unknown_key(kind: type[Settings], path: KeyPath, sources: Mapping[KeyPath, str]) -> BadInput:
    beside = _keys_beside(kind, path)
    *above, word = path
    found = nearest_name(word, beside)
    close = [(*above, found)] if found else [known for known in field_paths(kind) if known[-1] == word]
    if not close:
        elsewhere = {known[-1]: known for known in reversed(list(field_paths(kind)))}
        close = [elsewhere[name] for name in [nearest_name(word, elsewhere)] if name]
    where = sources.get(path, "").removesuffix(f", {'.'.join(path)}").removesuffix(f" {'.'.join(path)}")
    return foreign_name_error(".".join(path), kind, where) or BadInput(
        "unknown key", where=where, value=".".join(path), allowed=", ".join(beside),
        next_step=f"did you mean {'.'.join(close[0])!r}?" if close else "leave it out",
    )  # fmt: skip


def _keys_beside(kind: type[Settings], path: KeyPath) -> list[str]:
    field = field_at(kind, path[:-1])
    owner = group_class(field.annotation) or entry_class(field.annotation) if field else kind
    return list((owner or kind).model_fields)


def _missing(kind: type[Settings], path: KeyPath) -> BadInput:
    """Names the flag that would give it; of a whole group, the first flag that sets something in it."""
    flag = next((flag for flag in flags_of(kind) if flag.path[: len(path)] == path), None)
    if flag is None:
        field = field_at(kind, path)
        where = ".".join(path)
        allowed = allowed_in_words(field) if field else ""
        return BadInput("missing", where=where, allowed=allowed, next_step=f"give {where} in a recipe")
    value = f" {flag.option.metavar}" if flag.name.startswith("-") else ""
    return BadInput(
        "missing", where=flag.name, allowed=flag.field.description or "",
        next_step=f"give {flag.name}{value}, or {'.'.join(flag.path)} in a recipe",
    )  # fmt: skip


def _bad_input(first: ErrorDetails, kind: type[Settings], path: KeyPath, sources: Mapping[KeyPath, str]) -> BadInput:
    field = field_at(kind, path)
    value = first["input"]
    return BadInput(
        _what(first, field), where=_source(path, sources), value=value, allowed=allowed_in_words(field) if field else "",
        next_step=_next_step(kind, path, field, value),
    )  # fmt: skip


def _source(path: KeyPath, sources: Mapping[KeyPath, str]) -> str:
    """Where the value or, failing that, something in it or the group that it stands in comes from."""
    inside = [source for known, source in sources.items() if known[: len(path)] == path]
    if inside:
        return sources.get(path, inside[0])
    for length in range(len(path), 0, -1):
        if path[:length] in sources:
            return sources[path[:length]]
    return ".".join(path)


def _what(first: ErrorDetails, field: FieldInfo | None) -> str:
    if field is None:
        return first["msg"]
    if first["type"] in _OUT_OF_RANGE:
        return "out of range"
    if first["type"] == "too_short":
        return "no value is given"
    if choices(field):
        return "unknown choice"
    if group_class(field.annotation):
        return "not a group of keys"
    return "not a list" if first["type"] in ("tuple_type", "list_type") else f"not {type_in_words(field)}"


def _next_step(kind: type[Settings], path: KeyPath, field: FieldInfo | None, value: Any) -> str:
    if field is not None and isinstance(value, str) and suggest(value, choices(field)):
        return suggest(value, choices(field))
    default = default_at(kind, path) if field is not None else NO_DEFAULT
    if default is NO_DEFAULT or isinstance(default, Settings):
        return "correct it"
    return "correct it, or leave it out" + (f" for {default}" if default is not None else "")
