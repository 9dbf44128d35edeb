"""Settings of masking. Light to import."""

from typing import Literal

from warmstart.base.errors import BadInput
from warmstart.base.settings import Setting, Settings


class MaskSettings(Settings):
    """Which tokens are masked, and what is put in their place.

    ``spans`` are spans of words (SpanBERT): all tokens of one are treated alike. ``blocks`` are single tokens and runs of
    tokens (UniLMv2).
    """

    title = "Objective"

    units: Literal["tokens", "words", "spans", "blocks"] | None = Setting(
        None, "what is masked together (default: as the objective's paper has it)", flag="--mask"
    )
    share: float | None = Setting(
        None, "share of the tokens that is masked; at least one is (default: 0.15; infilling 0.3; masked-span 0.5)",
        flag="--mask-share", metavar="SHARE", gt=0, lt=1,
    )  # fmt: skip
    span: float = Setting(
        3.0,
        "mean length in tokens of the spans of span-corruption and infilling",
        flag="--mask-span",
        metavar="N",
        ge=1,
    )
    random: float = Setting(0.1, "share of the masked tokens that is replaced by a random token", ge=0, le=1)
    keep: float = Setting(0.1, "share of the masked tokens that stays as it is", ge=0, le=1)

    def model_post_init(self, context: object) -> None:
        """The two shares are parts of one whole."""
        if self.random + self.keep > 1:
            raise BadInput(
                "random and kept tokens are more than all masked ones", where="mask", value=self.random + self.keep,
                allowed="random + keep <= 1",
            )  # fmt: skip
