"""Settings of text generation. Light to import: the command line reads them without waiting for torch."""

from typing import Literal

from pydantic import Field

from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings

DRAWING = ("samples", "temperature", "top_k", "top_p")
"""Fields that only say something where texts are drawn."""


class GenerateSettings(Settings):
    """How tokens are chosen and when to stop.

    Attributes:
        max_new: the most tokens that one text may grow by.
        min_new: the fewest: before, a text does not end.
        temperature: logits are divided by it; towards 0 the likeliest token always wins.
        top_k: only the k likeliest tokens may be drawn; 0 turns it off.
        top_p: only the nucleus may be drawn: the fewest likeliest tokens whose mass reaches p; 1 turns it off.
        greedy: take the likeliest token; the three above then have no effect.
        seed: names the draws.
        samples: texts per prompt, drawn one by one.
        beam: more than 1: a search that keeps so many texts at a time, instead of drawing.
        length_penalty: scores are divided by ((5 + length) / 6) to this power (Wu et al. 2016, section 7).
        best: how many of the texts that a search finds are given.
        groups: the beam is divided into so many, which avoid each other's tokens (Vijayakumar et al. 2018).
        diversity: what a token costs for every group before that has chosen it.
        no_repeat: no n tokens come twice in a text, for this n.
        ignored: words that may come again all the same.
        forbidden: words that never come.
        prefix: how every text begins.
        compat: ``s2s-ft``: the beam search of that code, rule by rule.
    """

    max_new: int = Field(50, ge=1)
    min_new: int = Field(0, ge=0)
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    top_k: int = Field(0, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    greedy: bool = False
    seed: int = 1
    samples: int = Field(1, ge=1)
    beam: int = Field(1, ge=1)
    length_penalty: float = Field(0.0, ge=0)
    best: int = Field(1, ge=1)
    groups: int = Field(1, ge=1)
    diversity: float = Field(0.5, ge=0)
    no_repeat: int | None = Field(None, ge=1)
    ignored: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    prefix: str = ""
    compat: Literal["none", "s2s-ft"] = "none"

    @property
    def searches(self) -> bool:
        """Whether a beam is kept, rather than texts drawn one by one."""
        return self.beam > 1 or self.compat != "none"

    @property
    def rows(self) -> int:
        """Texts that grow from one prompt at a time."""
        return self.beam if self.searches else self.samples

    @property
    def texts(self) -> int:
        """Texts that one prompt comes to."""
        return self.best if self.searches else self.samples


def check_search(settings: GenerateSettings) -> None:
    """Refuses settings that do not go together.

    Raises:
        BadInput: more texts asked for than a beam holds, groups that do not divide it, drawing in a search, or a least
            length above the greatest.
    """
    if settings.best > settings.beam:
        raise BadInput(
            "a search gives at most as many texts as its beam holds", where="--best", value=settings.best,
            allowed=f"1 to {settings.beam}", next_step="raise --beam",
        )  # fmt: skip
    if settings.beam % settings.groups:
        raise BadInput(
            "the groups do not divide the beam", where="--groups", value=settings.groups,
            allowed=f"a divisor of {settings.beam}",
        )  # fmt: skip
    if settings.min_new > settings.max_new:
        raise BadInput(
            "the least length is above the greatest", where="--min-new", value=settings.min_new,
            allowed=f"0 to {settings.max_new}", next_step="raise --max-new",
        )  # fmt: skip
    fresh = GenerateSettings()
    for name in DRAWING if settings.searches else ():
        if (value := getattr(settings, name)) != getattr(fresh, name):
            raise BadInput(
                "a search draws nothing", where=f"--{name.replace('_', '-')}", value=value,
                allowed=f"{getattr(fresh, name)} with --beam or --compat",
                next_step="use --best for several texts of a search, or leave --beam out",
            )  # fmt: skip
    if settings.compat != "none" and (settings.groups > 1 or settings.best > 1):
        raise BadInput(
            "s2s-ft's search has no groups and gives one text", where="--compat", value=settings.compat,
            allowed="none with --groups or --best",
        )  # fmt: skip
