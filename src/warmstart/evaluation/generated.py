"""A sequence-to-sequence model on Records: texts as a stream, and metrics of them with intervals."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.decode.lattice import Lattice
from warmstart.decode.limits import limits_of
from warmstart.decode.search import DecodeMode, Search, Source, Text, search
from warmstart.decode.settings import GenerateSettings, check_search
from warmstart.evaluation.perplexity import LanguageModelling, evaluate_language_model
from warmstart.example.record import Record, Target
from warmstart.metrics.generation import References, TextStatistics, bootstrap_texts, compute_statistics, is_available
from warmstart.metrics.postprocess import NO_POSTPROCESSING, Postprocessor
from warmstart.models.model import Model
from warmstart.streams.stream import split
from warmstart.tasks.frames import frame_records
from warmstart.tasks.framing import Account, Frame, Parts
from warmstart.tasks.seq2seq import written
from warmstart.tasks.spec import TaskSpec
from warmstart.text.tokenizer import Tokenizer

CHUNK = 512  # Records decoded together, those of similar length side by side
SHOWN = ("rouge1", "rouge2", "rougeL", "bleu4", "bleu", "chrf")


class Generated(NamedTuple):
    """What a model makes of one Record: its texts, best first, as they were found and as strings."""

    record: Record
    parts: Parts
    texts: list[Text]
    strings: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """A model that generates, and how."""

    model: Model
    tokenizer: Tokenizer
    spec: TaskSpec
    settings: GenerateSettings
    keep: Callable[[int, Lattice], None] | None = None

    def of(self, records: Iterable[Record], tell: Callable[[Account], Any] | None = None) -> Iterator[Generated]:
        """One Generated per Record, in order, as they come; memory does not grow with the records.

        Args:
            records: targets are not read.
            tell: takes the account of every chunk.

        Raises:
            BadInput: settings that do not go together, or words that the vocabulary cannot spell.
        """
        check_search(self.settings)
        frame = Frame.of(self.spec, self.tokenizer)
        limits = limits_of(self.settings, self.tokenizer, frame.extract)
        asked = Search(decode_mode(frame), self.settings, limits, lattices=self.keep is not None)
        remaining, first = iter(records), 0
        while chunk := list(islice(remaining, CHUNK)):
            unlabelled = [replace(record, label=None) for record in chunk]
            framed = frame_records(self.spec, unlabelled, self.tokenizer)
            if tell is not None:
                tell(framed.account)
            sources = [source_of(parts, frame) for parts in framed.parts]
            found = search(self.model, sources, asked, first, self.keep)
            for record, parts, texts in zip(chunk, framed.parts, found, strict=True):
                yield Generated(record, parts, texts, [written(text.ids, self.tokenizer) for text in texts])
            first += len(chunk)


def decode_mode(frame: Frame) -> DecodeMode:
    """How a model that has learned by this frame is asked for a token."""
    settings = frame.spec.seq2seq
    mask = None if settings.algorithm == "causal" or frame.noise is None else frame.noise.mask
    return DecodeMode(mask, *settings.segments)


def source_of(parts: Parts, frame: Frame) -> Source:
    """What is read before the first token of a text."""
    if frame.spec.seq2seq.algorithm == "causal":
        return Source(np.append([frame.start], parts.texts[0]), frame.delimiter)
    return Source(np.concatenate([[frame.start], parts.texts[0], [frame.delimiter]]))


def teacher_forced(
    model: Model, tokenizer: Tokenizer, spec: TaskSpec, records: Sequence[Record], max_tokens: int = 4096
) -> LanguageModelling:
    """The loss per target token when all tokens before it are the true ones: what decoding gives each of them."""
    framed = frame_records(spec, records, tokenizer)
    order = sorted(framed.examples, key=lambda examples: len(examples[0]))
    return evaluate_language_model(model, split(order, 1, max_tokens))


@dataclass(frozen=True, slots=True, eq=False)
class TextEvaluation:
    """How well a model generates: as :class:`~warmstart.evaluation.tuned.Evaluation`, with what it wrote."""

    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    examples: int
    account: Account
    spec: TaskSpec
    signatures: dict[str, str]
    texts: list[str]
    collapsed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``evaluate --json``."""
        found = {"metrics": self.metrics, "intervals": self.intervals, "examples": self.examples}
        return found | {"signatures": self.signatures}


