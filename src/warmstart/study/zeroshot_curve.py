"""``warmstart study zeroshot``: what a language model knows of a task on its way (GPT-1, figure 2, right).

The rows are runs, the columns the steps after which ``pretrain --snapshots`` has kept a model; nothing is trained. Of each
run its last model is compared with its first, and at the end with the other runs, over the examples of the task: these very
models are compared, so no seed is drawn.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from warmstart.base.console import say, track
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, sha256, write_json
from warmstart.base.run_folder import REPORT, RunFolder
from warmstart.build.start import read_start
from warmstart.build.zeroshot import find_task, scorer_of
from warmstart.config.load import to_yaml
from warmstart.config.study import StudyRecipe
from warmstart.config.variants import variants
from warmstart.metrics.comparison import compare
from warmstart.metrics.generation import TextStatistics
from warmstart.metrics.jackknife import sum_pseudo_values
from warmstart.run.loading import load_run
from warmstart.run.writing import manifest
from warmstart.study.design_run import check_study, finish_study
from warmstart.study.folder import STUDY_VERB, StudyFolder, trials_folder
from warmstart.study.paired import paired_tests
from warmstart.study.pretraining_cost import kept_models, pretraining_cost
from warmstart.study.store import Result
from warmstart.study.table import Compared, StudyTable, comparison_to_dict, corrected, said
from warmstart.zeroshot.outcome import statistics_of
from warmstart.zeroshot.task import Options, ZeroshotTask

Points = Mapping[str, Mapping[int, Path]]
"""Run → step → folder of the model."""


def run_zeroshot(recipe: StudyRecipe, out: str) -> dict[str, Any]:
    """Judges every model that is not judged yet, and compares all.

    Returns:
        What stands in ``study.json``, as :func:`~warmstart.study.design_run.run_design` has it.

    Raises:
        BadInput: anything wrong with the runs, the task or its file; nothing is written then.
    """
    root = StudyFolder(out)
    with root.hold():
        check_study(recipe, root)
        task, data, points = find_task(recipe.task.name), file_of(recipe), _points(recipe)
        count = sum(1 for _ in task.items(data, Options(recipe.task.encoding)))
        kept = trials_folder(recipe, root)
        kept.mkdir(parents=True, exist_ok=True)
        root.create(to_yaml(recipe), manifest(STUDY_VERB, recipe.train.seed, {}))
        metric, trials = recipe.task.metric, dict[str, dict[str, list[Result]]]()
        for row, models in points.items():
            for number, (step, folder) in enumerate(models.items(), start=1):
                say(f"model {number} of {len(models)}: {row}, after step {step:,}")
                found = _judged(kept, folder, recipe, task, count)
                metric = metric or next(iter(found))
                trials.setdefault(str(step), {})[row] = [_result(found[_known(metric, found)])]
        return _finish(recipe, root, StudyTable(metric or "", "test", count, trials), points)


def file_of(recipe: StudyRecipe) -> str:
    """The file of the task."""
    if recipe.task.test is None:
        raise BadInput(
            "no file to judge", where="--test", next_step="add --test FILE with the task as it is distributed"
        )
    return recipe.task.test


def _points(recipe: StudyRecipe) -> Points:
    """Every run with the models on its way and the one at its end.

    Raises:
        BadInput: a start is no finished run, or no model was kept.
    """
    starts = [recipe.start, *(one.start for one in variants(recipe.base, recipe.vary).values())]
    found = {}
    for start in dict.fromkeys(starts):
        kept = kept_models(start)
        if not RunFolder(start).is_finished or not kept:
            raise BadInput(
                "no model was kept on the way of this start", where="--start", value=start, allowed="a finished run",
                next_step="pre-train with --snapshots",
            )  # fmt: skip
        last = int(read_json(Path(start) / REPORT)["steps"])
        found[Path(start).name if len(starts) == 1 else start] = kept | {last: Path(start)}
    return found


def _judged(trials: Path, folder: Path, recipe: StudyRecipe, task: ZeroshotTask, count: int) -> dict[str, Any]:
    """Metric → {"value", "pseudo_values"} of one model: as it was judged before, or else it is judged now."""
    data = file_of(recipe)
    known = f"{read_start(str(folder)).fingerprint()} {recipe.task.name} {sha256(Path(data))} {recipe.train.precision}"
    path = trials / f"{hashlib.sha256(known.encode()).hexdigest()[:16]}.json"
    if path.is_file():
        return dict(read_json(path))
    scorer, options = scorer_of(load_run(str(folder), recipe.train.precision)), Options(recipe.task.encoding)
    outcomes = list(track(task.outcomes(task.items(data, options), scorer, options), "judging", count))
    found = {name: _figures(one) for name, one in statistics_of(outcomes).items()}
    write_json(path, found)
    return found


def _figures(statistics: TextStatistics) -> dict[str, Any]:
    values = sum_pseudo_values(statistics.rows, statistics.formula)
    return {"value": statistics.value, "pseudo_values": values.tolist()}


def _known(metric: str, found: Mapping[str, Any]) -> str:
    """The metric, which the task has.

    Raises:
        BadInput: it has no such metric.
    """
    if metric not in found:
        raise BadInput(
            "not a metric of this task", where="--metric", value=metric, allowed=", ".join(found),
            next_step="choose one of these, or leave it out",
        )  # fmt: skip
    return metric


def _result(found: Mapping[str, Any]) -> Result:
    return Result("", found["value"], found["value"], found["pseudo_values"], 0.0)


def _finish(recipe: StudyRecipe, root: RunFolder, table: StudyTable, points: Points) -> dict[str, Any]:
    compared = corrected(_compared(table, points))
    answers = [*map(said, compared), "Intervals are over the examples of the task: these very models are compared."]
    costs = {row: None if (cost := pretraining_cost(str([*models.values()][-1]))) is None else cost.to_dict()
             for row, models in points.items()}  # fmt: skip
    more = {"columns": "steps", "seeds": 1, "tried": [], "costs": costs, "answer": " ".join(answers)}
    more["comparisons"] = [comparison_to_dict(one) for one in compared]
    return finish_study(recipe, root, table.to_dict() | more)


def _compared(table: StudyTable, points: Points) -> list[Compared]:
    """Of each run the last model with the first; and the last model of the first run with those of the others."""
    ends = {row: (str([*models][-1]), str(next(iter(models)))) for row, models in points.items()}
    pairs = [((row, last), (row, first)) for row, (last, first) in ends.items()]
    main, *others = [(row, last) for row, (last, _) in ends.items()]
    return [_pair(table, one, other) for one, other in [*pairs, *((main, other) for other in others)]]


def _pair(table: StudyTable, one: tuple[str, str], other: tuple[str, str]) -> Compared:
    ours, theirs = (table.trials[step][row] for row, step in (one, other))
    names = [f"{row} after {int(step):,} steps" for row, step in (one, other)]
    values = [[result.value for result in side] for side in (ours, theirs)]
    pseudo_values = ([ours[0].pseudo_values], [theirs[0].pseudo_values])
    found = compare(
        values[0], values[1], table.metric, pseudo_values=pseudo_values, split=table.split, examples=table.examples,
        sides=(names[0], names[1]),
    )  # fmt: skip
    return Compared("", names[1], found, paired_tests(ours, theirs), of_models=True)
