"""Sizes and choices of a Transformer. Light to import, as all settings."""

import math
from typing import Any, ClassVar, Literal, Self

from warmstart.base.errors import BadInput
from warmstart.base.settings import Setting
from warmstart.models.rotary_settings import RotaryScaling, check_rotary
from warmstart.models.traits import BackboneTraits

Norm = Literal["post", "pre", "both"]
Activation = Literal["gelu", "gelu_tanh", "silu", "relu"]
PoolerActivation = Literal["tanh", "gelu", "relu"]


class TransformerSettings(BackboneTraits):
    """Sizes and choices of a Transformer. The defaults are GPT-1's; the help names who chose otherwise."""

    NOUN: ClassVar = "a Transformer"
    TABLE_WIDTH: ClassVar = "width"
    """The field that says how wide the token table is."""
    DROPOUTS: ClassVar = ("embedding_dropout", "attention_dropout", "residual_dropout")
    """What a recipe's ``dropout`` sets."""
    FREE: ClassVar = frozenset({
        "vocab_size", "context", "layers", *DROPOUTS, "init_std", "joint_table", "tied", "output_bias", "pooler",
        "lm_transform", "global_first",
    })  # fmt: skip
    """Fields in which a model may differ from the one that it starts from; all others decide what the weights mean."""
    RATES: ClassVar = (5e-5, 3e-4)
    """Peak rates of fine-tuning at 384 wide: from trained weights, and from random ones."""
    PRETRAINING_RATES: ClassVar = {"muon": 4e-3, "adamw": 1e-3, "adamax": 2e-3, "adam-2018": 1e-3}
    """Optimizer → peak rate of pre-training at 384 wide."""
    softmax: ClassVar[bool] = True
    """Whether it keeps a table for the softmax over the vocabulary."""

    kind: Literal["transformer"] = "transformer"
    vocab_size: int = Setting(40478, "rows of the token table", ge=1)
    vectors: bool = Setting(
        False, "read and predict vectors of vocab_size numbers instead of ids: linears take the place of the tables"
    )
    context: int = Setting(512, "tokens that the model reads at once", flag="--context", metavar="N", ge=1)
    layers: int = Setting(12, "number of layers", flag="--layers", metavar="N", ge=1)
    layer_groups: int | None = Setting(
        None, "groups of layers in a row that share the weights of one (ALBERT: 1); they divide the layers; default: "
        "each layer has its own", ge=1,
    )  # fmt: skip
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
    token_width: int | None = Setting(
        None, "width of the token table alone, with a linear to the states and one back before the softmax (OPT's 350M)",
        ge=1,
    )  # fmt: skip
    sight: Literal["causal", "full"] = Setting(
        "causal", "causal: a token attends to itself and what came before; full: to its whole document (BERT)"
    )
    positions: Literal["learned", "sinusoidal", "rotary", "alibi", "none"] = Setting(
        "learned", "a table of positions; sines and cosines of them (Vaswani et al. 2017); queries and keys rotated by "
        "their position (Llama); scores that fall with the distance, in each head at its own rate (ALiBi: BLOOM); or none",
    )  # fmt: skip
    rotary_base: float = Setting(10000.0, "base of the rotary frequencies", gt=1)
    rotary_width: int | None = Setting(
        None, "how many numbers of a head are rotated, from the first (GPT-NeoX, Phi); default: all", ge=2
    )
    rotary_scaling: RotaryScaling | None = Setting(None, "slower frequencies for a longer context (Llama 3)")
    windows: tuple[int | None, ...] = Setting(
        (), "one for each layer, over and over from the first: a token attends to those that stand fewer than so many "
        "positions away; null: to all (ModernBERT: [null, 65, 65])",
    )  # fmt: skip
    global_attention: bool = Setting(
        False, "projections for a token that sees its whole text beside the windows of others (Longformer)"
    )
    global_first: bool = Setting(
        False, "whether the first token of a text is one, and all others see it: where a class is read there"
    )
    local_rotary_base: float | None = Setting(
        None, "base of the rotary frequencies in layers with a window; default: the same (ModernBERT)", gt=1
    )
    relative_bins: int = Setting(
        0, "bins of distance with a learned bias per head, the same in all layers (UniLMv2: 32); 0: none", ge=0
    )
    relative_distance: int = Setting(128, "distance from which on all tokens fall into the outermost bins", ge=2)
    relative_ahead: bool = Setting(True, "half of the bins are for tokens that stand ahead (T5's decoder: none are)")
    disentangled: tuple[Literal["c2p", "p2c"], ...] = Setting(
        (), "what a score holds beside content to content: content to position, position to content (DeBERTa)"
    )
    distance_buckets: int | None = Setting(
        None, "buckets of distance on each side in disentangled attention, half of them exact (DeBERTa-v3: 256); default: a "
        "row for each distance up to relative_distance", ge=2,
    )  # fmt: skip
    distance_norm: bool = Setting(False, "a norm on the rows of distances in disentangled attention (DeBERTa-v2)")
    shared_distance_keys: bool = Setting(
        False, "keys and queries of distances by the projection of those of tokens (DeBERTa-v2), not by their own"
    )
    norm: Norm = Setting(
        "post", "layer norm after each residual sum (post: GPT-1, BERT), before each part and at the end (pre: GPT-2), or "
        "there and on what each part adds (both: Gemma 2)",
        flag="--norm",
    )  # fmt: skip
    norm_kind: Literal["layer", "rms"] = Setting("layer", "layer norm, or root-mean-square norm (Llama)")
    norm_bias: bool = Setting(True, "whether layer norms have biases (ModernBERT: none)")
    first_norm: bool = Setting(
        True, "whether the first layer norms what its attention reads, where norms come before (ModernBERT: not)"
    )
    embedding_scale: float = Setting(
        1.0, "factor on the rows of the token table where they are read, not in the softmax (Gemma: √width)", gt=0
    )
    embedding_norm: bool = Setting(False, "a norm on the sum of the embeddings (BERT)")
    attention_scale: float | None = Setting(
        None, "factor on the products of queries and keys; default: 1 / √(width of a head)", gt=0
    )
    attention_cap: float | None = Setting(
        None, "bound of these scores s, which become cap · tanh(s / cap) (Gemma 2: 50)", gt=0
    )
    qk_norm: bool = Setting(False, "a norm on the queries and keys of each head (Qwen3)")
    parallel: Literal["none", "own_norms", "one_norm"] = Setting(
        "none", "attention and feed-forward read the same states and are added at once: each after a norm of its own "
        "(GPT-NeoX), or both after one (Phi); none: one after the other",
    )  # fmt: skip
    mlp: Literal["plain", "gated"] = Setting("plain", "two linears, or a gate times a linear and one back (Llama)")
    activation: Activation = Setting(
        "gelu_tanh", "in the feed-forward part; gelu_tanh is GPT-1's approximation of GELU", flag="--activation"
    )
    bias: bool = Setting(True, "whether the linears have biases (Llama: none)")
    qkv_bias: bool | None = Setting(None, "the same of queries, keys and values (Qwen2: these alone); default: as bias")
    key_bias: bool = Setting(True, "whether keys have one too, those of distances as well (DeBERTa: none)")
    out_bias: bool | None = Setting(None, "the same of attention's linear back to the states; default: as bias")
    tied: bool = Setting(True, "the softmax over the vocabulary uses the token table, not one of its own")
    output_bias: bool = Setting(False, "a bias for each token in the softmax (Phi, Marian)")
    logit_cap: float | None = Setting(
        None, "bound of the softmax's scores s, which become cap · tanh(s / cap) (Gemma 2: 30)", gt=0
    )
    logit_scale: float = Setting(1.0, "factor on the states before the softmax (T5: 1 / √width)", gt=0)
    lm_transform: bool = Setting(False, "BERT's linear, activation and norm before that softmax, and a bias per token")
    pooler: bool = Setting(False, "BERT's linear and activation over the first token's state, for heads that use it")
    pooler_activation: PoolerActivation = Setting(
        "tanh", "of the pooler: tanh (BERT, RoBERTa), GELU (ELECTRA) or ReLU (DistilBERT)"
    )
    pooler_norm: bool = Setting(False, "a norm after the pooler's activation (ModernBERT)")
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
    def query_scale(self) -> float:
        """What queries are multiplied by before products that are divided by √(width of a head)."""
        wanted = 1.0 if self.attention_scale is None else self.attention_scale * math.sqrt(self.per_head)
        return wanted / math.sqrt(1 + len(self.disentangled))

    @property
    def pretraining_optimizer(self) -> str:
        """Muon learns more in equal time where norms come first; after them it was not tried."""
        return "adamw" if self.norm == "post" else "muon"

    @property
    def key_heads(self) -> int:
        """Heads that have keys and values of their own."""
        return self.kv_heads or self.heads

    def window_of(self, layer: int) -> int | None:
        """How far a token of this layer sees: those fewer than so many positions away; ``None``: all."""
        return self.windows[layer % len(self.windows)] if self.windows else None

    def rotary_base_of(self, window: int | None) -> float:
        """The base of the rotary frequencies in layers with this window."""
        return self.rotary_base if window is None or self.local_rotary_base is None else self.local_rotary_base

    def rotary_scaling_of(self, window: int | None) -> RotaryScaling | None:
        """The scaling of their frequencies: layers with a window and a base of its own have none (Gemma 3)."""
        return self.rotary_scaling if window is None or self.local_rotary_base is None else None

    @property
    def has_qkv_bias(self) -> bool:
        """Whether queries, keys and values have biases."""
        return self.bias if self.qkv_bias is None else self.qkv_bias

    @property
    def has_out_bias(self) -> bool:
        """Whether attention's linear back to the states has one."""
        return self.bias if self.out_bias is None else self.out_bias

    @property
    def table_width(self) -> int:
        """Width of the token table."""
        return self.token_width or self.embedding_width or self.width

    @property
    def distance_span(self) -> int:
        """Rows of distances on each side, in disentangled attention."""
        return self.distance_buckets or self.relative_distance

    @property
    def num_blocks(self) -> int:
        """Layers that have weights of their own."""
        return min(self.layers, self.layer_groups or self.layers)

    def block_of(self, layer: int) -> int:
        """Which of them a layer computes with."""
        return layer * self.num_blocks // self.layers

    @property
    def max_length(self) -> int:
        """The most tokens that one text may have."""
        return self.context

    def room_for_text(self, source: int) -> int:
        """Tokens that a text may have which is generated after so many."""
        return self.max_length - source

    @property
    def total_layers(self) -> int:
        """Layers of the whole model."""
        return self.layers

    def blocks_of(self, name: str) -> int:
        """How many layers with weights of their own have a tensor of this name, ``{}`` for the layer's number."""
        return self.num_blocks

    @property
    def shape(self) -> str:
        """The size in words."""
        return f"{self.layers} layers, {self.width} wide, {self.heads} heads"

    @property
    def written_out(self) -> dict[str, Any]:
        """Fields whose default follows from others → what they come to."""
        return {
            "kv_heads": self.key_heads, "head_width": self.per_head, "qkv_bias": self.has_qkv_bias,
            "out_bias": self.has_out_bias, "rotary_width": self.rotary_width or self.per_head,
            "attention_scale": self.attention_scale or self.per_head**-0.5,
            "windows": [self.window_of(layer) for layer in range(self.layers)],
        }  # fmt: skip

    def for_random_weights(self) -> "TransformerSettings":
        """As it learns a task best from random weights: as it is."""
        return self

    def joined_rows(self, name: str) -> tuple[int, ...]:
        """The rows of the matrices that one of ours joins: queries, keys and values, or gate and what it gates."""
        query, key = self.heads * self.per_head, self.key_heads * self.per_head
        return (query, key, key) if ".qkv." in name else (self.hidden, self.hidden)

    def attention_flops(self, length: int) -> int:
        """Multiplications of a layer for one token that do not come from a weight, in a text of ``length``."""
        rows = min(2 * length, 2 * self.distance_span) * len(self.disentangled)
        return self.heads * self.per_head * (2 * length + rows)

    def activation_size(self, length: int) -> int:
        """Numbers per token that a training step keeps for its backward pass, roughly."""
        return self.layers * (14 * self.width + 2 * self.hidden + 2 * self.heads * length)

    def with_parts(self, *, pooler: bool, lm: bool) -> "TransformerSettings":
        """The same with what is read and no more: a pooler, or what only serves the softmax over the vocabulary."""
        changes = {
            "pooler": self.sight == "full" and pooler,
            "global_first": self.global_attention and pooler,
            "lm_transform": self.lm_transform and lm,
            "tied": self.tied or not lm,
            "output_bias": self.output_bias and lm,
        }
        return self.model_copy(update=changes)

    def check(self, where: str = "") -> Self:
        """Itself, if its parts fit together.

        Args:
            where: the file that it stands in, if it comes from one.

        Raises:
            BadInput: heads that do not divide the width, shared keys that do not divide the heads, positions that two
                choices want differently, or a softmax by a table of another width.
        """
        where = where or "model.heads"
        if self.head_width is None and self.width % self.heads:
            raise BadInput(
                f"the width {self.width} does not divide into {self.heads} heads", where=where,
                value=self.heads, allowed=f"a divisor of {self.width}", next_step="change --heads or --width",
            )  # fmt: skip
        if self.heads % self.key_heads:
            raise BadInput(
                f"{self.heads} attention heads cannot share {self.key_heads} heads of keys and values evenly",
                where=where, value=self.key_heads, allowed=f"a divisor of {self.heads}",
                next_step="change kv_heads or heads",
            )  # fmt: skip
        if self.layer_groups and self.layers % self.layer_groups:
            raise BadInput(
                f"{self.layers} layers do not divide into {self.layer_groups} groups", where=where, value=self.layer_groups,
                allowed=f"a divisor of {self.layers}", next_step="change layer_groups or layers",
            )  # fmt: skip
        if self.parallel != "none" and self.norm != "pre":
            raise BadInput(
                "attention beside feed-forward needs its norms before them", where=where, value=f"norm {self.norm}",
                allowed="norm pre", next_step="change norm, or set parallel to none",
            )  # fmt: skip
        if self.positions == "rotary":
            check_rotary(self.rotary_width or self.per_head, self.per_head, self.rotary_scaling, where)
        self._check_windows(where)
        self._check_distances(where)
        self._check_tables(where)
        return self

    def _check_windows(self, where: str) -> None:
        if any(window is not None and window < 1 for window in self.windows):
            raise BadInput(
                "a window holds the token itself", where=where, value=self.windows, allowed="1 or more, or null",
                next_step="change windows",
            )  # fmt: skip
        if self.local_rotary_base is not None and (self.positions != "rotary" or not any(self.windows)):
            raise BadInput(
                "a rotary base of layers with windows needs both", where=where, value=self.local_rotary_base,
                allowed="positions rotary, and windows", next_step="leave local_rotary_base out",
            )  # fmt: skip

    def _check_distances(self, where: str) -> None:
        if self.disentangled and (self.key_heads != self.heads or len({*self.disentangled}) < len(self.disentangled)):
            raise BadInput(
                "disentangled attention has each of its kinds once, and keys for every head", where=where,
                value=f"{self.disentangled}, {self.key_heads} heads of keys", allowed=f"{self.heads} heads of keys",
                next_step="change disentangled, or leave kv_heads out",
            )  # fmt: skip
        if self.disentangled and (self.distance_buckets or 0) // 2 + 1 >= self.relative_distance:
            raise BadInput(
                "this number of buckets leaves no distance to grow to", where=where, value=self.distance_buckets,
                allowed=f"below {2 * self.relative_distance - 2}", next_step="change distance_buckets or relative_distance",
            )  # fmt: skip

    def _check_tables(self, where: str) -> None:
        if self.relative_bins % 4 or self.relative_bins >= 4 * self.relative_distance:
            raise BadInput(
                "this number of bins of distance cannot be divided into two directions of near and far ones", where=where,
                value=self.relative_bins, allowed=f"a multiple of 4 below {4 * self.relative_distance}",
                next_step="change relative_bins or relative_distance",
            )  # fmt: skip
        if self.embedding_width and (self.joint_table or not self.tied):
            raise BadInput(
                "embeddings of another width than the states need a tied softmax and no joint table", where=where,
                value=f"tied {self.tied}, joint table {self.joint_table}", allowed="tied true, joint table false",
                next_step="leave embedding_width out, or change the two",
            )  # fmt: skip
        if self.token_width and (self.joint_table or self.embedding_width or self.lm_transform):
            raise BadInput(
                "a token table of its own width stands alone", where=where, value=self.token_width,
                allowed="no embedding_width, joint_table false, lm_transform false", next_step="leave token_width out",
            )  # fmt: skip
        if max(self.text_segments) >= max(2, self.segments):
            raise BadInput(
                "a text has a segment that the segment table does not have", where=where, value=self.text_segments,
                allowed=f"0 to {self.segments - 1}", next_step="change text_segments or segments",
            )  # fmt: skip
        only = "output_bias" if self.output_bias else "logit_cap" if self.logit_cap is not None else ""
        if only and (self.joint_table or self.vectors):
            raise BadInput(
                f"{only} needs a softmax of tokens alone", where=where, value=getattr(self, only),
                allowed="joint_table false, vectors false", next_step=f"leave {only} out",
            )  # fmt: skip
        if self.positions == "alibi" and self.relative_bins:
            raise BadInput(
                "distances have a learned bias or a slope, not both", where=where, value=self.relative_bins,
                allowed="relative_bins 0", next_step="leave relative_bins out, or change positions",
            )  # fmt: skip
        if self.joint_table and (self.positions != "learned" or not self.tied):
            raise BadInput(
                "one matrix for tokens and positions needs learned positions and a tied softmax", where=where,
                value=f"positions {self.positions}, tied {self.tied}", allowed="positions learned, tied true",
                next_step="set joint_table to false, or change the two",
            )  # fmt: skip
