"""``warmstart generate``: new text from a prompt, or from a source where the run has learned to make texts of sources."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.formatting import format_count
from warmstart.config.requests import GenerateRequest
from warmstart.decode.generate import generate as continue_prompts
from warmstart.decode.limits import limits_of
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.build import build_predictor
from warmstart.evaluation.predictor import Member
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.readers.text_io import read_lines
from warmstart.run.loading import LoadedRun, load_run
from warmstart.tasks.frames import describe_account
from warmstart.tasks.table import answer_of
from warmstart.text.clean import clean
from warmstart.text.tokenizer import check_unicode
from warmstart.verbs.members import members_of

Write = Callable[[str], None]
"""What is done with each piece of a text."""


def generate(request: GenerateRequest, write: Write | None = None) -> list[dict[str, Any]]:
    """Continues prompts; a sequence-to-sequence run generates as it remembers, but for the settings that are given.

    Args:
        request: what is wanted.
        write: is given a single prompt, then its text as that is made, where no search compares whole texts; otherwise it
            is never called.

    Returns:
        Per text {"prompt", "text", "tokens", "stopped", "log_prob", "cut"}; of a sequence-to-sequence run {"source", "text",
        "tokens", "stopped", "log_prob", "score"}.

    Raises:
        BadInput: no such run, an impossible setting, or neither or both of ``prompts`` and ``input``.
    """
    if (request.prompts is None) == (request.input is None):
        raise BadInput("give a prompt or a file of prompts, one of the two", where="--prompt, --input")
    prompts = list(request.prompts or ())
    for number, prompt in enumerate(prompts, start=1):
        check_unicode(prompt, f"prompt {number}")
    if request.input is not None:
        prompts = [line.rstrip("\n") for line in read_lines(request.input, request.encoding)]
    if not prompts:
        raise BadInput("no prompt", where=request.input or "--prompt", allowed="one prompt a line", next_step="add one")
    if "" in request.stop:
        raise BadInput("an empty text ends nothing", where="--stop", value="", next_step="leave it out")
    if request.stop and request.searches:
        raise BadInput(
            "a beam search compares whole texts", where="--stop", value=request.stop[0],
            allowed="with sampling or --greedy", next_step="leave --stop out, or --beam",
        )  # fmt: skip
    name, *more = request.run
    loaded = load_run(name, request.precision)
    if loaded.metadata.task is not None and answer_of(loaded.metadata.task).generated:
        if request.stop:
            raise BadInput(
                "a run of --task seq2seq ends its texts itself", where="--stop", value=request.stop[0],
                allowed="with a language model", next_step="leave it out",
            )  # fmt: skip
        members = members_of(loaded, loaded.task(), more, request.precision, ())
        return _from_sources(members, prompts, loaded.search(request))
    runs = [loaded, *(load_run(other, request.precision) for other in more)]
    alone = len(prompts) == 1 and request.texts == 1 and not request.searches
    return _continue_prompts(runs, prompts, request, write if alone else None)


_HALF = "\ufffd"
"""What stands for bytes that are no whole character yet."""


def before_stops(text: str, stops: Sequence[str]) -> str:
    """A text up to the first of ``stops`` in it."""
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))]


def _language_model(loaded: LoadedRun, first: LoadedRun) -> Model:
    """A run's model, to continue prompts beside that of another.

    Raises:
        BadInput: it reads from the end, or its vocabulary is another.
    """
    if loaded.metadata.direction == "backward":
        raise BadInput(
            "this run reads texts from their end and cannot continue a prompt", where="--run",
            value=str(loaded.folder), allowed="a run that was trained with another objective than backward",
        )  # fmt: skip
    if loaded.tokenizer.fingerprint != first.tokenizer.fingerprint:
        raise BadInput(
            f"the runs have different vocabularies ({first.folder} another), so their probabilities have no mean",
            where=str(loaded.folder), value=loaded.tokenizer.fingerprint, allowed=first.tokenizer.fingerprint,
            next_step="name runs of one vocabulary (--tokenizer)",
        )  # fmt: skip
    if loaded.note:
        say(f"warning: {loaded.note}")
    return loaded.language_model()


class Streamer:
    """Hands a text on while it is made; a stop and what may become one are held back, and so is half a character.

    The prompt goes before it once there is a token, so that nothing is written where the model or the settings are refused.
    """

    def __init__(self, prompt: str, stops: Sequence[str], write: Write) -> None:
        self.stops, self.write, self.written, self.prompt = stops, write, "", prompt

    def see(self, text: str) -> None:
        """What there is of the text."""
        self._write_prompt()
        found = before_stops(text, self.stops)
        if found == text:
            held = max((n for stop in self.stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)
            found = text[: len(text) - held].rstrip(_HALF)
        if found.startswith(self.written):
            self.finish(found)

    def finish(self, text: str) -> None:
        """The whole text."""
        self._write_prompt()
        self.write(text.removeprefix(self.written))
        self.written = text

    def _write_prompt(self) -> None:
        """Once."""
        if self.prompt:
            self.write(self.prompt)
            self.prompt = ""


def _continue_prompts(
    runs: list[LoadedRun], prompts: list[str], wanted: GenerateRequest, write: Write | None
) -> list[dict[str, Any]]:
    """What comes after each prompt."""
    loaded = runs[0]
    model, *others = [_language_model(one, loaded) for one in runs]
    tokenizer, rules = loaded.text, loaded.metadata.rules
    ids = tokenizer.encode_batch([clean(prompt, rules) for prompt in prompts])
    end = next(iter(tokenizer.end_ids), None)
    rows = min(one.settings.backbone.vocab_size for one in (model, *others))
    limits = limits_of(wanted, tokenizer, end, tokenizer.end_ids, rows)

    stream = None if write is None else Streamer(prompts[0], wanted.stop, write)

    def says_stop(written: list[int]) -> bool:
        if stream is not None:
            stream.see(tokenizer.decode_continuation(ids[0], written))
        text = tokenizer.decode(written)
        return any(stop in text for stop in wanted.stop)

    limits = replace(limits, is_complete=says_stop) if wanted.stop or stream is not None else limits
    found = continue_prompts(model, ids, wanted, end, limits, begin=tokenizer.begin_ids, others=others)
    for number, one in enumerate(found[:: wanted.texts], start=1):
        if one.cut:
            say(f"prompt {number}: the first {format_count(one.cut, 'token')} did not fit into the context, not read")
    texts = [
        before_stops(tokenizer.decode_continuation(ids[number // wanted.texts], one.ids), wanted.stop)
        for number, one in enumerate(found)
    ]
    if stream is not None:
        stream.finish(texts[0])
    return [
        {
            "prompt": prompts[number // wanted.texts],
            "text": texts[number],
            "tokens": len(one.ids),
            "stopped": one.stopped,
            "log_prob": round(one.log_prob, 4),
            "cut": one.cut,
        }
        for number, one in enumerate(found)
    ]


def _from_sources(members: list[Member], sources: list[str], wanted: GenerateSettings) -> list[dict[str, Any]]:
    """Each source's texts, as runs make them that have learned to."""
    records = [Record({"source": text}, where=f"prompt {number}") for number, text in enumerate(sources, start=1)]
    predictor = build_predictor(members, wanted)
    found = [
        {
            "source": source,
            "text": candidate.text,
            "tokens": len(candidate.ids),
            "stopped": candidate.stopped,
            "log_prob": round(candidate.log_prob, 4),
            "score": round(candidate.score, 4),
        }
        for source, output in zip(sources, predictor.outputs(records), strict=True)
        for candidate in output.raw
    ]
    for line in describe_account(members[0].spec, predictor.account):
        say(line)
    return found
