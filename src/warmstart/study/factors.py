"""The trials of a recipe: every seed, with and without its warm start."""

from warmstart.base.run_folder import RunFolder
from warmstart.build.start import NO_START
from warmstart.config.schema import FinetuneRecipe
from warmstart.study.trial import Trial
from warmstart.train.settings import SchemeSettings

PRETRAINED, SCRATCH = "pretrained", "scratch"


def list_trials(recipe: FinetuneRecipe, root: RunFolder) -> list[Trial]:
    """All trials that ``recipe`` asks for, seed by seed, the control beside each; a single one has ``root`` itself."""
    arm = SCRATCH if recipe.start == NO_START else PRETRAINED
    arms = {arm: recipe}
    if recipe.control and arm == PRETRAINED:
        arms[SCRATCH] = control_of(recipe)
    if len(arms) * recipe.seeds == 1:
        return [Trial(arm, recipe, root)]
    trials = []
    for number in range(recipe.seeds):
        seed = recipe.train.seed + number
        for name, own in arms.items():
            train = own.train.model_copy(update={"seed": seed})
            one = own.model_copy(update={"seeds": 1, "control": False, "train": train})
            trials.append(Trial(name, one, RunFolder(root.path / f"{name}-seed{seed}")))
    return trials


def control_of(recipe: FinetuneRecipe) -> FinetuneRecipe:
    """The same model and vocabulary from random weights, all of which are trained: frozen ones would be no control."""
    model = recipe.model.model_copy(update={"preset": recipe.start})
    changes = {"start": NO_START, "tokenizer": recipe.start, "model": model, "transfer_layers": None}
    return recipe.model_copy(update=changes | {"scheme": SchemeSettings()})
