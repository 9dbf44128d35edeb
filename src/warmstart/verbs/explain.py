"""``warmstart explain``: what a recipe will do, in words. Reads everything, runs nothing, writes nothing."""

import tempfile
from pathlib import Path
from typing import Any

from warmstart.base.run_folder import RunFolder
from warmstart.build.finetuning import build_finetuning
from warmstart.build.pretraining import build_pretraining
from warmstart.build.start import check_model
from warmstart.config.load import resolved
from warmstart.config.schema import FinetuneRecipe, PretrainRecipe
from warmstart.verbs import finetune as finetuning
from warmstart.verbs import pretrain as pretraining


def explain(recipe: PretrainRecipe | FinetuneRecipe) -> dict[str, Any]:
    """Builds what ``recipe`` names and describes it: {"recipe": the full tree, "words": lines}.

    Raises:
        BadInput: whatever the training itself would refuse.
    """
    if isinstance(recipe, FinetuneRecipe):
        first = finetuning.list_trainings(recipe, RunFolder("out"))
        lines = finetuning.words(first[0].recipe, build_finetuning(first[0].recipe))
        if len(first) > 1:
            lines.append(f"runs       {len(first)}: " + ", ".join(training.folder.path.name for training in first))
    else:
        check_model(recipe)
        with tempfile.TemporaryDirectory() as scratch:  # raw text has to be encoded before it can be described
            corpus = pretraining.open_corpus(recipe, Path(scratch) / "corpus")
            lines = pretraining.words(recipe, build_pretraining(recipe, corpus))
    return {"recipe": resolved(recipe), "words": lines}
