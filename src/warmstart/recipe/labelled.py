"""From a recipe's ``task`` to Records: files of one's own, or a known dataset's folder; splits seeded and stratified."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.base.errors import BadInput, unknown
from warmstart.base.seeds import generator
from warmstart.example.record import Record
from warmstart.recipe.schema import TaskRecipe
from warmstart.tasks.catalogue import CATALOGUE, entry
from warmstart.tasks.dataset import TaskSet, read_task
from warmstart.tasks.spec import KINDS, Kind


@dataclass(frozen=True, slots=True)
class Labelled:
    """The Records of one task by split, and how it is judged (``measure`` is ``None`` where the kind's default serves)."""

    kind: Kind
    label_names: tuple[str, ...]
    train: list[Record]
    dev: list[Record]
    test: list[Record] | None = None
    measure: str | None = None
    note: str = ""

    @property
    def task_set(self) -> TaskSet:
        """The training Records as a TaskSet."""
        return TaskSet(self.kind, self.train, self.label_names)


def labelled(task: TaskRecipe, seed: int) -> Labelled:
    """Reads what ``task`` names.

    Raises:
        BadInput: an unknown name, a missing option, or whatever is wrong with the files.
    """
    if task.name in KINDS:
        found = _own_files(task, task.name)
    elif task.name in CATALOGUE:
        found = _known(task)
    else:
        raise unknown("task", task.name, [*KINDS, *CATALOGUE], "--task")
    if task.train_frac < 1:
        kept, _ = split(found.train, 1 - task.train_frac, seed, "train_frac")
        found = Labelled(found.kind, found.label_names, kept, found.dev, found.test, found.measure, found.note)
    return found


def _known(task: TaskRecipe) -> Labelled:
    known = entry(task.name)
    if task.data is None:
        raise BadInput(
            f"the folder of {task.name!r} is not given", where="--data", next_step="add --data DIR with its files"
        )
    splits = known.load(Path(task.data))
    return Labelled(
        known.kind, known.label_names, splits["train"], splits["dev"], splits.get("test"), known.metric, known.note
    )


def _own_files(task: TaskRecipe, kind: Kind) -> Labelled:
    if task.train is None:
        raise BadInput("no training file", where="--train", next_step=f"add --train FILE with examples for {kind}")
    train = read_task(kind, task.train, None, task.encoding)

    def more(path: str | None) -> list[Record] | None:
        return None if path is None else read_task(kind, path, train.label_names, task.encoding).records

    dev, test = more(task.dev), more(task.test)
    if dev is not None:
        return Labelled(kind, train.label_names, train.records, dev, test)
    kept, dev = split(train.records, task.dev_frac, 0, "dev_frac")
    if not dev or not kept:
        raise BadInput(
            "too few examples to hold some out", where=task.train, value=len(train.records), allowed="at least 2",
            next_step="add examples, or give --dev FILE",
        )  # fmt: skip
    note = f"{len(dev)} of {len(train.records)} training examples held out as dev"
    return Labelled(kind, train.label_names, kept, dev, test, note=note)


def split(records: Sequence[Record], frac: float, seed: int, name: str) -> tuple[list[Record], list[Record]]:
    """All but a share ``frac``, and that share, both in their old order; class by class where labels are classes.

    Every class keeps at least one Record on the first side.
    """
    groups: dict[object, list[int]] = {}
    for number, record in enumerate(records):
        groups.setdefault(record.label if isinstance(record.label, int) else None, []).append(number)
    draw = generator(seed, "split", name)
    away: set[int] = set()
    for _, members in sorted(groups.items(), key=lambda group: group[1][0]):
        count = min(len(members) - 1, round(frac * len(members)))
        away.update(members[i] for i in draw.permutation(len(members))[:count].tolist())
    return [r for i, r in enumerate(records) if i not in away], [r for i, r in enumerate(records) if i in away]
