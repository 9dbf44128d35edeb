"""``warmstart study``: many small trainings of one recipe, compared, with what a person would use instead."""

from typing import Any

from warmstart.config.study import StudyRecipe
from warmstart.study.design_run import run_design
from warmstart.study.folder import stopped_as_study
from warmstart.study.several_tasks import run_tasks
from warmstart.study.zeroshot_curve import run_zeroshot

OTHERS = {"tasks": run_tasks, "zeroshot": run_zeroshot}
"""Designs that are no trainings of one task → what runs them."""


def study(recipe: StudyRecipe, out: str) -> dict[str, Any]:
    """Runs what is not finished yet and compares all trials; ``out`` then has ``study.json`` and ``report.html``.

    Args:
        recipe: the fine-tuning and the design.
        out: the folder of the study; one that was stopped goes on.

    Returns:
        {"study", "design", "metric", "split", "examples", "answer", "table", "baselines", "comparisons", "costs", "command",
        "page"}.

    Raises:
        BadInput: anything wrong with recipe, start, files or folder; nothing is written then.
        TerminationError, InterruptError: a signal came; what was trained is saved, and the same call goes on.
    """
    with stopped_as_study(out):
        return OTHERS.get(recipe.design, run_design)(recipe, out)
