"""What a run starts from: a model with its vocabulary, or none."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.files import sha256
from warmstart.build.labelled_data import LabelledData
from warmstart.config.schema import FinetuneRecipe
from warmstart.models.model import Model
from warmstart.models.settings import ModelSettings
from warmstart.readers.documents import TOKENIZER_CHARS, split_chunks
from warmstart.run.metadata import RunMetadata, read_vocabulary
from warmstart.tasks.table import KINDS
from warmstart.tasks.vocabulary import Vocabulary, begins_with, require_text
from warmstart.text.tokenizer import Tokenizer
from warmstart.transfer.adapter import ADAPTER, base_of
from warmstart.transfer.config import CONFIG
from warmstart.transfer.folder import ImportedModel, check_rows, import_model, load_settings
from warmstart.transfer.hub import model_folder
from warmstart.transfer.start import HeadTransfer, PartTransfer, WeightAccount, start_from

NO_START = "none"
CONFIGS = (CONFIG, ADAPTER)
WEIGHTS = (".safetensors", ".npy")
"""How the files of weights end."""


class KeptHead(NamedTuple):
    """A head of a start that is kept: its name there and here, and [outputs] its output of each of ours or -1."""

    start_goal: str
    goal: str
    rows: NDArray[np.int64]


class Start:
    """The starting model: its sizes and vocabulary at once, its weights when they are first needed."""

    def __init__(self, folder: Path, settings: ModelSettings, tokenizer: Vocabulary, metadata: RunMetadata) -> None:
        self.folder, self.tokenizer, self.metadata = folder, tokenizer, metadata
        self.backbone, self.heads, self.inputs = settings.backbone, settings.heads, settings.inputs
        self._imported: ImportedModel | None = None

    def load(self) -> ImportedModel:
        """Its weights, read once for all trainings, and the names in its folder that have no place in a model.

        Raises:
            BadInput: the files of the weights are damaged, or do not fit the sizes.
        """
        self._imported = self._imported or import_model(self.folder)
        return self._imported

    def fingerprint(self) -> str:
        """Hex SHA-256 of config and weights, as the files are; about 2 GB a second."""
        folders = {self.folder, base_of(self.folder)}
        files = [
            path for folder in folders for path in folder.iterdir() if path.name in CONFIGS or path.suffix in WEIGHTS
        ]
        lines = [f"{path.name} {sha256(path)}" for path in sorted(files) if path.is_file()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def rows_for(self, tokenizer: Vocabulary) -> int:
        """Rows of the token table for ``tokenizer``: spare ones stay, unless the vocabulary is another."""
        spare = self.backbone.vocab_size if begins_with(tokenizer, self.tokenizer) else 0
        return max(tokenizer.vocab_size, spare)

    def initialise(
        self, model: Model, tokenizer: Vocabulary, layers: int | None = None,
        heads: Sequence[KeptHead] = (),
    ) -> WeightAccount:  # fmt: skip
        """Copies the weights into ``model``, whose vocabulary is that of ``tokenizer``.

        Args:
            model: freshly drawn.
            tokenizer: its vocabulary.
            layers: how many layers are taken; ``None``: all.
            heads: those that are kept.
        """
        rows = None
        if not begins_with(tokenizer, self.tokenizer):
            rows = require_text(tokenizer, "--new-vocabulary").map_ids_to(require_text(self.tokenizer, "--start"))
        imported = self.load()
        kept = [HeadTransfer(imported.model, *head) for head in heads]
        account = start_from(model, PartTransfer(imported.model, layers=layers, token_rows=rows), heads=kept)
        account.unused += imported.unused
        return account


def read_start(name: str) -> Start:
    """The model and the tokenizer in a folder; reads no weights yet.

    Raises:
        BadInput: no model there, or a vocabulary that has more tokens than the model has rows for.
    """
    folder = model_folder(name)
    tokenizer, metadata = read_vocabulary(folder)
    settings = load_settings(folder)
    check_rows(tokenizer.vocab_size, settings.backbone.vocab_size, name)
    return Start(folder, settings, tokenizer, metadata)


def vocabulary_of(recipe: FinetuneRecipe, tasks: Sequence[LabelledData], start: Start | None) -> Vocabulary:
    """The start's own, or another where the recipe says so; without a start the one named or one learned now."""
    kinds = [KINDS[data.kind] for data in tasks]
    named = None
    if recipe.new_vocabulary and (start is None or recipe.tokenizer is None):
        raise BadInput(
            "no start whose vocabulary could be replaced" if start is None else "no other vocabulary is named",
            where="--new-vocabulary", allowed="with --start RUN and --tokenizer DIR",
            next_step="leave it out" if start is None else "add --tokenizer DIR, or leave it out",
        )  # fmt: skip
    if recipe.tokenizer is not None:
        named = read_vocabulary(model_folder(recipe.tokenizer, weights=False))[0]
    for kind in kinds:
        for vocabulary, flag in ((named, "--tokenizer"), (None if start is None else start.tokenizer, "--start")):
            if vocabulary is not None:
                kind.check_vocabulary(vocabulary, flag)
    found = named or _learned(recipe, tasks) if start is None else _start_vocabulary(recipe, start.tokenizer, named)
    for kind, data in zip(kinds, tasks, strict=True):
        for records in (data.train, data.dev, data.test or []):
            kind.check_records(records, found)
    return found


def _learned(recipe: FinetuneRecipe, tasks: Sequence[LabelledData]) -> Vocabulary:
    """A vocabulary of the training Records of all tasks."""
    first = KINDS[tasks[0].kind]
    if len(tasks) == 1:
        return first.learn_vocabulary(tasks[0].train, recipe.vocab_size, recipe.vocabulary)
    texts = (text for data in tasks for text in KINDS[data.kind].training_texts(data.train))
    chunks = (chunk for text in texts for chunk in split_chunks([text], TOKENIZER_CHARS))
    return Tokenizer.train(chunks, recipe.vocab_size, vocabulary=recipe.vocabulary)


def _start_vocabulary(recipe: FinetuneRecipe, own: Vocabulary, named: Vocabulary | None) -> Vocabulary:
    """The start's own vocabulary, or another one that is asked for."""
    if named is None or named.fingerprint == own.fingerprint:
        return own
    if not recipe.new_vocabulary:
        raise BadInput(
            "another tokenizer than the model's", where="--tokenizer", value=recipe.tokenizer,
            allowed=f"the one in {recipe.start}",
            next_step="leave --tokenizer out, or add --new-vocabulary to keep only the rows of tokens that both have",
        )  # fmt: skip
    return named
