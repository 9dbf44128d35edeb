"""Settings of masking. Light to import."""

from typing import Literal

from pydantic import Field

from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings


class MaskSettings(Settings):
    """What is masked, and how.

    Attributes:
        units: single tokens (BERT), whole words, spans of words (SpanBERT; of a span all tokens become the same kind of
            thing), or blocks (UniLMv2): single tokens and runs of tokens. ``None``: blocks to be guessed one after the
            other, else single tokens.
        share: of the tokens; at least one is masked.
        random: share of what is masked that becomes a random token of the vocabulary.
        keep: share of what is masked that stays as it is.
    """

    units: Literal["tokens", "words", "spans", "blocks"] | None = None
    share: float = Field(0.15, gt=0, lt=1)
    random: float = Field(0.1, ge=0, le=1)
    keep: float = Field(0.1, ge=0, le=1)

    def model_post_init(self, context: object) -> None:
        """The two shares are parts of one whole."""
        if self.random + self.keep > 1:
            raise BadInput(
                "more is kept and made random than is masked", where="mask", value=self.random + self.keep,
                allowed="random + keep <= 1",
            )  # fmt: skip
