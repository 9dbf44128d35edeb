"""What pydantic found wrong with a tree of settings, as the one sentence that the user reads."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from warmstart.base.errors import BadInput, suggest
from warmstart.base.settings import Settings
from warmstart.config.fields import NO_DEFAULT, accepted, choices, default_at, field_at, group, keys, kind_word
from warmstart.config.flags import SETTINGS, flags_of

Place = tuple[str, ...]

_OUT_OF_RANGE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number")


def explained(error: ValidationError, kind: type[Settings], origins: Mapping[Place, str]) -> BadInput:
    """The first problem as a :class:`BadInput`; a key that does not exist comes first, since it explains missing ones.

    Args:
        error: what validation of ``kind`` raised.
        kind: the settings class.
        origins: where each value was said: file and line, flag or ``--set``.
    """
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    place = tuple(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return _unknown_key(kind, place, origins)
    if first["type"] == "missing":
        return _missing(kind, place)
    return _refused(first, kind, place, origins)


def _unknown_key(kind: type[Settings], place: Place, origins: Mapping[Place, str]) -> BadInput:
    beside = _keys_beside(kind, place)
    *above, word = place
    close = [".".join((*above, name)) for name in get_close_matches(word, beside, n=1, cutoff=0.6)]
    close += [".".join(path) for path in keys(kind) if path[-1] == word]
    close += [".".join(path) for path in keys(kind) if get_close_matches(word, path[-1:], cutoff=0.7)]
    where = origins.get(place, "").removesuffix(f", {'.'.join(place)}").removesuffix(f" {'.'.join(place)}")
    return BadInput(
        "unknown key", where=where, value=".".join(place), allowed=", ".join(beside),
        next_step=f"did you mean {close[0]!r}?" if close else "leave it out",
    )  # fmt: skip


def _keys_beside(kind: type[Settings], place: Place) -> list[str]:
    field = field_at(kind, place[:-1])
    owner = group(field.annotation) if field else kind
    return list((owner or kind).model_fields)


def _missing(kind: type[Settings], place: Place) -> BadInput:
    """Names the flag that would give it; of a whole group, the first flag that sets something in it."""
    path = ".".join(place)
    flags = flags_of(SETTINGS[kind.__name__])
    flag = next((f for f in flags if f.path == path or f.path.startswith(f"{path}.")), None)
    field = field_at(kind, place)
    how = (
        f"give {flag.name} {flag.shown}"
        if flag and flag.name.startswith("-")
        else f"give {flag.name if flag else path}"
    )
    return BadInput(
        "missing", where=flag.name if flag else path, allowed=flag.help if flag else accepted(field) if field else "",
        next_step=f"{how}, or {flag.path if flag else path} in a recipe",
    )  # fmt: skip


def _refused(first: ErrorDetails, kind: type[Settings], place: Place, origins: Mapping[Place, str]) -> BadInput:
    field = field_at(kind, place)
    value = first["input"]
    return BadInput(
        _what(first, field), where=_origin(place, origins), value=value, allowed=accepted(field) if field else "",
        next_step=_next_step(kind, place, field, value),
    )  # fmt: skip


def _origin(place: Place, origins: Mapping[Place, str]) -> str:
    """Where the value or, failing that, something in it or the group that it stands in was said."""
    inside = [said for said_of, said in origins.items() if said_of[: len(place)] == place]
    if inside:
        return origins.get(place, inside[0])
    for length in range(len(place), 0, -1):
        if place[:length] in origins:
            return origins[place[:length]]
    return ".".join(place)


def _what(first: ErrorDetails, field: FieldInfo | None) -> str:
    if field is None:
        return first["msg"]
    if first["type"] in _OUT_OF_RANGE:
        return "out of range"
    if first["type"] == "too_short":
        return "nothing is named"
    if choices(field):
        return "unknown choice"
    return "not a group of keys" if group(field.annotation) else f"not {_kind(first, field)}"


def _kind(first: ErrorDetails, field: FieldInfo) -> str:
    return "a list" if first["type"] in ("tuple_type", "list_type") else kind_word(field)


def _next_step(kind: type[Settings], place: Place, field: FieldInfo | None, value: Any) -> str:
    if field is not None and isinstance(value, str) and suggest(value, choices(field)):
        return suggest(value, choices(field))
    default = default_at(kind, place) if field is not None else NO_DEFAULT
    if default is NO_DEFAULT or isinstance(default, Settings):
        return "correct it"
    return "correct it, or leave it out" + (f" for {default}" if default is not None else "")
