"""``warmstart study tasks``: several tasks in one model, each alone, and each once more after all of them (MT-DNN).

The columns are the tasks, and their mean where that chooses on dev. Of each column both ways of learning together are
compared with the task alone, by its own metric, over seeds and examples; Holm's correction covers all. The models of all
tasks stay whole, since the trainings after them start there; so can others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.base.formatting import format_count
from warmstart.base.run_folder import PSEUDO_VALUES, REPORT, RunFolder
from warmstart.build.chosen import choose_settings
from warmstart.build.finetuning import MEAN, build_finetuning
from warmstart.build.labelled_data import LabelledData, read_tasks
from warmstart.config.load import to_yaml
from warmstart.config.schema import FinetuneRecipe
from warmstart.config.study import StudyRecipe
from warmstart.config.task_recipe import TaskRecipe
from warmstart.metrics.comparison import compare
from warmstart.metrics.jackknife import mean_pseudo_values
from warmstart.run.writing import manifest
from warmstart.study.design_run import check_study, finish_study
from warmstart.study.designs import seeds_of, with_seed
from warmstart.study.folder import STUDY_VERB, StudyFolder, trials_folder
from warmstart.study.paired import paired_tests
from warmstart.study.store import Result, TrialStore, result_of
from warmstart.study.subsets import with_test
from warmstart.study.table import Compared, comparison_to_dict, corrected, said, table_rows

TOGETHER, ALONE, AFTER = "together", "alone", "together, then alone"
ROWS = (TOGETHER, AFTER, ALONE)

Data = Mapping[str, LabelledData]


@dataclass(frozen=True, slots=True)
class _Column:
    """A task, or the mean of all: its metric, how many examples it is compared on, the results of each row by seed."""

    metric: str
    examples: int
    rows: Mapping[str, list[Result]]


def run_tasks(recipe: StudyRecipe, out: str) -> dict[str, Any]:
    """Runs every training that is not finished yet, and compares all.

    Returns:
        What stands in ``study.json``, as :func:`~warmstart.study.design_run.run_design` has it.

    Raises:
        BadInput: anything wrong with recipe, start, files or folder; nothing is written then.
    """
    root = StudyFolder(out)
    with root.hold():
        _check(recipe, root)
        data = _read(recipe)
        metrics = _metrics(recipe, data)
        count = len(seeds_of(recipe)) * (1 + 2 * len(data))
        say(f"study      tasks: {format_count(count, 'training')}; those that are finished are not run again")
        trials = trials_folder(recipe, root)
        trials.mkdir(parents=True, exist_ok=True)
        root.create(to_yaml(recipe), manifest(STUDY_VERB, recipe.train.seed, {}))
        store, found = TrialStore(trials, recipe.base), dict[str, dict[str, list[Result]]]()
        for number, (row, task, result) in enumerate(_results(recipe, data, store)):
            found.setdefault(task, {}).setdefault(row, []).append(result)
            say(f"{number + 1} of {len(seeds_of(recipe)) * 3 * len(data)} figures: {task} {row}: {result.value:.4f}")
        columns = {name: _Column(metrics[name], len(data[name].test or []), rows) for name, rows in found.items()}
        columns |= {MEAN: _mean_column([*columns.values()])} if recipe.dev_score == MEAN else {}
        return _finish(recipe, root, columns)


def _check(recipe: StudyRecipe, root: RunFolder) -> None:
    """Refuses what this design has no place for.

    Raises:
        BadInput: one task, values to vary, or several trainings at once.
    """
    check_study(recipe, root)
    for flag, value, plain in (("--vary", recipe.vary, ()), ("--jobs", recipe.jobs, 1)):
        if value != plain:
            raise BadInput(
                "this design trains one model after the other and varies nothing else", where=flag,
                value=value if flag == "--jobs" else recipe.vary[0], allowed="without it", next_step="leave it out",
            )  # fmt: skip


def _read(recipe: StudyRecipe) -> Data:
    """The Records of each task, with a part that no training learns from.

    Raises:
        BadInput: a task has none.
    """
    found = read_tasks(recipe)
    for name in found:
        try:
            found[name] = with_test(found[name])
        except BadInput as error:
            raise error.with_where(f"task {name}, {error.where}") from None
    return found


def _metrics(recipe: StudyRecipe, data: Data) -> dict[str, str]:
    """Task → its metric; what cannot be built is refused here, before anything is written."""
    chosen = choose_settings(recipe.base, data).recipe
    return {task.name: task.metric for task in build_finetuning(chosen, data).tasks}


def _results(recipe: StudyRecipe, data: Data, store: TrialStore) -> Iterator[tuple[str, str, Result]]:
    """Row, task and result of every training, seed by seed."""
    for seed in seeds_of(recipe):
        whole = with_seed(recipe.base, seed)
        folder = _train(store, TOGETHER, whole, data)
        say(f"the model of all tasks of seed {seed} stays in {folder.path}")
        for name in data:
            yield TOGETHER, name, _result_of_task(folder, name)
        for row, start in ((ALONE, None), (AFTER, folder)):
            for name, own in whole.by_task().items():
                one = _of_one_task(own) if start is None else _going_on(_of_one_task(own), start, name)
                done = _train(store, row, one, {"": data[name]})
                yield row, name, result_of(done, str(read_json(done.path / REPORT)["metric"]))


def _train(store: TrialStore, row: str, recipe: FinetuneRecipe, data: Data) -> RunFolder:
    chosen = choose_settings(recipe, data).recipe
    return store.train(row, chosen, build_finetuning(chosen, data), keeps_weights=row == TOGETHER)


def _of_one_task(recipe: FinetuneRecipe) -> FinetuneRecipe:
    """The recipe of one of several tasks as that of a single one, which has no weight beside others."""
    own = {name: getattr(recipe.task, name) for name in TaskRecipe.model_fields}
    return recipe.model_copy(update={"task": TaskRecipe.model_construct(**own)})


def _going_on(recipe: FinetuneRecipe, start: RunFolder, name: str) -> FinetuneRecipe:
    """From a model of all tasks, with the head that it has learned for this one."""
    return recipe.model_copy(update={"start": str(start.path), "start_head": name})


def _result_of_task(folder: RunFolder, name: str) -> Result:
    """What a training of several tasks came to in one of them."""
    report, values = read_json(folder.path / REPORT), read_json(folder.path / PSEUDO_VALUES)
    dev, test = report["tasks"][name], report["test"]["tasks"][name]
    return Result(
        folder.path.name, float(test["metrics"][test["metric"]]), float(dev["metrics"][dev["metric"]]),
        values["tasks"]["test"].get(name, []), float(report["seconds"]), dev["collapsed"],
    )  # fmt: skip


def _mean_column(columns: list[_Column]) -> _Column:
    rows = {row: list(map(_mean, zip(*(one.rows[row] for one in columns), strict=True))) for row in ROWS}
    return _Column("the tasks' mean", sum(one.examples for one in columns), rows)


def _mean(results: tuple[Result, ...]) -> Result:
    """The mean of one seed's results in all tasks."""
    values = [np.array(one.pseudo_values) for one in results]
    whole = mean_pseudo_values(values).tolist() if all(map(len, values)) else []
    spent = {one.name: one.seconds for one in results}
    value, dev = (float(np.mean([getattr(one, field) for one in results])) for field in ("value", "dev"))
    return Result("", value, dev, whole, sum(spent.values()), any(one.collapsed for one in results))


