"""Settings of ``prepare``. Light to import: they can be read and refused without waiting for a library."""

import os
from typing import Literal

from pydantic import Field

from warmstart.base.settings import Settings


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PrepareSettings(Settings):
    """What ``warmstart prepare`` needs to know.

    Attributes:
        paths: files, folders, globs, or ``-`` for standard input.
        out: folder of the corpus, to be made.
        tokenizer: folder with a ``tokenizer.json`` to use; ``None`` learns a vocabulary from the text.
        vocab_size: of a vocabulary that is learned, end token included.
        vocabulary: what a token of such a vocabulary is.
        clean: cleaning rules (:data:`warmstart.text.clean.CLEANING_RULES`), in order.
        encoding: of the text files.
        workers: processes that clean and encode; the result does not depend on it.
    """

    paths: tuple[str, ...]
    out: str
    tokenizer: str | None = None
    vocab_size: int = 8192
    vocabulary: Literal["bpe", "words", "known-words", "characters", "bytes"] = "bpe"
    clean: tuple[str, ...] = ()
    encoding: str = "utf-8"
    workers: int = Field(default_factory=cores, ge=1)
