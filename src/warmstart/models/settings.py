"""Settings of models. Light to import: presets and model folders can be checked without waiting for torch."""

from typing import Literal

from pydantic import Field

from warmstart.base.settings import Settings

HeadKind = Literal["class", "multilabel", "score", "choice"]


class HeadSettings(Settings):
    """``size`` is the number of classes or labels; scores and choices have 1."""

    kind: HeadKind
    size: int = Field(1, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)


class TransformerSettings(Settings):
    """Sizes and choices of one backbone.

    ``norm`` is the place of the layer norm: ``post`` normalises after each residual sum (GPT-1), ``pre`` before each
    part and once at the end (GPT-2). ``gelu`` is GPT-1's tanh approximation or the exact form.
    """

    kind: Literal["transformer"] = "transformer"
    vocab_size: int = Field(40478, ge=1)
    context: int = Field(512, ge=1)
    layers: int = Field(12, ge=1)
    width: int = Field(768, ge=1)
    heads: int = Field(12, ge=1)
    hidden: int = Field(3072, ge=1)
    norm: Literal["post", "pre"] = "post"
    gelu: Literal["tanh", "exact"] = "tanh"
    embedding_dropout: float = Field(0.1, ge=0, lt=1)
    attention_dropout: float = Field(0.1, ge=0, lt=1)
    residual_dropout: float = Field(0.1, ge=0, lt=1)
    norm_eps: float = Field(1e-5, gt=0)
    init_std: float = Field(0.02, gt=0)


class ModelSettings(Settings):
    """Everything that is needed to build the same Model again."""

    backbone: TransformerSettings
    heads: dict[str, HeadSettings] = {}
