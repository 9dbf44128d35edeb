"""From a fine-tuning recipe to model, task, Examples and goals. Nothing is written here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import digest_arrays
from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.formatting import format_count
from warmstart.base.seeds import derive_seed
from warmstart.build.generation import check_softmax, generation_settings, label_smoothing, with_word_head
from warmstart.build.head import HeadPlan, head_kind, plan_head
from warmstart.build.inputs import InputModels, Stack, grown_inputs, read_inputs, read_unknown_as_end
from warmstart.build.labelled_data import LabelledData, read_labelled_data
from warmstart.build.side_starts import (
    SideStarts,
    forms_of_starts,
    read_side_starts,
    side_starts,
    with_side_vocabulary,
)
from warmstart.build.side_texts import SideGoals, read_side_texts, side_frame, side_goals, with_side_texts
from warmstart.build.sizes import backbone_settings, for_reading, for_task, with_context, with_start
from warmstart.build.start import NO_START, Start, read_start, vocabulary_of
from warmstart.build.task import (
    check_sight,
    frame_of,
    is_bi_encoder,
    lm_weight_of,
    pair_of,
    pool_of,
    recipe_options,
    spec_of,
)
from warmstart.build.training import build_criterion, stream_of
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.settings import GenerateSettings
from warmstart.example.example import LM, NEXT_VECTOR
from warmstart.example.record import digest_records
from warmstart.image.processor import ImageProcessor
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings, HeadSettings, ModelSettings, Pool
from warmstart.readers.word_vectors import read_word_vectors
from warmstart.streams.sources import AugmentedSource, ListSource
from warmstart.streams.stream import Stream
from warmstart.tasks.frames import build_frame, class_weights
from warmstart.tasks.kind import TaskKind, TrainingData
from warmstart.tasks.parts import Lengths
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.special_tokens import special_tokens
from warmstart.tasks.table import KINDS, answer_of, kind_of
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.train.precision import default_device
from warmstart.train.probe import can_fit, fit_head
from warmstart.train.schemes import apply_scheme, check_scheme, check_tables
from warmstart.train.settings import TrainSettings
from warmstart.train.step import Criterion
from warmstart.transfer.folder import head_bias, head_pooler
from warmstart.transfer.start import WeightAccount
from warmstart.transfer.vectors import check_width, start_from_vectors

Vectors = dict[int, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Finetuning:
    """Everything a fine-tuning needs but the weights, checked: one per recipe, shared by all its seeds.

    Attributes:
        spec: the task.
        tokenizer: the vocabulary.
        settings: of the model.
        start: what the model starts from, if anything.
        data: the labelled Records.
        training: what is read of the training Records, with the account.
        lengths: of the Records of each part, in tokens.
        metric: what dev is evaluated by.
        search: how the model generates, where it does.
        criterion: what is minimised.
        vectors: row of the token table → the word vector that it begins as.
        head: what becomes of the start's head.
        sides: what the two stacks of an encoder-decoder start from, if anything.
        inputs: language models whose states are read as tokens, if any.
        texts: what each of them goes on learning as a language model, if anything.
    """

    spec: TaskSpec
    tokenizer: Vocabulary
    settings: ModelSettings
    start: Start | None
    data: LabelledData
    training: TrainingData
    lengths: Mapping[str, Lengths]
    metric: str
    search: GenerateSettings
    criterion: Criterion
    vectors: Vectors
    head: HeadPlan
    sides: SideStarts
    inputs: InputModels
    texts: SideGoals

    def fingerprints(self) -> dict[str, Any]:
        """What identifies all that is learned from, part by part."""
        data, start = self.data, self.start
        parts = {"training records": data.train, "dev records": data.dev, "test records": data.test or []}
        found: dict[str, Any] = {"label names": list(self.spec.label_names)}
        found |= {name: digest_records(records) for name, records in parts.items()}
        found |= {"vocabulary": self.tokenizer.fingerprint, "start": None if start is None else start.fingerprint()}
        found |= {"language models of inputs": self.inputs.fingerprint()} if self.inputs.models else {}
        found |= {"language models": self.sides.fingerprint(), "texts of one side": self.texts.fingerprint()}
        return found | {"word vectors": digest_arrays(self.vectors)}

    def fresh(self, recipe: FinetuneRecipe) -> tuple[Model, WeightAccount | None]:
        """The model at step 0 for the recipe's seed, its scheme applied, and the account of its warm start."""
        model = Model.fresh(self.settings, derive_seed(recipe.train.seed, "weights"))
        account, head = None, self.head
        if self.start is not None:
            rows = {head.goal: head.rows} if head.goal else {}
            account = self.start.initialise(model, self.tokenizer, recipe.transfer_layers, rows)
        if self.sides.sides or self.inputs.models:
            account = self.sides.initialise(model, *self.inputs.transfers())
        read_unknown_as_end(model, self.known_inputs, self.tokenizer)
        if self.vectors:
            account = start_from_vectors(model, self.vectors)
        check_tables(model, recipe.scheme, [] if account is None else account.loaded)
        answer = answer_of(self.spec)
        if answer.head is not None and not head.goal:
            begun = model.head(answer.goal)
            begun.begin_at(answer.first_output(self.data.train))
            begun.begin_from(example.goals[answer.goal] for item in self.training.items for example in item)
            if self.fits_head(recipe, model):
                count = fit_head(model.to(default_device()), answer.goal, self.training.items, recipe.train.max_tokens)
                say(f"head       fitted to the start's states of {format_count(count, 'example')}")
        apply_scheme(model, recipe.scheme, recipe.train.seed)
        return model, account

    @property
    def known_inputs(self) -> dict[Stack, int]:
        """Part that reads a language model → tokens that this one knows."""
        if self.start is not None:
            return {stack: self.start.tokenizer.vocab_size for stack in self.settings.inputs}
        return {stack: start.tokenizer.vocab_size for stack, start in self.inputs.models.items()}

    def fits_head(self, recipe: FinetuneRecipe, model: Model) -> bool:
        """Whether the head begins as the best one on the states that the model starts with."""
        answer = answer_of(self.spec)
        begins = answer.head is not None and not self.head.goal and recipe.head_init == "fitted"
        return begins and bool(self.training.items) and can_fit(model, answer.goal)

    def stream(self, settings: TrainSettings) -> Stream:
        """Batches of whole Records or of other items of theirs; what is drawn is drawn anew in every epoch."""
        if self.training.redraw is not None:
            source = AugmentedSource(len(self.data.train), self.training.redraw, settings.seed)
            return replace(stream_of(source, settings), turns=self.texts.turns)
        return stream_of(ListSource(self.training.items), settings)


