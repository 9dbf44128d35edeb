"""Settings of text generation. Light to import: the command line reads them without waiting for torch."""

from pydantic import Field

from warmstart.base.settings import Settings


class GenerateSettings(Settings):
    """How tokens are chosen and when to stop.

    Attributes:
        max_new: the most tokens that one text may grow by.
        temperature: logits are divided by it; towards 0 the likeliest token always wins.
        top_k: only the k likeliest tokens may be drawn; 0 turns it off.
        top_p: only the nucleus may be drawn: the fewest likeliest tokens whose mass reaches p; 1 turns it off.
        greedy: take the likeliest token; the three above then have no effect.
        seed: names the draws.
        samples: texts per prompt.
    """

    max_new: int = Field(50, ge=1)
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    top_k: int = Field(0, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    greedy: bool = False
    seed: int = 1
    samples: int = Field(1, ge=1)
