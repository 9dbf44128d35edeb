"""Settings of raw text and of its vocabulary. Light to import."""

from typing import Annotated, Literal

from warmstart.base.settings import PathRule, Setting, Settings
from warmstart.text.clean import CLEANING_RULES

VocabularyKind = Literal["bpe", "words", "known-words", "characters", "bytes"]
Encoding = Annotated[str, Setting(help="character encoding of the text files", flag="--encoding", metavar="NAME")]


class VocabularySettings(Settings):
    """Where the vocabulary comes from: a tokenizer that exists, or the text, from which one is learned."""

    title = "Vocabulary"

    tokenizer: str | None = Setting(
        None, "folder with a tokenizer.json to use (default: a vocabulary is learned from the text)",
        flag="--tokenizer", metavar="DIR", path=PathRule("any"),
    )  # fmt: skip
    vocab_size: int = Setting(
        8192, "entries of a learned vocabulary, the end token included", flag="--vocab-size", metavar="N", ge=257
    )
    vocabulary: VocabularyKind = Setting("bpe", "what a token of a learned vocabulary is", flag="--vocabulary")


class TextSettings(VocabularySettings):
    """How raw text is read and cleaned."""

    title = "Text"

    clean: tuple[str, ...] = Setting(
        (),
        f"cleaning rules, in this order, separated by commas: {', '.join(CLEANING_RULES)}",
        flag="--clean",
        metavar="RULES",
    )
    encoding: Encoding = "utf-8"
