"""Settings of models. Light to import: presets and model folders can be checked without waiting for torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from warmstart.base.settings import Settings

HeadKind = Literal["class", "multilabel", "score", "choice", "span"]
Activation = Literal["gelu", "gelu_tanh", "silu", "relu"]
PoolerActivation = Literal["tanh", "gelu", "relu"]


class HeadSettings(Settings):
    """``size`` is the number of classes or labels; scores and choices have 1, spans 2.

    ``pooled`` reads the states through the backbone's pooler (BERT's layer with tanh); ``bias`` is the linear's. ``hidden``
    is the width of a layer with ReLU between (Dai and Le 2015, section 4), 0 for none; dropout then falls on it. ``pool``
    says how the states of a question's reads become one: their sum, or the last, the greatest and the mean beside each
    other (Howard and Ruder 2018, section 3.3). ``norm`` puts batch norm, and dropout, before each linear, as they have it.
    """

    kind: HeadKind
    size: int = Field(1, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    bias: bool = True
    pooled: bool = False
    hidden: int = Field(0, ge=0)
    pool: Literal["sum", "concat"] = "sum"
    norm: Literal["none", "batch"] = "none"

    @property
    def plain(self) -> bool:
        """Whether it is one linear on one state, as everybody has it."""
        return not self.hidden and self.pool == "sum" and self.norm == "none"


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
        vectors: what is read and guessed are vectors of ``vocab_size`` numbers, not ids: the token table is the linear that
            reads them, and the softmax's table the one that guesses the next (docs/models.md).
        joint_table: tokens and positions are one matrix, dropout falls on the matrix itself, and its position rows
            stand in the softmax (GPT-1's released code).
    """

    DROPOUTS: ClassVar = ("embedding_dropout", "attention_dropout", "residual_dropout")
    """What a recipe's ``dropout`` sets."""
    can_carry: ClassVar[bool] = False
    """Whether what was read of a text can be carried from one step of a training to the next."""

    kind: Literal["transformer"] = "transformer"
    vocab_size: int = Field(40478, ge=1)
    vectors: bool = False
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
    def key_heads(self) -> int:
        """Heads that have keys and values of their own."""
        return self.kv_heads or self.heads

    @property
    def table_width(self) -> int:
        """Width of the tables."""
        return self.embedding_width or self.width

    @property
    def max_length(self) -> int:
        """The most tokens that one text may have."""
        return self.context

    @property
    def shape(self) -> str:
        """The size in words."""
        return f"{self.layers} layers, {self.width} wide, {self.heads} heads"

    def attention_flops(self, length: int) -> int:
        """Multiplications of a layer for one token that do not come from a weight, in a text of ``length``."""
        return 2 * self.heads * self.per_head * length

    def activation_size(self, length: int) -> int:
        """Numbers per token that a training step keeps for its way back, roughly."""
        return self.layers * (14 * self.width + 2 * self.hidden + 2 * self.heads * length)

    def with_parts(self, *, pooler: bool, lm: bool) -> "TransformerSettings":
        """The same with what is read and no more: a pooler, or what only serves the softmax over the vocabulary."""
        changes = {
            "pooler": self.sight == "full" and pooler,
            "lm_transform": self.lm_transform and lm,
            "tied": self.tied or not lm,
        }
        return self.model_copy(update=changes)


class LSTMSettings(Settings):
    """Sizes and choices of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates).

    Attributes:
        vectors: as a Transformer's.
        context: tokens of a row of pre-training text; a text to be read may have any length.
        width: of the states, which the next layer and the heads read.
        cells: of each layer; where there are more than ``width``, a projection makes the states from them (Sak et al.
            2014). ``None``: as many.
        embedding_width: of the token table; ``None``: ``width``.
        directions: 2: texts that are read from their end have layers of their own (Peters et al. 2018).
        residual: each layer but the first adds what it was given.
        tied: the softmax over the vocabulary uses the token table.
        softmax: whether there is one; a model that only reads needs no table for it.
        bptt: steps that a gradient goes back through, counted from a text's end; states are carried beyond.
        cell_clip: bounds the cells.
        word_dropout: of whole tokens.
        embedding_dropout: of whole dimensions of the embeddings, the same ones for all tokens of a text.
        layer_dropout: between layers.
        output_dropout: on the states of the last layer.
        weight_dropout: of the recurrent weights, once per pass (Merity et al. 2017).
        embedding_std: of fresh embeddings. Large ones learn faster at first, and hardly change: what is learned of a rare
            word drowns in where it began (docs/log.md).
    """

    DROPOUTS: ClassVar = ("embedding_dropout", "layer_dropout", "output_dropout")
    """What a recipe's ``dropout`` sets."""
    can_carry: ClassVar[bool] = True
    """As a Transformer's."""

    kind: Literal["lstm"] = "lstm"
    vocab_size: int = Field(40478, ge=1)
    vectors: bool = False
    context: int = Field(1600, ge=1)
    layers: int = Field(1, ge=1)
    width: int = Field(1024, ge=1)
    cells: int | None = Field(None, ge=1)
    embedding_width: int | None = Field(None, ge=1)
    directions: int = Field(1, ge=1, le=2)
    residual: bool = False
    tied: bool = False
    softmax: bool = True
    bptt: int = Field(400, ge=1)
    cell_clip: float | None = Field(None, gt=0)
    word_dropout: float = Field(0.0, ge=0, lt=1)
    embedding_dropout: float = Field(0.0, ge=0, lt=1)
    layer_dropout: float = Field(0.0, ge=0, lt=1)
    output_dropout: float = Field(0.0, ge=0, lt=1)
    weight_dropout: float = Field(0.0, ge=0, lt=1)
    embedding_std: float = Field(0.1, gt=0)
    init_std: float = Field(0.05, gt=0)

    @property
    def num_cells(self) -> int:
        """Cells of one layer."""
        return self.cells or self.width

    @property
    def table_width(self) -> int:
        """Width of the token table."""
        return self.embedding_width or self.width

    @property
    def max_length(self) -> int:
        """The most tokens that one text may have: no limit of its own."""
        return 1 << 30

    segments: ClassVar[int] = 0
    text_segments: ClassVar[tuple[int, int]] = (0, 0)

    @property
    def sight(self) -> Literal["causal"]:
        """A token sees itself and what came before."""
        return "causal"

    @property
    def pooler(self) -> bool:
        """It has none."""
        return False

    @property
    def shape(self) -> str:
        """The size in words."""
        two = " in two directions" if self.directions == 2 else ""
        layers = f"{self.layers} layer{'s' * (self.layers > 1)}{two}"
        return f"{layers}, {self.num_cells} cells, states {self.width} wide, embeddings {self.table_width}"

    def attention_flops(self, length: int) -> int:
        """Nothing is computed without a weight."""
        return 0

    def activation_size(self, length: int) -> int:
        """Numbers per token that a training step keeps for its way back, roughly."""
        return self.layers * (6 * self.num_cells + 2 * self.width) + 2 * self.table_width

    def with_parts(self, *, pooler: bool, lm: bool) -> "LSTMSettings":
        """The same with the softmax where it is read."""
        return self.model_copy(update={"softmax": lm})


BackboneSettings = TransformerSettings | LSTMSettings
KINDS: dict[str, type[TransformerSettings] | type[LSTMSettings]] = {
    "transformer": TransformerSettings, "lstm": LSTMSettings
}  # fmt: skip


class ModelSettings(Settings):
    """Everything that is needed to build the same Model again."""

    backbone: Annotated[BackboneSettings, Field(discriminator="kind")]
    heads: dict[str, HeadSettings] = {}
