"""The head of a start: kept where it has learned the same task, output by output of its labels, or begun anew.

More examples of the same labels go on with the head that has learned them; a label that is new gets an output of its own;
another kind of task, or labels of which the start knows none, begin with a new head.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.build.labelled_data import LabelledData
from warmstart.build.start import Start
from warmstart.config.schema import FinetuneRecipe, ObjectiveSettings
from warmstart.models.heads import HEADS
from warmstart.models.settings import HeadSettings
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS, kind_of, options_of

FORM = {
    "head_hidden": "hidden", "head_pool": "pool", "head_norm": "norm", "head_crf": "crf", "head_lstm": "lstm",
    "head_san": "steps", "pair_encoder": "pair_encoder",
}  # fmt: skip
"""What a recipe says of the form of a head → the same in the head's settings."""


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """What becomes of the head of a start.

    Attributes:
        start_goal: name in the start of the head that is kept; empty where none is.
        head: its settings in the start.
        frame: how the start's texts are framed, which its head is read by.
        rows: [outputs] the start's output of each output, -1 for a new one.
        kept: labels that the start knows.
        new: labels that it does not know.
        left: labels of the start that this task does not have.
        sentence: all this in words; empty where the start has no head.
    """

    start_goal: str = ""
    head: HeadSettings | None = None
    frame: FrameSettings | None = None
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    kept: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    sentence: str = ""

    @property
    def form(self) -> dict[str, Any]:
        """What a recipe would say of the form of the head that is kept."""
        return {} if self.head is None else {ours: getattr(self.head, theirs) for ours, theirs in FORM.items()}

    def to_dict(self) -> dict[str, Any]:
        """For the account."""
        return {"kept": list(self.kept), "new": list(self.new), "unused": list(self.left), "sentence": self.sentence}


def head_kind(recipe: FinetuneRecipe, data: LabelledData) -> str | None:
    """The kind of head that learns the task; ``None``: the softmax of the language model.

    Raises:
        BadInput: a chain for a task whose answers do not follow each other, or an LSTM without one.
    """
    answer = KINDS[data.kind].answer(data.label_names)
    if recipe.head_lstm and not recipe.head_crf:
        raise BadInput(
            "the LSTM over the words stands before a CRF", where="--head-lstm", value=recipe.head_lstm,
            allowed="0 without --head-crf", next_step="add --head-crf",
        )  # fmt: skip
    if recipe.head_san:
        return _pair_head(recipe, data)
    if not recipe.head_crf:
        return answer.head
    if answer.chain_head is None:
        able = ", ".join(name for name, kind in KINDS.items() if kind.answer(()).chain_head is not None)
        raise BadInput(
            "only answers that follow each other are a chain", where="--head-crf", value=data.kind, allowed=able,
            next_step="leave it out",
        )  # fmt: skip
    return answer.chain_head


def _pair_head(recipe: FinetuneRecipe, data: LabelledData) -> str:
    """The kind of head that compares two texts in steps.

    Raises:
        BadInput: the task has no two texts, or no classes; or the recipe has another form of head besides.
    """
    kind = KINDS[data.kind]
    found = kind.answer(data.label_names).pair_head
    if found is None or kind.pair == "none":
        able = [name for name, one in KINDS.items() if one.pair != "none"]
        raise BadInput(
            "steps of attention compare two texts to find a class", where="--head-san", value=data.kind,
            allowed=f"{', '.join(able)}, with classes", next_step="leave it out",
        )  # fmt: skip
    others = {
        "--head-crf": recipe.head_crf, "--head-hidden": recipe.head_hidden, "--head-norm": recipe.head_norm != "none",
        "--head-pool": recipe.head_pool not in (None, "sum"), "--label-gain": recipe.label_gain != "none",
    }  # fmt: skip
    if given := [flag for flag, is_given in others.items() if is_given]:
        raise BadInput(
            "a head has one form", where=given[0], value="--head-san", allowed="without --head-san",
            next_step="leave one of the two out",
        )  # fmt: skip
    return found


