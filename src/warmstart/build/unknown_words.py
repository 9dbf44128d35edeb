"""Word dropout: some tokens of the training texts are read as the unknown word (MT-DNN's ``dropout_w``)."""

from warmstart.base.errors import BadInput
from warmstart.config.schema import FinetuneRecipe
from warmstart.streams.sources import Source, UnknownWordsSource
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.tokenizer import Tokenizer

FLAG = "--word-dropout"


def with_unknown_words(source: Source, recipe: FinetuneRecipe, vocabulary: Vocabulary) -> Source:
    """The source as a training reads it; as it is, where no token is hidden.

    Raises:
        BadInput: images, or a vocabulary without a token for what it does not know.
    """
    if recipe.word_dropout == 0:
        return source
    tokenizer = require_text(vocabulary, FLAG)
    return UnknownWordsSource(
        source, recipe.word_dropout, _unknown(tokenizer), tokenizer.special_ids, recipe.train.seed
    )  # fmt: skip


def _unknown(tokenizer: Tokenizer) -> int:
    """The token for an unknown word, or else the mask."""
    for kind in ("unk", "mask"):
        if tokenizer.special_token(kind) is not None and tokenizer.special_token_id(kind) != tokenizer.end_id:
            return tokenizer.special_token_id(kind)
    raise BadInput(
        "the vocabulary has no token for an unknown word, and no mask", where=FLAG,
        allowed="a vocabulary with one, such as BERT's", next_step="leave it out",
    )  # fmt: skip
