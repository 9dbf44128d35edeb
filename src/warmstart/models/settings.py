"""Settings of models. Light to import: presets and model folders can be checked without waiting for torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from warmstart.base.settings import Setting, Settings

HeadKind = Literal["class", "multilabel", "score", "choice", "span"]
Norm = Literal["post", "pre"]
Activation = Literal["gelu", "gelu_tanh", "silu", "relu"]
PoolerActivation = Literal["tanh", "gelu", "relu"]


class HeadSettings(Settings):
    """What a head is; the layer with ReLU is Dai and Le 2015's (section 4), pool and norm Howard and Ruder 2018's (3.3)."""

    kind: Annotated[HeadKind, Setting(help="what kind of answer it gives")]
    layer: int | None = Setting(None, "layer whose states it reads, 0 for the embeddings; default: the last", ge=0)
    size: int = Setting(1, "number of classes or labels; of scores and choices 1, of spans 2", ge=1)
    dropout: float = Setting(0.1, "dropout on the state that the last linear reads", ge=0, lt=1)
    bias: bool = Setting(True, "whether the linear has a bias")
    pooled: bool = Setting(False, "read the states through the backbone's pooler")
    hidden: int = Setting(0, "width of a layer with ReLU before the linear; 0: none", ge=0)
    pool: Literal["sum", "concat"] = Setting(
        "sum", "how several states become one: their sum, or the last, the maximum and the mean beside each other"
    )
    norm: Literal["none", "batch"] = Setting("none", "batch: batch norm, and dropout, before each linear")

    @property
    def is_linear(self) -> bool:
        """Whether it is one linear on one state of the last layer, as everybody has it."""
        return not self.hidden and self.pool == "sum" and self.norm == "none" and self.layer is None


class TokenHeadSettings(Settings):
    """A head that predicts tokens or, where a model reads vectors, vectors."""

    kind: Annotated[
        Literal["tokens", "vectors"],
        Setting(help="a softmax over the rows of a table, or a linear to a vector"),
    ]
    layer: int | None = Setting(None, "layer whose states it reads, 0 for the embeddings; default: the last", ge=0)
    table: Literal["backbone", "own"] = Setting(
        "backbone", "the rows: the backbone's, with its transform, or a table of the head's own"
    )
    transform: bool = Setting(
        False, "read an own table through a linear, an activation and a norm, with a bias per row (BERT)"
    )
    pooled: ClassVar[bool] = False


class TransformerSettings(Settings):
    """Sizes and choices of a Transformer. The defaults are GPT-1's; the help names who chose otherwise."""

    DROPOUTS: ClassVar = ("embedding_dropout", "attention_dropout", "residual_dropout")
    """What a recipe's ``dropout`` sets."""
    softmax: ClassVar[bool] = True
    """Whether it keeps a table for the softmax over the vocabulary."""
    can_carry: ClassVar[bool] = False
    """Whether what was read of a text can be carried from one step of a training to the next."""

    kind: Literal["transformer"] = "transformer"
    vocab_size: int = Setting(40478, "rows of the token table", ge=1)
    vectors: bool = Setting(
        False, "read and predict vectors of vocab_size numbers instead of ids: linears take the place of the tables"
    )
    context: int = Setting(512, "tokens that the model reads at once", flag="--context", metavar="N", ge=1)
    layers: int = Setting(12, "number of layers", flag="--layers", metavar="N", ge=1)
    width: int = Setting(768, "width of the states", flag="--width", metavar="N", ge=1)
    heads: int = Setting(12, "attention heads; they divide the width", flag="--heads", metavar="N", ge=1)
    kv_heads: int | None = Setting(
        None, "heads of keys and values, which groups of query heads share (Llama); default: one for each", ge=1
    )
    head_width: int | None = Setting(None, "width of one head; default: the width divided by the heads", ge=1)
    hidden: int = Setting(3072, "width inside the feed-forward part", flag="--hidden", metavar="N", ge=1)
    segments: int = Setting(0, "rows of the segment table (BERT: 2); 0: none", ge=0)
    text_segments: tuple[int, int] = Setting(
        (0, 1), "segments of source and target where one text is generated from another (UniLM: 4 and 5)"
    )
    embedding_width: int | None = Setting(
        None, "width of the tables, which a linear brings to the width (ELECTRA); default: the width", ge=1
    )
    sight: Literal["causal", "full"] = Setting(
        "causal", "causal: a token attends to itself and what came before; full: to its whole document (BERT)"
    )
    positions: Literal["learned", "rotary"] = Setting(
        "learned", "a table of positions, or queries and keys rotated by their position (Llama)"
    )
    rotary_base: float = Setting(10000.0, "base of the rotary frequencies", gt=1)
    relative_bins: int = Setting(
        0, "bins of distance with a learned bias per head, the same in all layers (UniLMv2: 32); 0: none", ge=0
    )
    relative_distance: int = Setting(128, "distance from which on all tokens fall into the outermost bins", ge=2)
    norm: Norm = Setting(
        "post", "layer norm after each residual sum (post: GPT-1, BERT) or before each part and at the end (pre: GPT-2)",
        flag="--norm",
    )  # fmt: skip
    norm_kind: Literal["layer", "rms"] = Setting("layer", "layer norm, or root-mean-square norm (Llama)")
    embedding_norm: bool = Setting(False, "a norm on the sum of the embeddings (BERT)")
    qk_norm: bool = Setting(False, "a norm on the queries and keys of each head (Qwen3)")
    mlp: Literal["plain", "gated"] = Setting("plain", "two linears, or a gate times a linear and one back (Llama)")
    activation: Activation = Setting(
        "gelu_tanh", "in the feed-forward part; gelu_tanh is GPT-1's approximation of GELU", flag="--activation"
    )
    bias: bool = Setting(True, "whether the linears have biases (Llama: none)")
    tied: bool = Setting(True, "the softmax over the vocabulary uses the token table, not one of its own")
    lm_transform: bool = Setting(False, "BERT's linear, activation and norm before that softmax, and a bias per token")
    pooler: bool = Setting(False, "BERT's linear and activation over the first token's state, for heads that use it")
    pooler_activation: PoolerActivation = Setting(
        "tanh", "of the pooler: tanh (BERT, RoBERTa), GELU (ELECTRA) or ReLU (DistilBERT)"
    )
    joint_table: bool = Setting(
        False, "tokens and positions share one matrix, with dropout on the matrix itself and the position rows in the "
        "softmax (GPT-1's released code)",
    )  # fmt: skip
    embedding_dropout: float = Setting(0.1, "dropout on the embeddings", ge=0, lt=1)
    attention_dropout: float = Setting(0.1, "dropout on the attention weights", ge=0, lt=1)
    residual_dropout: float = Setting(0.1, "dropout on what each part adds to the states", ge=0, lt=1)
    norm_eps: float = Setting(1e-5, "added to the variance in a norm", gt=0)
    init_std: float = Setting(0.02, "standard deviation of the initial weights", gt=0)

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
        """Numbers per token that a training step keeps for its backward pass, roughly."""
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
    """Sizes and choices of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates)."""

    DROPOUTS: ClassVar = ("embedding_dropout", "layer_dropout", "output_dropout")
    """What a recipe's ``dropout`` sets."""
    can_carry: ClassVar[bool] = True
    """As a Transformer's."""

    kind: Literal["lstm"] = "lstm"
    vocab_size: int = Setting(40478, "rows of the token table", ge=1)
    vectors: bool = Setting(False, "as a Transformer's")
    context: int = Setting(1600, "tokens of a row of pre-training text; other texts may have any length", ge=1)
    layers: int = Setting(1, "number of layers", ge=1)
    width: int = Setting(1024, "width of the states, which the next layer and the heads read", ge=1)
    cells: int | None = Setting(
        None, "LSTM: cells of each layer; where more than the width, a projection makes the states (Sak et al. 2014); "
        "default: the width", ge=1,
    )  # fmt: skip
    embedding_width: int | None = Setting(None, "LSTM: width of the token table; default: the width", ge=1)
    directions: int = Setting(
        1, "LSTM: 2: texts that are read from right to left have layers of their own (Peters et al. 2018)", ge=1, le=2
    )
    residual: bool = Setting(False, "LSTM: each layer but the first adds its input to its output")
    tied: bool = Setting(False, "the softmax over the vocabulary uses the token table, not one of its own")
    softmax: bool = Setting(
        True, "whether there is a softmax over the vocabulary; without a language model none is needed"
    )
    bptt: int = Setting(400, "LSTM: steps of truncated back-propagation, counted from a text's end", ge=1)
    cell_clip: float | None = Setting(None, "LSTM: bound of the cells' values", gt=0)
    word_dropout: float = Setting(0.0, "LSTM: dropout of whole tokens", ge=0, lt=1)
    embedding_dropout: float = Setting(
        0.0, "dropout of the embeddings; an LSTM's falls on the same dimensions for all tokens of a text", ge=0, lt=1
    )
    layer_dropout: float = Setting(0.0, "LSTM: dropout between layers", ge=0, lt=1)
    output_dropout: float = Setting(0.0, "LSTM: dropout on the states of the last layer", ge=0, lt=1)
    weight_dropout: float = Setting(
        0.0, "LSTM: dropout of the recurrent weights, once per pass (Merity et al. 2017)", ge=0, lt=1
    )
    embedding_std: float = Setting(
        0.1, "LSTM: standard deviation of initial embeddings; large ones learn faster at first and rare words less",
        gt=0,
    )  # fmt: skip
    init_std: float = Setting(0.05, "standard deviation of the initial weights", gt=0)

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
        """Numbers per token that a training step keeps for its backward pass, roughly."""
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
    heads: dict[str, Annotated[HeadSettings | TokenHeadSettings, Field(discriminator="kind")]] = {}
