"""Raw text as one of the tasks of a fine-tuning: a language model learns it in steps of its own.

A left-to-right model learns the next token, a bidirectional one masked tokens, as in pre-training, by the same head.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from warmstart.base.arrays import Ints, digest_arrays
from warmstart.base.errors import BadInput
from warmstart.build.fit import fit_vocabulary
from warmstart.build.sources import SourceBuilder
from warmstart.build.training import stream_of
from warmstart.config.schema import FinetuneRecipe
from warmstart.corpora.corpus import MANIFEST, Corpus
from warmstart.example.example import LM, LM_TEXT, Example
from warmstart.models.settings import BackboneSettings
from warmstart.objectives.objective import Objective
from warmstart.objectives.settings import MaskSettings
from warmstart.objectives.table import find_objective
from warmstart.readers.documents import read_documents, split_chunks
from warmstart.streams.sources import Source, TokenCorpus
from warmstart.streams.stream import Stream
from warmstart.tasks.vocabulary import Vocabulary, begins_with, require_text
from warmstart.text.clean import clean

FLAG = "--lm-text"
OBJECTIVES_BY_SIGHT = {"causal": "causal", "full": "masked"}
"""How a model sees → what it learns of a text."""


@dataclass(frozen=True, slots=True, eq=False)
class TextInMemory:
    """Texts as one row of ids, each ended by the vocabulary's end token."""

    ids: Ints
    offsets: Ints

    @property
    def num_tokens(self) -> int:
        """Length of the row."""
        return len(self.ids)

    def tokens(self, start: int, stop: int) -> Ints:
        """Ids from ``start`` to ``stop``."""
        return self.ids[start:stop]


class TextSource:
    """Rows of text whose next or masked tokens are asked for under a name of their own, of the language model's head."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        """The Examples of these rows."""
        return [[_renamed(example) for example in item] for item in self.source.take(epoch, indices)]

    def lengths(self, indices: Ints) -> Ints:
        """As the source has them."""
        return self.source.lengths(indices)


def _renamed(example: Example) -> Example:
    return replace(example, goals={LM_TEXT: replace(example.goals[LM], head=LM)})


@dataclass(frozen=True, slots=True, eq=False)
class TextTask:
    """Raw text that is learned beside tasks.

    Attributes:
        source: of its rows.
        weight: how much their loss counts.
        fingerprint: of the text.
    """

    source: Source
    weight: float
    fingerprint: str

    def stream(self, recipe: FinetuneRecipe) -> Stream:
        """Batches of rows."""
        return stream_of(self.source, recipe.train)


def with_text_tokens(recipe: FinetuneRecipe, tokenizer: Vocabulary, backbone: BackboneSettings) -> Vocabulary:
    """The vocabulary with the tokens that masked text needs, where the recipe names raw text.

    Raises:
        BadInput: a model that learns no text so, or a vocabulary of images.
    """
    if not recipe.lm_text:
        return tokenizer
    return fit_vocabulary(require_text(tokenizer, FLAG), _objective(recipe, backbone))


def _objective(recipe: FinetuneRecipe, backbone: BackboneSettings) -> Objective:
    name = OBJECTIVES_BY_SIGHT.get(backbone.sight)
    if name is None:
        raise BadInput(
            f"{backbone.NOUN} learns no raw text beside tasks", where=FLAG, value=", ".join(recipe.lm_text),
            allowed="a model of one stack", next_step="leave it out",
        )  # fmt: skip
    return find_objective(name)


def build_text_task(
    recipe: FinetuneRecipe, tokenizer: Vocabulary, backbone: BackboneSettings, rules: Sequence[str]
) -> TextTask | None:
    """The text that a recipe names, if any.

    Args:
        recipe: of the training.
        tokenizer: of the model.
        backbone: of the model.
        rules: by which the text of the start was cleaned.

    Raises:
        BadInput: a model that learns no text so, a corpus of other tokens, or too little text.
    """
    if not recipe.lm_text:
        return None
    objective, text = _objective(recipe, backbone), require_text(tokenizer, FLAG)
    corpus = _read(recipe, text, rules)
    if corpus.num_tokens < 2:
        raise BadInput(
            "too little text to learn from", where=FLAG, value=f"{corpus.num_tokens} tokens", allowed="at least 2",
            next_step="name another file",
        )  # fmt: skip
    width = min(recipe.task.context or backbone.context, backbone.context)
    builder = SourceBuilder(objective, text, backbone.model_copy(update={"context": width}), MaskSettings())
    source = TextSource(builder.rows(corpus, recipe.train.seed))
    return TextTask(source, recipe.lm_text_weight, digest_arrays({0: corpus.tokens(0, corpus.num_tokens)}))


def _read(recipe: FinetuneRecipe, text: Vocabulary, rules: Sequence[str]) -> TokenCorpus:
    """A prepared corpus, or the documents of some files as ids in memory."""
    if len(recipe.lm_text) == 1 and (Path(recipe.lm_text[0]) / MANIFEST).is_file():
        corpus = Corpus.open(recipe.lm_text[0])
        if not begins_with(text, corpus.tokenizer()):
            corpus.check_tokenizer(text)
        return corpus
    tokenizer = require_text(text, FLAG)
    ends = [] if tokenizer.end_id is None else [tokenizer.end_id]
    rows: list[Ints] = []
    for document in read_documents(recipe.lm_text):
        chunks = [clean(chunk, rules) for chunk in split_chunks(document.chunks)]
        ids = np.concatenate([*tokenizer.encode_batch(chunks), np.array(ends, np.int64)])
        if len(ids) > len(ends):
            rows.append(ids)
    offsets = np.cumsum([0, *map(len, rows)])
    return TextInMemory(np.concatenate(rows) if rows else np.zeros(0, np.int64), offsets)
