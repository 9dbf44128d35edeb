"""Which tasks learn a teacher's answers beside the labels (:mod:`warmstart.tasks.soft`)."""

import hashlib
from collections.abc import Iterable

from warmstart.base.errors import BadInput
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.record import Record
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.table import KINDS


def check_soft_labels(recipe: FinetuneRecipe, kind: TaskKind, label_names: tuple[str, ...]) -> None:
    """Refuses soft labels that nothing learns.

    Raises:
        BadInput: the task is redrawn in every epoch or generates its answers, or a chain has no probabilities.
    """
    if recipe.task.soft_labels is None:
        return
    if not kind.answer(label_names).has_soft or kind.redraws:
        able = [name for name, one in KINDS.items() if one.answer(()).has_soft and not one.redraws]
        raise BadInput(
            "soft labels are for answers of a head to texts", where="--soft-labels", value=kind.name,
            allowed=", ".join(able), next_step="leave it out",
        )  # fmt: skip
    if recipe.head_crf:
        raise BadInput(
            "the tags of a chain have no probabilities of their own to learn", where="--soft-labels", value="--head-crf",
            allowed="without --head-crf", next_step="leave one of them out",
        )  # fmt: skip


def digest_soft_labels(records: Iterable[Record], column: str) -> str:
    """SHA-256 of a teacher's answers in their order: a run that goes on has to have the same."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(repr(record.extra.get(column)).encode("utf-8"))
    return digest.hexdigest()