def evaluate_generated(
    generator: Generator,
    records: Sequence[Record],
    metrics: Sequence[str],
    *,
    cleanup: Postprocessor = NO_POSTPROCESSING,
    intervals: bool = True,
    decoded: int = 0,
    seed: int = 0,
) -> TextEvaluation:
    """Judges a model.

    Args:
        generator: the model, and how it generates.
        records: all with targets.
        metrics: names of :data:`warmstart.metrics.generation.GENERATION_METRICS`, the main one first; ``loss`` is always
            there.
        cleanup: what is done to texts and references before they are compared.
        intervals: whether to draw bootstrap intervals.
        decoded: only so many of the records are decoded, spread evenly; 0: all.
        seed: of the intervals.

    Raises:
        BadInput: no records, one without a target, or a metric whose library is missing.
    """
    if not records:
        raise BadInput("nothing to evaluate", where="records", value=0, allowed="at least one example with a target")
    loss = teacher_forced(generator.model, generator.tokenizer, generator.spec, records)
    values, bounds, texts = {"loss": loss.loss}, {}, []
    accounts: list[Account] = []
    counted: dict[str, TextStatistics] = {}
    if metrics := [name for name in metrics if name != "loss"]:
        step = max(1, len(records) // decoded) if decoded else 1
        chosen = list(records[::step])[: decoded or None]
        texts = [found.strings[0] for found in generator.of(chosen, accounts.append)]
        references = [[reference_text(record, generator.tokenizer)] for record in chosen]
        counted = count_all(metrics, texts, references, cleanup)
        values = {name: found.value for name, found in counted.items()} | values
    if intervals:
        found = {name: bootstrap_texts(counts, seed) for name, counts in counted.items()}
        bounds = {name: [one.low, one.high] for name, one in found.items()}
    same = len(texts) > 1 and len(set(texts)) == 1
    return TextEvaluation(
        values, bounds, len(records), sum(accounts, Account()), generator.spec,
        {name: counts.signature for name, counts in counted.items()}, texts, same,
    )  # fmt: skip


def count_all(
    metrics: Sequence[str], texts: Sequence[str], references: References, cleanup: Postprocessor
) -> dict[str, TextStatistics]:
    """All ``metrics`` of texts, after the rules of their data set."""
    texts = [cleanup.text(text) for text in texts]
    references = [[cleanup.reference(one) for one in several] for several in references]
    return {name: compute_statistics(name, texts, references) for name in metrics}


def shown_metrics(main: str, cleanup: str) -> list[str]:
    """The metrics that a result shows: the main one, and those whose libraries are there.

    Of summaries with a line for each sentence (``cleanup`` cnndm) also the ROUGE-L of whole summaries, which papers report.
    """
    names = (*SHOWN, "rougeLsum") if cleanup == "cnndm" else SHOWN
    return list(dict.fromkeys([main, *(name for name in names if is_available(name))]))


def reference_text(record: Record, tokenizer: Tokenizer) -> str:
    """The target of a Record as text.

    Raises:
        BadInput: it has none.
    """
    if not isinstance(record.label, Target):
        raise BadInput("no target to judge by", where=record.where, next_step="evaluate on rows with a target")
    if record.label.pieces is None:
        return record.label.text
    return tokenizer.decode([tokenizer.token_to_id(piece) for piece in record.label.pieces])


def text_row(found: Generated, several: bool) -> dict[str, Any]:
    """The row to write: the input's columns, the text, its score and, where several were asked for, all of them."""
    source = found.record.texts["source"]
    row: dict[str, Any] = {"source": source if isinstance(source, str) else list(source)}
    ours = {"prediction": found.strings[0], "score": round(found.texts[0].score, 6)}
    if several:
        ours["candidates"] = [
            {"text": string, "score": round(text.score, 6), "log_prob": round(text.log_prob, 6)}
            for string, text in zip(found.strings, found.texts, strict=True)
        ]
    extra = {f"input_{key}" if key in ours else key: value for key, value in found.record.extra.items()}
    return row | extra | ours


def lattice_line(number: int, lattice: Lattice, vocabulary: str) -> str:
    """A lattice as a line of a file; ``vocabulary`` is the fingerprint of its tokens' tokenizer."""
    return json.dumps({"number": number, "vocabulary": vocabulary} | lattice.to_dict()) + "\n"
