"""Lengths with a unit: ``2000 steps``, ``3 epochs``, ``8M tokens``, ``0.002 run`` (a fraction of the whole run)."""

import math
import re
from dataclasses import dataclass

from warmstart.base.errors import BadInput

UNITS = ("steps", "epochs", "tokens", "run")
_PATTERN = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\s*([kKMG]?)\s*([a-z]+)\s*")
_SCALE = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


@dataclass(frozen=True, slots=True)
class Length:
    """A length of training."""

    value: float
    unit: str

    @staticmethod
    def parse(text: str, where: str = "") -> "Length":
        """Parses a text such as ``"3 epochs"``.

        Raises:
            BadInput: the text is not a number and a unit.
        """
        match = _PATTERN.fullmatch(str(text))
        unit = match[3] if match else ""
        unit = unit if unit in UNITS else f"{unit}s"
        if match is None or unit not in UNITS or math.isinf(float(match[1])):
            raise BadInput(
                "not a length of training", where=where, value=text, allowed="a number and one of " + ", ".join(UNITS),
                next_step="write for example '3 epochs', '2000 steps', '8M tokens' or '0.01 run'",
            )  # fmt: skip
        return Length(float(match[1]) * _SCALE[match[2]], unit)

    def to_steps(self, *, steps_per_epoch: int, tokens_per_step: float, run_steps: int = 0) -> int:
        """The number of optimizer steps, rounded up."""
        return math.ceil(
            self.to_exact_steps(steps_per_epoch=steps_per_epoch, tokens_per_step=tokens_per_step, run_steps=run_steps)
        )

    def to_exact_steps(self, *, steps_per_epoch: int, tokens_per_step: float, run_steps: int = 0) -> float:
        """The number of optimizer steps, not rounded."""
        return self.value * {
            "steps": 1.0, "epochs": steps_per_epoch, "tokens": 1 / tokens_per_step, "run": run_steps,
        }[self.unit]  # fmt: skip
