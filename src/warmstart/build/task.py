"""From a recipe to the task as the model will remember it: its kind, its frame, where and from which end it is read."""

from typing import Literal

from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.build.labelled_data import LabelledData
from warmstart.build.start import NO_START
from warmstart.config.schema import FinetuneRecipe
from warmstart.config.task_recipe import TaskRecipe
from warmstart.models.presets import PRESETS
from warmstart.models.settings import BackboneSettings, Pool
from warmstart.run.metadata import RunMetadata, read_metadata
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.settings import Direction, FrameSettings, Seq2SeqTemplate
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.special_tokens import num_delimiters
from warmstart.tasks.table import KINDS
from warmstart.tasks.vocabulary import Vocabulary
from warmstart.transfer.hub import model_folder
from warmstart.transfer.sentence import read_modules

FEW_PAIRS = 1000
"""Pairs below which a sentence encoder reads the two texts apart (docs/results/few-labels.md)."""


def spec_of(
    task: TaskRecipe, data: LabelledData, frame: FrameSettings, text_segments: tuple[int, int], vocabulary: Vocabulary,
    pair: Seq2SeqTemplate | None = None,
) -> TaskSpec:  # fmt: skip
    """The task as the model will remember it; ``pair`` are the special tokens of source and target that its start knows."""
    kind = KINDS[data.kind]
    kind.answer(data.label_names).check_installed()  # before an hour of training, not after it
    asked = kind.start_options(recipe_options(task, kind), pair)
    asked = kind.fit_options(asked, frame.sight, vocabulary)
    options = kind.learn_options(asked, data.train, data.label_names, text_segments)
    spec = TaskSpec(
        kind=data.kind, name=data.name, label_names=data.label_names, label_values=data.label_values, columns=task.columns,
        frame=frame,
    )  # fmt: skip
    return spec.with_options(options)


def recipe_options(task: TaskRecipe, kind: TaskKind) -> Settings:
    """What the recipe says for this kind alone: the group of its name, or the kind's defaults."""
    found = getattr(task, kind.name, None)
    return found if isinstance(found, kind.options_class) else kind.options_class()


def check_sight(kind: TaskKind, backbone: BackboneSettings) -> None:
    """Raises :class:`BadInput` where a model of this sight learns no task of a kind."""
    if backbone.sight not in kind.sights:
        able = ", ".join(name for name, other in KINDS.items() if backbone.sight in other.sights)
        raise BadInput(
            f"{backbone.NOUN} does not learn this kind of task", where="--task", value=kind.name,
            allowed=able or "as what another model reads: --source-inputs, --text-inputs",
            next_step="choose another --model or --start",
        )  # fmt: skip


def frame_of(
    recipe: FinetuneRecipe, kind: TaskKind, backbone: BackboneSettings, tokenizer: Vocabulary, pool: Pool, apart: bool,
    learned: FrameSettings | None = None,
) -> FrameSettings:  # fmt: skip
    """How the task's Examples are made.

    ``pool`` is what the classifier reads of a text, ``apart`` whether two are read apart; ``learned`` are the settings that
    a head which is kept was trained with.
    """
    if recipe.head_san and backbone.sight != "full":
        raise BadInput(
            "steps of attention need states that have seen both texts", where="--head-san", value=backbone.NOUN,
            allowed="a bidirectional model", next_step="leave it out, or choose another --start or --model",
        )  # fmt: skip
    lm_weight, reads = lm_weight_of(recipe, kind, backbone), _class_positions(recipe, kind, pool)
    _check_auxiliary(recipe, kind, lm_weight)
    kind.check_long_text(recipe.task.long_text)
    return FrameSettings(
        context=_context(recipe.task, _longest(recipe, backbone, lm_weight)),
        long_text=recipe.task.long_text,
        stride=recipe.task.stride,
        window_answers=recipe.task.window_answers,
        sight=backbone.sight,
        lm=lm_weight > 0,
        lm_weights=recipe.lm_average,
        clean=_metadata(recipe).rules,
        between=num_delimiters(backbone.sight, tokenizer),
        segment_limit=recipe.task.segment_limit,
        reads=reads,
        lm_frame=recipe.lm_frame,
        direction=_direction(recipe, kind, reads, apart),
        apart=apart,
        template=None if learned is None else learned.template,
        typed=True if learned is None else learned.typed,
    )


