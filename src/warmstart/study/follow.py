"""What the processes do in a study that do not lead it: they train along, and leave all else to the first.

Which training comes next (another seed, a control, a second attempt) the leading process says as it begins it.
"""

from collections.abc import Mapping, Sequence

from warmstart.base.world import current_world
from warmstart.build.finetuning import Finetuning
from warmstart.study.again import next_attempt
from warmstart.study.trial import Setup, Trial, run_training


def follow(trials: Sequence[Trial], built: Mapping[str, Finetuning], setup: Setup) -> None:
    """Takes part in every training that the leading process begins, until it says that there is none any more."""
    known = {str(trial.folder.path): trial for first in trials for trial in _attempts(first)}
    while (task := current_world().agree(None)) is not None:
        trial = known[task["run"]]
        run_training(trial, built[trial.arm], setup, task["resume"])


def _attempts(trial: Trial) -> list[Trial]:
    """The trial, and those that are begun in its place where it collapses."""
    found = [trial]
    for _ in range(trial.recipe.retries):
        found.append(next_attempt(found[-1]))
    return found
