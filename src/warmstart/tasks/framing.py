"""The tools of an input transformation: sequences with their special tokens, and the goals that they ask (Frame).

A left-to-right backbone has the task's own special tokens and is read at the last one, which has seen everything. A
bidirectional one has those it was pre-trained with (BERT's [CLS] and [SEP]), is read at the first, and is told by segments
which text a token is of.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats, Ints, count_up, shared_ones, shared_zeros
from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.example.example import SOFT, Example, Goal, next_goal
from warmstart.example.noise import Noise
from warmstart.example.record import Record
from warmstart.tasks.answer import Answer
from warmstart.tasks.parts import Parts, Truncation, fit_lengths
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.soft import SoftLabel
from warmstart.tasks.text_windows import uncut_lengths

ZERO = np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class Frame:
    """How the Examples of one task are made.

    Attributes:
        settings: context, sight, auxiliary goal, direction.
        options: what only this kind of task needs.
        answer: the goal that is asked, and its targets.
        label_names: of the task.
        start: id of the token before the texts.
        delimiter: id of the token between two texts.
        extract: id of the token after them.
        class_weights: one per class, or ``None`` where all count 1.
        noise: what noised tokens become, where a kind noises any and the vocabulary has a mask token.
        share: how much of a Record a sequence counts: of a text that is read in several windows each counts alike, and all
            together as one text.
        soft: the column of a teacher's answers that are learned beside the labels; empty: none are.
    """

    settings: FrameSettings
    options: Settings
    answer: Answer
    label_names: tuple[str, ...]
    start: int
    delimiter: int
    extract: int
    class_weights: tuple[float, ...] | None = None
    noise: Noise | None = None
    share: float = 1.0
    soft: str = ""

    def with_soft(self, record: Record, parts: Parts, examples: list[Example]) -> list[Example]:
        """The Examples of a Record, or of one of its windows, whose question is asked once more, of the same head.

        Raises:
            BadInput: the Record has no soft labels, or some that are none.
        """
        if not self.soft:
            return examples
        where = f"{record.where}, key {self.soft!r}"
        label = SoftLabel(
            record.extra.get(self.soft), where, self.label_names, record, parts, self.settings, self.options
        )  # fmt: skip
        name = self.answer.goal
        asked = [number for number, example in enumerate(examples) if name in example.goals]
        goals = self.answer.soft_goals([examples[number].goals[name] for number in asked], label)
        found = list(examples)
        for number, goal in zip(asked, goals, strict=True):
            soft = replace(goal, head=name, answer=SOFT)
            found[number] = replace(found[number], goals={**found[number].goals, SOFT: soft})
        return found

    def sequence(self, before: Sequence[Ints], after: Ints | None = None) -> Ints:
        """``[start] before… [extract]`` or ``[start] before… [delimiter] after [extract]``, in the order of reading.

        From its end a text is read as ``[extract] before… [delimiter] after [start]``, the last token first. A model of
        another library has the special tokens of its own tokenizer.
        """
        if (template := self.settings.template) is not None:
            return _join(
                [*before] if after is None else [*before, after], template.one if after is None else template.pair
            )
        tail: list[Ints] = [] if after is None else [np.full(self.settings.between, self.delimiter), after]
        start, extract = _one_token(self.start), _one_token(self.extract)
        if self.backward:
            return np.concatenate([extract, *before, *tail, start])[::-1]
        return np.concatenate([start, *before, *tail, extract])

    def pair(self, first: Ints, second: Ints) -> list[Ints]:
        """Two texts as one sequence or, read apart, as two."""
        if self.settings.apart:
            return [self.sequence([first]), self.sequence([second])]
        return [self.sequence([first], second)]

    def question(self, record: Record, sequences: Sequence[NDArray[Any]]) -> list[Example]:
        """One Example per sequence, all read at their extract token (full sight: the first) for the task's one question.

        The first Example owns the target. Each also asks ``lm`` where the auxiliary goal is on. Where texts are read from
        both ends, there are as many Examples again, which read from the end.
        """
        if self.settings.direction == "both":
            return self._from_both_ends(record, sequences)
        targets, weights = self.target(record), np.array([self.weight(record)], np.float32)
        examples: list[Example] = []
        num_questions = 0
        for number, ids in enumerate(sequences):
            own = slice(None) if number == 0 else slice(0)
            examples.append(self.example(ids, self._goal(ids, targets[own], weights[own]), num_questions))
            num_questions += len(ids) - 1
        if self.settings.lm and self.settings.lm_frame == "autoencoder":
            num_questions = 0
            for ids in sequences:
                examples.append(self._in_text_order(Example.read_and_write(ids, num_questions)))
                num_questions += len(ids)
        return examples

    def _from_both_ends(self, record: Record, sequences: Sequence[NDArray[Any]]) -> list[Example]:
        """Examples that read from the beginning and others from the end, all for the one question of the first."""
        examples: list[Example] = []
        for direction in ("forward", "backward"):
            one_way = replace(self, settings=self.settings.model_copy(update={"direction": direction}))
            given = sequences if direction == "forward" else [_reverse(ids) for ids in sequences]
            examples += one_way.question(record, given)
        number, num_questions = len(sequences), sum(len(ids) - 1 for ids in sequences)
        for place, example in enumerate(examples[number:], start=number):
            goals = {
                name: replace(goal, targets=goal.targets[:0], weights=goal.weights[:0])
                if name == self.answer.goal
                else replace(goal, question=goal.question + num_questions)
                for name, goal in example.goals.items()
            }
            examples[place] = replace(example, goals=goals)
        return examples

    def _goal(self, ids: NDArray[Any], targets: NDArray[Any], weights: Floats) -> Goal:
        """The task's question to one sequence, which owns it where it has ``targets``."""
        if self.settings.reads == "rising" and len(ids) > 1 and self.answer.has_classes:
            places = count_up(len(ids))
            rise = (places / (len(ids) - 1)).astype(np.float32)
            return Goal.each(places, np.repeat(targets, len(ids)), rise * weights)
        if self.settings.reads in ("all", "texts"):
            text = self._second(ids) if self.settings.reads == "texts" else None
            return Goal(count_up(len(ids)), shared_zeros(len(ids)), targets, weights, text=text)
        return Goal(ZERO + self.summary(ids), ZERO, targets, weights)

    @property
    def text_start(self) -> int:
        """The place of the first token of the first text."""
        return 1 if self.settings.template is None else len(self.settings.template.one[0])

    @property
    def full(self) -> bool:
        """Whether each token sees all others."""
        return self.settings.sight == "full"

    @property
    def backward(self) -> bool:
        """Whether texts are read from their end."""
        return self.settings.direction == "backward"

    def summary(self, ids: NDArray[Any]) -> int:
        """The place where a sequence is read as a whole."""
        if self.full:
            return 0
        if self.settings.sight == "prefix":  # the decoder's last token, behind those of the encoder
            return 2 * len(ids) - 1
        template = self.settings.template
        if template is None or template.pad is None:
            return len(ids) - 1
        return int(np.flatnonzero(ids != template.pad)[-1:].sum())  # the first, where all is padding

    def example(self, ids: NDArray[Any], goal: Goal, num_questions: int = 0) -> Example:
        """The Example of a sequence: turns 0 1 2 …, or all 0 with segments; of an encoder-decoder :meth:`_read_twice`.

        It asks the task's ``goal`` and, where it is on, ``lm``, whose questions are numbered on from ``num_questions``.
        """
        goals = {self.answer.goal: goal}
        if self.settings.lm and self.settings.lm_frame == "causal":
            goals[next_goal(ids)] = self._next_tokens(ids, num_questions)
        if self.settings.sight == "prefix":
            return self._read_twice(ids, goals)
        if not self.full:
            return self._in_text_order(Example.left_to_right(ids, goals))
        if not self.settings.typed or not np.count_nonzero(ids[:-1] == self.delimiter):  # nothing behind a first text
            return Example.full_sight(ids, goals)
        return Example.full_sight(ids, goals, self._second(ids))

    def _second(self, ids: Ints) -> Ints:
        """[T] 1 behind the first delimiter, where the second text stands, and 0 before it."""
        ends = ids == self.delimiter
        second: Ints = np.minimum(np.cumsum(ends) - ends, 1)
        return second

    def _read_twice(self, ids: Ints, goals: dict[str, Goal]) -> Example:
        """BART's way with a class: the encoder reads the sequence, and the decoder reads it again, one token later.

        Worked example, with one word a token, read at the last of all::

            ids     start  a  fine  extract  start  start  a  fine
            turns   0      0  0     0        1      2      3  4
        """
        template = self.settings.template
        first = self.delimiter if template is None or template.start is None else template.start
        count = 2 * len(ids)
        turns = np.maximum(count_up(count) - len(ids) + 1, 0)
        return Example(np.concatenate([ids, [first], ids[:-1]]), turns, count_up(count), goals)

    def _in_text_order(self, example: Example) -> Example:
        return example.reverse() if self.backward else example

    def _next_tokens(self, ids: NDArray[Any], num_questions: int) -> Goal:
        """Reads t, target t+1, for every token but the last."""
        count = len(ids) - 1
        each = self.settings.lm_weights == "token"
        weights = shared_ones(count) if each else np.full(count, 1.0 / count, np.float32)
        return Goal(count_up(count), count_up(num_questions + count)[num_questions:], ids[1:], weights)

    def target(self, record: Record) -> NDArray[Any]:
        """[1] class, index or score, or [1, K] marks; zeros where the Record has no label."""
        return self.answer.target(record.label, self.label_names)

    def weight(self, record: Record) -> float:
        """How much the Record's question counts: 0 without a label, else its class's weight or 1."""
        if record.label is None:
            return 0.0
        return self.share * (self.class_weights[int(record.label)] if self.class_weights else 1.0)  # type: ignore[arg-type]

    def truncate(self, record: Record, parts: Parts) -> Truncation:
        """Applies the one cut rule to a Record, or refuses it.

        Raises:
            BadInput: the text is too long and ``long_text`` is ``refuse``, or has no token and gets none.
        """
        lengths, settings = parts.lengths, self.settings
        specials = settings.specials_of_one if len(lengths) == 1 else settings.specials
        needed = (max(lengths) if settings.apart else sum(lengths)) + specials
        if sum(lengths) + specials == 0:
            raise BadInput(
                "a text without a token has no place to be read at", where=record.where, value=dict(record.texts),
                allowed="at least one token", next_step="leave the row out",
            )  # fmt: skip
        most = settings.segment_limit or needed
        if needed <= settings.context and max(lengths) <= most:
            return Truncation(parts, needed, 0)
        if settings.long_text == "windows":
            kept = parts.truncated(uncut_lengths([min(length, most) for length in lengths], settings))
            return Truncation(kept, needed, len(parts) - len(kept))
        if settings.long_text == "refuse":
            raise BadInput(
                "the text has more tokens than the context holds", where=record.where, value=needed,
                allowed=f"at most {settings.context} tokens, special ones included",
                next_step="use --long-text cut or a model with a larger context",
            )  # fmt: skip
        lengths, room = [min(length, most) for length in lengths], settings.context - specials
        kept_lengths = [min(length, room) for length in lengths] if settings.apart else fit_lengths(lengths, room)
        cut = parts.truncated(kept_lengths)
        return Truncation(cut, needed, len(parts) - len(cut))


@functools.cache
def _one_token(token: int) -> Ints:
    """[1] a special token: made once, not once for every text."""
    return np.full(1, token)


def _join(texts: Sequence[Ints], template: Sequence[Sequence[int]]) -> Ints:
    """Texts with the ids that stand before, between and behind them."""
    first, *others = (np.array(ids, np.int64) for ids in template)
    return np.concatenate([first, *chain.from_iterable(zip(texts, others, strict=True))])


def _reverse(ids: NDArray[Any]) -> NDArray[Any]:
    """A sequence in the order of reading from its end, where the outer special tokens have changed places."""
    turned = ids[::-1].copy()
    turned[0], turned[-1] = ids[0], ids[-1]
    return turned
