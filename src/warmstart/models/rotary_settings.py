"""How rotary positions reach further than a model was first trained for; no torch."""

from typing import Annotated, Literal

from warmstart.base.settings import Setting, Settings


class RotaryScaling(Settings):
    """Slower frequencies for a longer context.

    ``linear`` divides all by the factor (Chen et al. 2023); ``dynamic`` raises the base as far as the context asks for;
    ``llama3`` and ``yarn`` (Peng et al. 2023) leave the frequencies alone that turn often within the original context and
    divide those that hardly turn.
    """

    kind: Annotated[Literal["linear", "dynamic", "llama3", "yarn"], Setting(help="which frequencies become slower")]
    factor: float = Setting(1.0, "how much longer the context becomes", ge=1)
    original_context: int = Setting(1, "context without scaling (all but linear)", ge=1)
    few_turns: float = Setting(1.0, "so many turns and fewer within it: divided by the factor (llama3, yarn)", gt=0)
    many_turns: float = Setting(4.0, "so many turns and more: as they are (llama3: 4, yarn: 32)", gt=0)
    whole_places: bool = Setting(True, "round both bounds to whole pairs of a head's numbers (yarn)")
    amplitude: float = Setting(1.0, "factor on the cosines and sines, and so, squared, on the scores (yarn)", gt=0)
