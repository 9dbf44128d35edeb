"""Sizes and choices of a Transformer of an encoder and a decoder. Light to import, as all settings.

The fields are a Transformer's and hold for both stacks; a few say where the decoder differs.
"""

from typing import Any, ClassVar, Literal, Self

from warmstart.base.errors import BadInput
from warmstart.base.settings import Setting
from warmstart.models.transformer_settings import TransformerSettings

UNBUILT: dict[str, Any] = {
    "parallel": "none", "joint_table": False, "lm_transform": False, "disentangled": (), "segments": 0,
    "embedding_width": None, "vectors": False,
}  # fmt: skip
"""What a single stack may have and these two have not: field → the only value."""


class EncoderDecoderSettings(TransformerSettings):
    """Sizes and choices of an encoder-decoder (Vaswani et al. 2017): T5, BART and their relatives."""

    NOUN: ClassVar = "an encoder-decoder"
    FREE: ClassVar = TransformerSettings.FREE | {"decoder_layers", "encoder_softmax"}
    """As a Transformer's."""
    two_stacks: ClassVar = True
    reads_sides_alone: ClassVar[bool] = True
    masks_sources: ClassVar[bool] = True

    kind: Literal["encoder-decoder"] = "encoder-decoder"  # type: ignore[assignment]
    sight: Literal["prefix"] = Setting(  # type: ignore[assignment]
        "prefix", "prefix: the source is seen whole, of the target each token sees what came before"
    )
    decoder_layers: int | None = Setting(None, "layers of the decoder; default: as many as the encoder has", ge=1)
    decoder_heads: int | None = Setting(None, "attention heads of the decoder; default: as the encoder", ge=1)
    decoder_hidden: int | None = Setting(
        None, "width inside the decoder's feed-forward part; default: as the encoder's", ge=1
    )
    shared_tokens: bool = Setting(True, "encoder and decoder read the same token table")
    encoder_softmax: bool = Setting(
        False, "whether the encoder is a masked language model too, by its token table and BERT's head for words"
    )

    @property
    def written_out(self) -> dict[str, Any]:
        """As a Transformer's."""
        decoder = self.decoder
        return super().written_out | {
            "decoder_layers": decoder.layers, "decoder_heads": decoder.heads, "decoder_hidden": decoder.hidden
        }  # fmt: skip

    @property
    def encoder(self) -> TransformerSettings:
        """The encoder's: it sees the whole source, and guesses no token but as a masked language model."""
        return self._stack(
            sight="full",
            tied=True,
            output_bias=False,
            logit_scale=1.0,
            logit_cap=None,
            pooler=False,
            lm_transform=self.encoder_softmax,
        )

    @property
    def decoder(self) -> TransformerSettings:
        """The decoder's."""
        return self._stack(
            sight="causal",
            layers=self.decoder_layers or self.layers,
            heads=self.decoder_heads or self.heads,
            hidden=self.decoder_hidden or self.hidden,
            relative_ahead=self.relative_ahead and not self.relative_bins,
        )

    def _stack(self, **changes: Any) -> TransformerSettings:
        shared = {name: getattr(self, name) for name in TransformerSettings.model_fields if name != "kind"}
        return TransformerSettings.model_validate(shared | changes)

    def with_parts(self, *, pooler: bool, lm: bool) -> TransformerSettings:
        """As a Transformer's; a text's class is read through a pooler behind the decoder, as BART has it."""
        return super().with_parts(pooler=False, lm=lm).model_copy(update={"pooler": pooler})

    @property
    def num_blocks(self) -> int:
        """Layers of both stacks that have weights of their own."""
        return self.encoder.num_blocks + self.decoder.num_blocks

    @property
    def total_layers(self) -> int:
        """Layers of both stacks."""
        return self.layers + (self.decoder_layers or self.layers)

    def blocks_of(self, name: str) -> int:
        """How many layers with weights of their own have a tensor of this name."""
        return self._side(name).num_blocks

    def joined_rows(self, name: str) -> tuple[int, ...]:
        """As a Transformer's; the keys and values of a source are joined too."""
        side = self._side(name)
        return (side.heads * side.per_head,) * 2 if ".cross.kv." in name else side.joined_rows(name)

    def _side(self, name: str) -> TransformerSettings:
        """The stack that a tensor stands in."""
        return self.encoder if "encoder" in name.split(".") else self.decoder

    def room_for_text(self, source: int) -> int:
        """Tokens that a text may have, whatever its source has."""
        return self.max_length

    @property
    def shape(self) -> str:
        """The size in words."""
        return f"{self.layers} + {self.total_layers - self.layers} layers, {self.width} wide, {self.heads} heads"

    def check(self, where: str = "") -> Self:
        """Itself, if its parts fit together.

        Raises:
            BadInput: as a Transformer's, for either stack, or a part that an encoder-decoder has not.
        """
        for name, only in UNBUILT.items():
            if getattr(self, name) != only:
                raise BadInput(
                    f"an encoder-decoder has no {name}", where=where or f"model.{name}", value=getattr(self, name),
                    allowed=str(only), next_step="leave it out",
                )  # fmt: skip
        if self.norm == "both":
            raise BadInput(
                "an encoder-decoder has its norms before its parts or behind them", where=where or "model.norm",
                value=self.norm, allowed="pre, post", next_step="change --norm",
            )  # fmt: skip
        self.encoder.check(where)
        self.decoder.check(where)
        return self
