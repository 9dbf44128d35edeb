"""A source and the target to be generated from it, in one sequence; sight makes the generator (s2s-ft; Bao et al. 2021).

Where a question is to be made of a context, the answer that it asks for stands before the context, a delimiter between (Dong
et al. 2019, section 3.2, has it behind, where a long context would be cut in its place).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.example.example import Example
from warmstart.example.noise import Noise
from warmstart.example.record import Label, Record, Target
from warmstart.image.settings import AugmentSettings
from warmstart.metrics.comparison import is_one_answer
from warmstart.metrics.generation import (
    DEFAULT_METRIC,
    FALLBACK_METRIC,
    TextStatistics,
    bootstrap_texts,
    check_generation_metric,
    compute_statistics,
    is_available,
)
from warmstart.metrics.jackknife import sum_pseudo_values
from warmstart.metrics.postprocess import POSTPROCESSORS
from warmstart.readers.parallel import read_parallel_rows, read_source_lines, split_parallel_paths
from warmstart.readers.rows import TABLE_EXTENSIONS, TABLE_FORMATS, Row
from warmstart.readers.text_io import split_extensions
from warmstart.tasks.answer import Answer, Prediction, RawOutput, Scores
from warmstart.tasks.columns import Columns, Draft, first_present
from warmstart.tasks.framed_items import PartsItems, TrainingData
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Account, FramedRecords, Parts, Truncation
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.seq2seq_frames import (
    context_for,
    frame_pair,
    options_of,
    source_room,
    target_noise,
    target_room,
    template_of,
)
from warmstart.tasks.seq2seq_template import fit_template
from warmstart.tasks.seq2seq_texts import (
    add_prefix,
    first_answer,
    look_up,
    marks_line_ends,
    parse_target,
    text_or_pieces,
    text_sides,
)
from warmstart.tasks.settings import Seq2SeqSettings, Seq2SeqTemplate
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.special_tokens import NO_TOKEN, SpecialIds
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.clean import clean

SHOWN = ("rouge1", "rouge2", "rougeL", "bleu4", "bleu", "chrf")
DIGITS = 6


class Candidate(NamedTuple):
    """A text that was generated for a source.

    Attributes:
        text: the string.
        ids: its tokens.
        score: what it was ranked by.
        log_prob: its log-probability.
        stopped: why it ended: ``end``, ``limit`` or ``context``.
    """

    text: str
    ids: Sequence[int]
    score: float
    log_prob: float
    stopped: str


class TextAnswer(Answer):
    """A generated text; the output is a list of candidates, best first."""

    goal, plain_form = "lm", "text"
    head = None
    reads_text = False
    generated = True

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """The metric that everybody reports, where its library is installed."""
        return (DEFAULT_METRIC if is_available(DEFAULT_METRIC) else FALLBACK_METRIC,)

    def check_metric(self, name: str, label_names: Sequence[str], where: str = "--metric") -> None:
        """Any metric of texts whose library is installed, or the loss."""
        check_generation_metric(name, where)

    def result_metrics(self, spec: TaskSpec, main: str | None = None) -> tuple[str, ...]:
        """The main one, and all whose libraries are installed."""
        return tuple(installed_metrics(main or FALLBACK_METRIC, _options(spec).postprocess))

    def quick_metrics(self, spec: TaskSpec, main: str) -> tuple[str, ...]:
        """The main one."""
        return (main,)

    def predict(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The best text."""
        return output.raw[0].text

    def truth(self, spec: TaskSpec, record: Record, vocabulary: Vocabulary) -> Any:
        """The target of a Record as text."""
        assert isinstance(record.label, Target)
        if record.label.pieces is None:
            return record.label.text
        tokenizer = require_text(vocabulary, "--task")
        return tokenizer.decode([tokenizer.token_to_id(piece) for piece in record.label.pieces])

    def evaluate(
        self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any], seed: int | None,
        metrics: Sequence[str] = (),
    ) -> Scores:  # fmt: skip
        """Metrics of texts, with the post-processing of their data set; the bootstrap draws texts."""
        found = count_all(metrics, predictions, [[truth] for truth in truths], _options(spec).postprocess)
        bounds = {} if seed is None else {name: bootstrap_texts(counts, seed) for name, counts in found.items()}
        return Scores(
            {name: counts.value for name, counts in found.items()},
            {name: [one.low, one.high] for name, one in bounds.items()},
            is_one_answer(truths, predictions),
            {name: counts.signature for name, counts in found.items()},
            {name: sum_pseudo_values(found[name].rows, found[name].formula) for name in bounds},
        )

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The best text with its score and, where several were asked for, all of them."""
        best, source = output.raw[0], output.record.texts["source"]
        row: dict[str, Any] = {"prediction": best.text, "score": best.score}
        if len(output.raw) > 1:
            row["candidates"] = [
                {"text": one.text, "score": round(one.score, DIGITS), "log_prob": round(one.log_prob, DIGITS)}
                for one in output.raw
            ]
        inputs = {"source": source if isinstance(source, str) else list(source)}
        return Prediction(best.text, best.score, {}, output.raw, row=row, inputs=inputs)


TEXT = TextAnswer()


def count_all(
    metrics: Sequence[str], texts: Sequence[str], references: Sequence[Sequence[str]], postprocess: str
) -> dict[str, TextStatistics]:
    """All ``metrics`` of texts, after the rules of their data set."""
    rules = POSTPROCESSORS[postprocess]
    texts = [rules.text(text) for text in texts]
    references = [[rules.reference(one) for one in several] for several in references]
    return {name: compute_statistics(name, texts, references) for name in metrics}


def installed_metrics(main: str, postprocess: str) -> list[str]:
    """The metrics that a result lists: the main one, and those whose libraries are installed.

    For CNN/DM (one sentence per line) also the ROUGE-L of whole summaries, which papers report.
    """
    names = (*SHOWN, "rougeLsum") if postprocess == "cnndm" else SHOWN
    return list(dict.fromkeys([main, *(name for name in names if is_available(name))]))


class Seq2Seq(TaskKind):
    """A source, and the target that is generated from it."""

    name = "seq2seq"
    redraws = True
    text_columns = (("source",), ("src",), ("document",), ("article",), ("body",), ("context",), ("text",))
    kept_columns = ()  # an answer begins with its source
    label_columns = ("target", "tgt", "summary", "highlights", "subject", "heading", "question", "title")
    other_columns = (("answers", "answer"), ("spans",))
    own_formats = ("text",)
    options_class = Seq2SeqSettings
    has_auxiliary_lm = rewrites = has_one_answer = False
    sights = ("causal", "full", "prefix")

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A text."""
        return TEXT

    def read_by_ending(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """Tables, s2s-ft's own files (an object a line), two parallel text files, or one of sources."""
        ending = split_extensions(path)[0]
        if ending in TABLE_EXTENSIONS:
            return self.read_table(path, read, ending)
        return self.read_own_file(path, read)

    def split_sources(self, path: str, read: ReadOptions) -> list[str]:
        """Tables one by one, text files two by two."""
        files = split_parallel_paths(path)
        if read.format in TABLE_FORMATS or any(split_extensions(file)[0] in TABLE_EXTENSIONS for file in files):
            return files or [path]
        pairs = [",".join(files[place : place + 2]) for place in range(0, len(files), 2)]
        return pairs if len(files) % 2 == 0 and pairs else [path]

    def read_own_file(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """Two parallel text files, or one of sources."""
        reader = read_parallel_rows if split_parallel_paths(path) else read_source_lines
        return reader(path, read.encoding)

    def find_texts(self, row: Row) -> Columns | None:
        """The source; of a context also its first answer, for the question that is to be generated."""
        columns = first_present(row, self.text_columns)
        if columns is None:
            return None
        source = text_or_pieces(row.fields[columns[0]], row.place(columns[0]))
        return Columns({"source": source} | (first_answer(row) if columns == ("context",) else {}), columns)

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """Texts are no classes."""
        return ()

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """The target, and the blocks that the row may name for its sub-words."""
        return parse_target(found)

    def varied_labels(self, records: Iterable[Record]) -> Iterable[Any] | None:
        """Nothing has to differ."""
        return None

    def training_texts(self, records: Iterable[Record]) -> Iterator[str]:
        """Sources and targets: both are read, and targets are written too."""
        for record in records:
            yield from super().training_texts([record])
            if isinstance(record.label, Target):
                yield from (record.label.text,) if record.label.pieces is None else record.label.pieces

    def encode(self, records: Sequence[Record], vocabulary: Vocabulary, rules: Sequence[str]) -> Iterator[Parts]:
        """The ids of sources, targets and answers, if any; given sub-words are looked up, a missing target is empty.

        A vocabulary that knows no line ends (BERT's) reads a target's as a mark, which :func:`decode_text` turns back.
        """
        tokenizer = require_text(vocabulary, "--task")
        marked = marks_line_ends(tokenizer)
        texts = [text_sides(record, marked) for record in records]
        whole = [clean(side, rules) for sides in texts for side in sides if isinstance(side, str)]
        encoded = iter(tokenizer.encode_batch(whole))
        for record, sides in zip(records, texts, strict=True):
            ids = [next(encoded) if isinstance(s, str) else look_up(s, tokenizer, record.where) for s in sides]
            yield Parts(tuple(ids))

    def frame_chunks(self, frame: Frame, records: Iterable[Record], vocabulary: Vocabulary) -> Iterator[FramedRecords]:
        """Frames all ``records``, each source behind the prefix that the options name."""
        prefix = options_of(frame).source_prefix
        records = (add_prefix(record, prefix) for record in records) if prefix else records
        return super().frame_chunks(frame, records, vocabulary)

    def truncate(self, record: Record, parts: Parts, frame: Frame) -> Truncation:
        """Cuts source and target at their ends to their limits, or refuses them.

        Raises:
            BadInput: one is too long and is to be refused.
        """
        source, target, *answer = parts.texts
        if answer:
            between = template_of(frame).between or [frame.delimiter]
            source = np.concatenate([answer[0], np.array(between, np.int64), source])
        settings, room, most = options_of(frame), source_room(frame), target_room(frame)
        if len(source) > room and frame.settings.long_text == "refuse":
            raise BadInput(
                "the source has more tokens than its limit", where=record.where, value=len(source),
                allowed=f"at most {room}",
                next_step="use --long-text cut, a greater --source-limit or a model with a larger context",
            )  # fmt: skip
        if len(target) > most and settings.long_target == "refuse":
            raise BadInput(
                "the target has more tokens than its limit", where=record.where, value=len(target),
                allowed=f"at most {most}", next_step="use --long-target cut or a greater --target-limit",
            )  # fmt: skip
        cut = replace(parts, texts=(source[:room], target[:most]))
        needed = len(source) + len(target) + 2 + (settings.algorithm != "causal")
        return Truncation(cut, needed, len(source) + len(target) - len(cut), targets=int(len(target) > most))

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """One Example, with the goal ``lm`` on the target, without noise (:mod:`~warmstart.tasks.seq2seq_frames`)."""
        return frame_pair(record, parts, frame)

    def noise(self, options: Settings, vocabulary: Vocabulary) -> Noise | None:
        """What noised tokens become, where the vocabulary has a mask token."""
        assert isinstance(options, Seq2SeqSettings)
        tokenizer = require_text(vocabulary, "--task")
        if tokenizer.special_token("mask") is None:
            return None
        return Noise(tokenizer.special_token_id("mask"), tokenizer.vocab_size, options.keep, options.random)

    def training_data(
        self, records: Sequence[Record], frame: Frame, vocabulary: Vocabulary, augment: AugmentSettings
    ) -> TrainingData:
        """Noise is drawn anew in every epoch."""
        parts = PartsItems(records, partial(self.frame_records, frame, vocabulary=vocabulary))

        def redraw(i: int, draw: np.random.Generator) -> list[Example]:
            return frame_pair(records[i], parts[i], frame, draw)

        return TrainingData.drawn(redraw, parts.account, parts.record_lengths)

    def start_options(self, options: Seq2SeqSettings, pair: Seq2SeqTemplate | None) -> Seq2SeqSettings:
        """With the special tokens that the start has learned, unless the recipe names others."""
        return options if options.template is not None else options.model_copy(update={"template": pair})

    def fit_options(self, options: Seq2SeqSettings, sight: str, vocabulary: Vocabulary) -> Seq2SeqSettings:
        """Where no algorithm is named: masks, if the model sees whole texts and its vocabulary has a mask token.

        An encoder-decoder has special tokens of its own.
        """
        tokenizer = require_text(vocabulary, "--task")
        options = fit_template(options, sight, tokenizer)
        if options.algorithm is not None:
            return options
        masks = sight == "full" and tokenizer.special_token("mask") is not None
        return options.model_copy(update={"algorithm": "pseudo-masked" if masks else "causal"})

    def learn_options(
        self, options: Seq2SeqSettings, records: Sequence[Record], label_names: Sequence[str],
        text_segments: tuple[int, int],
    ) -> Seq2SeqSettings:  # fmt: skip
        """The segments that the model's pre-training had for source and target, where nothing else is asked."""
        return options.with_segments(text_segments)

    def min_context(self, options: Seq2SeqSettings, sight: str) -> int | None:
        """Room for as long a source and target as the limits name.

        New position rows begin as the old ones, over and over (s2s-ft; :mod:`warmstart.transfer.start`).
        """
        return context_for(options, sight)

    def pair_template(self, options: Seq2SeqSettings) -> Seq2SeqTemplate | None:
        """As the options have it."""
        return options.template

    def own_ids(self, options: Seq2SeqSettings, ids: SpecialIds) -> SpecialIds:
        """Those of an encoder-decoder: what its decoder reads first, and what ends its texts."""
        return ids if options.template is None else SpecialIds(NO_TOKEN, options.template.start, options.template.end)

    def check_model(self, frame: Frame, segments: int) -> None:
        """Refuses what this model cannot learn.

        Raises:
            BadInput: masks without a mask token or for a left-to-right model, segments that the model does not have, or
                limits that leave no room for a source.
        """
        _check_model(frame, segments)

    def label_smoothing(self, options: Seq2SeqSettings) -> float:
        """As the options say."""
        return options.smoothing

    def describe_cut(self, spec: TaskSpec, account: Account) -> list[str]:
        """How many pairs and targets were cut."""
        if not account.cut:
            return []
        return [f"{account.cut:,} of {account.used:,} pairs were cut to their limits, {account.targets_cut:,} targets"]

    def describe_training(self, spec: TaskSpec, account: Account, num_items: int) -> list[str]:
        """The same, for the dry run."""
        return [f"cut        {line}" for line in self.describe_cut(spec, account)]


def _options(spec: TaskSpec) -> Seq2SeqSettings:
    return Seq2SeqSettings.model_validate(spec.options)


def _check_model(frame: Frame, segments: int) -> None:
    settings = options_of(frame)
    noisy = settings.algorithm != "causal" or target_noise(frame) > 0 or settings.source_noise > 0
    if settings.algorithm != "causal" and not frame.full:
        raise BadInput(
            "a left-to-right model cannot learn with masks", where="--algorithm", value=settings.algorithm,
            allowed="causal", next_step="use --algorithm causal, or start from a bidirectional model such as BERT",
        )  # fmt: skip
    if noisy and frame.noise is None:
        raise BadInput(
            "the vocabulary has no mask token", where="--algorithm", value=settings.algorithm,
            allowed="causal with --target-noise 0", next_step="start from a model that was pre-trained with masks",
        )  # fmt: skip
    wanted = max(settings.segments)
    if frame.full and segments and wanted >= segments:
        raise BadInput(
            "the model has no such segment", where="task.seq2seq", value=wanted, allowed=f"0 to {segments - 1}",
            next_step="set source_segment and target_segment to segments that the model knows",
        )  # fmt: skip
    if source_room(frame) < 1:
        raise BadInput(
            "source and target do not fit into the model's context", where="--target-limit",
            value=settings.target_limit, allowed=f"together {frame.settings.context} tokens",
            next_step="lower --target-limit or raise --source-limit",
        )  # fmt: skip
