"""The trials of a recipe: every seed, with and without its warm start."""

from collections.abc import Mapping

from warmstart.base.follower_folder import open_run
from warmstart.base.run_folder import RunFolder
from warmstart.build.inputs import input_models
from warmstart.build.side_starts import forms_of_starts, side_starts, with_side_vocabulary
from warmstart.build.start import NO_START
from warmstart.config.inputs import InputRecipe
from warmstart.config.schema import FinetuneRecipe
from warmstart.study.trial import Trial
from warmstart.train.settings import SchemeSettings

PRETRAINED, SCRATCH = "pretrained", "scratch"


def list_arms(recipe: FinetuneRecipe) -> dict[str, FinetuneRecipe]:
    """The recipe of each arm: that of ``recipe`` itself first, then of its control, if it has one."""
    arm = PRETRAINED if is_pretrained(recipe) else SCRATCH
    control = {SCRATCH: control_of(recipe)} if recipe.control and arm == PRETRAINED else {}
    return {arm: recipe} | control


def is_pretrained(recipe: FinetuneRecipe) -> bool:
    """Whether anything of it is pre-trained: the whole, one of its sides, or what it reads its texts by."""
    return recipe.start != NO_START or bool(side_starts(recipe) or input_models(recipe))


def list_trials(recipe: FinetuneRecipe, arms: Mapping[str, FinetuneRecipe], root: RunFolder) -> list[Trial]:
    """All trials that ``recipe`` asks for, seed by seed, the arms side by side; a single one has ``root`` itself."""
    if len(arms) * recipe.seeds == 1:
        [(arm, own)] = arms.items()
        return [Trial(arm, own, root)]
    trials = []
    for number in range(recipe.seeds):
        seed = recipe.train.seed + number
        for name, own in arms.items():
            train = own.train.model_copy(update={"seed": seed})
            one = own.model_copy(update={"seeds": 1, "control": False, "train": train})
            trials.append(Trial(name, one, open_run(root.path / f"{name}-seed{seed}")))
    return trials


def control_of(recipe: FinetuneRecipe) -> FinetuneRecipe:
    """The same model and vocabulary from random weights, trained in the way that suits these.

    All of it is trained, at one rate, from the first step on: layers that stay frozen, wait to be unfrozen or learn at a
    smaller rate because they know something already would be no control.
    """
    model, vocabulary = recipe.model, with_side_vocabulary(recipe).tokenizer
    if recipe.start != NO_START:
        model = recipe.model.model_copy(update={"preset": recipe.start})
        vocabulary = recipe.tokenizer if recipe.new_vocabulary else recipe.start
    else:
        model = model.model_copy(update=forms_of_starts(recipe))
    # What reads the states of a language model learns no auxiliary one unless it is told to, and so its control.
    lm_weight = recipe.lm_weight if recipe.inputs.text is None else recipe.lm_weight or 0.0
    changes = {
        "start": NO_START,
        "encoder_start": None,
        "decoder_start": None,
        "inputs": InputRecipe(),
        "tokenizer": vocabulary,
        "model": model,
        "transfer_layers": None,
        "new_vocabulary": False,
        "new_head": False,
        "lm_weight": lm_weight,
    }
    optimizer = recipe.train.optimizer.model_copy(update={"layer_decay": 1.0})
    train = recipe.train.model_copy(update={"unfreeze": None, "optimizer": optimizer})
    return recipe.model_copy(update=changes | {"scheme": SchemeSettings(kind="full"), "train": train})


def describe_control(recipe: FinetuneRecipe) -> str:
    """In words how the control of ``recipe`` is trained."""
    left_out = [
        words
        for words, given in (
            (f"--scheme {recipe.scheme.kind}", recipe.scheme.kind not in (None, "full")),
            ("--freeze-tables", recipe.scheme.freeze_tables),
            ("--unfreeze", recipe.train.unfreeze is not None),
            ("--layer-decay", recipe.train.optimizer.layer_decay != 1.0),
        )
        if given
    ]
    without = f", without {' and '.join(left_out)}" if left_out else ""
    return f"control    the same model from random weights, all of it trained at one rate from the first step{without}"
