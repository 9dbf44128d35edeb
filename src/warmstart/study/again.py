"""A training that collapses is begun again: with another seed and half the rate, beside the first.

A model that gives one answer to everything has learned nothing of its task; few labels, a high rate and an unlucky draw lead
there, and another draw with a lower rate often does not (Devlin et al. 2019, section 5.2; Mosbach et al. 2021). The attempt
that does better on dev is the result, one that has not collapsed before one that has. The first stays in the run's own
folder, the second has a folder of its own in it.
"""

from dataclasses import replace
from typing import Any

from warmstart.base.console import say
from warmstart.base.files import read_json, write_json
from warmstart.base.follower_folder import open_run
from warmstart.base.run_folder import AGAIN, COLLAPSED, EXAMPLES, PSEUDO_VALUES, REPORT, Resume
from warmstart.build.finetuning import Finetuning
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.run.metadata import read_metadata
from warmstart.run.writing import write_model
from warmstart.study.trial import (
    Addition,
    Setup,
    Trial,
    add_nothing,
    card_facts,
    finish_trial,
    how_collapsed,
    summary,
    train_trial,
)
from warmstart.transfer.folder import load_model

SEED_STEP = 1000  # from a seed to that of the next attempt: further than a study has seeds


def run_trial(
    trial: Trial, built: Finetuning, setup: Setup, resume: Resume, add: Addition = add_nothing
) -> dict[str, Any]:
    """Trains, begins again where the model collapses and the recipe allows it, and writes the run.

    Args:
        trial: what is trained, and where.
        built: what the recipe names; shared by all seeds of an arm.
        setup: what all trials share.
        resume: whether to continue a training that stopped there.
        add: to the report.

    Returns:
        The report (:func:`~warmstart.study.trial.finish_trial`); of several attempts also "attempts", the reports of all,
        and "attempt", the folder of the one that is the result, within the run's.
    """
    path = trial.folder.path / COLLAPSED
    if resume and path.is_file():
        first = read_json(path)
    else:
        outcome = train_trial(trial, built, setup, resume)
        if not outcome.report["collapsed"] or trial.recipe.retries == 0:
            return finish_trial(trial, built, outcome, add)
        first = outcome.report
        write_json(path, first)
        del outcome  # the memory of the model
    other = next_attempt(trial)
    train = other.recipe.train
    begun = f"seed {train.seed} and rate {train.optimizer.peak:.3g} (--retries 0 would not)"
    say(f"this training has collapsed: {how_collapsed(first)}; it is begun again with {begun}")
    if other.folder.is_finished:
        second = read_json(other.folder.path / REPORT)
    else:
        second = run_trial(other, built, setup, other.folder.is_started and resume)
    return _choose(trial, built, setup, first, second, add)


def next_attempt(trial: Trial) -> Trial:
    """The training that is begun in the place of one that has collapsed."""
    train = trial.recipe.train
    optimizer = train.optimizer.model_copy(update={"lr": train.optimizer.peak / 2})
    train = train.model_copy(update={"seed": train.seed + SEED_STEP, "optimizer": optimizer})
    recipe = trial.recipe.model_copy(update={"train": train, "retries": trial.recipe.retries - 1})
    return replace(trial, recipe=recipe, folder=open_run(trial.folder.path / AGAIN))


def _choose(
    trial: Trial, built: Finetuning, setup: Setup, first: dict[str, Any], second: dict[str, Any], add: Addition
) -> dict[str, Any]:
    """Writes the better of both attempts as the run."""
    attempts = [first, *second.get("attempts", [second])]
    if _rank(first, built.metric) >= _rank(second, built.metric):
        say("the second training is no better, so the first is kept")
        outcome = train_trial(trial, built, setup, resume=True)  # its checkpoints are still there
        return finish_trial(trial, built, outcome, add, attempts=attempts, attempt=".")
    folder, chosen = trial.folder, trial.folder.path / AGAIN
    words, facts = summary(trial.recipe, built), card_facts(trial.recipe, built, second)
    write_model(folder.path, load_model(chosen), built.tokenizer, read_metadata(chosen), words, facts=facts)
    for name in (PSEUDO_VALUES, EXAMPLES):
        if (chosen / name).is_file():
            write_json(folder.path / name, read_json(chosen / name))
    place = f"{AGAIN}/{second['attempt']}" if second.get("attempt", ".") != "." else AGAIN
    report = second | {"run": first["run"], "seed": first["seed"], "attempts": attempts, "attempt": place}
    report |= add(report)
    folder.finish(report)
    if report["collapsed"]:
        say(f"warning: this run has collapsed: {how_collapsed(report)}")
    return report


def _rank(report: dict[str, Any], metric: str) -> tuple[bool, float]:
    """Greater is better."""
    value = float(report["metrics"][metric])
    return not report["collapsed"], -value if metric in LOWER_IS_BETTER else value
