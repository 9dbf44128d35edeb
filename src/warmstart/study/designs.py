"""The designs of studies: which trials a recipe asks for, and what they are compared with.

A design is a generator of trials from a study's recipe and its data, which is told the result of each; a new one is a
function and a line here.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.base.units import Length
from warmstart.build.chosen import choose_settings
from warmstart.build.labelled_data import LabelledData
from warmstart.build.sizes import backbone_settings
from warmstart.build.start import NO_START, read_start
from warmstart.build.task import lm_weight_of
from warmstart.config.load import changed
from warmstart.config.schema import FinetuneRecipe
from warmstart.config.study import StudyRecipe
from warmstart.config.variants import variants
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.study.factors import PRETRAINED, SCRATCH, control_of
from warmstart.study.store import Cell, Result
from warmstart.study.subsets import Size, check_sizes, subset
from warmstart.tasks.table import KINDS

Trials = Generator[Cell, Result, None]
FRESH = 1000
"""From the seed of a search to the first of those that its winner is trained with."""
RATES, LENGTHS = (0.25, 4.0), (0.5, 1.0, 2.0)
"""Between which shares of the rate, and by which of the length, both as chosen by default, a search draws."""


@dataclass(frozen=True, slots=True)
class Design:
    """One design of a study.

    Attributes:
        cells: the trials in the order in which they run: after each seed the table is whole.
        columns: what stands in the head of the table, in words.
        varies: whether it takes ``--vary``.
    """

    cells: Callable[[StudyRecipe, LabelledData], Trials]
    columns: str = ""
    varies: bool = False


def _labels(recipe: StudyRecipe, data: LabelledData) -> Trials:
    """From few labels to all of them, with and without the start."""
    arms = _arms(recipe.base)
    sizes = [Size.parse(text) for text in recipe.sizes]
    check_sizes(data, sizes)
    for seed in _seeds(recipe):
        for size in sizes:
            part = subset(data, recipe.task, size, seed)
            for row, own in arms.items():
                yield Cell(row, size.text, _with_seed(own, seed), part)


def _ablation(recipe: StudyRecipe, data: LabelledData) -> Trials:
    """Without one part at a time (GPT-1, table 5), and with each value that varies."""
    arms = {"full": recipe.base}
    if recipe.start != NO_START:
        arms["no pre-training"] = control_of(recipe.base)
    if _has_auxiliary_lm(recipe, data):
        arms["no auxiliary LM"] = recipe.base.model_copy(update={"lm_weight": 0.0})
    yield from _by_seed(recipe, arms | variants(recipe.base, recipe.vary), data)


def _layers(recipe: StudyRecipe, data: LabelledData) -> Trials:
    """Layers of the start that are taken, from all to none but the embeddings (GPT-1, figure 2, left).

    Raises:
        BadInput: there is no start.
    """
    if recipe.start == NO_START:
        raise BadInput("no start to take layers of", where="--start", value=NO_START, next_step="give --start RUN")
    count = read_start(recipe.start).backbone.total_layers
    arms = {f"{k} of {count} layers": _with_layers(recipe.base, k) for k in range(count, -1, -1)}
    yield from _by_seed(recipe, arms | {"no pre-training": control_of(recipe.base)}, data)


def _search(recipe: StudyRecipe, data: LabelledData) -> Trials:
    """Random search (Bergstra and Bengio 2012) for every side alike, by dev; the winners with fresh seeds.

    Raises:
        BadInput: there is no dev to choose by.
    """
    if data.dev_is_train:
        raise BadInput(
            "nothing to choose settings by", where="--dev", allowed="labelled examples that no trial learns from",
            next_step="add --dev FILE",
        )  # fmt: skip
    winners: dict[str, FinetuneRecipe] = {}
    for row, base in _arms(recipe.base).items():
        tried = []
        for name, own in _drawn(recipe, base, data).items():
            result = yield Cell(f"{row}: {name}", "", own, data, tried=True)
            tried.append((result.dev, name, own))
        _, name, winners[f"{row}: {BY_DEFAULT}"] = tried[0]
        sign = -1 if metric_of(recipe, data) in LOWER_IS_BETTER else 1
        _, name, own = max(tried, key=lambda one: sign * one[0])
        winners[f"{row}: {name}"] = own
    best_first = sorted(winners, key=lambda row: row.endswith(BY_DEFAULT))  # a found setting is what is asked about
    yield from _by_seed(recipe, {row: winners[row] for row in best_first}, data, FRESH)


BY_DEFAULT = "as by default"


def _drawn(recipe: StudyRecipe, base: FinetuneRecipe, data: LabelledData) -> dict[str, FinetuneRecipe]:
    """The settings that are tried, the chosen ones first; every side draws the same shares of its own."""
    chosen, draw = choose_settings(base, {"": data}).recipe, generator(recipe.train.seed, "search")
    others = [variants(chosen, (text,)) for text in recipe.vary]
    found = {BY_DEFAULT: chosen}
    while len(found) < recipe.trainings:
        one, names = chosen, [name for name in (draw.choice(["", *values]) for values in others) if name]
        for path, _, value in (str(name).partition("=") for name in names):
            one = changed(one, path, value, "--vary")
        rate = float(f"{one.train.optimizer.peak * np.exp(draw.uniform(*np.log(RATES))):.2g}")
        length = _scaled(str(one.train.length), float(draw.choice(LENGTHS)))
        optimizer = one.train.optimizer.model_copy(update={"lr": rate})
        train = one.train.model_copy(update={"optimizer": optimizer, "length": length})
        found[", ".join([*map(str, names), f"lr={rate:g}", f"length={length}"])] = one.model_copy(
            update={"train": train}
        )
    return found


def _scaled(length: str, share: float) -> str:
    parsed = Length.parse(length)
    value = parsed.value * share
    return f"{max(1, round(value)) if parsed.unit == 'steps' else round(value, 3):g} {parsed.unit}"


def metric_of(recipe: StudyRecipe, data: LabelledData) -> str:
    """The metric that a study compares by: the one that chooses the weights of a trial."""
    return recipe.task.metric or data.metric or KINDS[data.kind].answer(data.label_names).metrics(data.label_names)[0]


DESIGNS = {
    "labels": Design(_labels, "labels"),
    "ablation": Design(_ablation, varies=True),
    "layers": Design(_layers),
    "search": Design(_search, varies=True),
}
"""Name of a design → the design."""


def find_design(recipe: StudyRecipe) -> Design:
    """The design that a recipe names.

    Raises:
        BadInput: there is nothing to vary in it.
    """
    design = DESIGNS[recipe.design]
    if recipe.vary and not design.varies:
        raise BadInput(
            "this design varies nothing else", where="--vary", value=recipe.vary[0],
            allowed=f"with {' and '.join(name for name, one in DESIGNS.items() if one.varies)}", next_step="leave it out",
        )  # fmt: skip
    return design


def _by_seed(recipe: StudyRecipe, arms: dict[str, FinetuneRecipe], data: LabelledData, first: int = 0) -> Trials:
    for seed in _seeds(recipe):
        for row, own in arms.items():
            yield Cell(row, "", _with_seed(own, first + seed), data)


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