def _finish(recipe: StudyRecipe, root: RunFolder, columns: Mapping[str, _Column]) -> dict[str, Any]:
    compared = corrected([_pair(name, one, row) for name, one in columns.items() for row in (TOGETHER, AFTER)])
    shown = [replace(one, column="") for one in compared if one.column == MEAN] or compared
    more = {
        "metric": "each task's own metric", "split": "test", "columns": "",
        "examples": sum(one.examples for name, one in columns.items() if name != MEAN),
        "answer": " ".join(said(one) for one in shown), "tried": [], "costs": {}, "baselines": [],
        "table": table_rows({name: {row: one.rows[row] for row in ROWS} for name, one in columns.items()}),
        "comparisons": [comparison_to_dict(one) for one in compared],
    }  # fmt: skip
    return finish_study(recipe, root, more)


def _pair(name: str, column: _Column, row: str) -> Compared:
    """One way of learning together beside the task alone."""
    ours, theirs = column.rows[row], column.rows[ALONE]
    values = [[one.pseudo_values for one in side] for side in (ours, theirs)]
    found = compare(
        [one.value for one in ours], [one.value for one in theirs], column.metric,
        pseudo_values=(values[0], values[1]) if all(map(all, values)) else None, split="test", examples=column.examples,
        sides=(row, ALONE),
    )  # fmt: skip
    return Compared(name, ALONE, found, paired_tests(ours, theirs))
