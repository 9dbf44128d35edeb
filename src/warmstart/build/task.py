"""From a recipe to the task as the model will remember it: its kind, its frame, where and from which end it is read."""

from typing import Literal

from warmstart.base.errors import BadInput
from warmstart.build.labelled_data import Labelled
from warmstart.build.start import NO_START
from warmstart.config.schema import FinetuneRecipe, TaskRecipe
from warmstart.metrics.tagging import check_seqeval
from warmstart.models.settings import BackboneSettings
from warmstart.run.metadata import RunMetadata, read_metadata
from warmstart.tasks.framing import between
from warmstart.tasks.settings import Direction, FrameSettings, SpanSettings, TaggingSettings
from warmstart.tasks.span import some_unanswered
from warmstart.tasks.spec import SUMMED, TURNED, Kind, TaskSpec
from warmstart.tasks.tagging import unread_tag
from warmstart.tasks.vocabulary import Vocabulary
from warmstart.transfer.hub import model_folder


def spec_of(task: TaskRecipe, data: Labelled, frame: FrameSettings, text_segments: tuple[int, int]) -> TaskSpec:
    """The task as the model will remember it."""
    spec = TaskSpec(kind=data.kind, name=data.name, label_names=data.label_names, frame=frame)
    if spec.measured == "entities":
        check_seqeval()  # before an hour of training, not after it
    if spec.kind == "tagging":
        tags = TaggingSettings(unread=unread_tag(data.train, data.label_names), column=task.tag_column)
        return spec.model_copy(update={"tags": tags})
    if spec.kind == "span":
        threshold = 0.0 if some_unanswered(data.train) else None
        span = SpanSettings(stride=task.stride, max_answer=task.max_answer, threshold=threshold)
        return spec.model_copy(update={"span": span})
    if spec.kind == "seq2seq":
        return spec.model_copy(update={"seq2seq": task.seq2seq.on(text_segments)})
    return spec


def frame_of(recipe: FinetuneRecipe, kind: Kind, backbone: BackboneSettings, tokenizer: Vocabulary) -> FrameSettings:
    """How the task's Examples are made."""
    lm_weight, reads = lm_weight_of(recipe, backbone), _reads(recipe, kind)
    _check_auxiliary(recipe, kind, lm_weight)
    return FrameSettings(
        context=_context(recipe.task, _longest(recipe, backbone, lm_weight)),
        long_text=recipe.task.long_text,
        sight=backbone.sight,
        lm=lm_weight > 0,
        lm_weights=recipe.lm_average,
        clean=_metadata(recipe).rules,
        between=between(backbone.sight, tokenizer),
        segment_limit=recipe.task.segment_limit,
        reads=reads,
        lm_frame=recipe.lm_frame,
        direction=_direction(recipe, kind, reads),
    )


def lm_weight_of(recipe: FinetuneRecipe, backbone: BackboneSettings) -> float:
    """λ: as asked; by itself the paper's, where there is something to learn and something to move."""
    if recipe.scheme.kind == "head" or recipe.task.name == "seq2seq":
        return 0.0
    return (0.5 if backbone.sight == "causal" else 0.0) if recipe.lm_weight is None else recipe.lm_weight


def _check_auxiliary(recipe: FinetuneRecipe, kind: Kind, lm_weight: float) -> None:
    """Refuses what would say something of an auxiliary goal that is not there.

    Raises:
        BadInput: the autoencoder beside a task that reads words, without a weight, or averaged by sequence.
    """
    if recipe.lm_frame != "autoencoder":
        return
    if kind in ("tagging", "span", "seq2seq"):
        raise BadInput(
            "only a task that reads texts as a whole writes them again beside it", where="--lm-frame", value=kind,
            allowed=f"{', '.join(TURNED)}, images", next_step="leave --lm-frame out",
        )  # fmt: skip
    if lm_weight == 0:
        raise BadInput(
            "the auxiliary goal has no weight", where="--lm-weight", value=lm_weight,
            allowed="more than 0 with --lm-frame autoencoder", next_step="add --lm-weight 1",
        )  # fmt: skip
    if recipe.lm_average != "token":
        raise BadInput(
            "what is written again counts token by token", where="--lm-average", value=recipe.lm_average,
            allowed="token with --lm-frame autoencoder",
        )  # fmt: skip


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


def _metadata(recipe: FinetuneRecipe) -> RunMetadata:
    """Cleaning rules and the direction of reading come from where the vocabulary comes from."""
    source = recipe.tokenizer if recipe.start == NO_START else recipe.start
    return RunMetadata() if source is None else read_metadata(model_folder(source))


def _direction(recipe: FinetuneRecipe, kind: Kind, reads: str) -> Direction:
    """From which end texts are read: as the start does it."""
    found = _metadata(recipe).reading
    if found == "backward" and kind not in TURNED:
        raise BadInput(
            "this model reads from the end of a text, which the task does not go with", where="--task", value=kind,
            allowed=", ".join(TURNED), next_step="start from a model that was trained with --objective causal",
        )  # fmt: skip
    if found == "both" and (kind not in SUMMED or reads != "summary" or recipe.lm_frame != "causal"):
        raise BadInput(
            "this model reads from both ends and adds what it has read, which the task does not go with", where="--task",
            value=kind, allowed=f"{', '.join(SUMMED)}; without --label-gain, --head-pool concat and --lm-frame autoencoder",
            next_step="start from a model that was trained with --objective causal",
        )  # fmt: skip
    return found
