"""Settings: the base of every typed, strict, frozen group of options, and the one way to declare an option.

Each component keeps a small settings class beside it; only ``config/`` knows them all. A field says everything about its
option: type, default, bounds, help, flag. Unknown keys are refused, and values are read by the field's type, so that YAML's
guesses (``1e-4`` as a string, ``no`` as false) cannot slip through.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, PydanticUndefined

from warmstart.base.errors import BadInput
from warmstart.base.units import Length

V = TypeVar("V")
HUB_PREFIX = "hf:"
"""How the ids of data sets and models on the hub begin, where they could be taken for a path."""


@dataclass(frozen=True, slots=True)
class PathRule:
    """What a value that is a path has to be; checked before anything is read.

    Attributes:
        kind: ``files`` is a file, or several separated by commas; ``any`` a file or a folder, or several; ``text`` files,
            folders, globs or ``-``; ``model`` a folder, or the id of a model on the hub; ``new`` what can be made there.
        words: values that are no paths, such as ``none``.
        hub: whether the id of a data set on the hub is accepted too.
        remote: whether addresses such as ``s3://…`` are accepted too.
    """

    kind: Literal["file", "files", "folder", "any", "text", "model", "new"]
    words: tuple[str, ...] = ()
    hub: bool = False
    remote: bool = False

    @property
    def takes_several(self) -> bool:
        """Whether a value may be several paths with commas between them."""
        return self.kind in ("files", "any")


@dataclass(frozen=True, slots=True)
class Option:
    """How a field stands on the command line.

    Attributes:
        flag: as it is typed; without ``--`` a positional argument; empty: set in a recipe or by ``--set`` only.
        metavar: stands for the value in the help.
        many: takes one value or more; ``joined``: may be given several times, as one text with commas between its values.
        path: what the value has to be, where it is a path.
        title: of the group in the help, instead of the class's (:attr:`Settings.title`).
        omit: of a group of settings: names of fields that have no flag here.
        remembered: of a group of settings: without a flag the run's own value holds, not the field's default.
        chosen: of a field that may be ``None``: what it then follows from, in words.
    """

    flag: str = ""
    metavar: str = "VALUE"
    many: bool | Literal["joined"] = False
    path: PathRule | None = None
    title: str = ""
    omit: tuple[str, ...] = ()
    remembered: bool = False
    chosen: str = ""

    @property
    def joins_values(self) -> bool:
        """Whether several values become one text with commas between them."""
        return self.many == "joined" or (self.path is not None and self.path.takes_several)


def Setting(
    default: Any = PydanticUndefined, help: str = "", *, flag: str = "", metavar: str = "VALUE",
    many: bool | Literal["joined"] = False, path: PathRule | None = None, title: str = "", chosen: str = "", **bounds: Any,
) -> Any:  # fmt: skip
    """Declares a field of a settings class.

    ::

        lr: float = Setting(2.5e-4, "peak learning rate", flag="--lr", metavar="RATE", gt=0)

    Without ``default`` the field is required; it then stands in ``Annotated``, so that type checkers see that.

    Args:
        default: the value of a field that is not given.
        help: what it is, without type, choices and default, which are added; ``(default: …)`` where the default needs words.
        flag: as in :class:`Option`.
        metavar: as in :class:`Option`.
        many: as in :class:`Option`.
        path: as in :class:`Option`.
        title: as in :class:`Option`.
        chosen: as in :class:`Option`.
        bounds: pydantic's: ``ge``, ``gt``, ``le``, ``lt``, ``min_length``, ``default_factory``.
    """
    return _field(default, Option(flag, metavar, many, path, title, chosen=chosen), description=help, **bounds)


def Group(
    kind: "type[Settings]", *, title: str = "", omit: tuple[str, ...] = (), remembered: bool = False, **changes: Any
) -> Any:
    """Declares a field that is itself a group of settings.

    ::

        train: TrainSettings = Group(TrainSettings, length="3 epochs", optimizer=defaults(OptimizerSettings, lr=6.25e-5))

    Args:
        kind: the settings class.
        title: as in :class:`Option`.
        omit: as in :class:`Option`.
        remembered: as in :class:`Option`.
        changes: defaults that differ here from those of ``kind``.
    """
    return _field(defaults(kind, **changes), Option(title=title, omit=omit, remembered=remembered))


def defaults(kind: "type[Settings]", /, **changes: Any) -> Any:
    """The default settings of a class, with some changes.

    Not validated, which would compile the class's validator before the help can be shown; a test does it instead.
    """
    return kind.model_construct(**changes)


def _field(default: Any, option: Option, **rest: Any) -> Any:
    extra: dict[str, Any] = {"option": option}
    return Field(json_schema_extra=extra, **rest) if "default_factory" in rest else Field(
        default, json_schema_extra=extra, **rest
    )  # fmt: skip


def option_of(field: FieldInfo) -> Option:
    """How a field stands on the command line; a field that does not say so has no flag."""
    extra = field.json_schema_extra
    option: Any = extra.get("option") if isinstance(extra, dict) else None
    return option if isinstance(option, Option) else Option()


def _check_length(text: str) -> str:
    try:
        Length.parse(text)
    except BadInput as error:
        raise PydanticCustomError("bad_input", "{error}", {"error": error}) from None
    return text


LengthText = Annotated[str, AfterValidator(_check_length)]
"""The type of a length with its unit: ``2000 steps``."""
LENGTH = "LENGTH"
"""Stands for such a length in the help."""


class Settings(BaseModel):
    """A frozen group of options; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    title: ClassVar[str] = ""
    """Title in the help for the fields that this class declares; empty: that of the group which it stands in."""

    @model_validator(mode="before")
    @classmethod
    def _only_differences(cls, given: Any) -> Any:
        """A nested group that is given in part differs from *this* class's default for it, not from its own type's."""
        if not isinstance(given, dict):
            return given
        full = dict(given)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Settings) and isinstance(full.get(name), dict):
                full[name] = merge(field.default.model_dump(exclude_unset=True), full[name])
        return full


def resolved(value: V | None) -> V:
    """A value that is chosen by rule where it is not given, once it is chosen.

    Raises:
        ValueError: it is not.
    """
    if value is None:
        raise ValueError("a setting that follows from the data is read before it is chosen")
    return value


def copy_setting(kind: type[Settings], name: str, default: Any = None) -> Any:
    """A field with help, flag and bounds of ``kind``'s field ``name``, and another default."""
    source = kind.model_fields[name]
    field: FieldInfo = _field(default, option_of(source), description=source.description)
    field.metadata = list(source.metadata)
    return field


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` put over it, group by group."""
    result = dict(base)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
