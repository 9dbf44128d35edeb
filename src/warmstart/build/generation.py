"""What a task that is answered by generating needs of model, loss and search."""

from collections.abc import Sequence

from warmstart.base.errors import BadInput
from warmstart.decode.limits import limits_of
from warmstart.decode.settings import GenerateSettings, check_search
from warmstart.models.settings import BackboneSettings
from warmstart.models.softmax import Smoothing
from warmstart.tasks.frames import build_frame
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import kind_of, options_of
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.settings import TrainSettings


def check_softmax(share: float, train: TrainSettings) -> None:
    """Refuses a softmax over some tokens where labels give all of them a share."""
    if train.num_sampled and share > 0:
        raise BadInput(
            "label smoothing needs the full softmax", where="--softmax",
            value=train.softmax, allowed="full", next_step="leave --softmax out, or add --smoothing 0",
        )  # fmt: skip


def with_word_head(backbone: BackboneSettings) -> BackboneSettings:
    """The backbone with all that stands before the softmax over the vocabulary, and without a pooler.

    A bidirectional model without its head for words gets one of the same form, newly initialised over its tied table.
    """
    if backbone.sight != "full":
        return backbone.with_parts(pooler=False, lm=True)
    return backbone.model_copy(update={"pooler": False, "lm_transform": True})


def generation_settings(asked: GenerateSettings, spec: TaskSpec, tokenizer: Tokenizer) -> GenerateSettings:
    """How the run generates: as asked, and where nothing is said of it up to the length of the targets that it learns.

    Raises:
        BadInput: settings that do not go together, or words that the vocabulary cannot spell.
    """
    if "max_new" not in asked.model_fields_set:
        asked = asked.model_copy(update={"max_new": options_of(spec).target_limit})
    check_search(asked)
    limits_of(asked, tokenizer, None)
    return asked


def label_smoothing(specs: Sequence[TaskSpec], vocabulary: Vocabulary) -> Smoothing | None:
    """How the labels of the softmax over the vocabulary are smoothed, which all tasks share.

    Raises:
        BadInput: tasks that generate ask for different shares.
    """
    asked = [_label_smoothing(spec, vocabulary) for spec in specs if kind_of(spec).answer(spec.label_names).generated]
    if len({*asked}) > 1:
        raise BadInput(
            "tasks that generate share one softmax, and so its smoothing", where="--smoothing",
            value=", ".join(f"{0 if one is None else one.share:g}" for one in asked), allowed="one value for all",
            next_step="say it under task, for all tasks",
        )  # fmt: skip
    return asked[0] if asked else None


def _label_smoothing(spec: TaskSpec, vocabulary: Vocabulary) -> Smoothing | None:
    """Smoothed labels over the tokens of the vocabulary, of which padding is none unless it also ends a target."""
    kind = kind_of(spec)
    share = kind.label_smoothing(kind.options(spec))
    if share == 0:
        return None
    tokenizer = require_text(vocabulary, "--task")
    pad = None if tokenizer.special_token("pad") is None else tokenizer.special_token_id("pad")
    ends = build_frame(spec, tokenizer).extract
    return Smoothing(share, tokenizer.vocab_size, None if pad == ends else pad)
