"""The designs of studies: which trials a recipe asks for, and what they are compared with.

A design is a function from a study's recipe and its data to the table of trials; a new one is a function and a line here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from warmstart.base.errors import BadInput
from warmstart.build.labelled_data import LabelledData
from warmstart.build.sizes import backbone_settings
from warmstart.build.start import NO_START, read_start
from warmstart.build.task import lm_weight_of
from warmstart.config.schema import FinetuneRecipe
from warmstart.config.study import StudyRecipe, variants
from warmstart.study.factors import PRETRAINED, SCRATCH, control_of
from warmstart.study.store import Cell
from warmstart.study.subsets import Size, subset
from warmstart.tasks.table import KINDS


@dataclass(frozen=True, slots=True)
class Design:
    """One design of a study.

    Attributes:
        cells: the trials in the order in which they run: after each seed the table is whole.
        columns: what stands in the head of the table, in words.
    """

    cells: Callable[[StudyRecipe, LabelledData], Iterator[Cell]]
    columns: str = ""


def _labels(recipe: StudyRecipe, data: LabelledData) -> Iterator[Cell]:
    """From few labels to all of them, with and without the start."""
    arms = _arms(recipe.base)
    sizes = [Size.parse(text) for text in recipe.sizes]
    for seed in _seeds(recipe):
        for size in sizes:
            part = subset(data, recipe.task, size, seed)
            for row, own in arms.items():
                yield Cell(row, size.text, _with_seed(own, seed), part)


def _ablation(recipe: StudyRecipe, data: LabelledData) -> Iterator[Cell]:
    """Without one part at a time (GPT-1, table 5), and with each value that varies."""
    arms = {"full": recipe.base}
    if recipe.start != NO_START:
        arms["no pre-training"] = control_of(recipe.base)
    if _has_auxiliary_lm(recipe, data):
        arms["no auxiliary LM"] = recipe.base.model_copy(update={"lm_weight": 0.0})
    return _by_seed(recipe, arms | variants(recipe.base, recipe.vary), data)


def _layers(recipe: StudyRecipe, data: LabelledData) -> Iterator[Cell]:
    """Layers of the start that are taken, from all to none but the embeddings (GPT-1, figure 2, left).

    Raises:
        BadInput: there is no start.
    """
    if recipe.start == NO_START:
        raise BadInput("no start to take layers of", where="--start", value=NO_START, next_step="give --start RUN")
    count = read_start(recipe.start).backbone.total_layers
    arms = {f"{k} of {count} layers": _with_layers(recipe.base, k) for k in range(count, -1, -1)}
    return _by_seed(recipe, arms | {"no pre-training": control_of(recipe.base)}, data)


DESIGNS = {
    "labels": Design(_labels, "labels"),
    "ablation": Design(_ablation),
    "layers": Design(_layers),
}
"""Name of a design → the design."""


def _by_seed(recipe: StudyRecipe, arms: dict[str, FinetuneRecipe], data: LabelledData) -> Iterator[Cell]:
    return (Cell(row, "", _with_seed(own, seed), data) for seed in _seeds(recipe) for row, own in arms.items())


def _arms(base: FinetuneRecipe) -> dict[str, FinetuneRecipe]:
    return {SCRATCH: base} if base.start == NO_START else {PRETRAINED: base, SCRATCH: control_of(base)}


def _seeds(recipe: StudyRecipe) -> range:
    return range(recipe.train.seed, recipe.train.seed + recipe.seeds)


def _with_seed(recipe: FinetuneRecipe, seed: int) -> FinetuneRecipe:
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": seed})})


def _with_layers(recipe: FinetuneRecipe, count: int) -> FinetuneRecipe:
    return recipe.model_copy(update={"transfer_layers": count})


def _has_auxiliary_lm(recipe: StudyRecipe, data: LabelledData) -> bool:
    starts = recipe.start != NO_START
    backbone = read_start(recipe.start).backbone if starts else backbone_settings(recipe.model, 1)
    return lm_weight_of(recipe, KINDS[data.kind], backbone) > 0
