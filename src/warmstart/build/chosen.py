"""Settings of a fine-tuning that follow from its examples, its start and its task, where the recipe leaves them open.

One rule for all (docs/train.md, "What is chosen for you", has the measurements that it was found by):

- few examples are read many times: 25 · n^0.4 steps for n training examples, and one epoch at least; a model that begins at
  random takes twice as many and three epochs at least;
- batches of 16, from 2,000 examples on of 32;
- the rate that the kind of backbone has at 384 wide, divided by how many times wider it is; words one by one and random
  weights stand a larger one, two texts that are read apart need a smaller one;
- of few pairs that are read apart only the head is learned: the vectors of the start say already how alike two texts are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from warmstart.base.settings import Settings
from warmstart.base.units import Length
from warmstart.build.label_pairs import EPOCHS, TEXTS
from warmstart.build.labelled_data import LabelledData
from warmstart.build.side_starts import side_starts
from warmstart.build.sizes import backbone_settings
from warmstart.build.start import NO_START, read_start
from warmstart.build.task import is_bi_encoder
from warmstart.config.schema import FinetuneRecipe
from warmstart.models.heads import HEADS
from warmstart.models.settings import BackboneSettings
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.table import KINDS

R = TypeVar("R", bound=Settings)
STEPS, POWER = 25, 0.4
LARGE = 2000
"""Training examples from which on a batch is twice as large."""
WIDTH = 384
"""Width that the rates of backbones belong to."""
APART = 0.1
"""Share of that rate for two texts that are read apart: their likeness, which the start knows already, is soon forgotten."""
FEW_APART = 50
"""Pairs below which only the head of what reads them apart is trained (docs/results/few-labels.md)."""
NARROW = 3
"""How many times larger than that the rate of a narrower one gets at most."""
MANY_EPOCHS = 10
"""Epochs beyond which dev is evaluated by shares of the run, not after each."""
CHOSEN = (
    ("head_init",), ("scheme", "kind"), ("train", "length"), ("train", "batch_size"), ("train", "evaluate_every"),
    ("train", "optimizer", "lr"),
)  # fmt: skip
"""The fields that are chosen where a recipe leaves them open."""


@dataclass(frozen=True, slots=True)
class ChosenSettings(Generic[R]):
    """A recipe with nothing left open, and in words what was chosen and why."""

    recipe: R
    words: tuple[str, ...]


def choose_settings(recipe: FinetuneRecipe, data: Mapping[str, LabelledData]) -> ChosenSettings[FinetuneRecipe]:
    """Fills in what ``recipe`` leaves open; what it states stays. Several tasks count by all their examples together.

    Raises:
        BadInput: the start cannot be read.
    """
    train, tasks = recipe.train, recipe.by_task()
    starts = recipe.start != NO_START
    backbone = read_start(recipe.start).backbone if starts else backbone_settings(recipe.model, 1)
    count = sum(len(one.train) for one in data.values())
    by_pairs = recipe.scheme.by_pairs
    batch = train.batch_size or (TEXTS if by_pairs else 16 if count < LARGE else 32)
    sizes = {name: own.train.batch_size or batch for name, own in tasks.items()}
    epoch = sum(-(-len(data[name].train) // size) for name, size in sizes.items())
    steps = choose_steps(count, epoch, starts)
    length = train.length or f"{min(EPOCHS * epoch, steps) if by_pairs else steps} steps"
    rates = [_rate_of(own, data[name], backbone, starts) for name, own in tasks.items()]
    rate = train.optimizer.lr or min(rates)
    found: dict[str, Any] = {"batch_size": batch, "length": length}
    is_held_out = not all(one.dev_is_train for one in data.values())
    found["evaluate_every"] = train.evaluate_every or _evaluate_every(length, epoch, is_held_out)
    found["optimizer"] = train.optimizer.model_copy(update={"lr": rate})
    # Steps of other tasks move the states that a head would be fitted to.
    head = recipe.head_init or ("fitted" if starts and len(tasks) == 1 else "random")
    trained = recipe.scheme.kind or ("head" if _trains_head_alone(recipe, data) and head == "fitted" else "full")
    scheme = recipe.scheme.model_copy(update={"kind": trained})
    chosen = recipe.model_copy(update={"head_init": head, "scheme": scheme, "train": train.model_copy(update=found)})
    return ChosenSettings(chosen, tuple(_words(recipe, chosen, backbone, count)))


def choose_steps(count: int, epoch: int, starts: bool) -> int:
    """Steps for so many training examples, which take ``epoch`` steps to be read once."""
    few: float = STEPS * count**POWER
    return max(round(few), epoch) if starts else max(round(2 * few), 3 * epoch)


def choose_rate(backbone: BackboneSettings, kind: TaskKind, starts: bool, apart: bool = False) -> float:
    """The peak rate, to two digits; ``apart``: of two texts that are read apart."""
    trained, random = backbone.RATES
    return rate_at(backbone.width, trained * kind.rate_factor * (APART if apart else 1.0) if starts else random)


def rate_at(width: int, rate: float) -> float:
    """The rate of a model ``width`` wide, to two digits, where one of :data:`WIDTH` has ``rate``."""
    return float(f"{rate * min(NARROW, WIDTH / width):.1e}")


def _rate_of(recipe: FinetuneRecipe, data: LabelledData, backbone: BackboneSettings, starts: bool) -> float:
    kind = KINDS[data.kind]
    if recipe.scheme.by_pairs:  # a sentence encoder learns, whatever the task
        kind, apart = KINDS["embedding"], True
    else:
        apart = is_bi_encoder(recipe, kind, len(data.train))
    return choose_rate(backbone, kind, starts, apart)


def _trains_head_alone(recipe: FinetuneRecipe, data: Mapping[str, LabelledData]) -> bool:
    """Whether all that is learned is how alike two texts are, from few pairs and by what reads texts already."""
    apart = all(
        is_bi_encoder(own, KINDS[data[name].kind], len(data[name].train)) for name, own in recipe.by_task().items()
    )
    heads = [KINDS[one.kind].answer(one.label_names).head for one in data.values()]
    few = sum(len(one.train) for one in data.values()) < FEW_APART and all(h and HEADS[h].has_weights for h in heads)
    return (
        few and apart and recipe.start != NO_START and recipe.train.unfreeze is None and recipe.transfer_layers is None
    )


def _evaluate_every(length: str, epoch: int, is_held_out: bool) -> str:
    """After each epoch, of many epochs after each tenth; once, at the end, where dev is what the model learns from.

    A length in tokens may be any number of epochs, so it has the tenths, which are never many evaluations.
    """
    if not is_held_out:
        return "1 run"
    asked = Length.parse(length)
    few = asked.unit != "tokens" and asked.to_steps(steps_per_epoch=epoch, tokens_per_step=1.0) <= MANY_EPOCHS * epoch
    return "1 epoch" if few else "0.1 run"


def _words(recipe: FinetuneRecipe, chosen: FinetuneRecipe, backbone: BackboneSettings, count: int) -> list[str]:
    """One line for what was chosen; none, where the recipe states everything."""
    asked, found = recipe.train, chosen.train
    parts = []
    if asked.length is None:
        parts.append(str(found.length))
    if asked.batch_size is None:
        parts.append(f"batches of {found.batch_size}")
    if asked.optimizer.lr is None:
        parts.append(f"rate {found.optimizer.lr:g}")
    if recipe.scheme.kind is None and chosen.scheme.kind == "head":
        parts.append("the head alone")
    if not parts:
        return []
    begins = "random weights" if recipe.start == NO_START else "a trained start"
    begins = "language models of its sides" if side_starts(recipe) else begins
    return [f"chosen     {', '.join(parts)}, by {count:,} training examples and {begins} {backbone.width} wide"]
