"""The objectives by name."""

from warmstart.base.errors import unknown_name_error
from warmstart.objectives.autoencoder import AUTOENCODER
from warmstart.objectives.backward import BACKWARD
from warmstart.objectives.both import BOTH
from warmstart.objectives.causal import CAUSAL
from warmstart.objectives.masked import MASKED
from warmstart.objectives.mixture import MIXTURE
from warmstart.objectives.objective import Objective
from warmstart.objectives.pseudo_masked import PSEUDO_MASKED

OBJECTIVES: dict[str, Objective] = {
    objective.name: objective for objective in (CAUSAL, BACKWARD, BOTH, AUTOENCODER, MASKED, MIXTURE, PSEUDO_MASKED)
}
"""The first of each sight is what a model of unknown training is evaluated by."""


def find_objective(name: str, where: str = "--objective") -> Objective:
    """The objective of this name.

    Raises:
        BadInput: there is none.
    """
    if name not in OBJECTIVES:
        raise unknown_name_error("objective", name, OBJECTIVES, where)
    return OBJECTIVES[name]


def evaluation_objective(name: str | None, sight: str) -> Objective:
    """What a language model is evaluated by: what it has learned, or a simpler objective that all like it share.

    Args:
        name: the objective that it has learned; ``None`` where that is not known.
        sight: of the model.

    Raises:
        BadInput: an objective that is not in the table.
    """
    if name is None:
        return next(objective for objective in OBJECTIVES.values() if objective.sight == sight)
    learned = find_objective(name, "objective")
    return learned.evaluation or learned
