"""From a fine-tuning recipe to model, task, Examples and goals. Nothing is written here."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.seeds import named_seed
from warmstart.build.images import drawn_images, image_account
from warmstart.build.labelled_data import Labelled, labelled
from warmstart.build.seq2seq import Redraw, check_seq2seq, check_softmax, generating, redrawn, smoothing, with_room
from warmstart.build.sizes import (
    backbone_settings,
    for_reading,
    for_task,
    with_start,
)
from warmstart.build.start import NO_START, Start, read_start, vocabulary_of
from warmstart.build.task import frame_of, lm_weight_of, spec_of
from warmstart.build.training import set_extra_losses, stream_of
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.example import LM, NEXT_VECTOR, Example
from warmstart.example.record import Record
from warmstart.image.processor import ImageProcessor
from warmstart.metrics.generation import DEFAULT_METRIC, FALLBACK_METRIC, check_generation_metric, is_available
from warmstart.metrics.metric import check_metric, default_metrics
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings, HeadSettings, ModelSettings
from warmstart.readers.word_vectors import read_word_vectors
from warmstart.streams.sources import AugmentedSource, ListSource
from warmstart.streams.stream import Stream
from warmstart.tasks.frames import class_weights, frame_records, units
from warmstart.tasks.framing import Account, Frame, marks
from warmstart.tasks.spec import HEAD_KINDS, TaskSpec
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.schemes import apply_scheme, check_scheme
from warmstart.train.settings import TrainSettings
from warmstart.transfer.folder import head_bias
from warmstart.transfer.start import WeightAccount
from warmstart.transfer.vectors import check_width, start_from_vectors

Vectors = dict[int, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Finetuning:
    """Everything a fine-tuning needs but the weights, checked: one per recipe, shared by all its seeds."""

    spec: TaskSpec
    tokenizer: Vocabulary
    settings: ModelSettings
    start: Start | None
    data: Labelled
    examples: list[list[Example]]
    account: Account
    metric: str
    coefficients: dict[str, float]
    vectors: Vectors
    redraw: Redraw | None = None

    def fresh(self, recipe: FinetuneRecipe) -> tuple[Model, WeightAccount | None]:
        """The model at step 0 for the recipe's seed, its scheme applied, and the account of its warm start."""
        model = Model.fresh(self.settings, named_seed(recipe.train.seed, "weights"))
        account = None if self.start is None else self.start.into(model, self.tokenizer, recipe.transfer_layers)
        if self.vectors:
            account = start_from_vectors(model, self.vectors)
        apply_scheme(model, recipe.scheme, recipe.train.seed)
        set_extra_losses(model, recipe.train)
        if self.spec.kind == "seq2seq":
            model.smoothing = smoothing(self.spec, self.text)
        return model, account

    @property
    def text(self) -> Tokenizer:
        """The tokenizer of a task of texts."""
        return require_text(self.tokenizer, "--task")

    def stream(self, settings: TrainSettings) -> Stream:
        """Batches of whole Records, or of single windows on their contexts; noise is drawn anew in every epoch."""
        if self.redraw is not None:
            return stream_of(AugmentedSource(len(self.data.train), self.redraw, settings.seed), settings)
        return stream_of(ListSource(units(self.spec.kind, self.examples)), settings)


