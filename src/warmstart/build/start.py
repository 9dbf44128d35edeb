"""What a run starts from: a model with its vocabulary, or none."""

from dataclasses import dataclass

from warmstart.base.errors import BadInput
from warmstart.build.images import task_image_processor
from warmstart.build.labelled_data import Labelled
from warmstart.build.objectives import direction_of
from warmstart.build.sizes import (
    check_carry,
    for_objective,
    pretrained_size,
    with_start,
)
from warmstart.config.schema import FinetuneRecipe, PretrainRecipe
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings
from warmstart.run.metadata import read_metadata, read_vocabulary
from warmstart.tasks.vocabulary import Vocabulary, begins_with, require_text
from warmstart.tasks.words import joined
from warmstart.text.tokenizer import Tokenizer
from warmstart.transfer.folder import Imported, check_rows, import_model, load_settings
from warmstart.transfer.hub import model_folder
from warmstart.transfer.start import WeightAccount, start_from

NO_START = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What a warm start brings: weights, vocabulary, and names in its folder that have no place in a model."""

    imported: Imported
    tokenizer: Vocabulary

    @property
    def backbone(self) -> BackboneSettings:
        """Its sizes."""
        return self.imported.model.settings.backbone

    def rows_for(self, tokenizer: Vocabulary) -> int:
        """Rows of the token table for ``tokenizer``: spare ones stay, unless the vocabulary is another."""
        spare = self.backbone.vocab_size if begins_with(tokenizer, self.tokenizer) else 0
        return max(tokenizer.vocab_size, spare)

    def into(self, model: Model, tokenizer: Vocabulary, layers: int | None = None) -> WeightAccount:
        """Copies the weights into ``model``, whose vocabulary is that of ``tokenizer``."""
        rows = None
        if not begins_with(tokenizer, self.tokenizer):
            rows = require_text(tokenizer, "--new-vocabulary").map_ids_to(require_text(self.tokenizer, "--start"))
        account = start_from(self.imported.model, model, layers, rows)
        account.unused += self.imported.unused
        return account


def read_start(name: str) -> Start:
    """The model and the tokenizer in a folder.

    Raises:
        BadInput: no model there, or a vocabulary that has more tokens than the model has rows for.
    """
    folder = model_folder(name)
    tokenizer, _ = read_vocabulary(folder)
    imported = import_model(folder)
    check_rows(tokenizer.vocab_size, imported.model, name)
    return Start(imported, tokenizer)


def vocabulary_of(recipe: FinetuneRecipe, data: Labelled, start: Start | None) -> Vocabulary:
    """The start's own, or another where the recipe says so; without a start the one named or one learned now."""
    named = None if recipe.tokenizer is None else read_vocabulary(model_folder(recipe.tokenizer))[0]
    if data.kind == "images":
        return task_image_processor(
            data, named if start is None else start.tokenizer, "--start" if start else "--tokenizer"
        )
    named = None if named is None else require_text(named, "--tokenizer")
    if start is None:
        texts = (
            text for record in data.train for name, value in record.texts.items() for text in _strings(name, value)
        )
        return named or Tokenizer.train(texts, recipe.vocab_size, vocabulary=recipe.vocabulary)
    own = require_text(start.tokenizer, "--start")
    if named is None or named.fingerprint == own.fingerprint:
        return own
    if not recipe.new_vocabulary:
        raise BadInput(
            "another tokenizer than the model's", where="--tokenizer", value=recipe.tokenizer,
            allowed=f"the one in {recipe.start}",
            next_step="leave --tokenizer out, or add --new-vocabulary to keep only the rows of tokens that both have",
        )  # fmt: skip
    return named


def _strings(name: str, value: str | tuple[str, ...]) -> tuple[str, ...]:
    if name == "tokens":
        return (joined(value),)
    return (value,) if isinstance(value, str) else value


def check_model(recipe: PretrainRecipe) -> None:
    """Refuses a model that does not go with the objective, before any text is read; reads no weights.

    Raises:
        BadInput: as :func:`~warmstart.build.sizes.pretrained_size`; the start is of another size or kind, does not see as
            the objective wants, or reads from the other end.
    """
    if recipe.start == NO_START:
        check_carry(recipe, pretrained_size(recipe, recipe.corpus.vocab_size))
        return
    folder = model_folder(recipe.start)
    start = load_settings(folder).backbone
    check_carry(recipe, for_objective(with_start(recipe.model, start, start.vocab_size), recipe.objective))
    found = read_metadata(folder).reading
    if found != direction_of(recipe.objective):
        raise BadInput(
            "the start does not read from this end of a text", where="--objective", value=recipe.objective,
            allowed="any but backward and both" if found == "forward" else found,
            next_step="begin with --start none, or from a run of this direction",
        )  # fmt: skip
