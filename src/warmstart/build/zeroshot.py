"""From names to what judges a language model as it is: a zero-shot task, and the scorer of a run."""

from pathlib import Path

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.run.loading import LoadedRun
from warmstart.zeroshot.scorer import LongContext, Scorer, token_model
from warmstart.zeroshot.table import TASKS
from warmstart.zeroshot.task import ZeroshotTask
from warmstart.zeroshot.template import read_task


def find_task(name: str) -> ZeroshotTask:
    """A task by its name, or that of a YAML file.

    Raises:
        BadInput: there is none of this name, or the file is no task.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        return read_task(name)
    if name not in TASKS:
        raise unknown_name_error("zero-shot task", name, TASKS, "--task")
    found: ZeroshotTask = TASKS[name]
    return found


def scorer_of(loaded: LoadedRun, long_text: LongContext = "cut", min_context: int | None = None) -> Scorer:
    """The scorer of a run's language model; long texts as :class:`~warmstart.zeroshot.scorer.Scorer` has them.

    Raises:
        BadInput: it gives texts no likelihood.
    """
    if loaded.metadata.direction == "backward":
        raise BadInput(
            "this run reads texts from their end, and continuations come before it", where="--run",
            value=str(loaded.folder), allowed="a run that was trained with another objective than backward",
        )  # fmt: skip
    model, tokenizer = loaded.language_model(), loaded.text
    if loaded.note:
        raise BadInput(
            "this model has no head for words, so its likelihoods would say nothing", where="--run",
            value=str(loaded.folder), allowed="a folder with the head that guesses words (BertForMaskedLM, not BertModel)",
            next_step="name such a folder, or pre-train this one further: warmstart pretrain --start",
        )  # fmt: skip
    found = token_model(model, tokenizer, str(loaded.folder))
    return Scorer(found, tokenizer, loaded.metadata.rules, long_text, min_context)
