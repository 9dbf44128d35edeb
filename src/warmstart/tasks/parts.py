"""A Record's texts as ids, and the one cut rule that makes them fit.

**The one cut rule.** Special tokens always stay. While an Example has more tokens than the context, the longest of its
segments loses its last token; of equally long ones the one that was shorter as written, and of those the first in reading
order. Pairs are so cut as ``longest_first`` of the ``tokenizers`` package cuts them. One long document is cut at its end, a
long premise gives way before a short hypothesis, and the context of a multiple-choice question before its question and
its choices. All Examples of one Record show the same cut of what they share: choices are cut as the longest of them asks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.clean import clean


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the Records: how many were used and cut, and what that cost.

    Attributes:
        used: Records framed.
        cut: Records that lost some text.
        tokens: tokens in the Examples, special ones included.
        tokens_cut: tokens of the Records' texts left out, each text counted once.
        longest: tokens that the longest Example would have had without the cut.
        unread: questions that are read at no token: words (tagging) that were cut away or of which cleaning left nothing,
            answers (span) that stand in no window.
        targets_cut: targets (seq2seq) that lost their end.
        windowed: Records that are read in several windows.
        windows: windows of these.
    """

    used: int = 0
    cut: int = 0
    tokens: int = 0
    tokens_cut: int = 0
    longest: int = 0
    unread: int = 0
    targets_cut: int = 0
    windowed: int = 0
    windows: int = 0

    @staticmethod
    def of(cuts: "Sequence[Truncation]", tokens: int, unread: int, windows: Sequence[int] = ()) -> "Account":
        """Of Records that were made to fit; ``tokens`` and ``unread`` are of all of them, ``windows`` of each."""
        several = [count for count in windows if count > 1]
        return Account(
            len(cuts), sum(cut.lost > 0 for cut in cuts), tokens, sum(cut.lost for cut in cuts),
            max((cut.needed for cut in cuts), default=0), unread, sum(cut.targets for cut in cuts),
            len(several), sum(several),
        )  # fmt: skip

    def __add__(self, other: "Account") -> "Account":
        sums = {name: value + getattr(other, name) for name, value in asdict(self).items()}
        return Account(**sums | {"longest": max(self.longest, other.longest)})

    def to_dict(self) -> dict[str, int]:
        """Plain numbers, for the run folder."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Parts:
    """A Record's texts as ids, in reading order, and its choices where it has them.

    Attributes:
        texts: one row of ids per text, or the vectors of an image.
        choices: one row of ids per choice.
        word_starts: tagging: [W] the place of each word's first token, -1 where it has none.
        offsets: span: [T, 2] for each token of the context the first character that it stands for and the one behind its
            last, -1 where it stands for none.
    """

    texts: tuple[NDArray[Any], ...]
    choices: tuple[Ints, ...] = ()
    word_starts: Ints | None = None
    offsets: Ints | None = None

    @property
    def lengths(self) -> list[int]:
        """Tokens of each segment of the longest Example of these parts."""
        return [len(t) for t in self.texts] + ([max(map(len, self.choices))] if self.choices else [])

    def truncated(self, lengths: Sequence[int]) -> "Parts":
        """The first tokens of each segment."""
        texts = tuple(text[:keep] for text, keep in zip(self.texts, lengths, strict=False))
        return replace(self, texts=texts, choices=tuple(choice[: lengths[-1]] for choice in self.choices))

    def __len__(self) -> int:
        return sum(map(len, self.texts)) + sum(map(len, self.choices))


class Truncation(NamedTuple):
    """Parts that fit.

    Attributes:
        parts: the parts.
        needed: tokens that the longest Example would have had.
        lost: tokens left out.
        targets: targets that lost some.
    """

    parts: Parts
    needed: int
    lost: int
    targets: int = 0


class Lengths(NamedTuple):
    """How long Records are, as a count of each length: what is said of millions of them takes no memory for each.

    Attributes:
        tokens: [k] the different lengths, ascending: tokens of the longest Example of a Record before the cut; empty where
            it is not worth saying.
        counts: [k] how many Records have each.
        cut: Records that lost some text.
    """

    tokens: Ints = np.zeros(0, np.int64)
    counts: Ints = np.zeros(0, np.int64)
    cut: int = 0

    @staticmethod
    def of(tokens: Sequence[int], cut: int = 0) -> "Lengths":
        """Those of Records with so many tokens."""
        return Lengths(*np.unique(np.array(tokens, np.int64), return_counts=True), cut)

    @staticmethod
    def join(every: "Iterable[Lengths]") -> "Lengths":
        """Of all Records together."""
        found: dict[int, int] = {}
        cut = 0
        for one in every:
            cut += one.cut
            for length, count in zip(one.tokens.tolist(), one.counts.tolist(), strict=True):
                found[length] = found.get(length, 0) + count
        tokens = sorted(found)
        return Lengths(np.array(tokens, np.int64), np.array([found[length] for length in tokens], np.int64), cut)

    def quantiles(self) -> list[int]:
        """Tokens of the shortest Record, the median, the 95th of 100 and the longest; empty where there is none."""
        if len(self.tokens) == 0:
            return []
        up_to = np.cumsum(self.counts)
        wanted = np.ceil(np.array([0, 0.5, 0.95, 1]) * up_to[-1])
        return [int(self.tokens[place]) for place in np.searchsorted(up_to, wanted)]


@dataclass(frozen=True, slots=True)
class FramedRecords:
    """Examples ready to be batched: one inner list per Record, in the Records' order.

    Attributes:
        examples: of each Record.
        parts: of each Record.
        account: of all.
        windows: how many windows the Examples of each Record are of.
        lengths: tokens of each Record's longest Example before the cut.
    """

    examples: list[list[Example]]
    parts: list[Parts]
    account: Account
    windows: list[int] = field(default_factory=list)
    lengths: Lengths = field(default_factory=Lengths)

    @staticmethod
    def join(every: "Iterable[FramedRecords]") -> "FramedRecords":
        """Those of several, one after the other."""
        examples: list[list[Example]] = []
        parts: list[Parts] = []
        windows: list[int] = []
        account, lengths = Account(), []
        for one in every:
            examples += one.examples
            parts += one.parts
            windows += one.windows
            account += one.account
            lengths.append(one.lengths)
        return FramedRecords(examples, parts, account, windows, Lengths.join(lengths))


def fit_lengths(lengths: Sequence[int], room: int) -> list[int]:
    """How many tokens each segment keeps so that all fit into ``room``: the one cut rule.

    >>> fit_lengths([10, 3, 4], 12)
    [5, 3, 4]
    >>> fit_lengths([6, 6], 9), fit_lengths([8, 6], 9)
    ([4, 5], [5, 4])
    """
    if sum(lengths) <= room:
        return list(lengths)
    level = _level(lengths, room)
    kept = [min(length, level) for length in lengths]
    spare = room - sum(kept)  # fewer than there are segments above the level
    last_cut = sorted(range(len(kept)), key=lambda i: (lengths[i], i), reverse=True)
    for i in last_cut[:spare]:
        kept[i] += 1
    return kept


def _level(lengths: Sequence[int], room: int) -> int:
    """The greatest number of tokens per segment that fits when no segment may have more."""
    for place, length in enumerate(sorted(lengths)):
        share = room // (len(lengths) - place)
        if length > share:
            return share
        room -= length
    return max(lengths)


def encode_texts(records: Sequence[Record], vocabulary: Vocabulary, rules: Sequence[str]) -> Iterator[Parts]:
    """Ids of all texts of some Records, cleaned as the pre-training text was, encoded together on all cores.

    Segments are encoded apart, so no token spans two of them.
    """
    tokenizer = require_text(vocabulary, "--task")
    texts = [_texts(record) for record in records]
    choices = [_choices(record) for record in records]
    ids = iter(tokenizer.encode_batch([clean(text, rules) for text in chain(*texts, *choices)]))
    text_ids = [tuple(islice(ids, len(own))) for own in texts]
    choice_ids = [tuple(islice(ids, len(own))) for own in choices]
    return map(Parts, text_ids, choice_ids)


def _texts(record: Record) -> list[str]:
    """The texts in reading order; a question that follows a context starts a line of its own."""
    texts = [text for text in record.texts.values() if isinstance(text, str)]
    if record.texts.get("question") and record.texts.get("context"):
        texts[1] = f"\n{texts[1]}"
    return texts


def _choices(record: Record) -> tuple[str, ...]:
    choices = record.texts.get("choices", ())
    return choices if isinstance(choices, tuple) else ()
