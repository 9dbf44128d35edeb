"""``warmstart generate``: new text from a prompt, or from a source where the run has learned to make texts of sources."""

from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.decode.generate import generate as continue_prompts
from warmstart.decode.limits import limits_of
from warmstart.decode.settings import GenerateSettings
from warmstart.example.record import Record
from warmstart.readers.text_io import read_lines
from warmstart.run.loading import LoadedRun, load_run
from warmstart.tasks.table import answer_of
from warmstart.text.clean import clean
from warmstart.verbs.members import run_predictor


def generate(
    run: str,
    prompts: list[str] | None = None,
    input: str | None = None,
    encoding: str = "utf-8",
    precision: str = "fp32",
    **settings: Any,
) -> list[dict[str, Any]]:
    """Continues prompts.

    Args:
        run: a run, fine-tuned or not.
        prompts: texts to continue.
        input: instead, a file with one prompt per line.
        encoding: of ``input``.
        precision: of the products.
        settings: fields of :class:`~warmstart.decode.settings.GenerateSettings`; a sequence-to-sequence run remembers the
            others.

    Returns:
        Per text {"prompt", "text", "tokens", "stopped", "log_prob", "cut"}; of a sequence-to-sequence run {"source", "text",
        "tokens", "stopped", "log_prob", "score"}.

    Raises:
        BadInput: no such run, an impossible setting, or neither or both of ``prompts`` and ``input``.
    """
    if (prompts is None) == (input is None):
        raise BadInput("give a prompt or a file of prompts, one of the two", where="--prompt, --input")
    asked = list(prompts or []) if input is None else [line.rstrip("\n") for line in read_lines(input, encoding)]
    loaded = load_run(Path(run), precision)
    if loaded.metadata.task is not None and answer_of(loaded.metadata.task).generated:
        return _from_sources(loaded, asked, loaded.search(settings))
    return _continued(loaded, asked, GenerateSettings.model_validate(settings))


def _continued(loaded: LoadedRun, asked: list[str], wanted: GenerateSettings) -> list[dict[str, Any]]:
    """What comes after each prompt."""
    if loaded.metadata.direction == "backward":
        raise BadInput(
            "this run reads texts from their end, and has nothing to say after a prompt", where="--run",
            value=str(loaded.folder), allowed="a run that was trained with another objective than backward",
        )  # fmt: skip
    tokenizer, rules = loaded.text, loaded.metadata.rules
    ids = tokenizer.encode_batch([clean(prompt, rules) for prompt in asked])
    end = tokenizer.end_id
    found = continue_prompts(loaded.model, ids, wanted, end, limits_of(wanted, tokenizer, end))
    return [
        {
            "prompt": asked[number // wanted.texts],
            "text": tokenizer.decode_continuation(ids[number // wanted.texts], one.ids),
            "tokens": len(one.ids),
            "stopped": one.stopped,
            "log_prob": round(one.log_prob, 4),
            "cut": one.cut,
        }
        for number, one in enumerate(found)
    ]


def _from_sources(loaded: LoadedRun, sources: list[str], wanted: GenerateSettings) -> list[dict[str, Any]]:
    """Each source's texts, as a run makes them that has learned to."""
    records = [Record({"source": text}, where=f"prompt {number}") for number, text in enumerate(sources, start=1)]
    predictor = run_predictor(loaded, search=wanted)
    return [
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
