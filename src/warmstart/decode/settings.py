"""Settings of text generation. Light to import: the command line reads them without waiting for torch."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

from warmstart.base.errors import BadInput
from warmstart.base.settings import Setting, Settings

SAMPLING = ("samples", "temperature", "top_k", "top_p")
"""Fields that only matter where texts are sampled."""
BEAMS = ("beam", "best", "groups", "diversity", "length_penalty", "length_norm", "compat")
"""Fields that only matter in a beam search."""


class GenerateSettings(Settings):
    """How tokens are chosen and when a text ends: by sampling, greedily, or by beam search."""

    title = "Generation"

    max_new: int = Setting(
        50, "maximum number of tokens of a generated text (default: 50; of a sequence-to-sequence task --target-limit)",
        flag="--max-new", metavar="N", ge=1,
    )  # fmt: skip
    min_new: int = Setting(0, "minimum number of tokens of a generated text", flag="--min-new", metavar="N", ge=0)
    temperature: float = Setting(
        1.0, "sampling temperature: the logits are divided by it; below 1 likely tokens become likelier",
        flag="--temperature", metavar="T", gt=0, allow_inf_nan=False,
    )  # fmt: skip
    top_k: int = Setting(0, "sample among the k likeliest tokens; 0: among all", flag="--top-k", metavar="K", ge=0)
    top_p: float = Setting(
        1.0, "sample among the fewest likeliest tokens whose probabilities sum to P; 1: among all", flag="--top-p",
        metavar="P", gt=0, le=1,
    )  # fmt: skip
    greedy: bool = Setting(False, "always take the likeliest token", flag="--greedy")
    seed: int = Setting(1, "seed of the sampling", flag="--seed", metavar="N")
    samples: int = Setting(1, "texts that are sampled for each prompt", flag="--samples", metavar="N", ge=1)
    beam: int = Setting(1, "beam width; 1: no beam search", flag="--beam", metavar="N", ge=1)
    length_penalty: float = Setting(
        0.0,
        "beam scores are divided by a measure of the length to this power",
        flag="--length-penalty",
        metavar="ALPHA",
        ge=0,
    )
    length_norm: Literal["gnmt", "power"] = Setting(
        "gnmt", "that measure: (5 + length) / 6 (gnmt), or the length itself (power: transformers, fairseq)",
        flag="--length-norm",
    )  # fmt: skip
    best: int = Setting(1, "texts that a beam search returns for each prompt", flag="--best", metavar="N", ge=1)
    groups: int = Setting(
        1, "groups of a diverse beam search, which divide the beam", flag="--groups", metavar="N", ge=1
    )
    diversity: float = Setting(
        0.5, "penalty of a diverse beam search for each token that an earlier group has taken", flag="--diversity",
        metavar="PENALTY", ge=0,
    )  # fmt: skip
    no_repeat: int | None = Setting(
        None, "no n-gram of this length is generated twice", flag="--no-repeat", metavar="N", ge=1
    )
    ignored: tuple[str, ...] = Setting(
        (), "words that --no-repeat ignores, separated by commas", flag="--ignored", metavar="WORDS"
    )
    forbidden: tuple[str, ...] = Setting(
        (), "words that are never generated, separated by commas", flag="--forbidden", metavar="WORDS"
    )
    prefix: str = Setting("", "how every generated text begins", flag="--prefix", metavar="TEXT")
    compat: Literal["none", "s2s-ft"] = Setting(
        "none", "s2s-ft: the beam search of s2s-ft's code, rule by rule", flag="--compat"
    )

    def worth(self, log_prob: float, length: int) -> float:
        """The score of a text of so many tokens, its end included."""
        if self.length_penalty == 0:
            return log_prob
        measure: float = (5 + length) / 6 if self.length_norm == "gnmt" else length
        return log_prob / math.pow(measure, self.length_penalty)

    def without_beams(self, *, greedy: bool) -> "GenerateSettings":
        """The same without a beam search and all that belongs to one: the likeliest token (``greedy``), or samples."""
        fresh = GenerateSettings()
        return self.model_copy(update={name: getattr(fresh, name) for name in BEAMS} | {"greedy": greedy})

    @property
    def searches(self) -> bool:
        """Whether it is a beam search, rather than sampling or greedy decoding."""
        return self.beam > 1 or self.compat != "none"

    @property
    def rows(self) -> int:
        """Texts that are generated for one prompt at the same time."""
        return self.beam if self.searches else self.samples

    @property
    def texts(self) -> int:
        """Texts that are returned for one prompt."""
        return self.best if self.searches else self.samples


class _Need(NamedTuple):
    """What a field needs to change anything: whether that is so, in words, and the flag to add."""

    is_met: Callable[[GenerateSettings], bool]
    words: str
    flag: str


_NEEDS = {
    "length_penalty": _Need(lambda s: s.searches, "only a beam search weighs lengths", "--beam N"),
    "diversity": _Need(lambda s: s.groups > 1, "only groups of a beam search are kept apart", "--groups N"),
    "ignored": _Need(lambda s: s.no_repeat is not None, "no n-gram is kept from coming twice", "--no-repeat N"),
}


def idle_fields(settings: GenerateSettings) -> list[str]:
    """Fields that have another value than by default and yet change nothing."""
    fresh = GenerateSettings()
    return [
        name
        for name, need in _NEEDS.items()
        if getattr(settings, name) != getattr(fresh, name) and not need.is_met(settings)
    ]


def _check_effect(settings: GenerateSettings) -> None:
    """Refuses what would change nothing."""
    for name in idle_fields(settings):
        need = _NEEDS[name]
        raise BadInput(
            need.words, where=f"--{name.replace('_', '-')}", value=getattr(settings, name), allowed=f"with {need.flag}",
            next_step=f"add {need.flag}, or leave it out",
        )  # fmt: skip


def check_search(settings: GenerateSettings) -> None:
    """Refuses settings that contradict each other, and those that would change nothing.

    Raises:
        BadInput: more texts than the beam is wide, groups that do not divide it, sampling in a beam search, a minimum
            length above the maximum, or a field without the one that it belongs to.
    """
    _check_effect(settings)
    if settings.best > settings.beam:
        raise BadInput(
            "a beam search returns at most as many texts as its beam is wide", where="--best", value=settings.best,
            allowed=f"1 to {settings.beam}", next_step="raise --beam or lower --best",
        )  # fmt: skip
    if settings.beam % settings.groups:
        raise BadInput(
            "the beam width is not a multiple of the number of groups", where="--groups", value=settings.groups,
            allowed=f"a divisor of the beam width {settings.beam}", next_step="change --groups or --beam",
        )  # fmt: skip
    if settings.min_new > settings.max_new:
        raise BadInput(
            "the minimum length is above the maximum", where="--min-new", value=settings.min_new,
            allowed=f"0 to {settings.max_new}", next_step="raise --max-new or lower --min-new",
        )  # fmt: skip
    fresh = GenerateSettings()
    for name in SAMPLING if settings.searches else ():
        if (value := getattr(settings, name)) != getattr(fresh, name):
            raise BadInput(
                "a beam search samples nothing", where=f"--{name.replace('_', '-')}", value=value,
                allowed=f"{getattr(fresh, name)} with --beam or --compat",
                next_step="use --best for several texts of a beam search, or leave --beam out",
            )  # fmt: skip
    for name in ("temperature", "top_k", "top_p") if settings.greedy and not settings.searches else ():
        if (value := getattr(settings, name)) != getattr(fresh, name):
            raise BadInput(
                "greedy decoding samples nothing", where=f"--{name.replace('_', '-')}", value=value,
                allowed=f"{getattr(fresh, name)} with --greedy", next_step="leave one of the two out",
            )  # fmt: skip
    if settings.compat != "none" and settings.length_norm != "gnmt":
        raise BadInput(
            "s2s-ft's beam search has GNMT's measure of length", where="--length-norm", value=settings.length_norm,
            allowed="gnmt with --compat", next_step="leave one of the two out",
        )  # fmt: skip
    if settings.compat != "none" and (settings.groups > 1 or settings.best > 1):
        raise BadInput(
            "s2s-ft's beam search has no groups and returns one text", where="--compat", value=settings.compat,
            allowed="none with --groups or --best", next_step="leave --compat out, or --groups and --best",
        )  # fmt: skip
