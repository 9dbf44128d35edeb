"""Sizes and choices of a bidirectional Transformer language model: two towers and a cloze layer. Light to import."""

from typing import Any, ClassVar, Literal, Self

from warmstart.base.errors import BadInput
from warmstart.base.settings import Setting
from warmstart.models.transformer_settings import TransformerSettings

UNBUILT: dict[str, Any] = {
    "norm": "pre", "parallel": "none", "joint_table": False, "lm_transform": False, "pooler": False, "disentangled": (),
    "segments": 0, "embedding_width": None, "token_width": None, "layer_groups": None, "output_bias": False,
    "vectors": False,
}  # fmt: skip
"""What a single stack may have and these two have not: field → the only value."""


class BiTransformerSettings(TransformerSettings):
    """Sizes and choices of a bidirectional language model (Baevski et al. 2019; Edunov et al. 2019)."""

    NOUN: ClassVar = "a bidirectional language model"

    kind: Literal["bi-transformer"] = "bi-transformer"  # type: ignore[assignment]
    sight: Literal["cloze"] = Setting(  # type: ignore[assignment]
        "cloze", "cloze: of a text all tokens but the one that is predicted are seen"
    )

    @property
    def tower(self) -> TransformerSettings:
        """Of one tower, which sees what comes before a token or what comes after it."""
        shared = {name: getattr(self, name) for name in TransformerSettings.model_fields if name != "kind"}
        return TransformerSettings.model_validate(shared | {"sight": "causal", "tied": True})

    @property
    def num_blocks(self) -> int:
        """Layers of both towers, and the cloze layer."""
        return 2 * self.layers + 1

    @property
    def total_layers(self) -> int:
        """Layers of both towers, and the cloze layer."""
        return 2 * self.layers + 1

    def blocks_of(self, name: str) -> int:
        """How many layers have a tensor of this name."""
        return self.layers

    @property
    def shape(self) -> str:
        """The size in words."""
        return f"two towers of {super().shape}"

    def activation_size(self, length: int) -> int:
        """Numbers per token that a training step keeps for its backward pass, roughly."""
        return 2 * super().activation_size(length) + 8 * self.width + 2 * self.hidden + 4 * self.heads * length

    def check(self, where: str = "") -> Self:
        """Itself, if its parts fit together.

        Raises:
            BadInput: as a Transformer's, or a part that two towers have not.
        """
        for name, only in UNBUILT.items():
            if getattr(self, name) != only:
                raise BadInput(
                    f"a bidirectional language model has no other {name}", where=where or f"model.{name}",
                    value=getattr(self, name), allowed=str(only), next_step="leave it out",
                )  # fmt: skip
        self.tower.check(where)
        return self
