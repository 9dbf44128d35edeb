"""The Predictor of a task: by its head, or by generating. What an answer is says which; nobody else asks."""

from collections.abc import Sequence

from warmstart.base.errors import BadInput
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.head_predictor import (
    MAX_TOKENS,
    HeadPredictor,
    SoftPredictor,
    check_averageable,
    check_same_task,
)
from warmstart.evaluation.predictor import Member, Predictor
from warmstart.evaluation.text_predictor import KeepLattice, TextPredictor, check_vocabularies
from warmstart.tasks.table import answer_of, kind_of


def build_predictor(
    members: Sequence[Member], search: GenerateSettings, keep_lattice: KeepLattice | None = None,
    max_tokens: int = MAX_TOKENS,
) -> Predictor:  # fmt: skip
    """The Predictor of a model, or of several that answer together.

    Args:
        members: the models.
        search: how texts are generated.
        keep_lattice: takes what the search kept of each Record.
        max_tokens: in one Batch.
    """
    if answer_of(members[0].spec).generated:
        return TextPredictor(members, search, keep_lattice)
    return HeadPredictor(members, max_tokens)


def check_members(members: Sequence[Member], names: Sequence[str]) -> None:
    """Refuses models that cannot answer together; ``names`` says whose they are.

    Raises:
        BadInput: as :func:`~warmstart.evaluation.head_predictor.check_same_task`, or answers that have no mean; of models
            that generate, other tokens.
    """
    check_averageable(members)
    check_same_task(members, names)
    if answer_of(members[0].spec).generated:
        check_vocabularies(members, names)


def soft_predictor(members: Sequence[Member], names: Sequence[str]) -> SoftPredictor:
    """The Predictor of soft labels: a teacher's, or the mean of several.

    Raises:
        BadInput: they have learned different tasks, or one whose answers are no probabilities.
    """
    check_same_task(members, names)
    answer = answer_of(members[0].spec)
    if not answer.has_soft or kind_of(members[0].spec).redraws:
        raise BadInput(
            "answers of this kind are no soft labels", where="--soft", value=members[0].spec.kind,
            allowed="answers of a head to texts", next_step="leave --soft out",
        )  # fmt: skip
    for member, name in zip(members, names, strict=True):
        if member.model.head(answer.goal).reads_chains:
            raise BadInput(
                "the tags of a chain have no probabilities of their own", where="--soft", value=name,
                allowed="runs that were trained without --head-crf", next_step="name another run, or leave --soft out",
            )  # fmt: skip
    return SoftPredictor(members)
