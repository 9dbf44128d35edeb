"""A language model as a stack of an encoder-decoder takes it: for texts of one segment, and with the stack's norms.

The row of the first segment is added to every token, as a position's row is; so both become one row, and what the second
segment has stays behind. Of two language models whose norms add different small numbers below their roots, both stacks have
those of one; the states of the other change by about as much as these numbers are of its embeddings' variance.
"""

from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings

SEGMENTS, POSITIONS = "backbone.segments.weight", "backbone.positions.weight"
LARGEST_EPS = 1e-5
"""Up to which the number in a norm is as good as another."""


def settings_as_side(theirs: BackboneSettings, ours: BackboneSettings) -> BackboneSettings:
    """A language model's settings as a stack with settings ``ours`` takes it.

    Where rows of positions are not learned, segments stay what they are.
    """
    changes: dict[str, float] = {}
    if getattr(theirs, "segments", 0) and getattr(theirs, "positions", "") == "learned":
        changes["segments"] = 0
    eps = [getattr(one, "norm_eps", 0.0) for one in (ours, theirs)]
    if max(eps) <= LARGEST_EPS and eps[0] != eps[1]:
        changes["norm_eps"] = eps[0]
    return theirs.model_copy(update=changes) if changes else theirs


def as_side(model: Model, ours: BackboneSettings) -> tuple[Model, list[str]]:
    """The same model with :func:`settings_as_side`, and the names of what that leaves behind."""
    theirs = model.settings.backbone
    backbone = settings_as_side(theirs, ours)
    if backbone is theirs:
        return model, []
    tensors, dropped = dict(model.state_dict()), []
    if SEGMENTS in tensors and not getattr(backbone, "segments", 0):
        rows = tensors.pop(SEGMENTS)
        tensors[POSITIONS] = tensors[POSITIONS] + rows[0]
        dropped.append(f"{SEGMENTS}[1:{len(rows)}]")
    found = Model(model.settings.model_copy(update={"backbone": backbone}))
    found.load_state_dict(tensors)
    return found, dropped
