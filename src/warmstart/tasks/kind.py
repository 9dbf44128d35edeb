"""A kind of task as one object: columns, parsing, encoding, cutting, framing, answer, words.

Each kind is a file of this room with a subclass of :class:`TaskKind`, and :mod:`warmstart.tasks.table` lists them. Nobody
else asks which kind a task is: whoever needs something of it calls a method here, which has the default that most kinds
share.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Literal

from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.example.example import Example
from warmstart.example.noise import Noise
from warmstart.example.record import Label, Record
from warmstart.image.settings import AugmentSettings
from warmstart.readers.documents import TOKENIZER_CHARS, split_chunks
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer
from warmstart.tasks.columns import Columns, Draft, first_present, label_at, number_of, parse_name, sort_names, text_at
from warmstart.tasks.describe import long_texts_line, windows_lines
from warmstart.tasks.framed_items import CHUNK, ExampleItems, TrainingData
from warmstart.tasks.framing import Frame
from warmstart.tasks.parts import Account, FramedRecords, Lengths, Parts, Truncation, encode_texts
from warmstart.tasks.row_source import RowSource
from warmstart.tasks.settings import FrameSettings, Seq2SeqTemplate
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.special_tokens import SpecialIds
from warmstart.tasks.text_windows import from_zero, question_numbers, renumber, split_windows
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.tokenizer import Tokenizer

WINDOW_SHARE = 16  # windows of a text, about: what is read together has to stay small


class NoOptions(Settings):
    """Options of a kind that has none."""


class TaskKind(RowSource):
    """The base of all kinds; how its rows are read stands in :class:`~warmstart.tasks.row_source.RowSource`.

    Attributes:
        label_columns: columns that may hold the label.
        other_columns: columns that are read besides these; in each group of several the first that a row has.
        options_class: settings that only this kind has.
        kept_columns: columns of texts that predictions repeat; ``None``: all of them.
        has_parts: whether one source of its own may hold training, dev and test.
        evaluated_kinds: other kinds of known data sets that it is evaluated on, as their rows have the same form.
        foreign_goal: the head of a folder of ``transformers`` that is read as a task of this kind.
        foreign_sights: how a model of such a folder may see for that.
        has_label_names: whether its labels have names.
        has_one_answer: whether equal texts have equal labels, unless one of these is wrong.
        content_noun: what :meth:`content` is, in a word.
        reads_backward: whether its texts may be read from their end.
        sums_readings: whether it adds the states of all readings of a text, which may be one from each end.
        reads_every_token: whether its class may be read at all tokens of a text.
        pools_states: whether its answer may be read from the states of all tokens together.
        pair: whether it compares two texts that may be read apart, and whether their order matters.
        rate_factor: how many times larger the peak rate may be than that of a task with one answer for a text.
        has_auxiliary_lm: whether a language model may be learned beside it, on the same tokens.
        rewrites: whether that language model may also write the text again.
        reads_windows: whether a text that is too long may be read in windows.
        redraws: whether its Examples are made anew in every epoch.
        example_share: a Record makes about so many Examples, which bounds how many Records are read together.
        sights: how a model may see that learns it.
    """

    label_columns: ClassVar[tuple[str, ...]]
    options_class: ClassVar[type[Settings]] = NoOptions
    other_columns: ClassVar[tuple[tuple[str, ...], ...]] = ()
    kept_columns: ClassVar[tuple[str, ...] | None] = None
    has_parts: ClassVar[bool] = False
    evaluated_kinds: ClassVar[tuple[str, ...]] = ()
    foreign_goal: ClassVar[str | None] = None
    foreign_sights: ClassVar[tuple[str, ...]] = ("causal", "full", "prefix")
    has_label_names: ClassVar[bool] = True
    has_one_answer: ClassVar[bool] = True
    content_noun: ClassVar[str] = "texts"
    reads_backward: ClassVar[bool] = False
    sums_readings: ClassVar[bool] = False
    reads_every_token: ClassVar[bool] = False
    pools_states: ClassVar[bool] = False
    pair: ClassVar[Literal["none", "ordered", "symmetric"]] = "none"
    rate_factor: ClassVar[float] = 1.0
    has_auxiliary_lm: ClassVar[bool] = True
    rewrites: ClassVar[bool] = True
    reads_windows: ClassVar[bool] = False
    redraws: ClassVar[bool] = False
    example_share: ClassVar[int] = 1
    sights: ClassVar[tuple[str, ...]] = ("causal", "full")

    # What a file of examples holds

    def reading(self, options: Settings | None) -> "TaskKind":
        """This kind as it finds the texts of a task with these options."""
        return self

    def row_texts(self, record: Record) -> dict[str, Any]:
        """The texts of a Record under keys that this kind reads."""
        return {name: list(text) if isinstance(text, tuple) else text for name, text in record.texts.items()}

    def gather(self, rows: Iterable[Row]) -> Iterable[Row]:
        """A row for each example, of a file that has several for one."""
        return rows

    def find_texts(self, row: Row) -> Columns | None:
        """The texts of a row and the columns that hold them; ``None`` where a column is missing.

        Raises:
            BadInput: a text is not text.
        """
        columns = first_present(row, self.text_columns)
        if columns is None:
            return None
        names = ("text",) if len(columns) == 1 else self.text_columns[0]
        texts = {name: text_at(row, column) for name, column in zip(names, columns, strict=True)}
        return Columns(texts, columns)

    def find_label(self, row: Row, column: str) -> tuple[Any, tuple[str, ...]]:
        """The label as it is written, and the columns that hold it."""
        return label_at(row, column), (column,)

    def label_columns_of(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """Columns that may hold the label, once the label names are known."""
        return self.label_columns

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """The label names in a training file: sorted, whole numbers by size; none for tasks without classes."""
        return sort_names({parse_name(found.label, found.label_place) for found in drafts})

    def label_values(self, found: Draft) -> Sequence[Any]:
        """The labels of a row as they are written."""
        return (found.label,)

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """The label of a row.

        Args:
            found: the row.
            numbers: label name → number.

        Raises:
            BadInput: a label that the training file does not have, or that is none.
        """
        return number_of(parse_name(found.label, found.label_place), numbers, found.label_place)

    def varied_labels(self, records: Iterable[Record]) -> Iterable[Any] | None:
        """What has to differ among the labels for something to be learned; ``None``: nothing."""
        return (record.label for record in records)

    def labels_of_columns(self, values: Mapping[Any, Any], place: str) -> Any:
        """The label of a row of a table that has a column for each label, as a bare label.

        Raises:
            BadInput: the kind has one label for a row.
        """
        raise BadInput(
            "several columns where one label is expected",
            where=place,
            value=list(values),
            allowed="one label for each row",
        )

    def label_column_for(self, label: Any) -> str:
        """The column that a bare label stands in."""
        return self.label_columns[0]

    # What is said of a file before it is learned from

    def labels_of(self, record: Record, names: Sequence[str]) -> Iterable[str]:
        """What is counted as the labels of a Record: the name of its class; nothing where there are none."""
        return (names[record.label],) if names and isinstance(record.label, int) else ()

    def is_empty(self, record: Record) -> bool:
        """Whether one of the texts has nothing to read."""
        return not all(any(map(str.strip, text)) for text in record.texts.values())

    # How examples are divided into training and dev

    def content(self, record: Record) -> tuple[object, ...]:
        """What may not stand both in training and in dev."""
        return record.content

    def stratum(self, record: Record) -> Label:
        """The class that dev shall hold in proportion; ``None`` where there are no classes."""
        return record.label

    # From Records to Examples

    def learn_vocabulary(self, records: Iterable[Record], vocab_size: int, vocabulary: Any) -> Vocabulary:
        """A vocabulary of the training Records, for a model that starts from none; texts are cut as ``prepare`` does."""
        texts = (chunk for text in self.training_texts(records) for chunk in split_chunks([text], TOKENIZER_CHARS))
        return Tokenizer.train(texts, vocab_size, vocabulary=vocabulary)

    def training_texts(self, records: Iterable[Record]) -> Iterator[str]:
        """The texts that a vocabulary is learned from."""
        for record in records:
            for value in record.texts.values():
                yield from (value,) if isinstance(value, str) else value

    def check_vocabulary(self, vocabulary: Vocabulary, where: str) -> Vocabulary:
        """Refuses a vocabulary that cannot read these Records."""
        return require_text(vocabulary, where)

    def check_records(self, records: Iterable[Record], vocabulary: Vocabulary) -> None:
        """Refuses Records that the vocabulary cannot read."""

    def encode(self, records: Sequence[Record], vocabulary: Vocabulary, rules: Sequence[str]) -> Iterator[Parts]:
        """The ids of each Record's texts, cleaned by ``rules``."""
        return encode_texts(records, vocabulary, rules)

    def truncate(self, record: Record, parts: Parts, frame: Frame) -> Truncation:
        """The parts as far as they fit, by the one cut rule unless the kind has one of its own."""
        return frame.truncate(record, parts)

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """The Examples of one Record: the input transformation."""
        raise NotImplementedError

    def pieces(self, parts: Parts, frame: Frame) -> list[Parts]:
        """The texts of each window that a Record is read in: one, unless long texts are read in windows."""
        return split_windows(parts, frame.settings) if frame.settings.long_text == "windows" else [parts]

    def items(self, examples: Sequence[list[Example]], windows: Sequence[int] = ()) -> list[list[Example]]:
        """What may be batched by itself: all Examples of a window, unless the kind says otherwise.

        Args:
            examples: of each Record.
            windows: how many windows each Record is read in; without them one.
        """
        found: list[list[Example]] = []
        for own, count in zip(examples, windows or [1] * len(examples), strict=True):
            size = len(own) // count
            found += [own] if count == 1 else [from_zero(own[k * size : (k + 1) * size]) for k in range(count)]
        return found

    def count_unread(self, record: Record, parts: Parts, examples: Sequence[Example]) -> int:
        """How many of a Record's questions are read at no token."""
        return 0

    def noise(self, options: Settings, vocabulary: Vocabulary) -> Noise | None:
        """What noised tokens become, for kinds that learn from noise."""
        return None

    def frame_records(self, frame: Frame, records: Iterable[Record], vocabulary: Vocabulary) -> FramedRecords:
        """Frames all ``records``; a function of its arguments alone."""
        return FramedRecords.join(self.frame_chunks(frame, records, vocabulary))

    def frame_chunks(self, frame: Frame, records: Iterable[Record], vocabulary: Vocabulary) -> Iterator[FramedRecords]:
        """The same, some Records at a time."""
        remaining = iter(records)
        while chunk := list(islice(remaining, CHUNK)):
            yield self._frame_chunk(frame, chunk, vocabulary)

    def _frame_chunk(self, frame: Frame, records: Sequence[Record], vocabulary: Vocabulary) -> FramedRecords:
        examples: list[list[Example]] = []
        cuts: list[Truncation] = []
        windows: list[int] = []
        unread = 0
        for record, parts in zip(records, self.encode(records, vocabulary, frame.settings.clean), strict=True):
            cut = self.truncate(record, parts, frame)
            pieces = self.pieces(cut.parts, frame)
            examples.append(self._of_pieces(record, pieces, frame))
            cuts.append(cut)
            windows.append(len(pieces))
            unread += self.count_unread(record, cut.parts, examples[-1])
        tokens = sum(len(example) for own in examples for example in own)
        lengths = Lengths.of([cut.needed for cut in cuts], sum(cut.lost > 0 for cut in cuts))
        account = Account.of(cuts, tokens, unread, windows)
        return FramedRecords(examples, [cut.parts for cut in cuts], account, windows, lengths)

    def _of_pieces(self, record: Record, pieces: Sequence[Parts], frame: Frame) -> list[Example]:
        """The Examples of all windows of a Record, whose questions are numbered on from window to window."""
        if len(pieces) == 1:
            return frame.with_soft(record, pieces[0], self.examples(record, pieces[0], frame))
        one = replace(frame, share=frame.share / len(pieces))
        found: list[Example] = []
        behind: dict[str, int] = {}
        for piece in pieces:
            group = renumber(one.with_soft(record, piece, self.examples(record, piece, one)), behind)
            behind = {name: 1 + max(numbers) for name, numbers in question_numbers(group).items()}
            found += group
        return found

    def training_data(
        self, records: Sequence[Record], frame: Frame, vocabulary: Vocabulary, augment: AugmentSettings
    ) -> TrainingData:
        """What a training reads of its Records."""
        make = partial(self.frame_records, frame, vocabulary=vocabulary)
        return TrainingData.of(ExampleItems(records, make, lambda examples, count: self.items([examples], [count])))

    def check_framing(self, records: Iterable[Record], frame: Frame, vocabulary: Vocabulary) -> Lengths:
        """Refuses Records that cannot be framed, before the training and not after it; says how long the others are."""
        return Lengths.join(framed.lengths for framed in self.frame_chunks(frame, records, vocabulary))

    # What the model needs and remembers

    def answer(self, label_names: Sequence[str]) -> Answer:
        """What is asked of the model."""
        raise NotImplementedError

    def options(self, spec: TaskSpec) -> Any:
        """The options of a task, typed."""
        return self.options_class.model_validate(spec.options)

    def check_long_text(self, long_text: str) -> None:
        """Refuses windows for a kind that reads none.

        Raises:
            BadInput: ``long_text`` is ``windows``.
        """
        if long_text == "windows" and not self.reads_windows:
            raise BadInput(
                "texts of this kind of task are not read in windows", where="--long-text", value=f"windows, for {self.name}",
                allowed="cut or refuse", next_step="leave it out",
            )  # fmt: skip

    def num_examples(self, frame: FrameSettings) -> int:
        """About how many Examples a Record makes, which bounds how many Records are read together."""
        return max(self.example_share, WINDOW_SHARE if frame.long_text == "windows" else 1)

    def start_options(self, options: Any, pair: Seq2SeqTemplate | None) -> Any:
        """The options with the special tokens that the start has learned to read around source and target."""
        return options

    def fit_options(self, options: Any, sight: str, vocabulary: Vocabulary) -> Any:
        """The options for a model: what they leave open and its sight and its vocabulary decide."""
        return options

    def learn_options(
        self, options: Any, records: Sequence[Record], label_names: Sequence[str], text_segments: tuple[int, int]
    ) -> Settings:
        """The options as the model will remember them.

        Args:
            options: as the recipe has them.
            records: of the training.
            label_names: of the task.
            text_segments: rows of the segment table that the model's pre-training gave to source and target.
        """
        return options  # type: ignore[no-any-return]

    def foreign_options(self, label_names: Sequence[str]) -> Settings:
        """The options of a task whose model another library has trained."""
        return self.options_class()

    def may_be(self, kind: "TaskKind", label_names: Sequence[str]) -> bool:
        """Whether a head that has learned a task of this kind may have learned one of ``kind``."""
        return self.name == kind.name

    def min_context(self, options: Any, sight: str) -> int | None:
        """Tokens that the options ask the model to have positions for; ``None``: as many as it has."""
        return None

    def pair_template(self, options: Any) -> Seq2SeqTemplate | None:
        """The special tokens of an encoder-decoder that has learned such a task; ``None`` of another model."""
        return None

    def own_ids(self, options: Any, ids: SpecialIds) -> SpecialIds:
        """The special tokens of a task with these options, where the model's are ``ids``."""
        return ids

    def check_model(self, frame: Frame, segments: int) -> None:
        """Refuses a model that cannot learn this; ``segments``: rows of its segment table, 0 without one."""

    def label_smoothing(self, options: Any) -> float:
        """The share of the label that all other tokens have together."""
        return 0.0

    # In words

    def describe_cut(self, spec: TaskSpec, account: Account) -> list[str]:
        """What was cut of texts and what was read in windows, in words; nothing, where every text was read at once."""
        lines = []
        if account.windowed:
            lines.append(f"{account.windowed:,} of {account.used:,} texts were read in {account.windows:,} windows")
        if account.cut:
            lines.append(f"{account.cut:,} of {account.used:,} texts were cut to {spec.frame.context} tokens")
        return lines

    def describe_unread(self, spec: TaskSpec, account: Account) -> list[str]:
        """What could not be read, in words; nothing, where every question has a token to be read at."""
        return []

    def describe_training(self, spec: TaskSpec, account: Account, num_items: int) -> list[str]:
        """Lines of the dry run about the training Records."""
        lines = windows_lines(account, spec.frame)
        return [*lines, long_texts_line(account, "texts", f"{spec.frame.context}")] if account.cut else lines
