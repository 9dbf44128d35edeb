"""``warmstart study``: the trials of a design, run one after the other, compared, and shown on one page.

The same command goes on wherever it was stopped, and one with more sizes, seeds or values runs only what is new.
"""

import shlex
import sys
import time
from collections.abc import Sequence
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
from warmstart.study.designs import DESIGNS
from warmstart.study.store import TRIALS, Cell, Result, TrialStore
from warmstart.study.subsets import with_test
from warmstart.study.table import StudyTable
from warmstart.tasks.table import KINDS

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
        _check_free(root)
        given = read_labelled_data(recipe.task, recipe.train.seed)
        data = with_test(given)
        design = DESIGNS[recipe.design]
        cells = list(design.cells(recipe, data))
        split = "dev" if given.test is None and not design.columns else "test"
        say(
            f"study      {recipe.design}: {format_count(len(cells), 'trial')}; those that are finished are not run again"
        )
        found = _run(cells, TrialStore(root.path, recipe.base), recipe, root)
        table = StudyTable(_metric(recipe, data), split, len(data.test or []), *found, draws=bool(design.columns))
        return _finish(recipe, root, table, design.columns)


def _check_free(root: RunFolder) -> None:
    """Refuses a folder that holds something else."""
    path = root.path
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / TRIALS).is_dir()):
        raise BadInput(
            "the output folder holds something else than a study", where=str(path),
            next_step="choose an empty or new --out",
        )  # fmt: skip


def _metric(recipe: StudyRecipe, data: LabelledData) -> str:
    return recipe.task.metric or data.metric or KINDS[data.kind].answer(data.label_names).metrics(data.label_names)[0]


Rows = dict[str, dict[str, list[Result]]]


def _run(cells: Sequence[Cell], store: TrialStore, recipe: StudyRecipe, root: RunFolder) -> tuple[Rows, Rows]:
    """The results of all trials and of the baselines beside them, by column and row."""
    (root.path / TRIALS).mkdir(parents=True, exist_ok=True)
    root.create(to_yaml(recipe), manifest("study", recipe.train.seed, {}))
    trials: Rows = {}
    baselines: Rows = {}
    fitted: set[int] = set()
    began_at_s = time.monotonic()
    for number, cell in enumerate(cells, start=1):
        place = f"{cell.row}, {cell.column + ' labels, ' if cell.column else ''}seed {cell.recipe.train.seed}"
        say(f"trial {number} of {len(cells)}: {place}; {format_duration(time.monotonic() - began_at_s)} so far")
        if recipe.baselines is not False and id(cell.data) not in fitted:
            fitted.add(id(cell.data))
            for name, one in store.baselines(cell).items():
                baselines.setdefault(cell.column, {}).setdefault(name, []).append(one)
        trials.setdefault(cell.column, {}).setdefault(cell.row, []).append(store.run(cell))
    return trials, baselines


def _finish(recipe: StudyRecipe, root: RunFolder, table: StudyTable, columns: str) -> dict[str, Any]:
    command = shlex.join(["warmstart", *sys.argv[1:]])
    found = {"study": str(root.path), "design": recipe.design, "columns": columns, "seeds": recipe.seeds}
    found |= table.to_dict() | {"command": command, "page": str(root.path / PAGE)}
    write_json(root.path / STUDY, found)
    write_study_page(root.path / PAGE, found)
    return found
