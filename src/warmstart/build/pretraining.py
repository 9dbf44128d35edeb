"""From a pre-training recipe and an opened corpus to model, streams and goals. Nothing is written here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.seeds import derive_seed
from warmstart.base.settings import resolved
from warmstart.build.chosen_pretraining import choose_model, choose_settings
from warmstart.build.fit import check_carry, check_direction, fit_backbone, fit_vocabulary, fresh_backbone
from warmstart.build.sizes import for_reading, with_start
from warmstart.build.sources import SourceBuilder
from warmstart.build.spelling import write_spellings
from warmstart.build.start import NO_START, Start, read_start
from warmstart.build.teacher import check_teacher, load_teacher, with_teacher
from warmstart.build.training import build_criterion, check_terms, stream_of
from warmstart.config.schema import PretrainRecipe
from warmstart.corpora.corpus import MANIFEST, Corpus
from warmstart.corpora.images import ImageCorpus
from warmstart.example.example import LM, NEXT_VECTOR
from warmstart.image.processor import ImageProcessor
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings, ModelSettings
from warmstart.objectives.objective import Objective
from warmstart.objectives.table import find_objective
from warmstart.run.metadata import read_metadata
from warmstart.streams.stream import Stream
from warmstart.tasks.seq2seq_template import pair_template
from warmstart.tasks.settings import Seq2SeqTemplate
from warmstart.tasks.vocabulary import Vocabulary, begins_with
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.step import Criterion
from warmstart.transfer.folder import load_settings
from warmstart.transfer.hub import model_folder
from warmstart.transfer.start import WeightAccount


@dataclass(frozen=True, slots=True, eq=False)
class Pretraining:
    """Everything a pre-training needs but the weights, checked.

    Attributes:
        recipe: with nothing left open.
        chosen: what it left open, in words.
        objective: what is learned.
        settings: of the model.
        tokenizer: the vocabulary.
        start: the starting model, if there is one.
        train: the stream of training rows.
        dev: the stream of rows for evaluation, if any are held out.
        criterion: what is minimised.
        pair: special tokens of source and target, of an encoder-decoder.
        teacher: the model that it learns from, if any.
    """

    recipe: PretrainRecipe
    chosen: tuple[str, ...]
    objective: Objective
    settings: ModelSettings
    tokenizer: Vocabulary
    start: Start | None
    train: Stream
    dev: Stream | None
    criterion: Criterion
    pair: Seq2SeqTemplate | None = None
    teacher: Start | None = None

    def fingerprints(self, corpus: Corpus | ImageCorpus) -> dict[str, Any]:
        """What identifies all that is learned from, part by part."""
        found = {"corpus": corpus.fingerprint, "start": None if self.start is None else self.start.fingerprint()}
        return found | ({} if self.teacher is None else {"teacher": self.teacher.fingerprint()})

    def fresh(self) -> tuple[Model, WeightAccount | None]:
        """The model at step 0 for the recipe's seed, and the account of its warm start."""
        train = self.recipe.train
        model = Model.fresh(self.settings, derive_seed(train.seed, "weights"))
        write_spellings(model, self.tokenizer)
        if self.recipe.carry:
            model.backbone.begin_carry(resolved(train.batch_size))
        account = None if self.start is None else self.start.initialise(model, self.tokenizer)
        return model, account


def check_model(recipe: PretrainRecipe) -> None:
    """Refuses a model that does not fit the objective, before any text is read; reads no weights.

    Raises:
        BadInput: an unknown objective, an unknown preset or an impossible size; the model does not see what the objective
            needs, or has no state to carry; the start is of another size or kind, or reads from another end.
    """
    objective = find_objective(recipe.objective)
    _check_new_vocabulary(recipe)
    if recipe.start == NO_START:
        backbone = fresh_backbone(recipe.model, objective, recipe.corpus.vocab_size)
    else:
        folder = model_folder(recipe.start)
        settings = load_settings(folder)
        if settings.inputs:
            raise BadInput(
                "a model whose tokens are the states of another language model does not go on as one", where="--start",
                value=recipe.start, allowed="a model that reads tokens", next_step="start from the language model itself",
            )  # fmt: skip
        start = settings.backbone
        backbone = fit_backbone(with_start(recipe.model, start, start.vocab_size), objective)
    check_teacher(recipe, objective, backbone)
    if recipe.carry:
        check_carry(objective, backbone)
    if recipe.start != NO_START:
        check_direction(objective, read_metadata(folder).direction)


def _check_new_vocabulary(recipe: PretrainRecipe) -> None:
    """Refuses --new-vocabulary where it would do nothing: raw text for a start is read with the start's own vocabulary."""
    if not recipe.new_vocabulary:
        return
    prepared = any((Path(path) / MANIFEST).is_file() for path in recipe.corpus.paths)
    if recipe.start == NO_START or not (prepared or recipe.corpus.tokenizer):
        raise BadInput(
            "no start whose vocabulary could be replaced" if recipe.start == NO_START else "no other vocabulary is named",
            where="--new-vocabulary", allowed="with --start RUN and a prepared corpus or --tokenizer DIR",
            next_step="leave it out" if recipe.start == NO_START else "add --tokenizer DIR, or leave it out",
        )  # fmt: skip


