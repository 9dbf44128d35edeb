"""The designs of studies: which trials a recipe asks for, and what they are compared with.

A design is a generator of rounds: trials that need no result of each other, from a study's recipe and its data. It is told
the results of each round before the next; a new one is a function and a line here.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from warmstart.base.errors import BadInput
from warmstart.base.formatting import format_count
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
from warmstart.study.factors import PRETRAINED, SCRATCH, control_of, is_pretrained
from warmstart.study.pretraining_cost import kept_models
from warmstart.study.samplers import SAMPLERS, Point, Sampler
from warmstart.study.store import Cell, Result
from warmstart.study.subsets import Size, check_sizes, subset
from warmstart.tasks.table import KINDS

Rounds = Generator[Sequence[Cell], Sequence[Result], None]
FRESH = 1000
"""From the seed of a search to the first of those that its winner is trained with."""


@dataclass(frozen=True, slots=True)
class Design:
    """One design of a study.

    Attributes:
        rounds: the trials in the order in which they run: after each seed the table is whole.
        columns: what stands in the head of the table, in words.
        varies: whether it takes ``--vary``.
    """

    rounds: Callable[[StudyRecipe, LabelledData], Rounds]
    columns: str = ""
    varies: bool = False


def _labels(recipe: StudyRecipe, data: LabelledData) -> Rounds:
    """From few labels to all of them, with and without the start, and with each value that varies."""
    arms = _arms(recipe.base) | variants(recipe.base, recipe.vary)
    sizes = [Size.parse(text) for text in recipe.sizes]
    check_sizes(data, sizes)
    parts = [(seed, size, subset(data, recipe.task, size, seed)) for seed in seeds_of(recipe) for size in sizes]
    yield [Cell(row, size.text, with_seed(own, seed), part) for seed, size, part in parts for row, own in arms.items()]


def _ablation(recipe: StudyRecipe, data: LabelledData) -> Rounds:
    """Without one part at a time (GPT-1, table 5), and with each value that varies."""
    arms = {"full": recipe.base}
    if is_pretrained(recipe):
        arms["no pre-training"] = control_of(recipe.base)
    if _has_auxiliary_lm(recipe, data):
        arms["no auxiliary LM"] = recipe.base.model_copy(update={"lm_weight": 0.0})
    yield from _by_seed(recipe, arms | variants(recipe.base, recipe.vary), data)


def _layers(recipe: StudyRecipe, data: LabelledData) -> Rounds:
    """Layers of the start that are taken, from all to none but the embeddings (GPT-1, figure 2, left).

    Raises:
        BadInput: there is no start.
    """
    if recipe.start == NO_START:
        raise BadInput("no start to take layers of", where="--start", value=NO_START, next_step="give --start RUN")
    count = read_start(recipe.start).backbone.total_layers
    arms = {f"{count} of {count} layers": _with_layers(recipe.base, None)}  # the same trial as in other designs
    arms |= {f"{k} of {count} layers": _with_layers(recipe.base, k) for k in range(count - 1, -1, -1)}
    yield from _by_seed(recipe, arms | {"no pre-training": control_of(recipe.base)}, data)


def _search(recipe: StudyRecipe, data: LabelledData) -> Rounds:
    """A search of every side alike, by dev (:mod:`~warmstart.study.samplers`); the winners with fresh seeds.

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
        tried = yield from _tried(row, recipe, base, data)
        name = max(tried, key=lambda name: tried[name][0])
        winners |= {f"{row}: {BY_DEFAULT}": tried[BY_DEFAULT][1], f"{row}: {name}": tried[name][1]}
    best_first = sorted(winners, key=lambda row: row.endswith(BY_DEFAULT))  # a found setting is what is asked about
    yield from _by_seed(recipe, {row: winners[row] for row in best_first}, data, FRESH)


BY_DEFAULT = "as by default"


Tried = dict[str, tuple[float, FinetuneRecipe]]
"""Settings in words → how good they are on dev, greater is better, and the recipe."""
MOST_DRAWS = 20
"""Draws for each training that is asked for: small spaces give the same point again and again."""


def _tried(
    row: str, recipe: StudyRecipe, base: FinetuneRecipe, data: LabelledData
) -> Generator[Sequence[Cell], Sequence[Result], Tried]:
    """Trains one side by default, then as its sampler draws, until the budget of trainings or of minutes is spent.

    What is drawn by chance needs no result, so it is one round; a sampler that learns and a clock make a round of each.
    """
    chosen = choose_settings(base, {"": data}).recipe
    others = [tuple(variants(chosen, (text,))) for text in recipe.vary]
    sampler = SAMPLERS[recipe.sampler](recipe.train.seed, others)
    sign = -1 if metric_of(recipe, data) in LOWER_IS_BETTER else 1
    at_once = 1 if sampler.learns or recipe.minutes is not None else recipe.trainings
    drawn: Drawn = {BY_DEFAULT: (Point(1.0, 1.0, ("",) * len(others)), chosen)}
    tried, spent_s = Tried(), 0.0
    while drawn:
        results = yield [Cell(f"{row}: {name}", "", own, data, tried=True) for name, (_, own) in drawn.items()]
        for (name, (point, own)), result in zip(drawn.items(), results, strict=True):
            tried[name], spent_s = (sign * result.dev, own), spent_s + result.seconds
            sampler.tell(point, tried[name][0])
        is_spent = recipe.minutes is not None and spent_s >= 60 * recipe.minutes
        left = 0 if is_spent else recipe.trainings - len(tried)
        drawn = _draw(sampler, chosen, tried, min(at_once, left))
    return tried