def plan_head(recipe: FinetuneRecipe, name: str, data: LabelledData, start: Start | None) -> HeadPlan:
    """Whether a head of the start is kept, and which of its outputs serve which labels.

    Args:
        recipe: of the task alone.
        name: of the task, where there are several.
        data: of the task.
        start: of the model.

    Raises:
        BadInput: ``--new-head`` without a start, a head to keep that the start has not, or a form that the task has not.
    """
    head_kind(recipe, data)
    if start is None:
        asked = {"--new-head": (recipe.new_head, "begun anew"), "--start-head": (recipe.start_head, "kept")}
        for flag, (value, what) in asked.items():
            if value:
                raise BadInput(
                    f"no start whose head could be {what}", where=flag, allowed="with --start RUN",
                    next_step="leave it out",
                )  # fmt: skip
        return HeadPlan()
    answer, metadata = KINDS[data.kind].answer(data.label_names), start.metadata
    if answer.head is None or not HEADS[answer.head].has_weights:
        return HeadPlan()
    tasks = metadata.named_tasks
    start_goal = _start_goal(recipe, name, data, tasks)
    if not tasks:
        unread = metadata.unread_head
        return HeadPlan() if unread is None else _anew(f"that of {unread} is not read here", data)
    if start_goal is None:
        return _anew(f"the start has heads for {', '.join(tasks)}; --start-head NAME keeps one", data)
    task = tasks[start_goal]
    start_goal = start_goal or answer.goal
    head = start.heads.get(start_goal)
    their_kind = kind_of(task).reading(options_of(task))
    if not isinstance(head, HeadSettings) or not their_kind.may_be(KINDS[data.kind], data.label_names):
        return _anew(f"the start has learned another kind of task, {task.kind}", data)
    if reason := _unfit(recipe, head, start):
        return _anew(reason, data)
    rows = _rows(data.label_names, task.label_names, head.size)
    if not (rows >= 0).any():
        return _anew("the start knows none of these labels", data)
    kept, new = _names(data.label_names, rows >= 0), _names(data.label_names, rows < 0)
    left = tuple(name for number, name in enumerate(task.label_names) if number not in rows)
    return HeadPlan(start_goal, head, task.frame, rows, kept, new, left, _sentence(kept, new, left))


def _start_goal(recipe: FinetuneRecipe, name: str, data: LabelledData, tasks: Mapping[str, TaskSpec]) -> str | None:
    """The task of the start whose head is meant: the only one; or the named one, the one of this name or data set."""
    wanted = recipe.start_head
    if wanted is not None and (name or wanted not in tasks or not wanted):
        raise BadInput(
            "no such head in the start" if not name else "several tasks keep the heads of their own names",
            where="--start-head", value=wanted, allowed=", ".join(filter(None, tasks)) or "with a start of several tasks",
            next_step="leave it out",
        )  # fmt: skip
    if wanted is not None or "" in tasks:
        return wanted or ""
    return next((key for key, spec in tasks.items() if key == name or (data.name and spec.name == data.name)), None)


def _anew(reason: str, data: LabelledData) -> HeadPlan:
    return HeadPlan(new=data.label_names, sentence=f"begun anew: {reason}")


def _unfit(recipe: FinetuneRecipe, head: HeadSettings, start: Start) -> str:
    """Why the head of the start cannot serve this recipe; empty where it can.

    A recipe with the form of head that every recipe has asks for none, so it takes that of the start.
    """
    if recipe.new_head:
        return "--new-head"
    if recipe.transfer_layers is not None and recipe.transfer_layers < start.backbone.total_layers:
        return "the layer that the start's head reads is not taken"
    plain = {name: ObjectiveSettings.model_fields[name].default for name in FORM}
    asked = {name: getattr(recipe, name) for name in FORM}
    there = {ours: getattr(head, theirs) for ours, theirs in FORM.items()}
    return "" if asked in (plain, there) else "the start's head has another form"


def _rows(names: Sequence[str], known: Sequence[str], size: int) -> NDArray[np.int64]:
    """[outputs] the start's output of each label, -1 for a new one; as they are where outputs have no names.

    Labels that have no names in a folder of ``transformers`` are numbers in the data.
    """
    if not names:
        return np.arange(size)
    numbers = {name: number for number, name in enumerate(known)}
    if list(known) == [f"LABEL_{number}" for number in range(len(known))]:
        numbers |= {str(number): number for number in range(len(known))}
    return np.array([numbers.get(name, -1) for name in names], np.int64)


def _names(names: Sequence[str], chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, is_chosen in zip(names, chosen, strict=False) if is_chosen)


def _sentence(kept: Sequence[str], new: Sequence[str], left: Sequence[str]) -> str:
    parts = [f"kept from the start, for {_listed(kept)}" if kept else "kept from the start"]
    parts += [f"new outputs for {_listed(new)}"] if new else []
    parts += [f"without {_listed(left)}, which the training examples do not have"] if left else []
    return "; ".join(parts)


def _listed(names: Sequence[str], most: int = 8) -> str:
    """The names, or the first of very many."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
