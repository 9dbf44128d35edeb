"""``warmstart study``: the trials of a design, run one after the other, compared, and shown on one page.

The same command goes on wherever it was stopped, and one with more sizes, seeds or values runs only what is new.
"""

import contextlib
import shlex
import sys
import time
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
from warmstart.reporting.study_page import STUDY, write_study_page
from warmstart.run.writing import manifest
from warmstart.study.designs import Trials, find_design, metric_of
from warmstart.study.pretraining_cost import pretraining_cost
from warmstart.study.store import TRIALS, Cell, Result, TrialStore
from warmstart.study.subsets import with_test
from warmstart.study.table import StudyTable

PAGE = "report.html"


def run_design(recipe: StudyRecipe, out: str) -> dict[str, Any]:
    """Runs every trial that is not finished yet, and compares all.

    Returns:
        What stands in ``study.json``: the table, the comparisons and the answer in a sentence.

    Raises:
        BadInput: anything wrong with recipe, start, files or folder; nothing is written then.
    """
    root = RunFolder(out)
    with root.hold():
        check_study(recipe, root)
        design = find_design(recipe)
        given = read_labelled_data(recipe.task, recipe.train.seed)
        data = with_test(given)
        count = max(_count(design.cells(recipe, data), sign) for sign in (1, -1))
        split = "dev" if given.test is None and not design.columns else "test"
        say(
            f"study      {recipe.design}: at most {format_count(count, 'trial')}; those that are finished are not run again"
        )
        (root.path / TRIALS).mkdir(parents=True, exist_ok=True)
        root.create(to_yaml(recipe), manifest("study", recipe.train.seed, {}))
        found = _run(design.cells(recipe, data), count, TrialStore(root.path, recipe.base), recipe)
        table = StudyTable(
            metric_of(recipe, data), split, len(data.test or []), found.trials, found.baselines, bool(design.columns)
        )
        more = {"columns": design.columns, "tried": found.tried, "costs": found.costs}
        return finish_study(recipe, root, table.to_dict() | more)


def _count(cells: Trials, sign: int) -> int:
    """How many trials there will be, where each does better on dev than the one before, or worse (``sign`` -1)."""
    count = 0
    with contextlib.suppress(StopIteration):
        next(cells)
        while True:
            count += 1
            cells.send(Result("", 0.0, float(sign * count), [], 0.0))
    return count


def check_study(recipe: StudyRecipe, root: RunFolder) -> None:
    """Refuses a folder that holds something else, and several tasks.

    Raises:
        BadInput: either is so.
    """
    path = root.path
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / TRIALS).is_dir()):
        raise BadInput(
            "the output folder holds something else than a study", where=str(path),
            next_step="choose an empty or new --out",
        )  # fmt: skip
    if recipe.tasks:
        raise BadInput(
            "a study is of one task", where="--task", value=", ".join(recipe.tasks), allowed="one task",
            next_step="study each of them by itself",
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


def _run(cells: Trials, count: int, store: TrialStore, recipe: StudyRecipe) -> Found:
    """The results of all trials and of the baselines beside them; each trial's is told to the design."""
    found, began_at_s, number = Found(), time.monotonic(), 0
    fitted: LabelledData | None = None  # trials on the same data follow each other
    cell: Cell | None = next(cells)
    while cell is not None:
        number += 1
        place = f"{cell.row}, {cell.column + ' labels, ' if cell.column else ''}seed {cell.recipe.train.seed}"
        say(f"trial {number} of {count}: {place}; {format_duration(time.monotonic() - began_at_s)} so far")
        if recipe.baselines != "no" and not cell.tried and cell.data is not fitted:
            fitted = cell.data
            for name, one in store.baselines(cell).items():
                found.baselines.setdefault(cell.column, {}).setdefault(name, []).append(one)
        result = store.run(cell)
        found.add(cell, result)
        try:
            cell = cells.send(result)
        except StopIteration:
            cell = None
    return found


def finish_study(recipe: StudyRecipe, root: RunFolder, came_to: dict[str, Any]) -> dict[str, Any]:
    """Writes ``study.json`` and the page; ``came_to``: the table, its comparisons, and what else the page shows."""
    command = shlex.join(["warmstart", *sys.argv[1:]])
    found: dict[str, Any] = {"study": str(root.path), "design": recipe.design, "seeds": recipe.seeds}
    found |= came_to | {"command": command, "page": str(root.path / PAGE)}
    write_json(root.path / STUDY, found)
    write_study_page(root.path / PAGE, found)
    return found
