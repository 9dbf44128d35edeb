"""The trials of a recipe. Witness: what a control has to share with the arm that it is compared with."""

import pytest

from warmstart.base.run_folder import RunFolder
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.study.factors import list_arms, list_trials


@pytest.mark.parametrize("other", [None, "words"])
def test_a_control_reads_with_the_vocabulary_of_the_other_arm(other: str | None) -> None:
    """Witness: the vocabulary of the warm arm: the start's, or the one that replaces it."""
    more = {} if other is None else {"--tokenizer": other, "--new-vocabulary": True}
    flags = {"--start": "lm", "--task": "classification", "--control": True, **more}
    recipe = compose(FinetuneRecipe, flags=flags)
    warm, control = (trial.recipe for trial in list_trials(recipe, list_arms(recipe), RunFolder("out")))
    assert (warm.start, control.start) == ("lm", "none")
    assert control.tokenizer == (other or "lm") and not control.new_vocabulary
