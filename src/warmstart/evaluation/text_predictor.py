"""A model that generates: Records to texts, as a stream."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from warmstart.base.console import track
from warmstart.base.errors import BadInput
from warmstart.decode.cached_decoder import DecodeMode, Source
from warmstart.decode.lattice import Lattice
from warmstart.decode.limits import limits_of
from warmstart.decode.search import Search, search
from warmstart.decode.settings import GenerateSettings, check_search
from warmstart.evaluation.arrivals import next_chunk
from warmstart.evaluation.perplexity import LanguageModelling, evaluate_language_model
from warmstart.evaluation.predictor import Advance, EvaluationRecords, Member, no_progress
from warmstart.example.record import Record, Target
from warmstart.models.model import Model
from warmstart.streams.stream import split_batches
from warmstart.tasks.answer import RawOutput
from warmstart.tasks.frames import build_frame, frame_records
from warmstart.tasks.framing import Frame
from warmstart.tasks.parts import Account, Parts
from warmstart.tasks.seq2seq import Candidate
from warmstart.tasks.seq2seq_frames import frame_source, options_of, template_of
from warmstart.tasks.seq2seq_texts import decode_text
from warmstart.tasks.spec import TaskSpec
from warmstart.text.tokenizer import Tokenizer

CHUNK = 512  # Records decoded together, those of similar length side by side

KeepLattice = Callable[[int, Lattice], None]
"""Takes what a search kept of a Record, by the Record's number."""


class TextPredictor:
    """A model that generates, and how."""

    def __init__(self, member: Member, search: GenerateSettings, keep_lattice: KeepLattice | None = None) -> None:
        """Nothing is read yet."""
        self.model, self.vocabulary, self.spec = member
        assert isinstance(member.vocabulary, Tokenizer)
        self.tokenizer: Tokenizer = member.vocabulary
        self.search, self.keep_lattice = search, keep_lattice
        self.account = Account()
        self.advance: Advance = no_progress

    def outputs(self, records: Iterable[Record]) -> Iterator[RawOutput]:
        """As :class:`~warmstart.evaluation.predictor.Predictor` has it; targets are not read.

        Raises:
            BadInput: settings that do not go together, or words that the vocabulary cannot spell.
        """
        check_search(self.search)
        frame = build_frame(self.spec, self.tokenizer)
        ends = self.tokenizer.end_ids  # where the start had several, its texts end with each of them still
        rows = self.model.settings.backbone.vocab_size
        limits = limits_of(
            self.search, self.tokenizer, frame.extract, ends if len(ends) > 1 else (), rows, template_of(frame).forced
        )
        asked = Search(decode_mode(frame), self.search, limits, lattices=self.keep_lattice is not None)
        remaining, first = iter(records), 0
        while chunk := next_chunk(remaining, CHUNK):
            framed = frame_records(self.spec, [replace(record, label=None) for record in chunk], self.tokenizer)
            self.account += framed.account
            sources = [source_of(parts, frame) for parts in framed.parts]
            found = search(self.model, sources, asked, first, self.keep_lattice, self.advance)
            for record, parts, texts in zip(chunk, framed.parts, found, strict=True):
                candidates = [
                    Candidate(decode_text(t.ids, self.tokenizer), t.ids, t.score, t.log_prob, t.stopped) for t in texts
                ]
                yield RawOutput(record, parts, candidates)
            first += len(chunk)

    def begin_evaluation(self, records: Iterable[Record], metrics: tuple[str, ...], limit: int) -> EvaluationRecords:
        """The loss of all Records, and those that are decoded: none where the loss is all that is asked for."""
        every = list(records)
        for record in every:
            if not isinstance(record.label, Target):
                raise BadInput(
                    "no target to evaluate on", where=record.where, next_step="evaluate on rows with a target"
                )
        if not every:
            raise BadInput(
                "nothing to evaluate", where="records", value=0, allowed="at least one example with a target"
            )
        loss = teacher_forced_loss(self.model, self.tokenizer, self.spec, every).loss
        step = max(1, len(every) // limit) if limit else 1
        chosen = every[::step][: limit or None] if set(metrics) != {"loss"} else []
        return EvaluationRecords(chosen, len(every), {"loss": loss})


def decode_mode(frame: Frame) -> DecodeMode:
    """How a model that has learned by this frame is asked for a token."""
    options = options_of(frame)
    mask = None if options.algorithm == "causal" or frame.noise is None else frame.noise.mask
    return DecodeMode(mask, *options.segments)


def source_of(parts: Parts, frame: Frame) -> Source:
    """What is read before the first token of a text."""
    if options_of(frame).algorithm == "causal":
        return Source(frame_source(parts, frame), template_of(frame).start)
    return Source(np.concatenate([[frame.start], parts.texts[0], [frame.delimiter]]))


def teacher_forced_loss(
    model: Model, tokenizer: Tokenizer, spec: TaskSpec, records: Sequence[Record], max_tokens: int = 4096
) -> LanguageModelling:
    """The loss per target token when all tokens before it are the true ones: what decoding gives each of them."""
    framed = frame_records(spec, records, tokenizer)
    order = sorted(framed.examples, key=lambda examples: len(examples[0]))
    batches = split_batches(order, 1, max_tokens)
    return evaluate_language_model(model, track(batches, "loss", len(batches)))


def lattice_line(number: int, lattice: Lattice, vocabulary: str) -> str:
    """A lattice as a line of a file; ``vocabulary`` is the fingerprint of its tokens' tokenizer."""
    return json.dumps({"number": number, "vocabulary": vocabulary} | lattice.to_dict()) + "\n"