def lm_weight_of(recipe: FinetuneRecipe, kind: TaskKind, backbone: BackboneSettings) -> float:
    """λ: as asked; by itself the paper's, where there is something to learn and something to move."""
    if not (recipe.scheme.has_auxiliary_lm and kind.has_auxiliary_lm):
        return 0.0
    return (0.5 if backbone.sight == "causal" else 0.0) if recipe.lm_weight is None else recipe.lm_weight


def _check_auxiliary(recipe: FinetuneRecipe, kind: TaskKind, lm_weight: float) -> None:
    """Refuses what would say something of an auxiliary goal that is not there.

    Raises:
        BadInput: the autoencoder beside a task that reads words, without a weight, or averaged by sequence.
    """
    if recipe.lm_frame != "autoencoder":
        return
    if not kind.rewrites:
        raise BadInput(
            "the autoencoder beside a task needs a task that reads one whole text", where="--lm-frame",
            value=kind.name, allowed=_names("rewrites"), next_step="leave --lm-frame out",
        )  # fmt: skip
    if lm_weight == 0:
        raise BadInput(
            "the auxiliary language model has weight 0", where="--lm-weight", value=lm_weight,
            allowed="more than 0 with --lm-frame autoencoder", next_step="add --lm-weight 1",
        )  # fmt: skip
    if recipe.lm_average != "token":
        raise BadInput(
            "the loss of the autoencoder is a mean over tokens", where="--lm-average", value=recipe.lm_average,
            allowed="token with --lm-frame autoencoder",
        )  # fmt: skip


def pool_of(recipe: FinetuneRecipe, kind: TaskKind) -> Pool:
    """What the classifier reads of a text: as asked, else as the folder of the start says, where the task pools states."""
    if recipe.head_pool is not None:
        return recipe.head_pool
    if kind.answer(()).texts_apart:
        return "mean" if _start_pooling(recipe) in ("", "mean") else "sum"
    return "mean" if kind.pools_states and _is_plain(recipe) and _start_pooling(recipe) == "mean" else "sum"


def is_bi_encoder(recipe: FinetuneRecipe, kind: TaskKind, count: int) -> bool:
    """Whether two texts are read apart: as asked, else of few examples (``count``) where the start reads sentences.

    Raises:
        BadInput: the task has no two texts to compare, or the recipe reads them in a way that needs one sequence.
    """
    if kind.answer(()).texts_apart:
        _check_apart(recipe, kind)
        return True
    if recipe.pair_encoder is None:
        plain = _is_plain(recipe) and recipe.head_pool in (None, "mean")
        return kind.pair != "none" and count < FEW_PAIRS and plain and _start_pooling(recipe) == "mean"
    if recipe.pair_encoder == "bi" and (kind.pair == "none" or not _is_plain(recipe) or recipe.head_pool == "concat"):
        pairs = ", ".join(name for name, one in KINDS.items() if one.pair != "none")
        raise BadInput(
            "only two texts that are compared are read apart", where="--pair-encoder", value=f"bi for {kind.name}",
            allowed=f"{pairs}; without --label-gain, --lm-frame autoencoder, --head-pool concat and --head-san",
            next_step="leave it out",
        )  # fmt: skip
    return recipe.pair_encoder == "bi"


def _is_plain(recipe: FinetuneRecipe) -> bool:
    """Whether a text is read once, for one answer, from one state."""
    return recipe.label_gain == "none" and recipe.lm_frame == "causal" and not recipe.head_san


def _check_apart(recipe: FinetuneRecipe, kind: TaskKind) -> None:
    """Refuses what would make something else of a text than its vector.

    Raises:
        BadInput: texts read together, or a pool that is no vector of a sentence encoder.
    """
    asked = {"--pair-encoder": (recipe.pair_encoder, "cross"), "--head-pool": (recipe.head_pool, "concat")}
    for flag, (value, refused) in asked.items():
        if value == refused:
            raise BadInput(
                "a sentence encoder makes one vector of each text", where=flag, value=f"{value} for {kind.name}",
                next_step="leave it out",
            )  # fmt: skip


