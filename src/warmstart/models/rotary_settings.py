"""How rotary positions reach further than a model was first trained for; no torch."""

from typing import Annotated, Literal

from warmstart.base.errors import BadInput
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


def check_rotary(rotated: int, per_head: int, scaling: RotaryScaling | None, where: str) -> None:
    """Refuses what cannot be rotated.

    Args:
        rotated: numbers of a head that are to be.
        per_head: numbers that it has.
        scaling: of the frequencies.
        where: the setting or the file.

    Raises:
        BadInput: an odd number of them, more than there are, or bounds of the scaling that are the wrong way round.
    """
    if rotated % 2:
        raise BadInput(
            "rotary positions need an even width of what is rotated", where=where,
            value=f"heads of {per_head}, {rotated} of it rotated",
            allowed="an even width", next_step="change rotary_width or head_width, or width and heads",
        )  # fmt: skip
    if rotated > per_head:
        raise BadInput(
            "more of a head is rotated than it has", where=where, value=rotated, allowed=f"at most {per_head}",
            next_step="change rotary_width",
        )  # fmt: skip
    if scaling is not None and scaling.few_turns >= scaling.many_turns:
        raise BadInput(
            "the bounds of the rotary scaling are the wrong way round", where=where,
            value=f"{scaling.few_turns} and {scaling.many_turns} turns", allowed="few_turns below many_turns",
        )  # fmt: skip
