"""From recipes to the things they name: models, tokenizers, streams. Nothing is written here."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.seeds import named_seed
from warmstart.corpora.corpus import Corpus
from warmstart.corpora.images import ImageCorpus
from warmstart.example.example import LM, NEXT_VECTOR, Example
from warmstart.example.record import Record
from warmstart.image.raster import Raster
from warmstart.metrics.generated import FALLBACK, PREFERRED, available, check_generated
from warmstart.metrics.measures import check_measure, default_measures
from warmstart.metrics.tagging import require_seqeval
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings, HeadSettings, ModelSettings
from warmstart.readers.vectors import read_vectors
from warmstart.recipe.images import drawn_images, image_account, task_raster
from warmstart.recipe.labelled import Labelled, labelled
from warmstart.recipe.objectives import Framing, with_marks
from warmstart.recipe.remembered import read_remembered, read_vocabulary
from warmstart.recipe.schema import FinetuneRecipe, PretrainRecipe, TaskRecipe
from warmstart.recipe.seq2seq import Redraw, check_seq2seq, generating, redrawn, smoothing, with_room
from warmstart.recipe.sizes import (
    backbone_settings,
    for_objective,
    for_reading,
    for_task,
    pretrained_size,
    with_start,
)
from warmstart.streams.sources import Listed, Redrawn, Source
from warmstart.streams.stream import Stream
from warmstart.tasks.frames import class_weights, frame_records, units
from warmstart.tasks.framing import Account, Frame, between, marks
from warmstart.tasks.span import some_unanswered
from warmstart.tasks.spec import HEAD_KINDS, FrameSettings, Kind, SpanSettings, TagSettings, TaskSpec
from warmstart.tasks.tagging import unread_tag
from warmstart.tasks.vocabulary import Vocabulary, begins_with, require_text
from warmstart.tasks.words import joined
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.schemes import apply_scheme, check_scheme
from warmstart.train.settings import TrainSettings
from warmstart.transfer.folder import Imported, check_rows, head_bias, import_model
from warmstart.transfer.hub import model_folder
from warmstart.transfer.start import Account as WeightAccount
from warmstart.transfer.start import start_from
from warmstart.transfer.vectors import check_width, start_from_vectors

NO_START = "none"
Vectors = dict[int, NDArray[np.float32]]


def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def stream_of(source: Source, settings: TrainSettings, *, shuffle: bool = True) -> Stream:
    """The Stream of a source as training wants it, or in its own order."""
    return Stream(
        source, settings.batch_size, settings.seed, settings.accumulation, settings.max_tokens, shuffle=shuffle
    )


@dataclass(frozen=True, slots=True, eq=False)
class Pretraining:
    """Everything a pre-training needs, checked; ``moved`` is the account of its warm start, if it has one."""

    model: Model
    tokenizer: Vocabulary
    train: Stream
    dev: Stream | None
    coefficients: dict[str, float]
    moved: WeightAccount | None


def build_pretraining(recipe: PretrainRecipe, corpus: Corpus | ImageCorpus) -> Pretraining:
    """What ``recipe`` means for an opened corpus.

    Raises:
        BadInput: an unknown preset, a corpus of another tokenizer, or one too small for a single row.
    """
    tokenizer = with_marks(corpus.tokenizer(), recipe.objective)
    if recipe.corpus.tokenizer is not None:
        corpus.require_tokenizer(Tokenizer.load(Path(recipe.corpus.tokenizer)))
    start = None if recipe.start == NO_START else _read_start(recipe.start)
    if start is None:
        backbone = pretrained_size(recipe, tokenizer.vocab_size)
    else:
        if not recipe.new_vocabulary and not begins_with(tokenizer, start.tokenizer):
            corpus.require_tokenizer(start.tokenizer)
        backbone = with_start(recipe.model, start.backbone, start.rows_for(tokenizer))
        backbone = for_objective(backbone, recipe.objective)
    backbone = for_reading(backbone, vectors=isinstance(tokenizer, Raster))
    framing = Framing(recipe.objective, recipe.mask, tokenizer, backbone, recipe.augment)
    count = len(framing.units(corpus))
    held_out = min(count - 1, max(1, round(recipe.dev_frac * count))) if recipe.dev_frac else 0
    if count < 1:
        raise BadInput(
            "the corpus is too small to learn from", where=str(corpus.folder), value=f"{corpus.num_tokens} tokens",
            allowed="at least 2 tokens", next_step="add text",
        )  # fmt: skip
    train = stream_of(framing.units(corpus, held_out, seed=recipe.train.seed), recipe.train)
    dev = framing.units(corpus, held_out, dev=True) if held_out else None
    model = Model.fresh(ModelSettings(backbone=backbone), named_seed(recipe.train.seed, "weights"))
    moved = None if start is None else start.into(model, tokenizer)
    judged = stream_of(dev, recipe.train, shuffle=False) if dev else None
    return Pretraining(model, tokenizer, train, judged, {model.next_goal: 1.0}, moved)


@dataclass(frozen=True, slots=True, eq=False)
class Finetuning:
    """Everything a fine-tuning needs but the weights, checked: one per recipe, shared by all its seeds."""

    spec: TaskSpec
    tokenizer: Vocabulary
    settings: ModelSettings
    start: "Start | None"
    data: Labelled
    examples: list[list[Example]]
    account: Account
    measure: str
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
            return stream_of(Redrawn(len(self.data.train), self.redraw, settings.seed), settings)
        return stream_of(Listed(units(self.spec.kind, self.examples)), settings)


def build_finetuning(recipe: FinetuneRecipe, data: Labelled | None = None) -> Finetuning:
    """Reads the start and the labelled files and frames the training records.

    Args:
        recipe: what to learn.
        data: records that are in memory already, instead of the recipe's files.

    Raises:
        BadInput: anything wrong with the recipe, the start or the files.
    """
    data = labelled(recipe.task, recipe.train.seed) if data is None else data
    start = None if recipe.start == NO_START else _read_start(recipe.start)
    tokenizer = _vocabulary(recipe, data, start)
    if start is None:
        backbone = backbone_settings(recipe.model, tokenizer.vocab_size)
    else:
        backbone = with_start(recipe.model, start.backbone, start.rows_for(tokenizer))
    backbone = for_reading(with_room(recipe, backbone), vectors=isinstance(tokenizer, Raster))
    tokenizer = tokenizer.with_specials(marks(backbone.sight, tokenizer))
    taken = backbone.layers if recipe.transfer_layers is None else recipe.transfer_layers
    check_scheme(recipe.scheme, backbone, None if start is None else taken)
    lm_weight = _lm_weight(recipe, backbone)
    frame = FrameSettings(
        context=_context(recipe.task, _longest(recipe, backbone, lm_weight)),
        long_text=recipe.task.long_text,
        sight=backbone.sight,
        lm=lm_weight > 0,
        lm_weights=recipe.lm_average,
        clean=_rules(recipe),
        between=between(backbone.sight, tokenizer),
        segment_limit=recipe.task.segment_limit,
        reads=_reads(recipe, data.kind),
        lm_frame=recipe.lm_frame,
    )
    spec = _spec(recipe.task, data, frame, backbone.text_segments)
    measure = recipe.task.measure or data.measure or _default_measure(spec)
    (check_generated if spec.kind == "seq2seq" else partial(check_measure, goal=spec.measured))(
        measure, where="--measure"
    )
    weights = class_weights(data.task_set) if recipe.task.class_weights == "balanced" else None
    made = _made(recipe, spec, data.train, tokenizer, weights, backbone)
    settings = _with_head(recipe, spec, backbone, max(backbone.vocab_size, tokenizer.vocab_size))
    auxiliary = NEXT_VECTOR if backbone.vectors else LM
    coefficients = {spec.goal: 1.0} | ({auxiliary: lm_weight} if lm_weight > 0 else {})
    return Finetuning(
        spec, tokenizer, settings, start, data, made.examples, made.account, measure, coefficients,
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
    if isinstance(tokenizer, Raster):
        frame = Frame.of(spec, tokenizer, weights)
        account = image_account(frame, records, tokenizer)
        return _Made([], account, drawn_images(frame, records, tokenizer, recipe.augment))
    if spec.kind == "seq2seq":
        check_seq2seq(spec, backbone, tokenizer, recipe.search)
    framed = frame_records(spec, records, tokenizer, weights)
    redraw = None if spec.kind != "seq2seq" else redrawn(spec, records, framed.parts, tokenizer)
    return _Made(framed.examples, framed.account, redraw)


def _default_measure(spec: TaskSpec) -> str:
    """What dev is judged by; of generated texts the one that everybody reports, where its library is installed."""
    if spec.kind == "seq2seq":
        return PREFERRED if available(PREFERRED) else FALLBACK
    return default_measures(spec.measured, len(spec.label_names))[0]


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
    found = {text.id(word): vector for word, vector in read_vectors(recipe.vectors, text.has).items()}
    check_width(found, backbone, recipe.vectors)
    return found


def _reads(recipe: FinetuneRecipe, kind: Kind) -> Literal["summary", "rising", "all"]:
    """Where a text's class is read."""
    pooled, rising = recipe.head_pool == "concat", recipe.label_gain == "linear"
    if (pooled or rising) and kind not in ("classification", "entailment", "images"):
        raise BadInput(
            "only a class of one sequence can be read at all its tokens",
            where="--head-pool" if pooled else "--label-gain", value=kind, allowed="classification, entailment, images",
        )  # fmt: skip
    if pooled and rising:
        raise BadInput(
            "a label gain needs a class at every token, and a pool makes one of all", where="--label-gain",
            value="linear", allowed="none, with --head-pool concat",
        )  # fmt: skip
    return "all" if pooled else "rising" if rising else "summary"