Drawn = dict[str, tuple[Point, FinetuneRecipe]]
"""Settings in words → their point and the recipe."""


def _draw(sampler: Sampler, chosen: FinetuneRecipe, tried: Tried, count: int) -> Drawn:
    """So many settings that were not tried; fewer, where the space has no others."""
    found: Drawn = {}
    for _ in range(MOST_DRAWS * count):
        point = sampler.draw()
        name, own = _at(point, chosen)
        if name in tried:
            sampler.tell(point, tried[name][0])
        else:
            found.setdefault(name, (point, own))
        if len(found) == count:
            break
    return found


def _at(point: Point, chosen: FinetuneRecipe) -> tuple[str, FinetuneRecipe]:
    """The settings of a point in words, and the recipe; shares are of what is chosen by default."""
    one, names = chosen, [name for name in point.values if name]
    for path, _, value in (name.partition("=") for name in names):
        one = changed(one, path, value, "--vary")
    rate = float(f"{one.train.optimizer.peak * point.rate:.2g}")
    length = _scaled(str(one.train.length), point.length)
    optimizer = one.train.optimizer.model_copy(update={"lr": rate})
    train = one.train.model_copy(update={"optimizer": optimizer, "length": length})
    return ", ".join([*names, f"lr={rate:g}", f"length={length}"]), one.model_copy(update={"train": train})


def _scaled(length: str, share: float) -> str:
    parsed = Length.parse(length)
    value = parsed.value * share
    return f"{max(1, round(value)) if parsed.unit == 'steps' else round(value, 3):g} {parsed.unit}"


def _pretraining(recipe: StudyRecipe, data: LabelledData) -> Rounds:
    """How long a start was pre-trained: each model that was kept on its way as a start; and other starts, with theirs.

    Raises:
        BadInput: no start, or no model was kept of any.
    """
    arms = {"full": recipe.base} | variants(recipe.base, recipe.vary)
    found: dict[str, FinetuneRecipe] = {}
    for row, own in arms.items():
        kept = kept_models(own.start)
        found |= {row: own} | {
            f"{row}, after {format_count(step, 'step')}": own.model_copy(update={"start": str(path)})
            for step, path in reversed(kept.items())
        }
    if len(found) == len(arms) == 1:
        raise BadInput(
            "no model was kept on the way of this start", where="--start", value=recipe.start,
            next_step="pre-train with --snapshots, or name other starts with --vary start=RUN,RUN",
        )  # fmt: skip
    yield from _by_seed(recipe, found | {"no pre-training": control_of(recipe.base)}, data)


def metric_of(recipe: StudyRecipe, data: LabelledData) -> str:
    """The metric that a study compares by: the one that chooses the weights of a trial."""
    return recipe.task.metric or data.metric or KINDS[data.kind].answer(data.label_names).metrics(data.label_names)[0]


DESIGNS = {
    "labels": Design(_labels, "labels", varies=True),
    "ablation": Design(_ablation, varies=True),
    "layers": Design(_layers),
    "search": Design(_search, varies=True),
    "pretraining": Design(_pretraining, varies=True),
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


def _by_seed(recipe: StudyRecipe, arms: dict[str, FinetuneRecipe], data: LabelledData, first: int = 0) -> Rounds:
    yield [Cell(row, "", with_seed(own, first + seed), data) for seed in seeds_of(recipe) for row, own in arms.items()]


def _arms(base: FinetuneRecipe) -> dict[str, FinetuneRecipe]:
    return {PRETRAINED: base, SCRATCH: control_of(base)} if is_pretrained(base) else {SCRATCH: base}


def seeds_of(recipe: StudyRecipe) -> range:
    """The seeds of a study's trials."""
    return range(recipe.train.seed, recipe.train.seed + recipe.seeds)


def with_seed(recipe: FinetuneRecipe, seed: int) -> FinetuneRecipe:
    """The recipe with another seed."""
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": seed})})


def _with_layers(recipe: FinetuneRecipe, count: int | None) -> FinetuneRecipe:
    return recipe.model_copy(update={"transfer_layers": count})


def _has_auxiliary_lm(recipe: StudyRecipe, data: LabelledData) -> bool:
    starts = recipe.start != NO_START
    backbone = read_start(recipe.start).backbone if starts else backbone_settings(recipe.model, 1)
    return lm_weight_of(recipe, KINDS[data.kind], backbone) > 0
