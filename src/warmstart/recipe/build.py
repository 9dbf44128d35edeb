"""From recipes to the things they name: models, tokenizers, streams. Nothing is written here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.seeds import named_seed
from warmstart.corpora.corpus import Corpus
from warmstart.example.example import Example
from warmstart.models.folder import load_model, load_settings
from warmstart.models.model import LM, Model
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.objectives.causal import causal
from warmstart.recipe.labelled import Labelled, labelled
from warmstart.recipe.remembered import read_remembered
from warmstart.recipe.schema import FinetuneRecipe, PretrainRecipe, TaskRecipe
from warmstart.recipe.sizes import backbone_settings, with_start
from warmstart.streams.sources import Listed, Rows, num_rows
from warmstart.streams.stream import Stream
from warmstart.tasks.frames import class_weights, frame_records
from warmstart.tasks.framing import Account
from warmstart.tasks.spec import HEAD_KINDS, FrameSettings, TaskSpec
from warmstart.text.tokenizer import TASK_SPECIALS, Tokenizer
from warmstart.train.schemes import apply_scheme, check_scheme
from warmstart.train.settings import TrainSettings
from warmstart.transfer.start import Account as WeightAccount
from warmstart.transfer.start import start_from

OBJECTIVES: dict[str, Callable[[NDArray[np.int64]], list[Example]]] = {"causal": causal}

NO_START = "none"


def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def stream_of(source: Listed | Rows, settings: TrainSettings, *, shuffle: bool = True) -> Stream:
    """The Stream of a source as training wants it, or in its own order."""
    return Stream(
        source, settings.batch_size, settings.seed, settings.accumulation, settings.max_tokens, shuffle=shuffle
    )


@dataclass(frozen=True, slots=True, eq=False)
class Pretraining:
    """Everything a pre-training needs, checked; ``moved`` is the account of its warm start, if it has one."""

    model: Model
    tokenizer: Tokenizer
    train: Stream
    dev: Stream | None
    coefficients: dict[str, float]
    moved: WeightAccount | None


def build_pretraining(recipe: PretrainRecipe, corpus: Corpus) -> Pretraining:
    """What ``recipe`` means for an opened corpus.

    Raises:
        BadInput: an unknown preset, a corpus of another tokenizer, or one too small for a single row.
    """
    tokenizer = corpus.tokenizer()
    if recipe.corpus.tokenizer is not None:
        corpus.require_tokenizer(Tokenizer.load(Path(recipe.corpus.tokenizer)))
    start = None if recipe.start == NO_START else load_model(Path(recipe.start))
    if start is None:
        backbone = backbone_settings(recipe.model, tokenizer.vocab_size)
    else:
        corpus.require_tokenizer(Tokenizer.load(Path(recipe.start)))
        backbone = with_start(recipe.model, start.settings.backbone, tokenizer.vocab_size)
    rows = num_rows(corpus.num_tokens, backbone.context)
    held_out = min(rows - 1, max(1, round(recipe.dev_frac * rows))) if recipe.dev_frac else 0
    if rows < 1:
        raise BadInput(
            "the corpus is too small to learn from", where=str(corpus.folder), value=f"{corpus.num_tokens} tokens",
            allowed="at least 2 tokens", next_step="add text",
        )  # fmt: skip
    frame = OBJECTIVES[recipe.objective]
    train = stream_of(Rows(corpus, backbone.context, frame, held_out), recipe.train)
    dev = Rows(corpus, backbone.context, frame, held_out, dev=True) if held_out else None
    model = Model.fresh(ModelSettings(backbone=backbone), named_seed(recipe.train.seed, "weights"))
    moved = None if start is None else start_from(start, model)
    judged = stream_of(dev, recipe.train, shuffle=False) if dev else None
    return Pretraining(model, tokenizer, train, judged, {LM: 1.0}, moved)


@dataclass(frozen=True, slots=True, eq=False)
class Finetuning:
    """Everything a fine-tuning needs but the weights, checked: one per recipe, shared by all its seeds."""

    spec: TaskSpec
    tokenizer: Tokenizer
    settings: ModelSettings
    start: Model | None
    data: Labelled
    examples: list[list[Example]]
    account: Account
    measure: str
    coefficients: dict[str, float]

    def fresh(self, recipe: FinetuneRecipe) -> tuple[Model, WeightAccount | None]:
        """The model at step 0 for the recipe's seed, its scheme applied, and the account of its warm start."""
        model = Model.fresh(self.settings, named_seed(recipe.train.seed, "weights"))
        account = None if self.start is None else start_from(self.start, model, recipe.transfer_layers)
        apply_scheme(model, recipe.scheme, recipe.train.seed)
        return model, account

    def stream(self, settings: TrainSettings) -> Stream:
        """Batches of whole Records."""
        return stream_of(Listed(self.examples), settings)