def build_finetuning(
    recipe: FinetuneRecipe, data: LabelledData | None = None, other: Finetuning | None = None
) -> Finetuning:
    """Reads the start and the labelled files and frames the training records.

    Args:
        recipe: what to learn.
        data: records that are in memory already, instead of the recipe's files.
        other: another arm of the same study; what is framed alike is shared with it.

    Raises:
        BadInput: anything wrong with the recipe, the start or the files.
    """
    data = read_labelled_data(recipe.task, recipe.train.seed) if data is None else data
    kind, recipe = KINDS[data.kind], with_side_vocabulary(recipe)
    start = None if recipe.start == NO_START else read_start(recipe.start)
    tokenizer = vocabulary_of(recipe, data, start)
    backbone = _backbone(recipe, kind, tokenizer, start)
    sides, inputs = read_side_starts(recipe, backbone, tokenizer), read_inputs(recipe, backbone, tokenizer)
    backbone = inputs.fit_length(recipe, backbone, kind.min_context(recipe_options(recipe.task, kind), backbone.sight))
    head = plan_head(recipe, data, start)
    recipe = recipe.model_copy(update=(head if other is None else other.head).form)
    if head.frame is None or head.frame.template is None:
        tokenizer = tokenizer.with_special_tokens(special_tokens(backbone.sight, tokenizer))
    copied = backbone.total_layers if recipe.transfer_layers is None else recipe.transfer_layers
    check_scheme(recipe.scheme, backbone, None if start is None else copied)
    recipe = inputs.without_foresight(recipe, kind.answer(data.label_names).generated)
    lm_weight = lm_weight_of(recipe, kind, backbone)
    pool, apart = pool_of(recipe, kind), is_bi_encoder(recipe, kind, len(data.train))
    frame = frame_of(recipe, kind, backbone, tokenizer, pool, apart, head.frame)
    spec = spec_of(recipe.task, data, frame, backbone.text_segments, tokenizer, pair_of(recipe))
    answer = answer_of(spec)
    metric = recipe.task.metric or data.metric or answer.metrics(spec.label_names)[0]
    answer.check_metric(metric, spec.label_names)
    search = recipe.search
    if answer.generated:
        search = generation_settings(search, spec, require_text(tokenizer, "--task"))
        check_softmax(kind.label_smoothing(kind.options(spec)), recipe.train)
    training, lengths = _shared(other, spec, data, tokenizer) or _framed(recipe, spec, data, tokenizer, backbone)
    texts = side_goals(recipe)
    sides.check_layers(texts.texts, backbone)
    auxiliary = NEXT_VECTOR if backbone.vectors else LM
    goals = {answer.goal: 1.0} | ({auxiliary: lm_weight} if lm_weight > 0 else {}) | {**texts.weights}
    criterion = build_criterion(goals, recipe.train, label_smoothing(spec, tokenizer))
    settings = _with_head(
        recipe, spec, backbone, pool, max(backbone.vocab_size, tokenizer.vocab_size), head_kind(recipe, data)
    )
    settings = _with_inputs(settings, recipe, inputs, start)
    vectors = _vectors(recipe, tokenizer, backbone)
    return Finetuning(
        spec, tokenizer, settings, start, data, training, lengths, metric, search, criterion, vectors, head, sides,
        inputs, texts
    )  # fmt: skip


