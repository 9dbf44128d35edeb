"""``warmstart explain``: what a recipe will do, in words. Reads everything but weights, trains nothing, writes nothing."""

import tempfile
from pathlib import Path
from typing import Any

from warmstart.base.clock import work_began_at_s
from warmstart.base.run_folder import RunFolder
from warmstart.build.dry_run import build_meta_model
from warmstart.build.pretraining import build_pretraining, check_model
from warmstart.build.scale import Scale, describe_scale
from warmstart.config.load import changes_to_yaml, to_yaml
from warmstart.config.schema import FinetuneRecipe, PretrainRecipe
from warmstart.study.run import describe_study, plan_study
from warmstart.train.precision import compute_settings, default_device
from warmstart.verbs import pretrain as pretraining


def explain(recipe: PretrainRecipe | FinetuneRecipe, all: bool = False, scale: Scale | None = None) -> dict[str, Any]:
    """Builds what ``recipe`` names and describes it.

    Args:
        recipe: of the training.
        all: whether ``settings`` names those that are as by default too.
        scale: many processes, of which memory and time are to be said too.

    Returns:
        {"recipe": the full tree with what was chosen, "words": lines, "settings": those that differ from the defaults}, the
        trees as YAML; of a fine-tuning also "data": {"splits": {name: counts}, "warnings": [{"kind", "split", "count", "of",
        "text"}]}.

    Raises:
        BadInput: whatever the training itself would refuse, damaged weights apart, which are not read.
    """
    whole: PretrainRecipe | FinetuneRecipe = recipe
    more: dict[str, Any] = {}
    began_at_s, compute = work_began_at_s(), compute_settings(recipe.train.precision, default_device())
    if isinstance(recipe, FinetuneRecipe):
        plan = plan_study(recipe, RunFolder("out"))
        lines = describe_study(recipe, plan, compute, began_at_s)
        if scale is not None:
            main = plan.trials[0]
            built, own = plan.built[main.arm], main.recipe
            model = build_meta_model(built.settings, own.scheme)
            lines += describe_scale(model, built.stream(own), own.train, compute, scale)
        reports = {name: report.to_dict() for name, report in plan.reports.items()}
        more = {"data": reports.get("", reports)}
        whole = plan.trials[0].recipe.model_copy(update={"seeds": recipe.seeds, "control": recipe.control})
    else:
        check_model(recipe)
        with tempfile.TemporaryDirectory() as scratch:  # raw text has to be encoded before it can be described
            corpus = pretraining.open_corpus(recipe, Path(scratch) / "corpus")
            named = build_pretraining(recipe, corpus)
            lines, whole = pretraining.describe_pretraining(named, compute, began_at_s), named.recipe
            if scale is not None:
                model = build_meta_model(named.settings)
                lines += describe_scale(model, named.train, named.recipe.train, compute, scale)
    settings = to_yaml(whole) if all else changes_to_yaml(recipe)
    return {"recipe": to_yaml(whole), "words": lines, "settings": settings} | more
