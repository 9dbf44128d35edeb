"""One task of a fine-tuning: its Records, its Examples, its head. A run of one task has one of these, without a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.formatting import format_count
from warmstart.build.generation import check_softmax, generation_settings, with_word_head
from warmstart.build.head import HeadPlan, head_kind
from warmstart.build.label_pairs import check_label_pairs, with_label_pairs
from warmstart.build.labelled_data import LabelledData
from warmstart.build.side_texts import read_side_texts, side_frame, side_goals, with_side_texts
from warmstart.build.sizes import for_task
from warmstart.build.soft_labels import check_soft_labels, digest_soft_labels
from warmstart.build.start import KeptHead
from warmstart.build.task import frame_of, is_bi_encoder, lm_weight_of, pair_of, pool_of, spec_of
from warmstart.build.training import stream_of
from warmstart.build.unknown_words import with_unknown_words
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.settings import GenerateSettings
from warmstart.example.example import NEXT_GOALS, PAIRS, SOFT
from warmstart.example.record import digest_records
from warmstart.models.model import Model
from warmstart.models.settings import AnyHeadSettings, BackboneSettings, ModelSettings, Pool, head_settings
from warmstart.streams.sources import AugmentedSource, RenamedSource, Source
from warmstart.streams.stream import Stream
from warmstart.tasks.answer import Answer, view_heads
from warmstart.tasks.framed_items import TrainingData
from warmstart.tasks.frames import build_frame, class_weights
from warmstart.tasks.parts import Lengths
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS, answer_of, kind_of
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.train.precision import default_device
from warmstart.train.probe import can_fit, fit_head
from warmstart.transfer.folder import head_bias, head_pooler

RESERVED = (*NEXT_GOALS, SOFT, PAIRS, "mean")
"""Names that heads and scores have already."""


@dataclass(frozen=True, slots=True)
class FramedTask:
    """A task that was framed before, in another training of the same study, and the vocabulary that it was framed with."""

    task: "LearnedTask"
    tokenizer: Vocabulary


@dataclass(frozen=True, slots=True)
class SharedParts:
    """What all tasks of a model have in common: its vocabulary and backbone; and what was framed before."""

    tokenizer: Vocabulary
    backbone: BackboneSettings
    framed: Sequence[FramedTask] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LearnedTask:
    """A task, checked and framed.

    Attributes:
        name: under which the model has its head; empty where it is the only one.
        recipe: of this task alone, with the form of a head that is kept.
        spec: the task as the model will remember it.
        data: the labelled Records.
        training: what is read of the training Records, with the account.
        lengths: of the Records of each part, in tokens.
        metric: what dev is evaluated by.
        search: how the model generates, where it does.
        head: what becomes of the start's head.
        pool: what the head reads of a text.
        lm_weight: of the auxiliary language model on its texts.
    """

    name: str
    recipe: FinetuneRecipe
    spec: TaskSpec
    data: LabelledData
    training: TrainingData
    lengths: Mapping[str, Lengths]
    metric: str
    search: GenerateSettings
    head: HeadPlan
    pool: Pool
    lm_weight: float

    @property
    def answer(self) -> Answer:
        """What the task asks of the model."""
        return answer_of(self.spec)

    @property
    def goal(self) -> str:
        """The goal that the model learns, and its head."""
        return self.name or self.answer.goal

    @property
    def learned_goal(self) -> str:
        """The goal whose loss is minimised: its own, or that of pairs of its labels."""
        return PAIRS if self.recipe.scheme.by_pairs else self.goal

    @property
    def kept_head(self) -> KeptHead | None:
        """The head of the start that it goes on with, if any."""
        return KeptHead(self.head.start_goal, self.goal, self.head.rows) if self.head.start_goal else None

    def fingerprints(self) -> dict[str, Any]:
        """What identifies its data, part by part."""
        data = self.data
        parts = {"training records": data.train, "dev records": data.dev, "test records": data.test or []}
        found: dict[str, Any] = {"label names": list(self.spec.label_names)}
        if self.recipe.task.soft_labels is not None:
            found["soft labels"] = digest_soft_labels(data.train, self.recipe.task.soft_labels)
        return found | {name: digest_records(records) for name, records in parts.items()}

    def view(self, model: Model) -> Model:
        """The model as one of this task alone."""
        return model.with_heads(view_heads(self.answer, self.name)) if self.name else model

    def begin_head(self, model: Model, recipe: FinetuneRecipe) -> None:
        """Sets the new head of a model at step 0; one that is kept stays as it is."""
        answer, view = self.answer, self.view(model)
        if answer.head is None or self.head.start_goal:
            return
        begun = view.head(answer.goal)
        begun.begin_at(answer.first_output(self.data.train))
        begun.begin_from(example.goals[answer.goal] for item in self.training.items for example in item)
        if self.fits_head(recipe, model):
            count = fit_head(view.to(default_device()), answer.goal, self.training.items, recipe.train.max_tokens)
            of = f" of {self.name}" if self.name else ""
            say(f"head       fitted to the start's states of {format_count(count, 'example')}{of}")

    def refit_head(self, model: Model) -> None:
        """Fits the head to the states as they are, where nothing else teaches it."""
        if self.recipe.scheme.by_pairs:
            fit_head(self.view(model), self.answer.goal, self.training.items, self.recipe.train.max_tokens)

    def without_pairs(self, model: Model) -> Model:
        """The model without the head that has compared pairs of labels, if it has one."""
        return model.with_heads({self.goal: self.goal}) if self.recipe.scheme.by_pairs else model

    def fits_head(self, recipe: FinetuneRecipe, model: Model) -> bool:
        """Whether the head begins as the best one on the states that the model starts with."""
        answer = self.answer
        begins = answer.head is not None and not self.head.start_goal and recipe.head_init == "fitted"
        return begins and bool(self.training.items) and can_fit(self.view(model), answer.goal)

    def stream(self, recipe: FinetuneRecipe, vocabulary: Vocabulary) -> Stream:
        """Batches of whole Records or of other items of theirs; what is drawn is drawn anew in every epoch."""
        source: Source = self.training.items
        if self.training.redraw is not None:
            source = AugmentedSource(len(self.data.train), self.training.redraw, recipe.train.seed)
        source = with_unknown_words(source, recipe, vocabulary)
        if self.name:
            head = self.answer.goal if self.answer.head is None else self.name
            source = RenamedSource(source, self.answer.goal, self.name, head)
        return replace(stream_of(source, recipe.train), turns=side_goals(recipe).turns)


def build_task(
    recipe: FinetuneRecipe, name: str, data: LabelledData, head: HeadPlan, shared: SharedParts,
    other: LearnedTask | None = None,
) -> LearnedTask:  # fmt: skip
    """Frames the Records of one task.

    Args:
        recipe: of this task alone.
        name: where there are several.
        data: its Records.
        head: what becomes of the start's head.
        shared: what the whole model has.
        other: the same task in another arm of the study, whose head gives this one its form.

    Raises:
        BadInput: anything wrong with the recipe or the Records.
    """
    _check_name(name)
    kind, backbone, tokenizer = KINDS[data.kind], shared.backbone, shared.tokenizer
    recipe = recipe.model_copy(update=(head if other is None else other.head).form)
    check_soft_labels(recipe, kind, data.label_names)
    pool, apart = pool_of(recipe, kind), is_bi_encoder(recipe, kind, len(data.train))
    frame = frame_of(recipe, kind, backbone, tokenizer, pool, apart, head.frame)
    spec = spec_of(recipe.task, data, frame, backbone.text_segments, tokenizer, pair_of(recipe))
    answer = answer_of(spec)
    metric = _metric(recipe.task.metric or data.metric, answer, data)
    search = recipe.search
    if answer.generated:
        search = generation_settings(search, spec, require_text(tokenizer, "--task"))
        check_softmax(kind.label_smoothing(kind.options(spec)), recipe.train)
    training, lengths = _framed_before(recipe, spec, data, shared) or _framed(recipe, spec, data, shared)
    lm_weight = lm_weight_of(recipe, kind, backbone)
    return LearnedTask(name, recipe, spec, data, training, lengths, metric, search, head, pool, lm_weight)


def _metric(asked: str | None, answer: Answer, data: LabelledData) -> str:
    """What dev is evaluated by, as test will be.

    Raises:
        BadInput: a metric that does not suit dev, or a test part that it does not suit.
    """
    fitting = answer.metrics_for(data.label_names, data.dev)
    metric = asked or fitting[0]
    answer.check_metric(metric, fitting)
    there = fitting if data.test is None else answer.metrics_for(data.label_names, data.test)
    if there != fitting and metric not in there:
        raise BadInput(
            "test is evaluated by other metrics than dev", where="--test", value=", ".join(there), allowed=metric,
            next_step="leave it out, and evaluate on it after the training: warmstart evaluate",
        )  # fmt: skip
    return metric


def _check_name(name: str) -> None:
    """Refuses a name that no head can have."""
    if not name:
        return
    if not name.replace("-", "_").isidentifier() or name in RESERVED:
        raise BadInput(
            "not a name for a task", where="tasks", value=name,
            allowed=f"letters, digits, - and _, beginning with a letter; not {', '.join(RESERVED)}",
            next_step="choose another",
        )  # fmt: skip


def _framed_before(
    recipe: FinetuneRecipe, spec: TaskSpec, data: LabelledData, shared: SharedParts
) -> tuple[TrainingData, dict[str, Lengths]] | None:
    """What another training of the study has framed, where it frames the same Records alike."""
    for one in shared.framed:
        before = one.task
        is_alike = before.data is data and before.spec == spec and _asked(before.recipe) == _asked(recipe)
        if is_alike and one.tokenizer.fingerprint == shared.tokenizer.fingerprint:
            return before.training, dict(before.lengths)
    return None


def _asked(recipe: FinetuneRecipe) -> Any:
    """What a recipe says of how Records are framed, beside the task as the model remembers it."""
    return recipe.task, recipe.augment, side_goals(recipe).texts


def _framed(
    recipe: FinetuneRecipe, spec: TaskSpec, data: LabelledData, shared: SharedParts
) -> tuple[TrainingData, dict[str, Lengths]]:
    """What is read of the training Records, and the lengths of each part.

    What cannot be framed of dev and test is refused now, not after the training.
    """
    kind, tokenizer = kind_of(spec), shared.tokenizer
    weights = class_weights(data.task_set) if recipe.task.class_weights == "balanced" else None
    frame = build_frame(spec, tokenizer)
    kind.check_model(frame, shared.backbone.segments)
    learned = build_frame(spec, tokenizer, weights, recipe.task.soft_labels)
    training = kind.training_data(data.train, learned, tokenizer, recipe.augment)
    asked, encoding = side_goals(recipe).texts, recipe.task.encoding
    sides = [
        read_side_texts(path, frame, side_frame(goal, shared.backbone, frame, path), tokenizer, encoding)
        for goal, path in asked.items()
    ]
    others = {"dev": data.dev} | ({} if data.test is None else {"test": data.test})
    lengths = {part: kind.check_framing(records, frame, tokenizer) for part, records in others.items()}
    training = with_side_texts(training, sides)
    if recipe.scheme.by_pairs:
        convex = not recipe.head_hidden and recipe.head_norm == "none" and recipe.head_pool != "concat"
        check_label_pairs(frame.answer, spec.frame, training.items, convex)
        training = with_label_pairs(training, data.train, frame.answer.goal)
    return training, {"train": training.lengths} | lengths


def model_settings(
    tasks: Sequence[LearnedTask], backbone: BackboneSettings, vocab_size: int, learns_text: bool = False
) -> ModelSettings:
    """The model of all tasks: the backbone without what none of them reads, and heads as its layout has them."""
    if len(tasks) == 1 and tasks[0].answer.head is None:
        writing = with_word_head(backbone).model_copy(update={"vocab_size": vocab_size})
        return ModelSettings(backbone=writing, heads=side_goals(tasks[0].recipe).heads())
    headed = [task for task in tasks if task.answer.head is not None]
    if len(headed) < len(tasks):
        backbone, learns_text = with_word_head(backbone), True
    lm = learns_text or any(task.spec.frame.lm for task in tasks)
    bare = for_task(backbone, False, lm)
    pooled = {task.goal: _reads_pooler(task, bare) for task in headed}
    backbone = for_task(backbone, any(pooled.values()), lm).model_copy(update={"vocab_size": vocab_size})
    heads: dict[str, AnyHeadSettings] = {
        task.goal: _head_settings(task, backbone, pooled[task.goal]) for task in headed
    }
    if tasks[0].recipe.scheme.by_pairs:
        heads[PAIRS] = head_settings({"kind": "embedding", "pool": tasks[0].pool})
    return ModelSettings(backbone=backbone, heads=heads)


def _reads_pooler(task: LearnedTask, bare: BackboneSettings) -> bool:
    """Whether the head of a task reads states through the pooler, where the backbone has one."""
    if task.recipe.head_san:
        return False
    return (task.answer.reads_text and task.pool == "sum") or head_pooler(bare, task.answer.goal, task.pool)


def _head_settings(task: LearnedTask, backbone: BackboneSettings, pooled: bool) -> AnyHeadSettings:
    spec, answer, recipe = task.spec, task.answer, task.recipe
    kind = kind_of(spec)
    fields = {
        "kind": head_kind(recipe, task.data), "size": answer.num_outputs(spec.label_names), "dropout": recipe.head_dropout,
        "pooled": pooled and backbone.pooler, "hidden": recipe.head_hidden, "pool": task.pool, "norm": recipe.head_norm,
        "pair": kind.pair if spec.frame.apart else "none", "bias": head_bias(backbone, answer.goal),
        "lstm": recipe.head_lstm, "steps": recipe.head_san,
    }  # fmt: skip
    return head_settings(answer.head_fields(fields, kind.options(spec)))
