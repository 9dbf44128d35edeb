"""The flags of a settings class: short names of fields, found by walking the tree; what a flag is stands on its field."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from warmstart.base.settings import Option, Settings, option_of
from warmstart.config.fields import choices_in_words, default_at, default_in_words, group_class, value_type


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a verb.

    Attributes:
        path: of the field in the tree.
        field: the field.
        option: what the field says of its flag.
        title: of its group in the help.
        help: the field's help with its choices and its default.
    """

    path: tuple[str, ...]
    field: FieldInfo
    option: Option
    title: str
    help: str

    @property
    def name(self) -> str:
        """As it is typed; without ``--`` a positional argument."""
        return self.option.flag

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value and means yes."""
        return value_type(self.field.annotation) is bool


@functools.cache
def flags_of(kind: type[Settings]) -> tuple[Flag, ...]:
    """All flags of a settings class, group by group; a class's own fields come before those that it inherits."""
    titles: dict[str, list[Flag]] = {}
    for flag in _walk(kind, kind, (), Option()):
        titles.setdefault(flag.title, []).append(flag)
    return tuple(flag for flags in titles.values() for flag in flags)


def _walk(root: type[Settings], kind: type[Settings], above: tuple[str, ...], group: Option) -> Iterator[Flag]:
    """The flags of ``kind``, which stands at ``above`` in ``root``; ``group`` is what its field there says."""
    for owner, name in _declared_fields(kind):
        field = kind.model_fields[name]
        option, path = option_of(field), (*above, name)
        inner = group_class(field.annotation)
        title = option.title or group.title or owner.title
        if inner is not None:
            forced = option.title or group.title or ("" if inner.title else owner.title)
            remembered = option.remembered or group.remembered
            yield from _walk(root, inner, path, Option(title=forced, omit=option.omit, remembered=remembered))
        elif option.flag and name not in group.omit:
            yield Flag(path, field, option, title, _help(root, path, field, remembered=group.remembered))


def _declared_fields(kind: type[Settings]) -> Iterator[tuple[type[Settings], str]]:
    """Each field with the class that declares it, from the class itself to its bases."""
    seen: set[str] = set()
    for owner in kind.__mro__:
        if not issubclass(owner, Settings):
            continue
        for name in owner.__annotations__:
            if name in kind.model_fields and name not in seen:
                seen.add(name)
                yield owner, name


def _help(root: type[Settings], path: tuple[str, ...], field: FieldInfo, *, remembered: bool) -> str:
    """The field's help, with its choices and the default of this verb in brackets, unless the help says it in words."""
    text = field.description or ""
    chosen, default = option_of(field).chosen, default_at(root, path)
    if remembered or "(default" in text:
        said = ""
    else:
        said = f"default: by {chosen}" if chosen and default is None else default_in_words(default)
    parts = "; ".join(filter(None, (choices_in_words(field), said)))
    return f"{text} ({parts})" if parts else text
