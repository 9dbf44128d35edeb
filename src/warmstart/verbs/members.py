"""Runs ready to answer: one, or several of one task that answer together."""

from collections.abc import Callable, Sequence
from typing import Any

from warmstart.evaluation.build import build_predictor, check_members
from warmstart.evaluation.predictor import Member, Predictor
from warmstart.run.loading import LoadedRun, load_run
from warmstart.tasks.spec import TaskSpec


def members_of(
    first: LoadedRun,
    spec: TaskSpec,
    more: Sequence[str],
    precision: str,
    label_map: Sequence[str],
    task: str | None = None,
    check: Callable[[Sequence[Member], Sequence[str]], Any] = check_members,
) -> list[Member]:
    """The models that answer together: a loaded run, whose task is ``spec``, and the runs named in ``more``.

    ``task``: which one of those runs that have several; ``check`` refuses models that do not go together.

    Raises:
        BadInput: as :func:`load_run`, or they have learned different tasks.
    """
    members = [Member(first.model, first.tokenizer, spec)]
    for name in more:
        loaded = load_run(name, precision).select(task)
        members.append(Member(loaded.model, loaded.tokenizer, loaded.task().rename_labels(label_map)))
    check(members, [str(first.folder), *more])
    return members


def run_predictor(loaded: LoadedRun, spec: TaskSpec | None = None) -> Predictor:
    """The Predictor of one run; ``spec``: its task, where something of it was changed."""
    member = Member(loaded.model, loaded.tokenizer, spec or loaded.task())
    return build_predictor([member], loaded.search())
