"""Settings: the base of every typed, strict, frozen piece of configuration.

Each component owns its small settings class beside it; only ``recipe/`` knows them all. Unknown keys are refused, and
values are read by the field's type, so YAML's guesses (``1e-4`` as a string, ``no`` as false) cannot slip through.
"""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen group of options; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
