"""Questions about a tree of settings: which fields there are, what each accepts and what it is by default."""

import types
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from warmstart.base.settings import Settings

NO_DEFAULT = PydanticUndefined

_TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_BOUNDS = ((Ge, "ge", ">="), (Gt, "gt", ">"), (Le, "le", "<="), (Lt, "lt", "<"))


def value_type(annotation: Any) -> Any:
    """``int | None`` → ``int``: the type of a value that is given."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def group_class(annotation: Any) -> type[Settings] | None:
    """The settings class of a field that is a group, else ``None``."""
    kind = value_type(annotation)
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def entry_class(annotation: Any) -> type[Settings] | None:
    """The settings class of the entries of a field that holds groups by name, else ``None``."""
    kind = value_type(annotation)
    return group_class(get_args(kind)[1]) if get_origin(kind) is dict else None


def is_list(field: FieldInfo) -> bool:
    """Whether the field holds several values."""
    return get_origin(value_type(field.annotation)) in (tuple, list)


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The words that a field with fixed choices accepts, else nothing."""
    kind = value_type(field.annotation)
    return get_args(kind) if get_origin(kind) is Literal else ()


def field_at(kind: type[Settings], path: Sequence[str]) -> FieldInfo | None:
    """The field at ``path``, or ``None`` where the tree has none; what stands behind a list's index is the list."""
    owner: type[Settings] | None = kind
    found: FieldInfo | None = None
    for name in path:
        if found is not None and owner is None and (entry := entry_class(found.annotation)):
            owner = entry  # the name of an entry
            continue
        if found is not None and owner is None:
            return found if is_list(found) else None
        found = owner.model_fields.get(name) if owner else None
        if found is None:
            return None
        owner = group_class(found.annotation)
    return found


def default_at(kind: type[Settings], path: Sequence[str]) -> Any:
    """The default of the field at ``path`` in this tree, or ``NO_DEFAULT`` where it has to be given."""
    owner: Any = kind
    for name in path:
        if isinstance(owner, Settings):
            owner = getattr(owner, name)
            continue
        if not (isinstance(owner, type) and issubclass(owner, Settings)):
            return None if owner is None else NO_DEFAULT  # of a group that is left out, or an item of a list
        field = owner.model_fields[name]
        owner = field.get_default(call_default_factory=True)
        if owner is NO_DEFAULT:
            owner = group_class(field.annotation) or NO_DEFAULT
        if owner is NO_DEFAULT:
            return NO_DEFAULT
    return NO_DEFAULT if isinstance(owner, type) else owner


def field_paths(kind: type[Settings], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all fields of the tree, groups included."""
    for name, field in kind.model_fields.items():
        yield (*above, name)
        inner = group_class(field.annotation)
        if inner is not None:
            yield from field_paths(inner, (*above, name))


def allowed_in_words(field: FieldInfo) -> str:
    """What the field accepts: ``a number > 0``."""
    inner = group_class(field.annotation)
    if inner is not None:
        return f"a group of the keys {', '.join(inner.model_fields)}"
    if choices(field):
        return choices_in_words(field)
    if is_list(field):
        return "a list such as [a, b]"
    return " ".join([type_in_words(field), " and ".join(_bounds(field))]).strip()


def type_in_words(field: FieldInfo) -> str:
    """The type of a value, without its bounds."""
    kind = value_type(field.annotation)
    return _TYPES.get(kind) or str(kind)


def _bounds(field: FieldInfo) -> list[str]:
    found = []
    for bound, name, sign in _BOUNDS:
        found += [f"{sign} {getattr(m, name):g}" for m in field.metadata if isinstance(m, bound)]
    return found


def choices_in_words(field: FieldInfo) -> str:
    """``cosine, linear``, or nothing."""
    return ", ".join(choices(field))


def default_in_words(default: Any) -> str:
    """``default: cosine``, ``required``, or nothing for what is off by default."""
    if default is NO_DEFAULT:
        return "required"
    return "" if default is None or default is False or default in ((), "") else f"default: {default}"
