"""Settings of models. Light to import: presets and model folders can be checked without waiting for torch."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter

from warmstart.base.settings import Setting, Settings
from warmstart.models.bi_transformer_settings import BiTransformerSettings
from warmstart.models.encoder_decoder_settings import EncoderDecoderSettings
from warmstart.models.lstm_encoder_decoder_settings import LSTMEncoderDecoderSettings
from warmstart.models.lstm_settings import LSTMSettings
from warmstart.models.transformer_settings import TransformerSettings

HeadKind = Literal["class", "multilabel", "score", "choice", "span", "crf", "san"]
Pool = Literal["sum", "mean", "concat"]
PairOrder = Literal["none", "ordered", "symmetric"]


class HeadSettings(Settings):
    """What a head is; the layer with ReLU is Dai and Le 2015's (section 4), pool and norm Howard and Ruder 2018's (3.3)."""

    kind: Annotated[HeadKind, Setting(help="what kind of answer it gives")]
    layer: int | None = Setting(None, "layer whose states it reads, 0 for the embeddings; default: the last", ge=0)
    size: int = Setting(1, "number of classes or labels; of scores and choices 1, of spans 2", ge=1)
    dropout: float = Setting(0.1, "dropout on the state that the last linear reads", ge=0, lt=1)
    bias: bool = Setting(True, "whether the linear has a bias")
    pooled: bool = Setting(False, "read the states through the backbone's pooler")
    hidden: int = Setting(0, "width of a layer with ReLU before the linear; 0: none", ge=0)
    pool: Pool = Setting(
        "sum", "how several states become one: their sum, the last, the maximum and the mean beside each other, or the mean "
        "alone, which the pooler then reads",
    )  # fmt: skip
    norm: Literal["none", "batch"] = Setting("none", "batch: batch norm, and dropout, before each linear")
    pair: PairOrder = Setting(
        "none", "of two texts that are read apart it reads both vectors, their difference and their cosine (ordered), or "
        "only what is the same in either order (symmetric)",
    )  # fmt: skip

    gives_vectors: ClassVar[bool] = False

    lstm: int = Setting(
        0, "crf: cells in each direction of an LSTM over the words of a text, before the linear; 0: none", ge=0
    )

    steps: int = Setting(0, "san: steps of attention", ge=0)

    @property
    def is_linear(self) -> bool:
        """Whether it is one linear on one state of the last layer or on the mean of several."""
        plain = not self.hidden and not self.lstm and not self.steps and self.norm == "none" and self.layer is None
        return plain and self.pool != "concat" and self.pair == "none" and not self.crf

    @property
    def is_convex(self) -> bool:
        """Whether only its last linear has weights that read states, so that one best head belongs to states that stay."""
        return self.model_copy(update={"pair": "none", "kind": "class"}).is_linear

    @property
    def crf(self) -> bool:
        """Whether the answers of one text depend on each other."""
        return self.kind == "crf"

    @property
    def pair_encoder(self) -> Literal["bi", "cross"]:
        """Whether it compares two texts that were read apart."""
        return "cross" if self.pair == "none" else "bi"

    @property
    def is_pooled(self) -> bool:
        """Whether it is one linear on the mean of a text's states, as a sentence encoder reads it, or on two such means."""
        return self.is_convex and self.pool == "mean" and not self.pooled


class EmbeddingHeadSettings(Settings):
    """The head of a sentence encoder: vectors of texts, and how these are compared in training."""

    kind: Annotated[Literal["embedding"], Setting(help="the vectors of texts")]
    layer: int | None = Setting(None, "layer whose states it reads, 0 for the embeddings; default: the last", ge=0)
    pool: Literal["sum", "mean"] = Setting("mean", "a text's one state, or the mean of all its states")
    scale: float = Setting(20.0, "what cosines are multiplied by in the losses ranking and cosent", gt=0)
    margin: float = Setting(0.5, "distance that the losses triplet and contrastive ask for", ge=0)
    symmetric: bool = Setting(False, "ranking: also the first text among the first ones of all")
    sizes: tuple[int, ...] = Setting((), "how many first numbers of a vector are learned to serve alone (Matryoshka)")

    pooled: ClassVar[bool] = False
    pair: ClassVar[str] = "apart"
    is_pooled: ClassVar[bool] = True
    gives_vectors: ClassVar[bool] = True


