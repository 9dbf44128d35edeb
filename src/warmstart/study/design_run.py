"""``warmstart study``: the trials of a design, one after the other or some at once, compared, and shown on one page.

The same command goes on wherever it was stopped, and one with more sizes, seeds or values runs only what is new.
"""

import contextlib
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import write_json
from warmstart.base.formatting import format_count, format_duration
from warmstart.base.run_folder import RunFolder
from warmstart.build.labelled_data import LabelledData, read_labelled_data
from warmstart.config.load import to_yaml
from warmstart.config.study import StudyRecipe
from warmstart.readers.text_io import STDIN
from warmstart.reporting.study_page import STUDY, write_study_page
from warmstart.run.writing import manifest
from warmstart.study.designs import Rounds, find_design, metric_of
from warmstart.study.folder import STUDY_VERB, StudyFolder, check_folders, left_if_trained, trials_folder
from warmstart.study.pretraining_cost import pretraining_cost
from warmstart.study.store import Cell, Result, TrialStore
from warmstart.study.subsets import with_test
from warmstart.study.table import StudyTable
from warmstart.study.trial_runner import TrialRunner, trial_runner

PAGE = "report.html"
OF_TASKS = "tasks"
"""The design that is of several tasks."""


def run_design(recipe: StudyRecipe, out: str) -> dict[str, Any]:
    """Runs every trial that is not finished yet, and compares all.

    Returns:
        What stands in ``study.json``: the table, the comparisons and the answer in a sentence.

    Raises:
        BadInput: anything wrong with recipe, start, files or folder; nothing is written then.
    """
    root = StudyFolder(out)
    with root.hold():
        check_study(recipe, root)
        design = find_design(recipe)
        given = read_labelled_data(recipe.task, recipe.train.seed)
        data = with_test(given)
        count = max(_count(design.rounds(recipe, data), sign) for sign in (1, -1))
        split = "dev" if given.test is None and not design.columns else "test"
        say(
            f"study      {recipe.design}: at most {format_count(count, 'trial')}; those that are finished are not run again"
        )
        trials = trials_folder(recipe, root)
        with left_if_trained(root, trials):
            trials.mkdir(parents=True, exist_ok=True)
            root.create(to_yaml(recipe), manifest(STUDY_VERB, recipe.train.seed, {}))
            store = TrialStore(trials, recipe.base)
            with trial_runner(recipe, store) as run:
                found = _run(design.rounds(recipe, data), count, store, recipe, run)
        table = StudyTable(
            metric_of(recipe, data), split, len(data.test or []), found.trials, found.baselines, bool(design.columns)
        )
        more = {"columns": design.columns, "tried": found.tried, "costs": found.costs}
        return finish_study(recipe, root, table.to_dict() | more)


def _count(rounds: Rounds, sign: int) -> int:
    """How many trials there will be, where each does better on dev than the one before, or worse (``sign`` -1)."""
    count = 0
    with contextlib.suppress(StopIteration):
        cells = next(rounds)
        while True:
            values = [float(sign * (count + k)) for k in range(len(cells))]
            count += len(cells)
            cells = rounds.send([Result("", 0.0, value, [], 0.0) for value in values])
    return count


def check_study(recipe: StudyRecipe, root: RunFolder) -> None:
    """Refuses folders that hold something else, several tasks, and several processes that would read one input.

    Raises:
        BadInput: any of it is so.
    """
    check_folders(recipe, root)
    if not (len(recipe.tasks) > 1 if recipe.design == OF_TASKS else not recipe.tasks):
        raise BadInput(
            f"the design {OF_TASKS} is of several tasks, and every other of one", where="--task",
            value=", ".join(recipe.tasks) or recipe.task.name,
            allowed="NAME=DIR for each of several tasks" if recipe.design == OF_TASKS else "one task",
            next_step=f"study each of them by itself, or all of them by warmstart study {OF_TASKS}",
        )  # fmt: skip
    if recipe.jobs > 1 and STDIN in (recipe.task.train, recipe.task.dev, recipe.task.test):
        raise BadInput(
            "several processes cannot read the standard input", where="--jobs", value=recipe.jobs, allowed="1",
            next_step="name a file in the place of -",
        )  # fmt: skip


Rows = dict[str, dict[str, list[Result]]]


@dataclass(slots=True)
class Found:
    """What trials came to: by column and row, beside the baselines; what was only tried; what each row's start cost."""

    trials: Rows = field(default_factory=dict)
    baselines: Rows = field(default_factory=dict)
    tried: list[dict[str, Any]] = field(default_factory=list)
    costs: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def add(self, cell: Cell, result: Result) -> None:
        """Takes a result to where it belongs."""
        if cell.tried:
            self.tried.append({"row": cell.row, "dev": result.dev, "seconds": result.seconds, "trial": result.name})
        else:
            self.trials.setdefault(cell.column, {}).setdefault(cell.row, []).append(result)
            if cell.row not in self.costs:
                cost = pretraining_cost(cell.recipe.start)
                self.costs[cell.row] = None if cost is None else cost.to_dict()


def _run(rounds: Rounds, count: int, store: TrialStore, recipe: StudyRecipe, run: TrialRunner) -> Found:
    """The results of all trials and of the baselines beside them; those of a round are told to the design."""
    found, began_at_s, number = Found(), time.monotonic(), 0
    fitted: LabelledData | None = None  # trials on the same data follow each other
    cells: Sequence[Cell] = next(rounds)
    while cells:
        results, coming = [], run(cells)
        for cell in cells:
            number += 1
            place = f"{cell.row}, {cell.column + ' labels, ' if cell.column else ''}seed {cell.recipe.train.seed}"
            say(f"trial {number} of {count}: {place}; {format_duration(time.monotonic() - began_at_s)} so far")
            if recipe.baselines != "no" and not cell.tried and cell.data is not fitted:
                fitted = cell.data
                for name, one in store.baselines(cell).items():
                    found.baselines.setdefault(cell.column, {}).setdefault(name, []).append(one)
            results.append(next(coming))
            found.add(cell, results[-1])
        try:
            cells = rounds.send(results)
        except StopIteration:
            cells = ()
    return found


def finish_study(recipe: StudyRecipe, root: RunFolder, came_to: dict[str, Any]) -> dict[str, Any]:
    """Writes ``study.json`` and the page; ``came_to``: the table, its comparisons, and what else the page shows."""
    command = shlex.join(["warmstart", *sys.argv[1:]])
    found: dict[str, Any] = {"study": str(root.path), "design": recipe.design, "seeds": recipe.seeds}
    found |= came_to | {"command": command, "page": str(root.path / PAGE)}
    write_json(root.path / STUDY, found)
    write_study_page(root.path / PAGE, found)
    return found
