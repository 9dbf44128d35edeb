"""A study: the trials of a recipe, run one after the other and compared.

One trial leaves one run folder. Several trials have a folder each inside ``out``, and ``out`` itself holds the model that
did best on dev, the table and the comparison. ``--seeds --control`` is the smallest case.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warmstart.base.clock import work_began_at_s
from warmstart.base.console import say
from warmstart.base.files import read_json
from warmstart.base.follower_folder import open_run
from warmstart.base.run_folder import REPORT, Resume, RunFolder
from warmstart.base.world import current_world
from warmstart.build.chosen import CHOSEN, choose_settings
from warmstart.build.cost import disk_line, seconds_since, total_line
from warmstart.build.data_report import DataReport, report_data
from warmstart.build.dry_run import build_meta_model
from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.build.labelled_data import LabelledData, read_tasks
from warmstart.build.training import check_parallel
from warmstart.config.load import to_yaml
from warmstart.config.schema import FinetuneRecipe
from warmstart.run.metadata import read_metadata
from warmstart.run.writing import manifest, write_model
from warmstart.study.again import run_trial
from warmstart.study.baselines import Baseline, Baselines, fit_once, fits_baselines
from warmstart.study.compare import compare_trials, gain_over_best
from warmstart.study.factors import describe_control, list_arms, list_trials
from warmstart.study.follow import follow
from warmstart.study.trial import Setup, Trial, card_facts, data_sizes, describe_trial, summary, trial_cost
from warmstart.train.precision import ComputeSettings, settings_of_run
from warmstart.train.schemes import bytes_to_write
from warmstart.transfer.folder import load_model


def run_study(
    recipe: FinetuneRecipe, out: str, resume: Resume, data: Mapping[str, LabelledData] | None
) -> dict[str, Any]:
    """Runs every trial of ``recipe`` that is not finished yet, and compares them.

    Returns:
        The report of the chosen model; of several trials as :func:`~warmstart.study.compare.compare_trials` gives it.
    """
    root = open_run(out)
    with root.hold():
        return _run_trials(recipe, root, resume, data)


def _run_trials(
    recipe: FinetuneRecipe, root: RunFolder, resume: Resume, data: Mapping[str, LabelledData] | None
) -> dict[str, Any]:
    world = current_world()
    with world.together():
        root.check_free(resume=resume, config=to_yaml(recipe), chosen=CHOSEN)
        began_at_s, plan = work_began_at_s(), plan_study(recipe, root, data)
        main = plan.built[plan.trials[0].arm]
        for trial in plan.trials:
            check_parallel(plan.built[trial.arm].settings, world, train=trial.recipe.train)
        fingerprints = main.fingerprints()
        root.check_data(fingerprints)
    compute = settings_of_run(root, recipe.train.precision, world.device)
    setup = Setup(compute, data_sizes(main) | {"warnings": plan.warnings, "fingerprints": fingerprints})
    if not world.leads:
        follow(plan.trials, plan.built, setup)
        return {}
    for line in describe_study(recipe, plan, compute, began_at_s):
        say(line)
    report = _lead(recipe, root, resume, plan, setup)
    world.agree(None)  # the others need not wait for another training
    return report


def _lead(recipe: FinetuneRecipe, root: RunFolder, resume: Resume, plan: "StudyPlan", setup: Setup) -> dict[str, Any]:
    """Runs the trials and compares them; where several processes train, this is what the leading one does."""
    trials, built = plan.trials, plan.built
    main = built[trials[0].arm]
    several = len(trials) > 1 or plan.compares
    for start in (main.start, *main.inputs.models.values()) if several else ():
        if start is not None:
            start.load()  # damaged weights are refused before anything is written
    if several:
        root.create(to_yaml(recipe), manifest("finetune", recipe.train.seed, setup.data), setup.compute.to_dict())
    baselines = fit_once(Baselines(recipe), main, root) if plan.compares else {}
    if len(trials) == 1:
        gain = functools.partial(_gain_of_one, trials[0], main.metric, baselines)
        return run_trial(trials[0], main, setup, resume, gain)
    reports = []
    for number, trial in enumerate(trials, start=1):
        say(f"training {number} of {len(trials)}: {trial.arm}, seed {trial.recipe.train.seed}")
        if trial.folder.is_finished:
            trial.folder.tidy()  # the process may have died before it came to that
            reports.append(read_json(trial.folder.path / REPORT))
            continue
        reports.append(run_trial(trial, built[trial.arm], setup, trial.folder.is_started and resume))
    report = compare_trials(str(root.path), trials, reports, main.metric, baselines)
    best = Path(report["best"])
    words, facts = summary(recipe, main), card_facts(recipe, main, report)
    write_model(root.path, load_model(best), main.tokenizer, read_metadata(best), words, facts=facts)
    root.finish(report)
    return report


def _gain_of_one(
    trial: Trial, metric: str, baselines: Mapping[str, Baseline], report: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What a single training gains over the best baseline, for its report."""
    return gain_over_best([trial], [dict(report)], metric, baselines)


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """The trials of a study, what each arm needs, what was chosen for it, in words, and what the data are like.

    ``compares``: whether baselines stand beside them.
    """

    trials: list[Trial]
    built: Mapping[str, Finetuning]
    chosen: Mapping[str, tuple[str, ...]]
    reports: Mapping[str, DataReport]
    compares: bool

    @property
    def warnings(self) -> list[str]:
        """What may be wrong with the data."""
        return [finding.text for report in self.reports.values() for finding in report.findings]

    def describe_data(self) -> list[str]:
        """Lines of the dry run; of several tasks each names its own."""
        return [
            f"{name}: {line}" if name else line for name, report in self.reports.items() for line in report.describe()
        ]