class TokenHeadSettings(Settings):
    """A head that predicts tokens or, where a model reads vectors, vectors."""

    kind: Annotated[
        Literal["tokens", "vectors"],
        Setting(help="a softmax over the rows of a table, or a linear to a vector"),
    ]
    layer: int | None = Setting(None, "layer whose states it reads, 0 for the embeddings; default: the last", ge=0)
    table: Literal["backbone", "encoder", "own"] = Setting(
        "backbone", "the rows: the backbone's, with its transform; those of its encoder; or a table of the head's own"
    )
    transform: bool = Setting(
        False, "read an own table through a linear, an activation and a norm, with a bias per row (BERT)"
    )
    pooled: ClassVar[bool] = False
    is_pooled: ClassVar[bool] = False
    gives_vectors: ClassVar[bool] = False
    pool: ClassVar[str] = "sum"
    pair: ClassVar[str] = "none"


AnyHeadSettings = HeadSettings | EmbeddingHeadSettings | TokenHeadSettings
_ANY_HEAD: TypeAdapter[AnyHeadSettings] = TypeAdapter(Annotated[AnyHeadSettings, Field(discriminator="kind")])


def head_settings(fields: Mapping[str, Any]) -> AnyHeadSettings:
    """The settings of the kind of head that ``fields`` name."""
    return _ANY_HEAD.validate_python(fields)


BackboneSettings = (
    TransformerSettings | LSTMSettings | EncoderDecoderSettings | LSTMEncoderDecoderSettings | BiTransformerSettings
)
KINDS: dict[str, type[TransformerSettings] | type[LSTMSettings]] = {
    "transformer": TransformerSettings, "lstm": LSTMSettings, "encoder-decoder": EncoderDecoderSettings,
    "lstm-encoder-decoder": LSTMEncoderDecoderSettings, "bi-transformer": BiTransformerSettings,
}  # fmt: skip


InputKind = Literal["mix", "tune"]
InputPlace = Literal["input", "output", "both"]


class InputSettings(Settings):
    """A language model whose states a backbone reads as its tokens (:mod:`warmstart.models.inputs`)."""

    backbone: Annotated[BackboneSettings, Field(discriminator="kind")]
    kind: InputKind = Setting(
        "mix", "how a language model is read: all layers of the frozen one, mixed by weights that are learned (mix), or the "
        "last layer of one that goes on learning (tune)", flag="--inputs",
    )  # fmt: skip
    place: Literal["instead", "beside"] = Setting("instead", "in the place of the token table's rows, or added to them")
    at: InputPlace = Setting(
        "input", "where a model of one stack reads the states of a language model: with its embeddings, with its own last "
        "states, or both, each by a mixture of its own", flag="--inputs-at",
    )  # fmt: skip
    norm: bool = Setting(True, "whether each layer is normed before it is mixed")
    dropout: float = Setting(
        0.0,
        "dropout of the weights of the mixture (Edunov et al. 2019: 0.2)",
        flag="--mix-dropout",
        metavar="P",
        ge=0,
        lt=1,
    )


class ModelSettings(Settings):
    """Everything that is needed to build the same Model again.

    ``inputs``: name of a part that reads tokens (``text`` of a model with one stack, ``encoder``, ``decoder``) → what it
    reads them as.
    """

    backbone: Annotated[BackboneSettings, Field(discriminator="kind")]
    inputs: dict[Literal["text", "encoder", "decoder"], InputSettings] = {}
    heads: dict[str, Annotated[AnyHeadSettings, Field(discriminator="kind")]] = {}
