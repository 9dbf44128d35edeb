"""What a sequence-to-sequence task asks of a model before it learns: a mask token, segments, room, smoothed labels."""

from collections.abc import Callable, Sequence

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.limits import limits_of
from warmstart.decode.settings import GenerateSettings, check_search
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.models.losses import Smoothing
from warmstart.models.settings import BackboneSettings
from warmstart.tasks.framing import Frame, Parts
from warmstart.tasks.seq2seq import seq2seq, source_room, target_noise
from warmstart.tasks.spec import TaskSpec
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.settings import TrainSettings

Redraw = Callable[[int, np.random.Generator], list[Example]]


def check_seq2seq(spec: TaskSpec, backbone: BackboneSettings, tokenizer: Tokenizer, search: GenerateSettings) -> None:
    """Refuses what this model cannot learn, before anything is framed.

    Raises:
        BadInput: masks without a mask token or for a left-to-right model, segments that the model does not have,
            limits that leave no room for a source, or as :func:`search_of`.
    """
    search_of(search, spec, tokenizer)
    settings, frame = spec.seq2seq, Frame.of(spec, tokenizer)
    noisy = settings.algorithm != "causal" or target_noise(frame) > 0 or settings.source_noise > 0
    if settings.algorithm != "causal" and not frame.full:
        raise BadInput(
            "a left-to-right model cannot learn with masks", where="--algorithm", value=settings.algorithm,
            allowed="causal", next_step="use --algorithm causal, or start from a bidirectional model such as BERT",
        )  # fmt: skip
    if noisy and frame.noise is None:
        raise BadInput(
            "the vocabulary has no mask token", where="--algorithm", value=settings.algorithm,
            allowed="causal with --target-noise 0", next_step="start from a model that was pre-trained with masks",
        )  # fmt: skip
    wanted = max(settings.segments)
    if frame.full and backbone.segments and wanted >= backbone.segments:
        raise BadInput(
            "the model has no such segment", where="task.seq2seq", value=wanted, allowed=f"0 to {backbone.segments - 1}",
            next_step="set source_segment and target_segment to segments that the model knows",
        )  # fmt: skip
    if source_room(frame) < 1:
        raise BadInput(
            "source and target do not fit into the model's context", where="--target-limit",
            value=settings.target_limit, allowed=f"together {spec.frame.context} tokens",
            next_step="lower --target-limit or raise --source-limit",
        )  # fmt: skip


def check_softmax(spec: TaskSpec, train: TrainSettings) -> None:
    """Refuses a softmax over some tokens where labels give all of them a share."""
    if train.drawn and spec.seq2seq.smoothing > 0:
        raise BadInput(
            "smoothed labels give every token a share, and a sampled softmax sees only some", where="--softmax",
            value=train.softmax, allowed="full", next_step="leave --softmax out, or add --smoothing 0",
        )  # fmt: skip


def with_room(recipe: FinetuneRecipe, backbone: BackboneSettings) -> BackboneSettings:
    """The backbone with positions for as long a source and target as the limits name, unless a context is asked for.

    New position rows begin as the old ones, over and over (s2s-ft; :mod:`warmstart.transfer.start`).
    """
    task, model = recipe.task, recipe.model
    if task.name != "seq2seq" or task.seq2seq.source_limit is None or (task.context or model.context):
        return backbone
    wanted = task.seq2seq.source_limit + task.seq2seq.target_limit
    return backbone if wanted <= backbone.max_length else backbone.model_copy(update={"context": wanted})


def generating(backbone: BackboneSettings) -> BackboneSettings:
    """The backbone with all that stands before the softmax over the vocabulary, and without a pooler.

    A bidirectional model without its head for words gets one of the same form, newly made over its tied table.
    """
    if backbone.sight == "causal":
        return backbone.with_parts(pooler=False, lm=True)
    return backbone.model_copy(update={"pooler": False, "lm_transform": True})


def search_of(asked: GenerateSettings, spec: TaskSpec, tokenizer: Tokenizer) -> GenerateSettings:
    """How the run generates: as asked, and where nothing is said of it up to the length of the targets that it learns.

    Raises:
        BadInput: settings that do not go together, or words that the vocabulary cannot spell.
    """
    if "max_new" not in asked.model_fields_set:
        asked = asked.model_copy(update={"max_new": spec.seq2seq.target_limit})
    check_search(asked)
    limits_of(asked, tokenizer, None)
    return asked


def redrawn(spec: TaskSpec, records: Sequence[Record], parts: Sequence[Parts], tokenizer: Tokenizer) -> Redraw:
    """How unit i is framed with a draw of noise."""
    frame = Frame.of(spec, tokenizer)
    return lambda i, draw: seq2seq(records[i], parts[i], frame, draw)


def smoothing(spec: TaskSpec, tokenizer: Tokenizer) -> Smoothing | None:
    """Smoothed labels over the tokens of the vocabulary, of which padding is none unless it also ends a target."""
    share = spec.seq2seq.smoothing
    if share == 0:
        return None
    pad = None if tokenizer.special_token("pad") is None else tokenizer.special_token_id("pad")
    ends = Frame.of(spec, tokenizer).extract
    return Smoothing(share, tokenizer.vocab_size, None if pad == ends else pad)
