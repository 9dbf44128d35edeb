"""Settings of models. Light to import: presets and model folders can be checked without waiting for torch."""

from typing import Literal

from pydantic import Field

from warmstart.base.settings import Settings

HeadKind = Literal["class", "multilabel", "score", "choice", "span"]
Activation = Literal["gelu", "gelu_tanh", "silu", "relu"]
PoolerActivation = Literal["tanh", "gelu", "relu"]


class HeadSettings(Settings):
    """``size`` is the number of classes or labels; scores and choices have 1, spans 2.

    ``pooled`` reads the states through the backbone's pooler (BERT's layer with tanh); ``bias`` is the linear's.
    """

    kind: HeadKind
    size: int = Field(1, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    bias: bool = True
    pooled: bool = False


class TransformerSettings(Settings):
    """Sizes and choices of one backbone. The defaults are GPT-1's; each line names who chose otherwise.

    Attributes:
        sight: ``causal``: a token sees itself and what came before; ``full``: all of its document (BERT).
        kv_heads: keys and values shared by groups of query heads (Llama); ``None``: one for each.
        head_width: of one head; ``None``: the width divided by the heads.
        segments: rows of the segment table (BERT: 2); 0: none.
        text_segments: the rows that source and target take where one text is made from another (UniLM: 4 and 5).
        embedding_width: of the tables, where a linear leads from it to the width (ELECTRA); ``None``: the width.
        positions: a learned table, or queries and keys turned by their position (rotary; Llama).
        rotary_base: the base of the rotary frequencies.
        relative_bins: bins of distance whose bias, one per head, is added to the scores of all layers (UniLMv2: 32);
            0: none.
        relative_distance: from this distance on all tokens are in the outermost bins.
        norm: ``post`` normalises after each residual sum (GPT-1, BERT), ``pre`` before each part and once at the end
            (GPT-2, Llama).
        norm_kind: layer norm, or the root mean square alone (Llama).
        embedding_norm: a norm on the sum of the embeddings (BERT).
        qk_norm: a norm on each head's queries and keys (Qwen3).
        mlp: two linears, or a gate times a linear and one back (Llama).
        activation: ``gelu_tanh`` is GPT-1's approximation, ``gelu`` the exact form.
        bias: whether the linears have biases (Llama: none).
        tied: the softmax over the vocabulary uses the token table; or it has a table of its own.
        lm_transform: BERT's linear, activation and norm between a state and that softmax, and a bias per token.
        pooler: BERT's linear and activation over the state of the first token, for heads that ask for it.
        pooler_activation: tanh (BERT, RoBERTa), GELU (ELECTRA) or ReLU (DistilBERT).
        joint_table: tokens and positions are one matrix, dropout falls on the matrix itself, and its position rows
            stand in the softmax (GPT-1's released code).
    """

    kind: Literal["transformer"] = "transformer"
    vocab_size: int = Field(40478, ge=1)
    context: int = Field(512, ge=1)
    layers: int = Field(12, ge=1)
    width: int = Field(768, ge=1)
    heads: int = Field(12, ge=1)
    kv_heads: int | None = Field(None, ge=1)
    head_width: int | None = Field(None, ge=1)
    hidden: int = Field(3072, ge=1)
    segments: int = Field(0, ge=0)
    text_segments: tuple[int, int] = (0, 1)
    embedding_width: int | None = Field(None, ge=1)
    sight: Literal["causal", "full"] = "causal"
    positions: Literal["learned", "rotary"] = "learned"
    rotary_base: float = Field(10000.0, gt=1)
    relative_bins: int = Field(0, ge=0)
    relative_distance: int = Field(128, ge=2)
    norm: Literal["post", "pre"] = "post"
    norm_kind: Literal["layer", "rms"] = "layer"
    embedding_norm: bool = False
    qk_norm: bool = False
    mlp: Literal["plain", "gated"] = "plain"
    activation: Activation = "gelu_tanh"
    bias: bool = True
    tied: bool = True
    lm_transform: bool = False
    pooler: bool = False
    pooler_activation: PoolerActivation = "tanh"
    joint_table: bool = False
    embedding_dropout: float = Field(0.1, ge=0, lt=1)
    attention_dropout: float = Field(0.1, ge=0, lt=1)
    residual_dropout: float = Field(0.1, ge=0, lt=1)
    norm_eps: float = Field(1e-5, gt=0)
    init_std: float = Field(0.02, gt=0)

    @property
    def per_head(self) -> int:
        """Width of one head."""
        return self.head_width or self.width // self.heads

    @property
    def table_width(self) -> int:
        """Width of the tables."""
        return self.embedding_width or self.width

    @property
    def key_heads(self) -> int:
        """Heads that have keys and values of their own."""
        return self.kv_heads or self.heads


class ModelSettings(Settings):
    """Everything that is needed to build the same Model again."""

    backbone: TransformerSettings
    heads: dict[str, HeadSettings] = {}
