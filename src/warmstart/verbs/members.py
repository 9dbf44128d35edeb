"""Several runs of one task that answer together."""

from collections.abc import Sequence

from warmstart.evaluation.averaged import Member, check_members
from warmstart.run.loading import Loaded, load_run
from warmstart.tasks.spec import TaskSpec


def members_of(
    first: Loaded, spec: TaskSpec, more: Sequence[str], precision: str, label_map: Sequence[str]
) -> list[Member]:
    """The models that answer together: a loaded run, whose task is ``spec``, and the runs named in ``more``.

    Raises:
        BadInput: as :func:`load_run`, or they have learned different tasks.
    """
    members = [Member(first.model, first.tokenizer, spec)]
    for name in more:
        loaded = load_run(name, precision)
        members.append(Member(loaded.model, loaded.tokenizer, loaded.task().relabelled(label_map)))
    check_members(members, [str(first.folder), *more])
    return members
