"""TaskSpec: a task as a model remembers it: its kind, its label names and how its Examples are framed.

It is saved beside the fine-tuned weights (``warmstart.json``), so that label names and limits travel with the model. What
a kind does with it stands in the kind's own file (:mod:`warmstart.tasks.kind`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import field_validator

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.settings import Settings
from warmstart.tasks.settings import FrameSettings

LabelValue = bool | int | str
"""A label as the training data have it: a truth value, a whole number, or a text."""


class TaskSpec(Settings):
    """A task as a model remembers it.

    Attributes:
        kind: name of the kind of task.
        name: the known data set that it was learned from; empty for files of one's own.
        label_names: class number → name; empty for scores, choices and spans.
        columns: names of the columns that it was learned from, ``key=column`` each, where they differ from the keys.
        label_values: class number → the label as the training data have it; empty where all are texts.
        frame: how its Examples are framed.
        options: what only this kind needs, as plain values; the kind knows their types.
    """

    kind: str
    name: str = ""
    label_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    label_values: tuple[LabelValue, ...] = ()
    frame: FrameSettings
    options: dict[str, Any] = {}

    @field_validator("options", mode="before")
    @classmethod
    def _plain_options(cls, given: Settings | Mapping[str, Any]) -> dict[str, Any]:
        return given.model_dump(mode="json") if isinstance(given, Settings) else dict(given)

    def with_options(self, options: Settings) -> "TaskSpec":
        """The same task with other options."""
        return self.model_copy(update={"options": options.model_dump(mode="json")})

    def with_frame(self, **changes: Any) -> "TaskSpec":
        """The same task, framed with some other settings."""
        return self.model_copy(update={"frame": self.frame.model_copy(update=changes)})

    def rename_labels(self, pairs: Sequence[str]) -> "TaskSpec":
        """The same task under other label names; ``pairs`` are ``own=other``.

        Raises:
            BadInput: a pair is none, names no label of the task, or two labels would have one name.
        """
        names = dict(zip(self.label_names, self.label_names, strict=True))
        if pairs and not names:
            raise BadInput(
                "a task of this kind has no labels with names", where="--label-map", value=", ".join(pairs),
                next_step="leave it out",
            )  # fmt: skip
        for pair in pairs:
            own, equals, other = pair.partition("=")
            if not equals or not other:
                raise BadInput(
                    "not a pair of labels", where="--label-map", value=pair, allowed="the model's=the data's",
                    next_step="for example --label-map negative=0,positive=1",
                )  # fmt: skip
            if own not in names:
                raise unknown_name_error("label of the model", own, self.label_names, "--label-map")
            names[own] = other
        if len(set(names.values())) < len(names):
            raise BadInput(
                "two labels of one name", where="--label-map", value=", ".join(pairs), allowed="different names"
            )
        values = zip(self.label_names, self.label_values, strict=False)
        kept = tuple(value if names[own] == own else names[own] for own, value in values)
        return self.model_copy(update={"label_names": tuple(names.values()), "label_values": kept})

    def values_of(self, names: Iterable[str]) -> list[LabelValue]:
        """Labels by their names, as the training data have them."""
        values = dict(zip(self.label_names, self.label_values, strict=False))
        return [values.get(name, name) for name in names]

    def for_evaluation(self) -> "TaskSpec":
        """The same task for evaluation and prediction: no auxiliary goal, and no class asked for before the end."""
        reads = "summary" if self.frame.reads == "rising" else self.frame.reads
        return self.with_frame(lm=False, reads=reads)
