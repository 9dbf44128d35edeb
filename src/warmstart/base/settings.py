"""Settings: the base of every typed, strict, frozen piece of configuration.

Each component owns its small settings class beside it; only ``recipe/`` knows them all. Unknown keys are refused, and
values are read by the field's type, so YAML's guesses (``1e-4`` as a string, ``no`` as false) cannot slip through.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Settings(BaseModel):
    """A frozen group of options; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _only_differences(cls, given: Any) -> Any:
        """A nested group that is given in part differs from *this* class's default for it, not from its own type's."""
        if not isinstance(given, dict):
            return given
        full = dict(given)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Settings) and isinstance(full.get(name), dict):
                full[name] = merged(field.default.model_dump(exclude_unset=True), full[name])
        return full


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` put over it, group by group."""
    result = dict(base)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
