"""Settings of raw text and of its vocabulary. This module imports fast."""

from typing import Annotated, Literal

from warmstart.base.settings import PathRule, Setting, Settings
from warmstart.text.clean import CLEANING_RULES

VocabularyKind = Literal["bpe", "words", "known-words", "characters", "bytes"]
Encoding = Annotated[str, Setting(help="character encoding of the text files", flag="--encoding", metavar="NAME")]


MIN_VOCAB_SIZE = 256 + 1
"""Of the 256 bytes and the end token."""


class VocabularySettings(Settings):
    """The vocabulary: an existing tokenizer, or one that is trained on the text."""

    title = "Vocabulary"

    tokenizer: str | None = Setting(
        None, "folder with a tokenizer.json to use (default: train a vocabulary on the text)",
        flag="--tokenizer", metavar="DIR", path=PathRule("any"),
    )  # fmt: skip
    vocab_size: int = Setting(
        8192, "size of a trained vocabulary, with the end token", flag="--vocab-size", metavar="N", ge=MIN_VOCAB_SIZE
    )
    vocabulary: VocabularyKind = Setting("bpe", "kind of a trained vocabulary", flag="--vocabulary")


class TextSettings(VocabularySettings):
    """The cleaning and the encoding of raw text."""

    title = "Text"

    clean: tuple[str, ...] = Setting(
        (),
        f"cleaning rules, in this order, separated by commas: {', '.join(CLEANING_RULES)}",
        flag="--clean",
        metavar="RULES",
    )
    encoding: Encoding = "utf-8"
