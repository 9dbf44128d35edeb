"""Sizes and choices of an LSTM. Light to import, as all settings."""

from typing import ClassVar, Literal, Self

from warmstart.base.errors import BadInput
from warmstart.base.settings import Setting
from warmstart.models.traits import BackboneTraits

FEWEST_CHARACTERS = 5  # a beginning, an end, and three bytes between


class LSTMSettings(BackboneTraits):
    """Sizes and choices of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates)."""

    NOUN: ClassVar = "an LSTM"
    TABLE_WIDTH: ClassVar = "embedding_width"
    """As a Transformer's."""
    RATES: ClassVar = (1e-3, 1e-3)
    """Peak rates of fine-tuning at 384 wide: from trained weights, and from random ones."""
    PRETRAINING_RATES: ClassVar = {"adamw": 2e-3, "muon": 2e-3, "adamax": 2e-3, "adam-2018": 2e-3}
    """As a Transformer's."""
    pretraining_optimizer: ClassVar = "adamw"
    """As a Transformer's."""
    DROPOUTS: ClassVar = ("embedding_dropout", "layer_dropout", "output_dropout")
    """What a recipe's ``dropout`` sets."""
    FREE: ClassVar = frozenset({
        "vocab_size", "context", "layers", *DROPOUTS, "word_dropout", "weight_dropout", "init_std", "embedding_std", "tied",
        "softmax", "bptt", "cell_clip",
    })  # fmt: skip
    """As a Transformer's."""
    can_carry: ClassVar[bool] = True

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
    upper_cells: int | None = Setting(
        None, "LSTM: cells of each layer but the first; default: as many as the first has", ge=1
    )
    embedding_width: int | None = Setting(None, "LSTM: width of the token table; default: the width", ge=1)
    characters: int = Setting(
        0, "LSTM: bytes of a token, with one for its beginning and one for its end, of which convolutions make what it is "
        "read as (Peters et al. 2018: 50); 0: a row of the token table", ge=0,
    )  # fmt: skip
    filters: tuple[int, ...] = Setting(
        (32, 32, 64, 128, 256, 512, 1024),
        "LSTM: of these convolutions, filters that read 1, 2, 3 … bytes",
        min_length=1,
    )
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
    layer_dropout: float = Setting(
        0.0, "LSTM: dropout between layers, of the same dimensions for all tokens of a text", ge=0, lt=1
    )
    output_dropout: float = Setting(
        0.0, "LSTM: dropout of the last states, of the same dimensions for all tokens of a text", ge=0, lt=1
    )
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
        """Cells of the first layer."""
        return self.cells or self.width

    def cells_of(self, layer: int) -> int:
        """Cells of a layer, by its number from 0."""
        return self.upper_cells if layer and self.upper_cells else self.num_cells

    @property
    def table_width(self) -> int:
        """Width of the token table."""
        return self.embedding_width or self.width

    @property
    def has_token_table(self) -> bool:
        """Unless it reads characters."""
        return not self.characters

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
    def num_blocks(self) -> int:
        """Layers that have weights of their own: all."""
        return self.layers

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
        two = " in two directions" if self.directions == 2 else ""
        layers, upper = f"{self.layers} layer{'s' * (self.layers > 1)}{two}", self.cells_of(1)
        above = f" (above {upper:,})" if self.layers > 1 and upper != self.num_cells else ""
        return f"{layers}, {self.num_cells} cells{above}, states {self.width} wide, embeddings {self.table_width}"

    def for_random_weights(self) -> "LSTMSettings":
        """As it learns a task best from random weights: with embeddings as large as torch's own (docs/results/lstm.md)."""
        return self if self.vectors else self.model_copy(update={"embedding_std": 1.0})

    def joined_rows(self, name: str) -> tuple[int, ...]:
        """None of its matrices joins others."""
        return ()

    def attention_flops(self, length: int) -> int:
        """Nothing is computed without a weight."""
        return 0

    def activation_size(self, length: int) -> int:
        """Numbers per token that a training step keeps for its backward pass, roughly."""
        cells = sum(self.cells_of(layer) for layer in range(self.layers))
        return 6 * cells + 2 * self.layers * self.width + 2 * self.table_width

    def with_parts(self, *, pooler: bool, lm: bool) -> "LSTMSettings":
        """The same with the softmax where it is read."""
        return self.model_copy(update={"softmax": lm})

    def check(self, where: str = "") -> Self:
        """Itself, if its parts fit together.

        Args:
            where: the file that it stands in, if it comes from one.

        Raises:
            BadInput: a softmax by a table of another width, a projection that makes nothing smaller, or characters where
                they are not read.
        """
        self._check_characters(where)
        if self.tied and self.table_width != self.width:
            raise BadInput(
                "a softmax that uses the token table needs embeddings as wide as the states", where=where or "model.tied",
                value=f"{self.table_width} and {self.width}", allowed="the same width, or tied false",
                next_step="set model.embedding_width to the width, or model.tied to false",
            )  # fmt: skip
        for name, cells in (("cells", self.num_cells), ("upper_cells", self.cells_of(1))):
            if cells < self.width:
                raise BadInput(
                    "an LSTM needs at least as many cells as its states are wide", where=where or f"model.{name}",
                    value=cells, allowed=f"{self.width} or more", next_step=f"raise model.{name}, or lower model.width",
                )  # fmt: skip
        return self

    def _check_characters(self, where: str) -> None:
        """Refuses characters beside what needs a table, in numbers that spell nothing, or without filters."""
        wrong = {
            "images have no characters": self.vectors,
            "the two sides of an encoder-decoder read rows of a table": self.two_stacks,
            "a softmax that uses the token table needs one": self.tied and self.softmax,
        }
        found = next((sentence for sentence, is_so in wrong.items() if is_so), None) if self.characters else None
        if found is not None:
            raise BadInput(
                found, where=where or "model.characters", value=self.characters,
                allowed="0, or an LSTM with model.tied false",
                next_step="leave model.characters out" + (", or set model.tied to false" if self.tied else ""),
            )  # fmt: skip
        if 0 < self.characters < FEWEST_CHARACTERS:
            raise BadInput(
                "too few characters to tell tokens apart", where=where or "model.characters", value=self.characters,
                allowed=f"0, or {FEWEST_CHARACTERS} or more", next_step="raise it; Peters et al. 2018 have 50",
            )  # fmt: skip
        if min(self.filters) < 1:
            raise BadInput(
                "a width without filters", where=where or "model.filters", value=list(self.filters),
                allowed="1 or more of each width", next_step="leave the wider ones out instead",
            )  # fmt: skip
