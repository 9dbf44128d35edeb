"""Sizes and choices of an LSTM encoder-decoder with attention. Light to import, as all settings.

The fields are an LSTM's and hold for both stacks; a few say how the decoder reads the source.
"""

from typing import Any, ClassVar, Literal, Self

from warmstart.base.errors import BadInput
from warmstart.base.settings import Setting
from warmstart.models.lstm_settings import LSTMSettings


class LSTMEncoderDecoderSettings(LSTMSettings):
    """Sizes and choices of an LSTM encoder-decoder (Luong et al. 2015; Ramachandran et al. 2016)."""

    NOUN: ClassVar = "an LSTM encoder-decoder"
    FREE: ClassVar = LSTMSettings.FREE | {"encoder_softmax"}
    """As a Transformer's."""
    can_carry: ClassVar[bool] = False
    two_stacks: ClassVar[bool] = True
    SIDE_LAYERS: ClassVar[int | None] = 1
    FEWEST_LAYERS: ClassVar[int] = 2
    reads_sides_alone: ClassVar[bool] = True

    kind: Literal["lstm-encoder-decoder"] = "lstm-encoder-decoder"  # type: ignore[assignment]
    layers: int = Setting(3, "layers of each stack, two at least", ge=1)
    attention_score: Literal["dot", "bilinear"] = Setting(
        "bilinear",
        "LSTM encoder-decoder: how a query meets a state of the source: their product, or one through a matrix",
    )
    attended_layers: Literal["last", "first_and_last"] = Setting(
        "first_and_last",
        "LSTM encoder-decoder: layers of the encoder whose states are averaged, by the weights of the last",
    )
    decoder_residual: Literal["none", "plain", "gated"] = Setting(
        "plain", "LSTM encoder-decoder: the softmax also reads the decoder's first layer: added to the last, or mixed with "
        "it by a gate that begins open for the first",
    )  # fmt: skip
    encoder_softmax: bool = Setting(
        False, "LSTM encoder-decoder: whether the encoder's first layer is a language model with a softmax of its own"
    )

    @property
    def sight(self) -> Literal["prefix"]:  # type: ignore[override]
        """Of the target a token sees itself and what came before, and the whole source."""
        return "prefix"

    @property
    def encoder(self) -> LSTMSettings:
        """The encoder's."""
        return self._stack(softmax=self.encoder_softmax)

    @property
    def decoder(self) -> LSTMSettings:
        """The decoder's first layer, which with its tables is a language model; it reads no source."""
        return self._stack(layers=1, residual=False)

    def _stack(self, **changes: Any) -> LSTMSettings:
        shared = {name: getattr(self, name) for name in LSTMSettings.model_fields if name != "kind"}
        return LSTMSettings.model_validate(shared | changes)

    @property
    def context_width(self) -> int:
        """Width of what the decoder reads of a source at a step."""
        return self.width * (2 if self.attended_layers == "first_and_last" else 1)

    @property
    def num_blocks(self) -> int:
        """Layers of both stacks."""
        return self.total_layers

    @property
    def total_layers(self) -> int:
        """Layers of both stacks."""
        return 2 * self.layers

    def blocks_of(self, name: str) -> int:
        """How many layers have a tensor of this name."""
        return self.layers

    def room_for_text(self, source: int) -> int:
        """Tokens that a text may have, whatever its source has."""
        return self.max_length

    @property
    def shape(self) -> str:
        """The size in words."""
        return f"{super().shape}, in each of two stacks"

    def activation_size(self, length: int) -> int:
        """Numbers per token that a training step keeps for its backward pass, roughly."""
        return super().activation_size(length) + 3 * self.context_width + length

    def check(self, where: str = "") -> Self:
        """Itself, if its parts fit together.

        Raises:
            BadInput: as an LSTM's; one layer, images, or two directions.
        """
        for name, only in (("vectors", False), ("directions", 1)):
            if getattr(self, name) != only:
                raise BadInput(
                    f"an LSTM encoder-decoder has no other {name}", where=where or f"model.{name}",
                    value=getattr(self, name), allowed=str(only), next_step="leave it out",
                )  # fmt: skip
        if self.layers < self.FEWEST_LAYERS:
            raise BadInput(
                "an LSTM encoder-decoder needs a layer above its first", where=where or "model.layers", value=self.layers,
                allowed=f"{self.FEWEST_LAYERS} or more", next_step="raise --layers",
            )  # fmt: skip
        return super().check(where)
