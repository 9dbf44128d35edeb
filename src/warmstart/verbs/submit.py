"""``warmstart submit``: fine-tuned runs answer GLUE's unlabelled test files; one zip comes out, checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import write_bytes
from warmstart.evaluation.predict import predict_records
from warmstart.run.loading import LoadedRun, load_run
from warmstart.run.metadata import read_metadata
from warmstart.tasks.catalogue import known_dataset
from warmstart.tasks.dataset import records_of_rows
from warmstart.tasks.frames import describe_account
from warmstart.tasks.known.submission import SHEETS, Sheet, pack_submission, sheets_of
from warmstart.tasks.spec import TaskSpec
from warmstart.transfer.hub import model_folder
from warmstart.verbs.members import run_predictor


@dataclass(frozen=True, slots=True)
class RunSheets:
    """A run, one of its tasks where it has several, and the files of the submission that it answers."""

    run: str
    sheets: list[Sheet]
    task: str | None = None


def submit(runs: Sequence[str], data: str, out: str, precision: str = "fp32") -> dict[str, Any]:
    """Writes the submission: {"out", "files": {name: predictions}, "missing": names}.

    Args:
        runs: fine-tuned runs, each for another of GLUE's tasks.
        data: the folder that holds GLUE's own folders (``CoLA``, ``SST-2``, …).
        out: the zip to write.
        precision: of the products.

    Raises:
        BadInput: ``out`` exists, a run that is not for a task of GLUE, two for the same, or a test file that is missing or
            not GLUE's. Nothing is written then.
    """
    if not out.endswith(".zip") or Path(out).exists():
        raise BadInput(
            "the submission exists" if Path(out).exists() else "not the name of a zip", where="--out", value=out,
            allowed="a new file that ends in .zip", next_step="choose another --out",
        )  # fmt: skip
    parts = [part for run in runs for part in _parts(run)]
    _check_once(parts)
    for part in parts:
        for sheet in part.sheets:
            for _ in sheet.examples(Path(data)):  # all of them, before the first is answered
                pass
    answers = {sheet.name: told for part in parts for sheet, told in _predict_sheets(part, Path(data), precision)}
    ordered = {name: answers[name] for name in SHEETS if name in answers}
    write_bytes(Path(out), pack_submission(ordered))
    missing = [name for name in SHEETS if name not in answers]
    if missing:
        say(f"GLUE takes whole submissions only; still missing: {', '.join(missing)}")
    return {"out": out, "files": {name: len(told) for name, told in ordered.items()}, "missing": missing}


def _parts(run: str) -> list[RunSheets]:
    """The files that a run answers, task by task."""
    metadata = read_metadata(model_folder(run))
    tasks: Mapping[str, TaskSpec | None] = metadata.named_tasks or {"": None}
    return [RunSheets(run, _sheets(run, task), name or None) for name, task in tasks.items()]


def _sheets(run: str, task: TaskSpec | None) -> list[Sheet]:
    found = sheets_of(task.name) if task is not None else []
    if task is None or not found or task.label_names != known_dataset(task.name).label_names:
        raise BadInput(
            "this run has not learned a task of GLUE by its name", where=run,
            value=None if task is None else task.name or task.kind,
            allowed=", ".join(dict.fromkeys(sheet.task for sheet in SHEETS.values())),
            next_step="fine-tune with --task NAME --data DIR, so that the run knows which task it is for",
        )  # fmt: skip
    return found


def _check_once(parts: Sequence[RunSheets]) -> None:
    first: dict[str, str] = {}
    for part in parts:
        task = part.sheets[0].task
        if task in first:
            raise BadInput(
                f"two runs for {task}", where="RUN", value=[first[task], part.run], allowed="one for each task",
                next_step="leave one out",
            )  # fmt: skip
        first[task] = part.run


def _predict_sheets(part: RunSheets, data: Path, precision: str) -> Iterator[tuple[Sheet, list[str]]]:
    loaded = load_run(part.run, precision).select(part.task)
    for sheet in part.sheets:
        say(f"{part.run}: {sheet.rows:,} predictions for {sheet.name}")
        yield sheet, _answers(loaded, sheet, data)


def _answers(loaded: LoadedRun, sheet: Sheet, data: Path) -> list[str]:
    """One answer per example; texts that are too long are cut, since GLUE wants an answer for each."""
    spec = loaded.task().with_frame(long_text="cut")
    records = records_of_rows(spec.kind, sheet.examples(data), spec.label_names, False, str(data))
    predictor = run_predictor(loaded, spec)
    numbers = {name: number for number, name in enumerate(spec.label_names)}
    answers = [
        sheet.answer(found.score, numbers[str(found.label)] if numbers else None)
        for found in predict_records(predictor, records)
    ]
    for line in describe_account(spec, predictor.account):
        say(line)
    return answers