def _lm_weight(recipe: FinetuneRecipe, backbone: BackboneSettings) -> float:
    """λ: as asked; by itself the paper's, where there is something to learn and something to move."""
    if recipe.scheme.kind == "head" or recipe.task.name == "seq2seq":
        return 0.0
    return (0.5 if backbone.sight == "causal" else 0.0) if recipe.lm_weight is None else recipe.lm_weight


def _with_head(recipe: FinetuneRecipe, spec: TaskSpec, backbone: BackboneSettings, vocab_size: int) -> ModelSettings:
    """The task's model: the backbone without what the task does not read, and a head as its layout has one."""
    if spec.kind == "seq2seq":
        return ModelSettings(backbone=generating(backbone).model_copy(update={"vocab_size": vocab_size}))
    backbone = for_task(backbone, spec.goal, spec.frame.lm).model_copy(update={"vocab_size": vocab_size})
    head = HeadSettings(
        kind=HEAD_KINDS[spec.goal], size=spec.outputs, dropout=recipe.head_dropout, pooled=backbone.pooler,
        hidden=recipe.head_hidden, pool=recipe.head_pool,
        bias=head_bias(backbone, spec.goal),
    )  # fmt: skip
    return ModelSettings(backbone=backbone, heads={spec.goal: head})


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What a warm start brings: weights, vocabulary, and names in its folder that have no place in a model."""

    imported: Imported
    tokenizer: Vocabulary

    @property
    def backbone(self) -> BackboneSettings:
        """Its sizes."""
        return self.imported.model.settings.backbone

    def rows_for(self, tokenizer: Vocabulary) -> int:
        """Rows of the token table for ``tokenizer``: spare ones stay, unless the vocabulary is another."""
        spare = self.backbone.vocab_size if begins_with(tokenizer, self.tokenizer) else 0
        return max(tokenizer.vocab_size, spare)

    def into(self, model: Model, tokenizer: Vocabulary, layers: int | None = None) -> WeightAccount:
        """Copies the weights into ``model``, whose vocabulary is that of ``tokenizer``."""
        rows = None
        if not begins_with(tokenizer, self.tokenizer):
            rows = require_text(tokenizer, "--new-vocabulary").rows_in(require_text(self.tokenizer, "--start"))
        account = start_from(self.imported.model, model, layers, rows)
        account.left += self.imported.left
        return account


def _read_start(name: str) -> Start:
    """The model and the tokenizer in a folder.

    Raises:
        BadInput: no model there, or a vocabulary that has more tokens than the model has rows for.
    """
    folder = model_folder(name)
    tokenizer, _ = read_vocabulary(folder)
    imported = import_model(folder)
    check_rows(tokenizer.vocab_size, imported.model, name)
    return Start(imported, tokenizer)


def _spec(task: TaskRecipe, data: Labelled, frame: FrameSettings, text_segments: tuple[int, int]) -> TaskSpec:
    """The task as the model will remember it."""
    spec = TaskSpec(kind=data.kind, name=data.name, label_names=data.label_names, frame=frame)
    if spec.measured == "entities":
        require_seqeval()  # before an hour of training, not after it
    if spec.kind == "tagging":
        tags = TagSettings(unread=unread_tag(data.train, data.label_names), column=task.tag_column)
        return spec.model_copy(update={"tags": tags})
    if spec.kind == "span":
        threshold = 0.0 if some_unanswered(data.train) else None
        span = SpanSettings(stride=task.stride, longest=task.max_answer, threshold=threshold)
        return spec.model_copy(update={"span": span})
    if spec.kind == "seq2seq":
        return spec.model_copy(update={"seq2seq": task.seq2seq.on(text_segments)})
    return spec


def _longest(recipe: FinetuneRecipe, backbone: BackboneSettings, lm_weight: float) -> int:
    """The most tokens that a framed text may have: half of what the model can see where it is read and then written."""
    return (backbone.longest + 1) // 2 if lm_weight > 0 and recipe.lm_frame == "autoencoder" else backbone.longest


def _context(task: TaskRecipe, most: int) -> int:
    if task.context is not None and task.context > most:
        raise BadInput(
            "longer than the model's context", where="--context", value=task.context, allowed=f"8 to {most}",
            next_step=f"--set model.context={task.context} gives the model more positions",
        )  # fmt: skip
    return task.context or most


def _rules(recipe: FinetuneRecipe) -> tuple[str, ...]:
    """Cleaning rules come from where the vocabulary comes from."""
    source = recipe.tokenizer if recipe.start == NO_START else recipe.start
    return () if source is None else read_remembered(model_folder(source)).rules


def _vocabulary(recipe: FinetuneRecipe, data: Labelled, start: Start | None) -> Vocabulary:
    """The start's own, or another where the recipe says so; without a start the one named or one learned now."""
    named = None if recipe.tokenizer is None else read_vocabulary(model_folder(recipe.tokenizer))[0]
    if data.kind == "images":
        return task_raster(data, named if start is None else start.tokenizer, "--start" if start else "--tokenizer")
    named = None if named is None else require_text(named, "--tokenizer")
    if start is None:
        texts = (
            text for record in data.train for name, value in record.texts.items() for text in _strings(name, value)
        )
        return named or Tokenizer.train(texts, recipe.vocab_size, vocabulary=recipe.vocabulary)
    own = require_text(start.tokenizer, "--start")
    if named is None or named.fingerprint == own.fingerprint:
        return own
    if not recipe.new_vocabulary:
        raise BadInput(
            "another tokenizer than the model's", where="--tokenizer", value=recipe.tokenizer,
            allowed=f"the one in {recipe.start}",
            next_step="leave --tokenizer out, or add --new-vocabulary to keep only the rows of tokens that both have",
        )  # fmt: skip
    return named


def _strings(name: str, value: str | tuple[str, ...]) -> tuple[str, ...]:
    if name == "tokens":
        return (joined(value),)
    return (value,) if isinstance(value, str) else value
