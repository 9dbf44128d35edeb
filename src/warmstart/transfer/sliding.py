"""Windows of sight in a config of ``transformers``: the kind of each layer, and one width for those that have a window.

Theirs and ours count alike: a token sees itself and the ``width - 1`` before it.
"""

from collections.abc import Sequence

from warmstart.base.errors import BadInput
from warmstart.models.transformer_settings import TransformerSettings

LOCAL, GLOBAL = "sliding_attention", "full_attention"
Windows = tuple[int | None, ...]


def read_windows(kinds: Sequence[str], width: int | None) -> Windows:
    """The window of each layer.

    Raises:
        BadInput: a layer of another kind.
    """
    unknown = next((kind for kind in kinds if kind not in (LOCAL, GLOBAL)), None)
    if unknown is not None:
        raise BadInput(
            "unknown kind of layer", where="config.json, key 'layer_types'", value=unknown, allowed=f"{LOCAL}, {GLOBAL}"
        )
    return tuple(width if kind == LOCAL else None for kind in kinds)


def shortest_cycle(windows: Windows) -> Windows:
    """The same as the shortest row that gives each layer its window over and over; empty where there is none."""
    if not any(windows):
        return ()
    sizes = range(1, len(windows) + 1)
    size = next(size for size in sizes if all(window == windows[n % size] for n, window in enumerate(windows)))
    return windows[:size]


def write_windows(settings: TransformerSettings) -> tuple[list[str], int | None]:
    """The kind of each layer, and the width of the windows; where they differ, of one of them."""
    windows = [settings.window_of(layer) for layer in range(settings.layers)]
    width = next((window for window in windows if window is not None), None)
    return [GLOBAL if window is None else LOCAL for window in windows], width
