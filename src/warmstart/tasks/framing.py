"""What all input transformations share: encoding in batches, the one cut rule, the goals, the account.

**The one cut rule.** Special tokens always stay. While an Example has more tokens than the context, the longest of its
segments loses its last token; of equally long ones, the first in reading order. So one long document is cut at its end, a
long premise gives way before a short hypothesis, and the context of a multiple-choice question before its question and
its choices. All Examples of one Record show the same cut of what they share: choices are cut as the longest of them asks.

Segments are encoded apart, so no token spans two of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import BadInput
from warmstart.example.example import Example, Goal, next_goal
from warmstart.example.noise import Noise
from warmstart.example.record import Record
from warmstart.image.processor import ImageProcessor
from warmstart.tasks.spec import TaskSpec
from warmstart.text.clean import clean

if TYPE_CHECKING:
    from warmstart.tasks.vocabulary import Vocabulary
    from warmstart.text.tokenizer import Tokenizer

ZERO = np.zeros(1, np.int64)
NO_MARK = -1  # the number of the special tokens of an image, which has none


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the Records: how many were used and cut, and what that cost.

    Attributes:
        used: Records framed.
        cut: Records that lost some text.
        tokens: tokens in the Examples made, special ones included.
        tokens_cut: tokens of the Records' texts left out, each text counted once.
        longest: tokens that the longest Example would have had without the cut.
        unread: questions that are read at no token: words (tagging) that were cut away or of which cleaning left nothing,
            answers (span) that stand in no window.
        targets_cut: targets (seq2seq) that lost their end.
    """

    used: int = 0
    cut: int = 0
    tokens: int = 0
    tokens_cut: int = 0
    longest: int = 0
    unread: int = 0
    targets_cut: int = 0

    def __add__(self, other: "Account") -> "Account":
        sums = (self.used + other.used, self.cut + other.cut, self.tokens + other.tokens)
        longest, unread = max(self.longest, other.longest), self.unread + other.unread
        targets = self.targets_cut + other.targets_cut
        return Account(*sums, self.tokens_cut + other.tokens_cut, longest, unread, targets)

    def to_dict(self) -> dict[str, int]:
        """Plain numbers, for the run folder."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Framed:
    """Examples ready to be batched: one inner list per Record, in the Records' order, and the parts they were made of."""

    examples: list[list[Example]]
    parts: list["Parts"]
    account: Account


@dataclass(frozen=True, slots=True)
class Parts:
    """A Record's texts as ids, in reading order, and its choices where it has them.

    Attributes:
        texts: one row of ids per text, or the vectors of an image.
        choices: one row of ids per choice.
        words: tagging: [W] the place of each word's first token, -1 where it has none.
        places: span: [T, 2] for each token of the context the first character that it stands for and the one behind its
            last, -1 where it stands for none.
    """

    texts: tuple[NDArray[Any], ...]
    choices: tuple[Ints, ...] = ()
    words: Ints | None = None
    places: Ints | None = None

    @property
    def lengths(self) -> list[int]:
        """Tokens of each segment of the longest Example that these parts make."""
        return [len(t) for t in self.texts] + ([max(map(len, self.choices))] if self.choices else [])

    def kept(self, lengths: Sequence[int]) -> "Parts":
        """The first tokens of each segment."""
        texts = tuple(text[:keep] for text, keep in zip(self.texts, lengths, strict=False))
        return replace(self, texts=texts, choices=tuple(choice[: lengths[-1]] for choice in self.choices))

    def __len__(self) -> int:
        return sum(map(len, self.texts)) + sum(map(len, self.choices))


def fit(lengths: Sequence[int], room: int) -> list[int]:
    """How many tokens each segment keeps so that all fit into ``room``: the one cut rule.

    >>> fit([10, 3, 4], 12)
    [5, 3, 4]
    >>> fit([6, 6], 9)
    [4, 5]
    """
    if sum(lengths) <= room:
        return list(lengths)
    level = _level(lengths, room)
    kept = [min(length, level) for length in lengths]
    spare = room - sum(kept)  # fewer than there are segments above the level; the last ones were cut last
    for i in reversed(range(len(kept))):
        if spare and lengths[i] > level:
            kept[i] += 1
            spare -= 1
    return kept


def _level(lengths: Sequence[int], room: int) -> int:
    """The greatest number of tokens per segment that fits when no segment may have more."""
    for place, length in enumerate(sorted(lengths)):
        share = room // (len(lengths) - place)
        if length > share:
            return share
        room -= length
    return max(lengths)


