"""The special tokens that frame a task's texts: the task's own for a left-to-right model, BERT's for a bidirectional one.

A left-to-right model that has learned to read a token of its own before every text (Llama's ``<s>``) keeps it as the start.
"""

from typing import NamedTuple

from warmstart.image.processor import ImageProcessor
from warmstart.tasks.vocabulary import Vocabulary
from warmstart.text.special_tokens import END
from warmstart.text.tokenizer import DELIMITER, EXTRACT, START

NO_TOKEN = -1  # an image has no special tokens


class SpecialTokens(NamedTuple):
    """Tokens before, between and after the texts of an Example."""

    start: str
    delimiter: str
    extract: str


class SpecialIds(NamedTuple):
    """The ids of these."""

    start: int
    delimiter: int
    extract: int


NO_IDS = SpecialIds(NO_TOKEN, NO_TOKEN, NO_TOKEN)


def special_tokens(sight: str, vocabulary: Vocabulary) -> SpecialTokens:
    """The special tokens of a model that sees so (``causal``, ``full`` or ``prefix``)."""
    first, last = vocabulary.special_token("cls"), vocabulary.special_token("sep")
    if sight == "prefix":  # what ends a document ends both sides, and begins the target
        end = vocabulary.special_token("eos") or last or END
        return SpecialTokens(end, end, end)
    if sight == "full" and first is not None and last is not None:
        return SpecialTokens(first, last, last)
    start = None if isinstance(vocabulary, ImageProcessor) or vocabulary.has_token(START) else vocabulary.start
    return SpecialTokens(start or START, DELIMITER, EXTRACT)


def special_ids(sight: str, vocabulary: Vocabulary) -> SpecialIds:
    """Their ids; ``KeyError`` where the vocabulary lacks one."""
    if isinstance(vocabulary, ImageProcessor):
        return NO_IDS
    return SpecialIds(*map(vocabulary.token_to_id, special_tokens(sight, vocabulary)))


def num_delimiters(sight: str, vocabulary: Vocabulary) -> int:
    """Delimiters between two texts: 2 in RoBERTa's and XLM-R's vocabularies, told by the delimiter's name."""
    return 2 if special_tokens(sight, vocabulary).delimiter == "</s>" else 1
