"""From a fine-tuning recipe to model, tasks, Examples and goals. Nothing is written here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import digest_arrays
from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.seeds import derive_seed
from warmstart.build.generation import label_smoothing
from warmstart.build.head import plan_head
from warmstart.build.inputs import InputModels, Stack, grown_inputs, read_inputs, read_unknown_as_end
from warmstart.build.labelled_data import LabelledData, read_tasks
from warmstart.build.learned_task import FramedTask, LearnedTask, SharedParts, build_task, model_settings
from warmstart.build.side_starts import (
    SideStarts,
    forms_of_starts,
    read_side_starts,
    side_starts,
    with_side_vocabulary,
)
from warmstart.build.side_texts import SideGoals, side_goals
from warmstart.build.sizes import backbone_settings, for_reading, with_context, with_start
from warmstart.build.spelling import write_spellings
from warmstart.build.start import NO_START, Start, read_start, vocabulary_of
from warmstart.build.task import check_sight, recipe_options
from warmstart.build.text_task import TextTask, build_text_task, with_text_tokens
from warmstart.build.training import build_criterion, check_heads, check_terms
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.example import LM, LM_TEXT, NEXT_VECTOR, SOFT
from warmstart.image.processor import ImageProcessor
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings, ModelSettings
from warmstart.readers.word_vectors import read_word_vectors
from warmstart.streams.mixture import MixedStream, plan_mixture
from warmstart.streams.stream import BatchStream
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.special_tokens import special_tokens
from warmstart.tasks.table import KINDS
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.train.schedule import plan_lengths
from warmstart.train.schemes import apply_scheme, check_scheme, check_tables
from warmstart.train.step import Criterion
from warmstart.transfer.start import WeightAccount
from warmstart.transfer.vectors import check_width, start_from_vectors

Vectors = dict[int, NDArray[np.float32]]
MEAN = "mean"
"""The score of several tasks together."""


@dataclass(frozen=True, slots=True, eq=False)
class Finetuning:
    """Everything a fine-tuning needs but the weights, checked: one per recipe, shared by all its seeds.

    Attributes:
        tasks: what is learned; of several each has a name.
        tokenizer: the vocabulary.
        settings: of the model.
        start: what the model starts from, if anything.
        metric: what dev is evaluated by; of several tasks their mean, or the name of one.
        criterion: what is minimised.
        vectors: row of the token table → the word vector that it begins as.
        sides: what the two stacks of an encoder-decoder start from, if anything.
        inputs: language models whose states are read as tokens, if any.
        texts: what each of them goes on learning as a language model, if anything.
        raw_text: what a language model learns as one of the tasks, if anything.
    """

    tasks: tuple[LearnedTask, ...]
    tokenizer: Vocabulary
    settings: ModelSettings
    start: Start | None
    metric: str
    criterion: Criterion
    vectors: Vectors
    sides: SideStarts
    inputs: InputModels
    texts: SideGoals
    raw_text: TextTask | None = None

    @property
    def task(self) -> LearnedTask:
        """The only task.

        Raises:
            ValueError: there are several.
        """
        [found] = self.tasks
        return found

    @property
    def data(self) -> dict[str, LabelledData]:
        """The labelled Records of each task."""
        return {task.name: task.data for task in self.tasks}

    def fingerprints(self) -> dict[str, Any]:
        """What identifies all that is learned from, part by part."""
        found: dict[str, Any] = {}
        for task in self.tasks:
            of = f" of {task.name}" if task.name else ""
            found |= {f"{part}{of}": value for part, value in task.fingerprints().items()}
        start = None if self.start is None else self.start.fingerprint()
        found |= {"vocabulary": self.tokenizer.fingerprint, "start": start}
        found |= {} if self.raw_text is None else {"raw text": self.raw_text.fingerprint}
        found |= {"language models of inputs": self.inputs.fingerprint()} if self.inputs.models else {}
        found |= {"language models": self.sides.fingerprint(), "texts of one side": self.texts.fingerprint()}
        return found | {"word vectors": digest_arrays(self.vectors)}

    def fresh(self, recipe: FinetuneRecipe) -> tuple[Model, WeightAccount | None]:
        """The model at step 0 for the recipe's seed, its scheme applied, and the account of its warm start."""
        model = Model.fresh(self.settings, derive_seed(recipe.train.seed, "weights"))
        write_spellings(model, self.tokenizer)
        account = None
        if self.start is not None:
            kept = [task.kept_head for task in self.tasks if task.kept_head is not None]
            account = self.start.initialise(model, self.tokenizer, recipe.transfer_layers, kept)
        if self.sides.sides or self.inputs.models:
            account = self.sides.initialise(model, *self.inputs.transfers())
        read_unknown_as_end(model, self.known_inputs, self.tokenizer)
        if self.vectors:
            account = start_from_vectors(model, self.vectors)
        check_tables(model, recipe.scheme, [] if account is None else account.loaded)
        for task, own in zip(self.tasks, recipe.by_task().values(), strict=True):
            task.begin_head(model, own)
        apply_scheme(model, recipe.scheme, recipe.train.seed)
        return model, account

    @property
    def known_inputs(self) -> dict[Stack, int]:
        """Part that reads a language model → tokens that this one knows."""
        if self.start is not None:
            return {stack: self.start.tokenizer.vocab_size for stack in self.settings.inputs}
        return {stack: start.tokenizer.vocab_size for stack, start in self.inputs.models.items()}

    @property
    def stream_names(self) -> list[str]:
        """The names of what steps are of, as mixtures have them."""
        return [task.goal for task in self.tasks] + ([] if self.raw_text is None else [LM_TEXT])

    def stream(self, recipe: FinetuneRecipe) -> BatchStream:
        """Batches of whole Records or of other items of theirs, of one task a step."""
        own = recipe.by_task().values()
        every = tuple(task.stream(one, self.tokenizer) for task, one in zip(self.tasks, own, strict=True))
        every += () if self.raw_text is None else (self.raw_text.stream(recipe),)
        if len(every) == 1:
            return every[0]
        sizes = {name: stream.steps_per_epoch for name, stream in zip(self.stream_names, every, strict=True)}
        once = MixedStream(every, plan_mixture(sizes, recipe.mixture, recipe.train.seed))
        epochs = math.ceil(plan_lengths(recipe.train, once).steps / once.steps_per_epoch)
        return MixedStream(every, plan_mixture(sizes, recipe.mixture, recipe.train.seed, epochs))

    def scores(self, found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """What dev says: of one task its metrics; of several the metric of each, and their mean.

        Args:
            found: task → its metrics.
        """
        if len(self.tasks) == 1 and not self.tasks[0].name:
            return {**found[""]}
        values = {task.name: found[task.name][task.metric] for task in self.tasks}
        return {MEAN: sum(values.values()) / len(values), **values}

    @property
    def higher_is_better(self) -> bool:
        """Whether more of :attr:`metric` is better."""
        metrics = {task.name or self.metric: task.metric for task in self.tasks}
        return metrics.get(self.metric, "") not in LOWER_IS_BETTER


def build_finetuning(
    recipe: FinetuneRecipe, data: Mapping[str, LabelledData] | None = None, other: Finetuning | None = None,
    framed: Sequence[Finetuning] = (),
) -> Finetuning:  # fmt: skip
    """Reads the start and the labelled files and frames the training records.

    Args:
        recipe: what to learn.
        data: records of each task that are in memory already, instead of the recipe's files.
        other: another arm of the same study, whose head gives this one its form.
        framed: trainings of the same study; what they or ``other`` have framed alike is shared with them.

    Raises:
        BadInput: anything wrong with the recipe, the start or the files.
    """
    data = read_tasks(recipe) if data is None else data
    recipe = with_side_vocabulary(recipe)
    start = None if recipe.start == NO_START else read_start(recipe.start)
    tokenizer = vocabulary_of(recipe, [*data.values()], start)
    own = recipe.by_task()
    kinds = {name: KINDS[data[name].kind] for name in own}
    backbone = _backbone(recipe, kinds, tokenizer, start)
    check_terms(recipe.train, backbone)
    sides, inputs = read_side_starts(recipe, backbone, tokenizer), read_inputs(recipe, backbone, tokenizer)
    for name, one in own.items():
        needed = kinds[name].min_context(recipe_options(one.task, kinds[name]), backbone.sight)
        backbone = inputs.fit_length(one, backbone, needed)
    heads = {name: plan_head(one, name, data[name], start) for name, one in own.items()}
    if not all(head.frame is not None and head.frame.template is not None for head in heads.values()):
        tokenizer = tokenizer.with_special_tokens(special_tokens(backbone.sight, tokenizer))
    tokenizer = with_text_tokens(recipe, tokenizer, backbone)
    _check_scheme(recipe, backbone, starts=start is not None)
    generates = any(kinds[name].answer(data[name].label_names).generated for name in own)
    own = {name: inputs.without_foresight(one, generates) for name, one in own.items()}
    before = {} if other is None else {task.name: task for task in other.tasks}
    shared = SharedParts(tokenizer, backbone, _framed_tasks(framed, other))
    tasks = tuple(build_task(one, name, data[name], heads[name], shared, before.get(name)) for name, one in own.items())
    texts = side_goals(recipe)
    sides.check_layers(texts.texts, backbone)
    raw_text = build_text_task(recipe, tokenizer, backbone, tasks[0].spec.frame.clean)
    goals = _goals(recipe, tasks, backbone, raw_text) | {**texts.weights}
    smoothing = label_smoothing([task.spec for task in tasks], tokenizer)
    criterion = build_criterion(goals, recipe.train, smoothing, recipe.soft_temperature)
    rows = max(backbone.vocab_size, tokenizer.vocab_size)
    settings = model_settings(tasks, backbone, rows, raw_text is not None)
    check_heads(recipe.train, settings.heads)
    settings = _with_inputs(settings, recipe, inputs, start)
    metric, vectors = _metric(recipe, tasks), _vectors(recipe, tokenizer, backbone)
    return Finetuning(tasks, tokenizer, settings, start, metric, criterion, vectors, sides, inputs, texts, raw_text)


def _check_scheme(recipe: FinetuneRecipe, backbone: BackboneSettings, *, starts: bool) -> None:
    """Refuses a scheme that does not fit the model, its start or the number of tasks."""
    copied = backbone.total_layers if recipe.transfer_layers is None else recipe.transfer_layers
    check_scheme(recipe.scheme, backbone, copied if starts else None)
    if recipe.scheme.by_pairs and recipe.tasks:
        raise BadInput(
            "pairs of labels are learned for one task", where="--scheme", value=recipe.scheme.kind,
            allowed="with one --task", next_step="choose another scheme, or fine-tune for each task by itself",
        )  # fmt: skip


def _goals(
    recipe: FinetuneRecipe, tasks: Sequence[LearnedTask], backbone: BackboneSettings, raw_text: TextTask | None
) -> dict[str, float]:
    """What is learned and how much each counts: the tasks, the auxiliary language model, a teacher, raw text."""
    auxiliary = NEXT_VECTOR if backbone.vectors else LM
    goals = {task.learned_goal: recipe.tasks[task.name].weight if task.name else 1.0 for task in tasks}
    lm_weight = max(task.lm_weight for task in tasks)
    goals |= {auxiliary: lm_weight} if lm_weight > 0 else {}
    soft = any(task.recipe.task.soft_labels for task in tasks)
    goals |= {SOFT: recipe.soft_weight} if soft else {}
    return goals | ({} if raw_text is None else {LM_TEXT: raw_text.weight})


def _framed_tasks(framed: Sequence[Finetuning], other: Finetuning | None) -> list[FramedTask]:
    """What other trainings of the study have framed."""
    earlier = [*framed, *([] if other is None else [other])]
    return [FramedTask(task, one.tokenizer) for one in earlier for task in one.tasks]


def _metric(recipe: FinetuneRecipe, tasks: Sequence[LearnedTask]) -> str:
    """What chooses the best weights.

    Raises:
        BadInput: a task that there is not, or a mean of errors and of metrics where more is better.
    """
    if not recipe.tasks:
        return tasks[0].metric
    if recipe.dev_score not in (MEAN, *recipe.tasks):
        raise unknown_name_error("score of dev", recipe.dev_score, [MEAN, *recipe.tasks], "--dev-score")
    errors = [f"{task.name} ({task.metric})" for task in tasks if task.metric in LOWER_IS_BETTER]
    if recipe.dev_score == MEAN and errors:
        raise BadInput(
            "a mean of metrics of which less of one and more of another is better", where="--dev-score", value=MEAN,
            allowed="the name of one task, or metrics of which more is better", next_step=f"another metric for {errors[0]}",
        )  # fmt: skip
    return recipe.dev_score


def _backbone(
    recipe: FinetuneRecipe, kinds: Mapping[str, TaskKind], tokenizer: Vocabulary, start: Start | None
) -> BackboneSettings:
    """The backbone, with room for as long an Example as a task names, unless a context is asked for."""
    if start is None:
        backbone = backbone_settings(recipe.model, tokenizer.vocab_size).model_copy(update=forms_of_starts(recipe))
    else:
        backbone = with_start(recipe.model, start.backbone, start.rows_for(tokenizer))
    for kind in kinds.values():
        check_sight(kind, backbone)
    for name, own in recipe.by_task().items():
        if not (own.task.context or recipe.model.context):
            options = recipe_options(own.task, kinds[name])
            backbone = with_context(backbone, kinds[name].min_context(options, backbone.sight))
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
