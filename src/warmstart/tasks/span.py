"""A question and a context that holds its answer: ``[start] question [delimiter] context [extract]``.

The head points at the first and the last token of the answer (Devlin et al. 2019, section 4.2). The question stands first,
so that a left-to-right backbone knows it when it reads the context. A context that does not fit is read in windows, each
``stride`` tokens after the one before; every window is a question of its own. Its reads are one for "no answer", where the
sequence is read as a whole, then the context tokens that stand for any character; the softmax of start and of end runs
across them.

A window that holds the whole answer points at it, any other at "no answer". The windows with the answer weigh 1 together,
and so do those without it: a long context does not drown the answers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import BadInput
from warmstart.example.example import Example, Goal
from warmstart.example.record import Answers, Label, Record
from warmstart.metrics.comparison import is_one_answer
from warmstart.metrics.spans import span_ratios
from warmstart.readers.rows import Row
from warmstart.readers.squad import SQUAD_EXTENSIONS, read_questions
from warmstart.tasks.answer import Answer, Prediction, RawOutput, Scores, ratio_scores
from warmstart.tasks.columns import Draft
from warmstart.tasks.describe import long_texts_line, quote_ids, weight_text
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Account, Parts, Truncation
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.settings import SpanSettings
from warmstart.tasks.soft import SoftLabel
from warmstart.tasks.span_labels import IMPOSSIBLE, check_flag, parse_answer, parse_answers
from warmstart.tasks.span_soft import character_shares, read_shares, window_shares
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.text_windows import from_zero
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.tasks.windows import SPAN_STRIDE, Piece, Window, best_piece, best_threshold, windows
from warmstart.tasks.words import WordTokenizer, tokenize_text
from warmstart.text.clean import clean


class SpanAnswer(Answer):
    """A piece of the context; the output is [M, 2] start and end logits of all reads of all windows."""

    goal = "span"
    head = "span"
    per_read = True
    reads_text = averageable = False
    has_soft = True
    pipeline = "question-answering"
    plain_form = "answer in a context"

    def num_outputs(self, label_names: Sequence[str]) -> int:
        """Start and end."""
        return 2

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """SQuAD's."""
        return ("f1", "exact_match")

    def join(self, outputs: Sequence[Floats], how: str = "mean") -> Floats:
        """[M, 2] of all windows."""
        return np.concatenate(outputs)

    def soft_value(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The probabilities of the characters that the answer begins at and ends before."""
        return character_shares(output.parts, output.raw, spec.frame, _options(spec))

    def soft_goals(self, goals: Sequence[Goal], label: SoftLabel) -> list[Goal]:
        """The probabilities of the reads of each window."""
        assert isinstance(label.options, SpanSettings)
        sides, seen = read_shares(label), windows(label.parts, label.settings, label.options)
        return [
            replace(goal, shares=window_shares(sides, window, label.parts))
            for goal, window in zip(goals, seen, strict=True)
        ]

    def predict(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The best piece; whether it is answered with is decided later."""
        context = str(output.record.texts["context"])
        return best_piece(context, output.parts, output.raw, spec.frame, _options(spec))

    def truth(self, spec: TaskSpec, record: Record, vocabulary: Vocabulary) -> Any:
        """The texts of the right answers."""
        assert isinstance(record.label, Answers)
        return record.label.texts

    def tune(self, spec: TaskSpec, predictions: Sequence[Piece], truths: Sequence[Any]) -> TaskSpec:
        """The task with the threshold that suits these questions best; as it is, where answers are always given."""
        options = _options(spec)
        if options.threshold is None:
            return spec
        return spec.with_options(options.model_copy(update={"threshold": best_threshold(predictions, truths)}))

    def decide(self, spec: TaskSpec, predictions: Sequence[Piece]) -> list[Any]:
        """A text for each question, empty for "no answer"."""
        threshold = _options(spec).threshold
        return [piece.answer(threshold) for piece in predictions]

    def evaluate(
        self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any], seed: int | None,
        metrics: Sequence[str] = (),
    ) -> Scores:  # fmt: skip
        """Word overlap and exact match; intervals are drawn over questions."""
        is_collapsed = is_one_answer(list(map(tuple, truths)), predictions)
        return ratio_scores(span_ratios(truths, predictions), seed, is_collapsed)

    def rights(self, truths: Sequence[Any], predictions: Sequence[Any]) -> list[bool]:
        """Whether each is one of the right answers, as SQuAD's exact match compares them."""
        return [bool(score) for score in span_ratios(truths, predictions)["exact_match"].numerator]

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The answer with its place and probability."""
        piece: Piece = self.predict(spec, output)
        row: dict[str, Any]
        if piece.is_answer(_options(spec).threshold):
            row = {"answer": piece.text, "start": piece.start, "end": piece.end, "score": piece.probability}
        else:
            row = {"answer": "", "start": None, "end": None, "score": piece.no_answer}
        return Prediction(row["answer"], row["score"], {}, output.raw, row=row)

    def describe(self, example: Example, goal: Goal, vocabulary: Vocabulary, names: Sequence[str]) -> str:
        """Where an answer may be, and which one is learned."""
        head = (
            f"reads {len(goal.reads) - 1} tokens of the context, and {goal.reads[0]} "
            f"{quote_ids(example.ids[goal.reads[:1]], vocabulary)} for no answer"
        )
        weight = float(goal.weights[0])
        if weight == 0:
            return f"{head}; nothing is learned (no answer is known here)"
        first, last = (int(goal.reads[place]) for place in goal.targets[0])
        answer = f"the answer from {first} to {last} {quote_ids(example.ids[first : last + 1], vocabulary)}"
        learned = answer if goal.targets[0].any() else "that there is none here"
        return f"{head}; learns {learned}{weight_text(weight, '.3g')}"


SPAN = SpanAnswer()


class Span(TaskKind):
    """A question, and a context that holds its answer."""

    name = "span"
    text_columns = (("context", "question"),)
    label_columns = ("answers", "answer")
    other_columns = (("start",), (IMPOSSIBLE,))
    own_formats = ("squad",)
    foreign_goal = "span"
    foreign_sights = ("full",)  # read from left to right, "no answer" stands at another place there
    has_label_names = has_one_answer = False
    content_noun = "context"
    options_class = SpanSettings
    own_endings = SQUAD_EXTENSIONS
    rewrites = False
    reads_windows = True
    example_share = 16  # a question may make very many windows

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A piece of the context."""
        return SPAN

    def read_own_file(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The questions of a SQuAD file."""
        return read_questions(path, read.encoding, labelled=read.labelled)

    def find_label(self, row: Row, column: str) -> tuple[Any, tuple[str, ...]]:
        """``answers``, or ``answer`` with ``start``."""
        if column != "answer":
            return super().find_label(row, column)
        answer, start = row.fields["answer"], row.fields.get("start")
        if answer and start is None:
            raise BadInput(
                "missing key 'start' for a span task", where=row.where, value=list(row.fields),
                allowed="answer+start, or answers",
                next_step="add the number of the answer's first character in the context",
            )  # fmt: skip
        return (answer, start), ("start", "answer")

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """Answers are no classes."""
        return ()

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """The right answers, each checked against the context."""
        context = str(found.texts["context"])
        if found.columns[-1] == "answer":
            text, start = found.label
            answers = parse_answer(text, start, context, found.where)
        else:
            answers = parse_answers(found.label, context, found.where)
        check_flag(found.extra.get(IMPOSSIBLE), answers, found.where)
        return answers

    def varied_labels(self, records: Iterable[Record]) -> Iterable[Any] | None:
        """Equal answers stand in different places."""
        return None

    def labels_of(self, record: Record, names: Sequence[str]) -> Iterable[str]:
        """Questions without an answer."""
        return () if record.label != Answers() else ("no answer",)

    def content(self, record: Record) -> tuple[object, ...]:
        """The context: its questions stay together."""
        return (record.texts["context"],)

    def stratum(self, record: Record) -> Label:
        """Answers are no classes."""
        return None

    def encode(self, records: Sequence[Record], vocabulary: Vocabulary, rules: Sequence[str]) -> Iterator[Parts]:
        """The ids of questions and contexts, and the characters that the tokens of the contexts stand for."""
        tokenizer = require_text(vocabulary, "--task")
        word_tokenizer = WordTokenizer(tokenizer, rules)
        encoded: dict[str, tuple[Ints, Ints]] = {}
        question_ids = tokenizer.encode_batch([clean(str(record.texts["question"]), rules) for record in records])
        for record, question in zip(records, question_ids, strict=True):
            context = str(record.texts["context"])
            if context not in encoded:
                encoded[context] = tokenize_text(context, word_tokenizer)
            ids, offsets = encoded[context]
            yield Parts((question, ids), offsets=offsets)

    def truncate(self, record: Record, parts: Parts, frame: Frame) -> Truncation:
        """Leaves a question at most half of the room; contexts are not cut but read in windows.

        Raises:
            BadInput: question and context do not fit together and ``long_text`` is ``refuse``.
        """
        question, context = parts.texts
        settings = frame.settings
        room = settings.context - settings.specials
        needed = len(question) + len(context) + settings.specials
        if needed > settings.context and settings.long_text == "refuse":
            raise BadInput(
                "question and context have more tokens than the model's context holds", where=record.where, value=needed,
                allowed=f"at most {settings.context} tokens, special ones included",
                next_step="use --long-text cut, which reads long contexts in windows, or a model with a larger context",
            )  # fmt: skip
        keep = min(len(question), room // 2, settings.segment_limit or room)
        return Truncation(parts.truncated([keep, len(context)]), needed, len(question) - keep)

    def pieces(self, parts: Parts, frame: Frame) -> list[Parts]:
        """Windows on the context alone are made with the Examples."""
        return [parts]

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """One Example per window, each with one question.

        Worked example, with one word a token: ``{"question": "who sings", "context": "today he sings", "answer": "he",
        "start": 6}`` gives::

            ids     start  who  sings  delimiter  today  he  sings  extract
            span    reads 7 (no answer), 4, 5, 6; question 0 → start 2, end 2
            lm      read 0 … 6 → who sings delimiter today he sings extract
        """
        question, context = parts.texts
        seen = windows(parts, frame.settings, frame.options)  # type: ignore[arg-type]
        targets = [_target(record, parts, window) for window in seen]
        weights = _weights(record, targets)
        examples: list[Example] = []
        num_questions = 0
        for number, (window, target, weight) in enumerate(zip(seen, targets, weights, strict=True)):
            ids = frame.sequence([question], context[window.start : window.stop])
            first = len(question) + frame.settings.specials - 1
            reads = np.append(frame.summary(ids), first + window.read - window.start)
            goal = Goal(reads, np.full(len(reads), number), np.array([target]), np.array([weight], np.float32))
            examples.append(frame.example(ids, goal, num_questions))
            num_questions += len(ids) - 1
        return examples

    def items(self, examples: Sequence[list[Example]], windows: Sequence[int] = ()) -> list[list[Example]]:
        """Each window by itself."""
        return [from_zero([example]) for record in examples for example in record]

    def count_unread(self, record: Record, parts: Parts, examples: Sequence[Example]) -> int:
        """1 where the answer stands whole in no window."""
        if record.label is None:
            return 0
        return int(not any(example.goals[SPAN.goal].weights.any() for example in examples))

    def learn_options(
        self, options: SpanSettings, records: Sequence[Record], label_names: Sequence[str],
        text_segments: tuple[int, int],
    ) -> SpanSettings:  # fmt: skip
        """A threshold, to be tuned, where some question has no answer in its context (SQuAD 2.0)."""
        unanswered = any(record.label == Answers() for record in records)
        return options.model_copy(update={"threshold": 0.0 if unanswered else None})

    def describe_cut(self, spec: TaskSpec, account: Account) -> list[str]:
        """How many questions were cut."""
        if not account.cut:
            return []
        return [f"{account.cut:,} of {account.used:,} questions were cut to half of {spec.frame.context} tokens"]

    def describe_unread(self, spec: TaskSpec, account: Account) -> list[str]:
        """How many answers stand in no window."""
        if not account.unread:
            return []
        return [f"{account.unread:,} answers stand whole in no window, so that they can be neither learned nor found"]

    def describe_training(self, spec: TaskSpec, account: Account, num_items: int) -> list[str]:
        """Questions that are too long, and the windows on contexts."""
        lines = [long_texts_line(account, "questions", f"half of {spec.frame.context}")] if account.cut else []
        return [
            *lines,
            f"windows    {account.used:,} questions are read in {num_items:,} windows, at most "
            f"{_options(spec).stride or spec.frame.stride or SPAN_STRIDE} tokens apart",
        ]


def _options(spec: TaskSpec) -> SpanSettings:
    return SpanSettings.model_validate(spec.options)


def _target(record: Record, parts: Parts, window: Window) -> tuple[int, int]:
    """Which reads of the window are the answer's first and last; both 0, "no answer", where it does not hold it whole."""
    assert parts.offsets is not None
    if not isinstance(record.label, Answers) or not record.label.texts:
        return 0, 0
    begin = record.label.starts[0]
    end = begin + len(record.label.texts[0])
    inside = np.flatnonzero((parts.offsets[:, 0] < end) & (parts.offsets[:, 1] > begin) & (parts.offsets[:, 0] >= 0))
    if len(inside) == 0 or inside[0] < window.start or inside[-1] >= window.stop:
        return 0, 0
    first, last = np.searchsorted(window.read, inside[[0, -1]]) + 1
    return int(first), int(last)


def _weights(record: Record, targets: Sequence[tuple[int, int]]) -> list[float]:
    """How much each window counts; nothing where the answer is unknown, or where no window holds it."""
    holding = sum(target != (0, 0) for target in targets)
    if record.label is None or (record.label != Answers() and not holding):
        return [0.0] * len(targets)
    return [1 / holding if target != (0, 0) else 1 / (len(targets) - holding) for target in targets]