def _backbone(recipe: FinetuneRecipe, kind: TaskKind, tokenizer: Vocabulary, start: Start | None) -> BackboneSettings:
    """The backbone, with room for as long an Example as the task names, unless a context is asked for."""
    if start is None:
        backbone = backbone_settings(recipe.model, tokenizer.vocab_size).model_copy(update=forms_of_starts(recipe))
    else:
        backbone = with_start(recipe.model, start.backbone, start.rows_for(tokenizer))
    check_sight(kind, backbone)
    if not (recipe.task.context or recipe.model.context):
        backbone = with_context(backbone, kind.min_context(recipe_options(recipe.task, kind), backbone.sight))
    backbone = for_reading(backbone, vectors=isinstance(tokenizer, ImageProcessor))
    is_random = (
        start is None and not side_starts(recipe) and recipe.vectors is None and recipe.model.embedding_std is None
    )
    return side_goals(recipe).fit(backbone.for_random_weights() if is_random else backbone)


def _with_inputs(
    settings: ModelSettings, recipe: FinetuneRecipe, inputs: InputModels, start: Start | None
) -> ModelSettings:
    """The same reading the states of language models: those that the recipe names, or the start's."""
    rows = settings.backbone.vocab_size
    named = inputs.settings(recipe.inputs, settings.backbone, rows)
    return settings.model_copy(update={"inputs": named if start is None else grown_inputs(recipe, start, rows)})


def _shared(
    other: Finetuning | None, spec: TaskSpec, data: LabelledData, tokenizer: Vocabulary
) -> tuple[TrainingData, dict[str, Lengths]] | None:
    """What another arm of the study has framed, where it frames the same Records alike."""
    if other is None or other.data is not data or other.spec != spec:
        return None
    alike = other.tokenizer.fingerprint == tokenizer.fingerprint
    return (other.training, dict(other.lengths)) if alike else None


def _framed(
    recipe: FinetuneRecipe, spec: TaskSpec, data: LabelledData, tokenizer: Vocabulary, backbone: BackboneSettings
) -> tuple[TrainingData, dict[str, Lengths]]:
    """What is read of the training Records, and the lengths of each part.

    What cannot be framed of dev and test is refused now, not after the training.
    """
    kind = kind_of(spec)
    weights = class_weights(data.task_set) if recipe.task.class_weights == "balanced" else None
    frame = build_frame(spec, tokenizer)
    kind.check_model(frame, backbone.segments)
    training = kind.training_data(data.train, build_frame(spec, tokenizer, weights), tokenizer, recipe.augment)
    asked, encoding = side_goals(recipe).texts, recipe.task.encoding
    sides = [
        read_side_texts(path, frame, side_frame(goal, backbone, frame, path), tokenizer, encoding)
        for goal, path in asked.items()
    ]
    others = {"dev": data.dev} | ({} if data.test is None else {"test": data.test})
    lengths = {part: kind.check_framing(records, frame, tokenizer) for part, records in others.items()}
    return with_side_texts(training, sides), {"train": training.lengths} | lengths


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
    read = read_word_vectors(recipe.vectors, rows.__contains__)
    found = {rows[word]: vector for word, vector in zip(read.words, read.matrix, strict=True)}
    check_width(found, backbone, recipe.vectors)
    return found


def _with_head(
    recipe: FinetuneRecipe, spec: TaskSpec, backbone: BackboneSettings, pool: Pool, vocab_size: int, kind: str | None
) -> ModelSettings:
    """The task's model: the backbone without what the task does not read, and a head as its layout has one."""
    answer = answer_of(spec)
    if kind is None:
        writing = with_word_head(backbone).model_copy(update={"vocab_size": vocab_size})
        return ModelSettings(backbone=writing, heads=side_goals(recipe).heads())
    bare = for_task(backbone, False, spec.frame.lm)
    pooler = (answer.reads_text and pool == "sum") or head_pooler(bare, answer.goal, pool)
    backbone = for_task(backbone, pooler, spec.frame.lm).model_copy(update={"vocab_size": vocab_size})
    head = HeadSettings(
        kind=kind, size=answer.num_outputs(spec.label_names), dropout=recipe.head_dropout, pooled=backbone.pooler,
        hidden=recipe.head_hidden, pool=pool, norm=recipe.head_norm, pair=kind_of(spec).pair if spec.frame.apart else "none",
        bias=head_bias(backbone, answer.goal), lstm=recipe.head_lstm,
    )  # fmt: skip
    return ModelSettings(backbone=backbone, heads={answer.goal: head})
