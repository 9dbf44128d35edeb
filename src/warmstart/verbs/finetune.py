"""``warmstart finetune``: a model for one task, from pre-trained weights, over several seeds, beside its own control."""

from typing import Any

from warmstart.base.run_folder import Resume
from warmstart.build.labelled_data import LabelledData
from warmstart.config.schema import FinetuneRecipe
from warmstart.study.run import run_study


def finetune(
    recipe: FinetuneRecipe, out: str, resume: Resume = False, data: LabelledData | None = None
) -> dict[str, Any]:
    """Fine-tunes, evaluates on dev (and test, where there is one), and leaves everything in ``out``.

    Args:
        recipe: start, task and training.
        out: the run folder.
        resume: whether to continue a run that stopped there; ``"strict"``: from its newest checkpoint only.
        data: records in memory instead of the recipe's files.

    Returns:
        {"run", "steps", "tokens", "seconds", "metrics", "intervals"} of the chosen model; with several trainings also
        "runs", and per arm {"mean", "std", "values"}; with a control also "comparison".

    Raises:
        BadInput: anything wrong with recipe, start, files or folder; nothing is written then.
    """
    return run_study(recipe, out, resume, None if data is None else {"": data})
