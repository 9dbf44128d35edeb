"""Language modelling of a text: its log-likelihood per token, and per word, byte and character of the original.

======================  =====================================================================
``word_perplexity``     words between blanks, counted before de-tokenising
``word_eos_perplexity`` the same, and one more at the end of each line (PTB's and WikiText's official count)
``byte_perplexity``     UTF-8 bytes
``bits_per_byte``       the same as a logarithm (enwik8)
``bits_per_character``  of characters (text8)
``token_perplexity``    tokens of the model's own vocabulary: not to be compared between vocabularies
======================  =====================================================================

A document is read in windows (:mod:`warmstart.zeroshot.windows`).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from warmstart.base.errors import BadInput
from warmstart.readers.documents import read_documents
from warmstart.readers.text_io import read_lines, read_text_blocks
from warmstart.zeroshot.outcome import Outcome, Terms
from warmstart.zeroshot.scorer import Scorer
from warmstart.zeroshot.task import Item, Options

_HEADING = re.compile(r"^ = [^=].*[^=] = $|^ = [^=] = $")


class Blocks(NamedTuple):
    """A document, read once: its name and its original text."""

    where: str
    blocks: Iterable[str]


class Units:
    """Counts the units of a text while it passes."""

    def __init__(self) -> None:
        self.words = self.lines = self.bytes = self.characters = 0

    def passing(self, blocks: Iterable[str], change: Callable[[str], str]) -> Iterator[str]:
        """The changed blocks; their originals are counted."""
        for block in blocks:
            self.words += len(block.split())
            self.lines += block.count("\n")
            self.bytes += len(block.encode())
            self.characters += len(block)
            yield change(block)


class TextTask:
    """A task of documents: how a file is cut into them, and how their tokens become text."""

    main = "word_perplexity"
    text_metrics: tuple[str, ...] = ()
    uses: tuple[str, ...] = ("min_context",)

    def __init__(
        self, documents: Callable[[str, str], Iterator[Blocks]], detokenize: Callable[[str], str] = str
    ) -> None:
        self.documents, self.detokenize = documents, detokenize

    def items(self, path: str, options: Options) -> Iterator[Item]:
        """The documents of a file."""
        for document in self.documents(path, options.encoding):
            yield Item(document, document.blocks, document.where)

    def outcomes(self, items: Iterable[Item], scorer: Scorer, options: Options) -> Iterator[Outcome]:
        """As :class:`~warmstart.zeroshot.task.ZeroshotTask` has it."""
        for item in items:
            units = Units()
            found = scorer.score_text(units.passing(item.asked.blocks, self.detokenize))
            if not units.words:
                raise BadInput(
                    "no word to judge", where=item.where, allowed="a text", next_step="name a file with text"
                )
            terms = {
                "word_perplexity": Terms(-found.log_prob, units.words),
                "word_eos_perplexity": Terms(-found.log_prob, units.words + units.lines),
                "byte_perplexity": Terms(-found.log_prob, units.bytes),
                "bits_per_byte": Terms(-found.log_prob, units.bytes),
                "bits_per_character": Terms(-found.log_prob, units.characters),
                "token_perplexity": Terms(-found.log_prob, found.tokens),
            }
            row = {"where": item.where, "log_prob": round(found.log_prob, 6), "tokens": found.tokens}
            yield Outcome(terms, row | {"words": units.words, "bytes": units.bytes})


def pages(path: str, encoding: str) -> Iterator[Blocks]:
    """The articles of a WikiText file; the first begins with the file."""
    page: list[str] = []
    start = 1
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if _HEADING.match(line.rstrip("\n")) and "".join(page).strip():
            yield Blocks(f"{path}:{start}", ["".join(page)])
            page, start = [], number
        page.append(line)
    if "".join(page).strip():
        yield Blocks(f"{path}:{start}", ["".join(page)])


def lines(path: str, encoding: str) -> Iterator[Blocks]:
    """Each line is a document: sentences that do not belong together (One Billion Words)."""
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if line.strip():
            yield Blocks(f"{path}:{number}", [line])


def whole(path: str, encoding: str) -> Iterator[Blocks]:
    """The file is one document, read block by block."""
    yield Blocks(path, read_text_blocks(path, encoding))


def documents(path: str, encoding: str) -> Iterator[Blocks]:
    """Text files, archives of them, and tables with a column ``text``."""
    for document in read_documents([path], encoding):
        yield Blocks(document.where, document.chunks)