def _start_pooling(recipe: FinetuneRecipe) -> str:
    """How the folder of the start, or of the model that is begun anew, makes a vector of a text; empty: it says nothing."""
    name = _model_name(recipe)
    modules = None if name is None else read_modules(model_folder(name))
    return "" if modules is None else modules.pooling


def _class_positions(
    recipe: FinetuneRecipe, kind: TaskKind, pool: Pool
) -> Literal["summary", "rising", "all", "texts"]:
    """Where a text's class is read."""
    if recipe.head_san:
        return "texts"
    pooled, rising = pool != "sum", recipe.label_gain == "linear"
    if pooled and not kind.pools_states:
        raise BadInput(
            "only the state of a whole text is pooled", where="--head-pool", value=f"{pool} for {kind.name}",
            allowed=_names("pools_states"), next_step="leave it out",
        )  # fmt: skip
    if rising and not kind.reads_every_token:
        raise BadInput(
            "a label gain needs a task with one class per text", where="--label-gain", value=kind.name,
            allowed=_names("reads_every_token"),
        )  # fmt: skip
    if pooled and rising:
        raise BadInput(
            "a label gain needs a state at every token, and this pool makes one state of a text", where="--label-gain",
            value="linear", allowed=f"none, with --head-pool {pool}",
        )  # fmt: skip
    return "all" if pooled else "rising" if rising else "summary"


def _names(trait: str) -> str:
    """The kinds that have a trait."""
    return ", ".join(name for name, kind in KINDS.items() if getattr(kind, trait))


def _longest(recipe: FinetuneRecipe, backbone: BackboneSettings, lm_weight: float) -> int:
    """The most tokens that a framed text may have: half of what the model can see where it is read and then written."""
    return (backbone.max_length + 1) // 2 if lm_weight > 0 and recipe.lm_frame == "autoencoder" else backbone.max_length


def _context(task: TaskRecipe, most: int) -> int:
    if task.context is not None and task.context > most:
        raise BadInput(
            "longer than the model's context", where="--context", value=task.context, allowed=f"8 to {most}",
            next_step=f"--set model.context={task.context} gives the model more positions",
        )  # fmt: skip
    return task.context or most


def pair_of(recipe: FinetuneRecipe) -> Seq2SeqTemplate | None:
    """The special tokens of source and target that were learned with the vocabulary; ``None``: nothing is known of them."""
    return None if recipe.new_vocabulary else _metadata(recipe).pair_template


def _metadata(recipe: FinetuneRecipe) -> RunMetadata:
    """Cleaning rules and the direction of reading come from where the vocabulary comes from."""
    source = recipe.tokenizer if recipe.start == NO_START else recipe.start
    return RunMetadata() if source is None else read_metadata(model_folder(source))


def _model_metadata(recipe: FinetuneRecipe) -> RunMetadata:
    """From which end texts are read is the start's, or that of the folder whose size a new model has."""
    name = _model_name(recipe)
    return RunMetadata() if name is None else read_metadata(model_folder(name))


def _model_name(recipe: FinetuneRecipe) -> str | None:
    """The start, or the folder whose size a new model has; ``None``: neither."""
    name = recipe.model.preset if recipe.start == NO_START else recipe.start
    return None if name in PRESETS else name


def _direction(recipe: FinetuneRecipe, kind: TaskKind, reads: str, apart: bool) -> Direction:
    """From which end texts are read: as the start does it, or the model that is begun anew."""
    found = _model_metadata(recipe).direction
    if found == "backward" and not kind.reads_backward:
        raise BadInput(
            "this task cannot use a model that reads texts from their end", where="--task",
            value=kind.name, allowed=_names("reads_backward"),
            next_step="start from a model that was trained with --objective causal",
        )  # fmt: skip
    if found == "both" and (not kind.sums_readings or reads != "summary" or recipe.lm_frame != "causal" or apart):
        raise BadInput(
            "this task cannot use a model that adds the readings from both ends", where="--task",
            value=kind.name,
            allowed=f"{_names('sums_readings')}; without --label-gain, --head-pool concat, --pair-encoder bi and --lm-frame "
            "autoencoder",
            next_step="start from a model that was trained with --objective causal",
        )  # fmt: skip
    return found