def load_start(recipe: PretrainRecipe) -> Start | None:
    """The starting model with its weights, if there is one: damaged ones are refused before any text is read."""
    if recipe.start == NO_START:
        return None
    start = read_start(recipe.start)
    start.load()
    return start


def build_pretraining(
    recipe: PretrainRecipe, corpus: Corpus | ImageCorpus, start: Start | None = None, teacher: Start | None = None
) -> Pretraining:
    """What ``recipe`` means for an opened corpus, with what it leaves open chosen.

    Args:
        recipe: corpus, model, objective and training.
        corpus: what it learns from.
        start: the starting model, where it is loaded; else it is opened, and reads no weights.
        teacher: what it learns from beside the text, where that is loaded.

    Raises:
        BadInput: an unknown preset, a corpus of another tokenizer, or one too small for a single row.
    """
    objective = find_objective(recipe.objective)
    tokenizer = fit_vocabulary(corpus.tokenizer(), objective)
    if recipe.corpus.tokenizer is not None:
        corpus.check_tokenizer(Tokenizer.load(Path(recipe.corpus.tokenizer)))
    if recipe.start != NO_START:
        start = start or read_start(recipe.start)
    if start is not None and not recipe.new_vocabulary and not begins_with(tokenizer, start.tokenizer):
        corpus.check_tokenizer(start.tokenizer)
    if start is not None and not recipe.new_vocabulary and isinstance(start.tokenizer, Tokenizer):
        if isinstance(corpus, Corpus):
            corpus.check_begin(start.tokenizer)
        if start.tokenizer.fingerprint == tokenizer.fingerprint:
            tokenizer = start.tokenizer  # which knows what else ends a text
    sized = choose_model(recipe, objective, tokenizer.vocab_size, corpus.num_tokens)
    backbone = _backbone(sized.recipe, objective, tokenizer, start)
    chosen = choose_settings(sized.recipe, backbone, corpus.num_tokens)
    recipe = chosen.recipe
    pair = _pair(recipe, backbone, tokenizer, start)
    builder = SourceBuilder(objective, tokenizer, backbone, recipe.mask, recipe.augment, pair)
    train, dev = _streams(recipe, corpus, builder)
    check_terms(recipe.train, backbone, carry=recipe.carry)
    check_teacher(recipe, objective, backbone)
    teacher = teacher or load_teacher(recipe)
    criterion = build_criterion({NEXT_VECTOR if backbone.vectors else LM: 1.0}, recipe.train)
    criterion = with_teacher(criterion, teacher, recipe, tokenizer)
    return Pretraining(
        recipe, (*sized.words, *chosen.words), objective, ModelSettings(backbone=backbone), tokenizer, start, train, dev,
        criterion, pair, teacher,
    )  # fmt: skip


def _pair(
    recipe: PretrainRecipe, backbone: BackboneSettings, tokenizer: Vocabulary, start: Start | None
) -> Seq2SeqTemplate | None:
    """The special tokens of source and target: the start's, unless its vocabulary is replaced."""
    if not backbone.two_stacks or not isinstance(tokenizer, Tokenizer):
        return None
    known = None if start is None or recipe.new_vocabulary else start.metadata.pair_template
    return known or pair_template(tokenizer)


def _backbone(
    recipe: PretrainRecipe, objective: Objective, tokenizer: Vocabulary, start: Start | None
) -> BackboneSettings:
    if start is None:
        backbone = fresh_backbone(recipe.model, objective, tokenizer.vocab_size)
    else:
        backbone = fit_backbone(with_start(recipe.model, start.backbone, start.rows_for(tokenizer)), objective)
    return for_reading(backbone, vectors=isinstance(tokenizer, ImageProcessor))


def _streams(
    recipe: PretrainRecipe, corpus: Corpus | ImageCorpus, builder: SourceBuilder
) -> tuple[Stream, Stream | None]:
    """What the model learns from, and what it is evaluated on."""
    count = len(builder.training(corpus))
    held_out = min(count - 1, max(1, round(recipe.dev_frac * count))) if recipe.dev_frac else 0
    if count < 1:
        raise BadInput(
            "the corpus is too small to learn from", where=str(corpus.folder), value=f"{corpus.num_tokens} tokens",
            allowed="at least 2 tokens", next_step="add text",
        )  # fmt: skip
    if recipe.carry and isinstance(corpus, ImageCorpus):
        raise BadInput(
            "an image is whole in one row", where="--carry", allowed="with text", next_step="leave --carry out"
        )
    carry_rows = resolved(recipe.train.batch_size) if recipe.carry else 0
    train = builder.training(corpus, held_out, seed=recipe.train.seed, carry_rows=carry_rows)
    training = stream_of(train, recipe.train, shuffle=not recipe.carry)
    if not held_out:
        return training, None
    return training, stream_of(builder.evaluation(corpus, held_out), recipe.train, shuffle=False)