@dataclass(frozen=True, slots=True)
class Cut:
    """Parts that fit, the tokens their longest Example would have had, the tokens left out, and targets that lost some."""

    parts: Parts
    needed: int
    lost: int
    targets: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """The tools of an input transformation: special tokens, sequences, and the goals put to them.

    A left-to-right backbone has the task's own special tokens and is read at the last one, which has seen everything. A
    bidirectional one has those it was pre-trained with (BERT's [CLS] and [SEP]), is read at the first, and is told by
    segments which text a token is of.
    """

    spec: TaskSpec
    start: int
    delimiter: int
    extract: int
    class_weights: tuple[float, ...] | None = None
    noise: Noise | None = None

    @staticmethod
    def of(spec: TaskSpec, tokenizer: "Vocabulary", class_weights: Sequence[float] | None = None) -> "Frame":
        """Looks the special tokens up; ``KeyError`` where the tokenizer has none."""
        if class_weights is not None and (spec.goal != "label" or len(class_weights) != spec.outputs):
            raise ValueError(f"{len(class_weights)} class weights for {spec.outputs} outputs of goal {spec.goal!r}")
        weights = None if class_weights is None else tuple(class_weights)
        if isinstance(tokenizer, ImageProcessor):
            return Frame(spec, NO_MARK, NO_MARK, NO_MARK, weights)
        start, delimiter, extract = map(tokenizer.token_to_id, marks(spec.frame.sight, tokenizer))
        return Frame(spec, start, delimiter, extract, weights, _noise(spec, tokenizer))

    def sequence(self, before: Sequence[Ints], after: Ints | None = None) -> Ints:
        """``[start] before… [extract]`` or ``[start] before… [delimiter] after [extract]``, in the order of reading.

        From its end a text is read as ``[extract] before… [delimiter] after [start]``, the last token first.
        """
        tail: list[Ints] = [] if after is None else [np.full(self.spec.frame.between, self.delimiter), after]
        if self.backward:
            return np.concatenate([np.array([self.extract]), *before, *tail, np.array([self.start])])[::-1]
        return np.concatenate([np.array([self.start]), *before, *tail, np.array([self.extract])])

    def ask(self, record: Record, sequences: Sequence[NDArray[Any]]) -> list[Example]:
        """One Example per sequence, all read at their extract token (full sight: the first) for the task's one question.

        The first Example owns the target. Each also asks ``lm`` where the auxiliary goal is on. Where texts are read from
        both ends, there are as many Examples again, which read from the end.
        """
        if self.spec.frame.direction == "both":
            return self._from_both_ends(record, sequences)
        targets, weights = self.target(record), np.array([self.weight(record)], np.float32)
        examples: list[Example] = []
        asked = 0
        for number, ids in enumerate(sequences):
            goal = (
                self._question(ids, targets, weights) if number == 0 else self._question(ids, targets[:0], weights[:0])
            )
            examples.append(self.example(ids, goal, asked))
            asked += len(ids) - 1
        if self.spec.frame.lm and self.spec.frame.lm_frame == "autoencoder":
            asked = 0
            for ids in sequences:
                examples.append(self._in_text_order(Example.read_and_write(ids, asked)))
                asked += len(ids)
        return examples

    def _from_both_ends(self, record: Record, sequences: Sequence[NDArray[Any]]) -> list[Example]:
        """Examples that read from the beginning and others from the end, all for the one question of the first."""
        examples: list[Example] = []
        for direction in ("forward", "backward"):
            settings = self.spec.frame.model_copy(update={"direction": direction})
            one_way = replace(self, spec=self.spec.model_copy(update={"frame": settings}))
            given = sequences if direction == "forward" else [_turned(ids) for ids in sequences]
            examples += one_way.ask(record, given)
        number, asked = len(sequences), sum(len(ids) - 1 for ids in sequences)
        for place, example in enumerate(examples[number:], start=number):
            goals = {
                name: replace(goal, targets=goal.targets[:0], weights=goal.weights[:0])
                if name == self.spec.goal
                else replace(goal, question=goal.question + asked)
                for name, goal in example.goals.items()
            }
            examples[place] = replace(example, goals=goals)
        return examples

    def _question(self, ids: NDArray[Any], targets: NDArray[Any], weights: Floats) -> Goal:
        """The task's question to one sequence, which owns it where it has ``targets``."""
        places = np.arange(len(ids))
        if self.spec.frame.reads == "rising" and len(ids) > 1 and self.spec.goal == "label":
            rise = (places / (len(ids) - 1)).astype(np.float32)
            return Goal.each(places, np.repeat(targets, len(ids)), rise * weights)
        if self.spec.frame.reads == "all":
            return Goal(places, 0 * places, targets, weights)
        return Goal(ZERO + self.summary(ids), ZERO, targets, weights)

    @property
    def full(self) -> bool:
        """Whether each token sees all others."""
        return self.spec.frame.sight == "full"

    @property
    def backward(self) -> bool:
        """Whether texts are read from their end."""
        return self.spec.frame.direction == "backward"

    def summary(self, ids: NDArray[Any]) -> int:
        """The place where a sequence is read as a whole."""
        return 0 if self.full else len(ids) - 1

    def example(self, ids: NDArray[Any], goal: Goal, asked: int = 0) -> Example:
        """The Example of a sequence: turns 0 1 2 …, or all 0 with segments.

        It asks the task's ``goal`` and, where it is on, ``lm``, whose questions are numbered on from ``asked``.
        """
        goals = {self.spec.goal: goal}
        if self.spec.frame.lm and self.spec.frame.lm_frame == "causal":
            goals[next_goal(ids)] = self._next_tokens(ids, asked)
        if not self.full:
            return self._in_text_order(Example.left_to_right(ids, goals))
        ends = ids == self.delimiter
        return Example.full_sight(ids, goals, np.minimum(np.cumsum(ends) - ends, 1))

    def _in_text_order(self, example: Example) -> Example:
        return example.reverse() if self.backward else example

    def _next_tokens(self, ids: NDArray[Any], asked: int) -> Goal:
        """Reads t, target t+1, for every token but the last; questions are numbered on from ``asked``."""
        reads = np.arange(len(ids) - 1)
        weight = 1.0 if self.spec.frame.lm_weights == "token" else 1.0 / len(reads)
        return Goal(reads, reads + asked, ids[1:], np.full(len(reads), weight, np.float32))

    def target(self, record: Record) -> NDArray[Any]:
        """[1] class, index or score, or [1, K] marks; zeros where the Record has no label."""
        label = record.label
        if self.spec.goal == "labels":
            marks: Floats = np.zeros((1, self.spec.outputs), np.float32)
            marks[0, list(label) if isinstance(label, tuple) else []] = 1.0
            return marks
        return np.array([label or 0], np.float32 if self.spec.goal == "score" else np.int64)

    def weight(self, record: Record) -> float:
        """How much the Record's question counts: 0 without a label, else its class's weight or 1."""
        if record.label is None:
            return 0.0
        return self.class_weights[int(record.label)] if self.class_weights else 1.0  # type: ignore[arg-type]

    def cut(self, record: Record, parts: Parts) -> Cut:
        """Applies the one cut rule to a Record, or refuses it.

        Raises:
            BadInput: the text is too long and ``long_text`` is ``refuse``.
        """
        lengths, settings = parts.lengths, self.spec.frame
        specials = 2 if len(lengths) == 1 else settings.specials
        needed = sum(lengths) + specials
        most = settings.segment_limit or needed
        if needed <= settings.context and max(lengths) <= most:
            return Cut(parts, needed, 0)
        if settings.long_text == "refuse":
            raise BadInput(
                "the text has more tokens than the context holds", where=record.where, value=needed,
                allowed=f"at most {settings.context} tokens, special ones included",
                next_step="use --long-text cut or a model with a larger context",
            )  # fmt: skip
        kept = parts.kept(fit([min(length, most) for length in lengths], settings.context - specials))
        return Cut(kept, needed, len(parts) - len(kept))


