"""From a pre-training recipe and an opened corpus to model, streams and goals. Nothing is written here."""

from dataclasses import dataclass
from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.base.seeds import named_seed
from warmstart.build.objectives import Framing, with_marks
from warmstart.build.sizes import (
    for_objective,
    for_reading,
    pretrained_size,
    with_start,
)
from warmstart.build.start import NO_START, read_start
from warmstart.build.training import set_extra_losses, stream_of
from warmstart.config.schema import PretrainRecipe
from warmstart.corpora.corpus import Corpus
from warmstart.corpora.images import ImageCorpus
from warmstart.image.processor import ImageProcessor
from warmstart.models.model import Model
from warmstart.models.settings import ModelSettings
from warmstart.streams.stream import Stream
from warmstart.tasks.vocabulary import Vocabulary, begins_with
from warmstart.text.tokenizer import Tokenizer
from warmstart.transfer.start import WeightAccount


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
    start = None if recipe.start == NO_START else read_start(recipe.start)
    if start is None:
        backbone = pretrained_size(recipe, tokenizer.vocab_size)
    else:
        if not recipe.new_vocabulary and not begins_with(tokenizer, start.tokenizer):
            corpus.require_tokenizer(start.tokenizer)
        backbone = with_start(recipe.model, start.backbone, start.rows_for(tokenizer))
        backbone = for_objective(backbone, recipe.objective)
    backbone = for_reading(backbone, vectors=isinstance(tokenizer, ImageProcessor))
    framing = Framing(recipe.objective, recipe.mask, tokenizer, backbone, recipe.augment)
    count = len(framing.units(corpus))
    held_out = min(count - 1, max(1, round(recipe.dev_frac * count))) if recipe.dev_frac else 0
    if count < 1:
        raise BadInput(
            "the corpus is too small to learn from", where=str(corpus.folder), value=f"{corpus.num_tokens} tokens",
            allowed="at least 2 tokens", next_step="add text",
        )  # fmt: skip
    carry_rows = _carry_rows(recipe, tokenizer)
    train = stream_of(
        framing.units(corpus, held_out, seed=recipe.train.seed, carry_rows=carry_rows),
        recipe.train,
        shuffle=not carry_rows,
    )
    dev = framing.units(corpus, held_out, dev=True) if held_out else None
    model = Model.fresh(ModelSettings(backbone=backbone), named_seed(recipe.train.seed, "weights"))
    set_extra_losses(model, recipe.train)
    if carry_rows:
        model.backbone.begin_carry(carry_rows)
    moved = None if start is None else start.into(model, tokenizer)
    judged = stream_of(dev, recipe.train, shuffle=False) if dev else None
    return Pretraining(model, tokenizer, train, judged, {model.next_goal: 1.0} | recipe.train.activity, moved)


def _carry_rows(recipe: PretrainRecipe, tokenizer: Vocabulary) -> int:
    """Rows that go on from step to step, or 0."""
    if recipe.carry and isinstance(tokenizer, ImageProcessor):
        raise BadInput(
            "an image is whole in one row", where="--carry", allowed="with text", next_step="leave --carry out"
        )
    return recipe.train.batch_size if recipe.carry else 0