def plan_study(recipe: FinetuneRecipe, root: RunFolder, data: Mapping[str, LabelledData] | None = None) -> StudyPlan:
    """Reads the data, chooses what the recipe leaves open, for each arm by itself, and checks all that is named."""
    compares = fits_baselines(recipe)
    data = read_tasks(recipe) if data is None else data
    arms = {arm: choose_settings(own, data) for arm, own in list_arms(recipe).items()}
    trials = list_trials(recipe, {arm: own.recipe for arm, own in arms.items()}, root)
    built = build_arms(trials, data)
    reports = {task.name: report_data(task.data, task.lengths) for task in built[trials[0].arm].tasks}
    return StudyPlan(trials, built, {arm: own.words for arm, own in arms.items()}, reports, compares)


def describe_study(
    recipe: FinetuneRecipe, plan: StudyPlan, compute: ComputeSettings, began_at_s: float | None = None
) -> list[str]:
    """The dry run in words: the first training, a control with all that differs in it, and what all trainings take.

    ``began_at_s``: when the work began, by ``time.monotonic``; all until the end of this dry run is preparing.
    """
    trials, built = plan.trials, plan.built
    arms = {trial.arm: trial for trial in reversed(trials)}
    costs = {arm: trial_cost(trial.recipe, built[arm], compute) for arm, trial in arms.items()}
    main = trials[0].arm
    lines = describe_trial(trials[0].recipe, built[main], costs[main])
    lines += [*plan.describe_data(), *plan.chosen[main]]
    for arm, trial in arms.items():
        if arm != main:
            own = [*describe_trial(trial.recipe, built[arm], costs[arm]), *plan.chosen[arm]]
            lines += [describe_control(recipe), *("  " + line for line in own if line not in lines)]
    if len(trials) > 1:
        lines.append(f"runs       {len(trials)}: " + ", ".join(trial.folder.path.name for trial in trials))
    seconds: dict[str, float] = {}
    for trial in trials:
        for name, value in costs[trial.arm].seconds.items():
            seconds[name] = seconds.get(name, 0.0) + value
    models = [build_meta_model(built[trial.arm].settings, trial.recipe.scheme) for trial in trials]
    finished = (
        sum(4 * model.num_parameters for model in models) if len(trials) > 1 else 0
    )  # and the best stands above all
    lines += describe_retries(recipe.retries)
    prepared = {"preparing": seconds_since(began_at_s)}
    return [
        *lines,
        disk_line(bytes_to_write(models[0], recipe.train) + finished),
        total_line(prepared | seconds, len(trials)),
    ]


def describe_retries(count: int) -> list[str]:
    """What a collapse adds to the time and the disk that the dry run names; nothing, where nothing is begun again."""
    if count == 0:
        return []
    times = "once more" if count == 1 else f"up to {count} times more"
    return [f"collapse   a training that collapses is begun again (--retries): its time and disk come {times}"]


def build_arms(trials: list[Trial], data: Mapping[str, LabelledData]) -> dict[str, Finetuning]:
    """What each arm needs, checked; all its seeds share it."""
    first_of_arm = {trial.arm: trial.recipe for trial in reversed(trials)}
    main = build_finetuning(trials[0].recipe, data)
    return {
        arm: main if arm == trials[0].arm else build_finetuning(recipe, main.data, main)
        for arm, recipe in first_of_arm.items()
    }
