"""From a recipe's ``task`` to Records: files of one's own, or a known dataset's folder; splits seeded and stratified."""

from dataclasses import dataclass
from pathlib import Path

from warmstart.base.errors import BadInput, unknown
from warmstart.example.record import Record
from warmstart.recipe.schema import TaskRecipe
from warmstart.tasks.catalogue import CATALOGUE, entry
from warmstart.tasks.dataset import TaskSet, read_task
from warmstart.tasks.portions import set_aside
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
        kept, _ = set_aside(found.train, 1 - task.train_frac, seed, "fewer labels")
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
    kept, dev = set_aside(train.records, task.dev_frac, 0)
    note = f"{len(dev)} of {len(train.records)} training examples held out as dev"
    return Labelled(kind, train.label_names, kept, dev, test, note=note)
