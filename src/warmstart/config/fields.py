"""Questions about a tree of settings: which fields there are, what each accepts and what it is by default."""

import types
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from warmstart.base.settings import Settings

NO_DEFAULT = PydanticUndefined

_NUMBERS = {int: "a whole number", float: "a number"}
_WORDS = {bool: "true or false", str: "text"}
_BOUNDS = ((Ge, "ge", ">="), (Gt, "gt", ">"), (Le, "le", "<="), (Lt, "lt", "<"))


def plain(annotation: Any) -> Any:
    """``int | None`` → ``int``: what a value looks like where there is one."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def group(annotation: Any) -> type[Settings] | None:
    """The settings class of a field that is a group, else ``None``."""
    kind = plain(annotation)
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def is_list(field: FieldInfo) -> bool:
    """Whether the field holds several values."""
    return get_origin(plain(field.annotation)) in (tuple, list)


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The words that a field with fixed choices accepts, else nothing."""
    kind = plain(field.annotation)
    return get_args(kind) if get_origin(kind) is Literal else ()


def field_at(kind: type[Settings], path: Sequence[str]) -> FieldInfo | None:
    """The field at ``path``, or ``None`` where the tree has none; what stands behind a list's index is the list."""
    owner: type[Settings] | None = kind
    found: FieldInfo | None = None
    for name in path:
        if found is not None and owner is None:
            return found if is_list(found) else None
        found = owner.model_fields.get(name) if owner else None
        if found is None:
            return None
        owner = group(found.annotation)
    return found


def default_at(kind: type[Settings], path: Sequence[str]) -> Any:
    """The default of the field at ``path`` in this tree, or ``NO_DEFAULT`` where it has to be given."""
    owner: Any = kind
    for name in path:
        if isinstance(owner, Settings):
            owner = getattr(owner, name)
            continue
        if not (isinstance(owner, type) and issubclass(owner, Settings)):
            return NO_DEFAULT  # an item of a list
        field = owner.model_fields[name]
        owner = field.get_default(call_default_factory=True)
        if owner is NO_DEFAULT:
            owner = group(field.annotation) or NO_DEFAULT
        if owner is NO_DEFAULT:
            return NO_DEFAULT
    return NO_DEFAULT if isinstance(owner, type) else owner


def keys(kind: type[Settings], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all fields of the tree, groups included."""
    for name, field in kind.model_fields.items():
        yield (*above, name)
        inner = group(field.annotation)
        if inner is not None:
            yield from keys(inner, (*above, name))


def accepted(field: FieldInfo) -> str:
    """What the field accepts, in words: ``a number > 0``."""
    inner = group(field.annotation)
    if inner is not None:
        return f"a group of the keys {', '.join(inner.model_fields)}"
    if choices(field):
        return ", ".join(choices(field))
    if is_list(field):
        return "a list such as [a, b]"
    return " ".join([kind_word(field), " and ".join(_bounds(field))]).strip()


def kind_word(field: FieldInfo) -> str:
    """The kind of value in words, without its bounds."""
    kind = plain(field.annotation)
    return _NUMBERS.get(kind) or _WORDS.get(kind) or str(kind)


def _bounds(field: FieldInfo) -> list[str]:
    found = []
    for bound, name, sign in _BOUNDS:
        found += [f"{sign} {getattr(m, name):g}" for m in field.metadata if isinstance(m, bound)]
    return found


def in_brackets(kind: type[Settings], path: Sequence[str]) -> str:
    """What a help text adds to a field: ``(cosine, linear; default: cosine)``, ``(required)``."""
    field = field_at(kind, path)
    assert field is not None
    default = default_at(kind, path)
    parts = [", ".join(choices(field))]
    if default is NO_DEFAULT:
        parts.append("required")
    elif default is not None and default is not False and default != ():
        parts.append(f"default: {default}")
    said = "; ".join(filter(None, parts))
    return f"({said})" if said else ""