def _turned(ids: NDArray[Any]) -> NDArray[Any]:
    """A sequence in the order of reading from its end, where the outer marks have changed places."""
    turned = ids[::-1].copy()
    turned[0], turned[-1] = ids[0], ids[-1]
    return turned


def _noise(spec: TaskSpec, tokenizer: "Tokenizer") -> Noise | None:
    """What noised tokens become, where the task has any and the vocabulary a mask token."""
    if spec.kind != "seq2seq" or tokenizer.special_token("mask") is None:
        return None
    return Noise(tokenizer.special_token_id("mask"), tokenizer.vocab_size, spec.seq2seq.keep, spec.seq2seq.random)


def marks(sight: str, tokenizer: "Vocabulary") -> tuple[str, str, str]:
    """The special tokens before, between and after the texts of an Example."""
    from warmstart.text.tokenizer import DELIMITER, EXTRACT, START

    first, last = tokenizer.special_token("cls"), tokenizer.special_token("sep")
    if sight == "full" and first is not None and last is not None:
        return first, last, last
    return START, DELIMITER, EXTRACT


def between(sight: str, tokenizer: "Vocabulary") -> int:
    """How many delimiters stand between two texts: 2 in RoBERTa's and XLM-R's vocabularies, told by the delimiter's name."""
    return 2 if marks(sight, tokenizer)[1] == "</s>" else 1


def encode(records: Sequence[Record], tokenizer: "Tokenizer", rules: Sequence[str]) -> Iterator[Parts]:
    """Ids of all texts of some Records, cleaned as the pre-training text was, encoded together on all cores."""
    texts = [_texts(record) for record in records]
    choices = [_choices(record) for record in records]
    ids = iter(tokenizer.encode_batch([clean(text, rules) for text in chain(*texts, *choices)]))
    read = [tuple(islice(ids, len(own))) for own in texts]
    offered = [tuple(islice(ids, len(own))) for own in choices]
    return map(Parts, read, offered)


def _texts(record: Record) -> list[str]:
    """The texts in reading order; a question that follows a context starts a line of its own."""
    texts = [text for text in record.texts.values() if isinstance(text, str)]
    if record.texts.get("question") and record.texts.get("context"):
        texts[1] = f"\n{texts[1]}"
    return texts


def _choices(record: Record) -> tuple[str, ...]:
    choices = record.texts.get("choices", ())
    return choices if isinstance(choices, tuple) else ()
