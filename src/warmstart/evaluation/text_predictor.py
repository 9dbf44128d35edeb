"""A model that generates, or several that choose each token together: Records to texts, as a stream."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from warmstart.base.console import track
from warmstart.base.errors import BadInput
from warmstart.decode.cached_decoder import DecodeMode, Source
from warmstart.decode.ensemble import Reader
from warmstart.decode.lattice import Lattice
from warmstart.decode.limits import limits_of
from warmstart.decode.search import Search, search_together
from warmstart.decode.settings import GenerateSettings, check_search
from warmstart.evaluation.arrivals import next_chunk
from warmstart.evaluation.head_predictor import eval_mode
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
    """Models that generate together, and how."""

    def __init__(
        self, members: Sequence[Member], search: GenerateSettings, keep_lattice: KeepLattice | None = None
    ) -> None:
        """Nothing is read yet; limits, lengths and the account of the Records are those of the first member."""
        self.members = list(members)
        _, self.vocabulary, self.spec = members[0]
        assert isinstance(self.vocabulary, Tokenizer)
        self.tokenizer: Tokenizer = self.vocabulary
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
        rows = min(one.model.settings.backbone.vocab_size for one in self.members)
        limits = limits_of(
            self.search, self.tokenizer, frame.extract, ends if len(ends) > 1 else (), rows, template_of(frame).forced
        )
        asked = Search(decode_mode(frame), self.search, limits, lattices=self.keep_lattice is not None)
        remaining, first = iter(records), 0
        while chunk := next_chunk(remaining, CHUNK):
            unlabelled = [replace(record, label=None) for record in chunk]
            framed, *others = [frame_records(spec, unlabelled, own) for _, own, spec in self.members]
            self.account += framed.account
            every = zip(self.members, (framed, *others), strict=True)
            readers = [_reader(member, own.parts) for member, own in every]
            found = search_together(readers, asked, first, self.keep_lattice, self.advance)
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
        loss = self._loss(every)
        step = max(1, len(every) // limit) if limit else 1
        chosen = every[::step][: limit or None] if set(metrics) != {"loss"} else []
        return EvaluationRecords(chosen, len(every), {"loss": loss})

    def _loss(self, records: Sequence[Record]) -> float:
        """The loss per target token when all tokens before it are the true ones."""
        if len(self.members) > 1:
            return mean_probability_loss(self.members, records)
        [(model, _, spec)] = self.members
        return teacher_forced_loss(model, self.tokenizer, spec, records).loss


def _reader(member: Member, parts: Sequence[Parts]) -> Reader:
    """A model, and the sources of some Records as it reads them."""
    frame = build_frame(member.spec, member.vocabulary)
    return Reader(member.model, decode_mode(frame), [source_of(own, frame) for own in parts])


def check_vocabularies(members: Sequence[Member], names: Sequence[str]) -> None:
    """Refuses models whose probabilities are not of the same tokens; ``names`` says whose they are.

    Raises:
        BadInput: another vocabulary, or texts that begin or end with other tokens.
    """
    first, *others = [(member.vocabulary.fingerprint, _text_tokens(member)) for member in members]
    for (vocabulary, tokens), name in zip(others, names[1:], strict=True):
        if vocabulary != first[0]:
            raise BadInput(
                f"the runs have different vocabularies ({names[0]} another), so their probabilities have no mean",
                where=name, value=vocabulary, allowed=first[0], next_step="name runs of one vocabulary (--tokenizer)",
            )  # fmt: skip
        if tokens != first[1]:
            raise BadInput(
                f"the texts of the runs begin or end with other tokens (those of {names[0]})", where=name, value=tokens,
                allowed=str(first[1]), next_step="name runs that frame their texts alike",
            )  # fmt: skip


def _text_tokens(member: Member) -> list[int]:
    """The tokens that every text begins with, and the one that ends it."""
    frame = build_frame(member.spec, member.vocabulary)
    return [*template_of(frame).forced, frame.extract]


def mean_probability_loss(members: Sequence[Member], records: Sequence[Record], max_tokens: int = 4096) -> float:
    """The loss per target token of several models: that of the mean of their probabilities.

    Raises:
        BadInput: they cut a target at different lengths.
    """
    losses, counts = [], []
    for model, vocabulary, spec in members:
        examples = frame_records(spec, records, vocabulary).examples
        batches = split_batches(examples, 1, max_tokens)
        device = next(model.parameters()).device
        with eval_mode(model):
            losses.append(torch.cat([model.score_tokens(batch.to(device)).losses.double().cpu() for batch in batches]))
        counts.append([sum(len(example.goals[model.next_goal].targets) for example in own) for own in examples])
    if any(own != counts[0] for own in counts):
        raise BadInput(
            "the runs cut targets at different lengths, so their losses have no mean", where="--run", value=len(members),
            allowed="runs with one --target-limit", next_step="evaluate each by itself, or leave loss out of --metrics",
        )  # fmt: skip
    mean = torch.logsumexp(-torch.stack(losses), 0) - math.log(len(members))
    return float(-mean.mean())


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