def build_finetuning(recipe: FinetuneRecipe, data: Labelled | None = None) -> Finetuning:
    """Reads the start and the labelled files and frames the training records.

    Args:
        recipe: what to learn.
        data: records that are in memory already, instead of the recipe's files.

    Raises:
        BadInput: anything wrong with the recipe, the start or the files.
    """
    from warmstart.metrics.measures import check_measure, default_measures

    data = labelled(recipe.task, recipe.train.seed) if data is None else data
    start = None if recipe.start == NO_START else load_model(Path(recipe.start))
    tokenizer = _tokenizer(recipe, data).with_specials(TASK_SPECIALS)
    if start is None:
        backbone = backbone_settings(recipe.model, tokenizer.vocab_size)
    else:
        backbone = with_start(recipe.model, start.settings.backbone, tokenizer.vocab_size)
    taken = backbone.layers if recipe.transfer_layers is None else recipe.transfer_layers
    check_scheme(recipe.scheme, backbone, None if start is None else taken)
    lm_weight = 0.0 if recipe.scheme.kind == "head" else recipe.lm_weight  # there it would move nothing
    spec = TaskSpec(
        kind=data.kind,
        label_names=data.label_names,
        frame=FrameSettings(
            context=_context(recipe.task, backbone.context),
            long_text=recipe.task.long_text,
            lm=lm_weight > 0,
            lm_weights=recipe.lm_average,
            clean=_rules(recipe),
        ),
    )
    measure = recipe.task.measure or data.measure or default_measures(spec.goal, len(spec.label_names))[0]
    check_measure(measure, spec.goal, "--measure")
    weights = class_weights(data.task_set) if recipe.task.class_weights == "balanced" else None
    framed = frame_records(spec, data.train, tokenizer, weights)
    head = HeadSettings(kind=HEAD_KINDS[spec.goal], size=spec.outputs, dropout=recipe.head_dropout)
    settings = ModelSettings(backbone=backbone, heads={spec.goal: head})
    coefficients = {spec.goal: 1.0} | ({LM: lm_weight} if lm_weight > 0 else {})
    return Finetuning(spec, tokenizer, settings, start, data, framed.examples, framed.account, measure, coefficients)


def _context(task: TaskRecipe, most: int) -> int:
    if task.context is not None and task.context > most:
        raise BadInput("longer than the model's context", where="--context", value=task.context, allowed=f"8 to {most}")
    return task.context or most


def _rules(recipe: FinetuneRecipe) -> tuple[str, ...]:
    """Cleaning rules come from where the vocabulary comes from."""
    source = recipe.tokenizer if recipe.start == NO_START else recipe.start
    return () if source is None else read_remembered(Path(source)).rules


def _tokenizer(recipe: FinetuneRecipe, data: Labelled) -> Tokenizer:
    """The start's own tokenizer; without a start the one named, else one learned from the training texts."""
    if recipe.start != NO_START:
        tokenizer = Tokenizer.load(Path(recipe.start))
        if recipe.tokenizer is not None and Tokenizer.load(Path(recipe.tokenizer)).fingerprint != tokenizer.fingerprint:
            raise BadInput(
                "another tokenizer than the model's", where="--tokenizer", value=recipe.tokenizer,
                allowed=f"the one in {recipe.start}", next_step="leave --tokenizer out: the start brings its own",
            )  # fmt: skip
        rows = load_settings(Path(recipe.start)).backbone.vocab_size
        if tokenizer.vocab_size != rows:
            raise BadInput(
                "the tokenizer does not fit the weights beside it", where=recipe.start,
                value=f"{tokenizer.vocab_size} tokens", allowed=f"{rows}", next_step="restore the folder from a copy",
            )  # fmt: skip
        return tokenizer
    if recipe.tokenizer is not None:
        return Tokenizer.load(Path(recipe.tokenizer))
    texts = (text for record in data.train for value in record.texts.values() for text in _strings(value))
    return Tokenizer.train(texts, recipe.vocab_size)


def _strings(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