def build_finetuning(recipe: FinetuneRecipe, data: Labelled | None = None) -> Finetuning:
    """Reads the start and the labelled files and frames the training records.

    Args:
        recipe: what to learn.
        data: records that are in memory already, instead of the recipe's files.

    Raises:
        BadInput: anything wrong with the recipe, the start or the files.
    """
    data = labelled(recipe.task, recipe.train.seed) if data is None else data
    start = None if recipe.start == NO_START else read_start(recipe.start)
    tokenizer = vocabulary_of(recipe, data, start)
    if start is None:
        backbone = backbone_settings(recipe.model, tokenizer.vocab_size)
    else:
        backbone = with_start(recipe.model, start.backbone, start.rows_for(tokenizer))
    backbone = for_reading(with_room(recipe, backbone), vectors=isinstance(tokenizer, ImageProcessor))
    tokenizer = tokenizer.with_special_tokens(marks(backbone.sight, tokenizer))
    taken = backbone.layers if recipe.transfer_layers is None else recipe.transfer_layers
    check_scheme(recipe.scheme, backbone, None if start is None else taken)
    lm_weight = lm_weight_of(recipe, backbone)
    spec = spec_of(recipe.task, data, frame_of(recipe, data.kind, backbone, tokenizer), backbone.text_segments)
    metric = recipe.task.metric or data.metric or _default_metric(spec)
    (check_generation_metric if spec.kind == "seq2seq" else partial(check_metric, goal=spec.measured))(
        metric, where="--metric"
    )
    weights = class_weights(data.task_set) if recipe.task.class_weights == "balanced" else None
    made = _made(recipe, spec, data.train, tokenizer, weights, backbone)
    if not isinstance(tokenizer, ImageProcessor):
        for judged in (data.dev, data.test or []):
            frame_records(spec, judged, tokenizer)  # what cannot be framed is refused now, not after the training
    settings = _with_head(recipe, spec, backbone, max(backbone.vocab_size, tokenizer.vocab_size))
    auxiliary = NEXT_VECTOR if backbone.vectors else LM
    coefficients = {spec.goal: 1.0} | ({auxiliary: lm_weight} if lm_weight > 0 else {}) | recipe.train.activity
    return Finetuning(
        spec, tokenizer, settings, start, data, made.examples, made.account, metric, coefficients,
        _vectors(recipe, tokenizer, backbone), made.redraw,
    )  # fmt: skip


class _Made(NamedTuple):
    """What is made of the training Records: Examples, or how each is made when it is read, and the account."""

    examples: list[list[Example]]
    account: Account
    redraw: Redraw | None


def _made(
    recipe: FinetuneRecipe, spec: TaskSpec, records: list[Record], tokenizer: Vocabulary,
    weights: tuple[float, ...] | None, backbone: BackboneSettings,
) -> _Made:  # fmt: skip
    if isinstance(tokenizer, ImageProcessor):
        frame = Frame.of(spec, tokenizer, weights)
        account = image_account(frame, records, tokenizer)
        return _Made([], account, drawn_images(frame, records, tokenizer, recipe.augment))
    if spec.kind == "seq2seq":
        check_seq2seq(spec, backbone, tokenizer, recipe.search)
        check_softmax(spec, recipe.train)
    framed = frame_records(spec, records, tokenizer, weights)
    redraw = None if spec.kind != "seq2seq" else redrawn(spec, records, framed.parts, tokenizer)
    return _Made(framed.examples, framed.account, redraw)


def _default_metric(spec: TaskSpec) -> str:
    """What dev is judged by; of generated texts the one that everybody reports, where its library is installed."""
    if spec.kind == "seq2seq":
        return DEFAULT_METRIC if is_available(DEFAULT_METRIC) else FALLBACK_METRIC
    return default_metrics(spec.measured, len(spec.label_names))[0]


def _vectors(recipe: FinetuneRecipe, tokenizer: Vocabulary, backbone: BackboneSettings) -> Vectors:
    """Row of the token table → the vector that it begins as; none where the recipe names no file."""
    if recipe.vectors is None:
        return {}
    if recipe.start != NO_START:
        raise BadInput(
            "a start brings its own embeddings", where="--vectors", value=recipe.vectors, allowed="with --start none",
            next_step="leave one of the two out",
        )  # fmt: skip
    text = require_text(tokenizer, "--vectors")
    rows = text.ids_by_text
    found = {rows[word]: vector for word, vector in read_word_vectors(recipe.vectors, rows.__contains__).items()}
    check_width(found, backbone, recipe.vectors)
    return found


def _with_head(recipe: FinetuneRecipe, spec: TaskSpec, backbone: BackboneSettings, vocab_size: int) -> ModelSettings:
    """The task's model: the backbone without what the task does not read, and a head as its layout has one."""
    if spec.kind == "seq2seq":
        return ModelSettings(backbone=generating(backbone).model_copy(update={"vocab_size": vocab_size}))
    backbone = for_task(backbone, spec.goal, spec.frame.lm).model_copy(update={"vocab_size": vocab_size})
    head = HeadSettings(
        kind=HEAD_KINDS[spec.goal], size=spec.outputs, dropout=recipe.head_dropout, pooled=backbone.pooler,
        hidden=recipe.head_hidden, pool=recipe.head_pool, norm=recipe.head_norm,
        bias=head_bias(backbone, spec.goal),
    )  # fmt: skip
    return ModelSettings(backbone=backbone, heads={spec.goal: head})
