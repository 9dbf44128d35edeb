"""The objectives by name, one line each. Light to import: an objective itself is imported when it is asked for."""

from typing import TYPE_CHECKING

from warmstart.base.errors import unknown_name_error
from warmstart.base.lazy_table import LazyTable, TableEntry

if TYPE_CHECKING:
    from warmstart.objectives.objective import Objective

OBJECTIVES: "LazyTable[Objective]" = LazyTable({
    "causal": TableEntry("warmstart.objectives.causal:CAUSAL", "next token"),
    "backward": TableEntry("warmstart.objectives.backward:BACKWARD", "previous"),
    "both": TableEntry("warmstart.objectives.both:BOTH", "next and previous"),
    "autoencoder": TableEntry("warmstart.objectives.autoencoder:AUTOENCODER", "SA-LSTM"),
    "masked": TableEntry("warmstart.objectives.masked:MASKED", "BERT"),
    "mixture": TableEntry("warmstart.objectives.mixture:MIXTURE", "UniLM"),
    "bidirectional": TableEntry("warmstart.objectives.bidirectional:BIDIRECTIONAL", "biLM"),
    "pseudo-masked": TableEntry("warmstart.objectives.pseudo_masked:PSEUDO_MASKED", "UniLMv2"),
    "span-corruption": TableEntry("warmstart.objectives.span_corruption:SPAN_CORRUPTION", "T5"),
    "infilling": TableEntry("warmstart.objectives.infilling:INFILLING", "BART"),
    "masked-span": TableEntry("warmstart.objectives.masked_span:MASKED_SPAN", "MASS"),
})  # fmt: skip
"""The first of each sight is what a model of unknown training is evaluated by."""


def find_objective(name: str, where: str = "--objective") -> "Objective":
    """The objective of this name.

    Raises:
        BadInput: there is none.
    """
    if name not in OBJECTIVES:
        raise unknown_name_error("objective", name, OBJECTIVES, where)
    return OBJECTIVES[name]


def evaluation_objective(name: str | None, sight: str) -> "Objective":
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
