"""The Predictor of a task: by its head, or by generating. What an answer is says which; nobody else asks."""

from collections.abc import Sequence

from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.head_predictor import MAX_TOKENS, HeadPredictor, check_same_task
from warmstart.evaluation.predictor import Member, Predictor
from warmstart.evaluation.text_predictor import KeepLattice, TextPredictor, check_vocabularies
from warmstart.tasks.table import answer_of


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
        BadInput: as :func:`~warmstart.evaluation.head_predictor.check_same_task`; of models that generate, other tokens.
    """
    check_same_task(members, names)
    if answer_of(members[0].spec).generated:
        check_vocabularies(members, names)
