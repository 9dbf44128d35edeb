"""Vectors → places on a map of two dimensions: principal components, t-SNE, UMAP; all of vectors at length 1.

Shapes: T terms, D the width of their vectors.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.embed.extract import principal_components

_FEWEST = 3
"""Terms below which there is nothing to lay out."""
SEED = 0


def check_layouts(names: Sequence[str]) -> None:
    """Refuses what is no layout, one twice, and one whose library is not there.

    Raises:
        BadInput: such a name.
    """
    for name in names:
        if name not in LAYOUTS:
            raise unknown_name_error("map", name, LAYOUTS, "--map")
        if names.count(name) > 1:
            raise BadInput("one map twice", where="--map", value=name, next_step="name it once")
    if "umap" in names:
        _umap_class()


def lay_out(units_TD: Floats, layout: str, source: str) -> Floats:
    """[T, 2] where each term stands.

    Raises:
        BadInput: too few terms, or vectors of one number.
    """
    count, width = units_TD.shape
    if count < _FEWEST or width < 2:
        raise BadInput(
            "too little for a map", where=source, value=f"{count} with a vector of {width} numbers",
            allowed=f"at least {_FEWEST}, with vectors of at least 2 numbers", next_step="name more words or texts",
        )  # fmt: skip
    return LAYOUTS[layout](units_TD)


def _pca(units_TD: Floats) -> Floats:
    return principal_components(units_TD, 2)


def _tsne(units_TD: Floats) -> Floats:
    """By scikit-learn (van der Maaten 2014): some minutes for 20,000 terms."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(units_TD) - 1) / 3)
    return np.asarray(TSNE(perplexity=perplexity, random_state=SEED, n_jobs=1).fit_transform(units_TD), np.float32)


def _umap(units_TD: Floats) -> Floats:
    """By umap-learn (McInnes et al. 2018)."""
    reducer = _umap_class()(n_neighbors=min(15, len(units_TD) - 1), random_state=SEED, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small sets and of its own use of scikit-learn
        return np.asarray(reducer.fit_transform(units_TD), np.float32)


def _umap_class() -> Any:
    try:
        from umap import UMAP
    except ImportError:
        raise BadInput(
            "this map needs the umap-learn package", where="--map", value="umap",
            next_step="pip install 'warmstart[maps]', or choose pca or tsne",
        ) from None  # fmt: skip
    return UMAP


LAYOUTS: dict[str, Callable[[Floats], Floats]] = {"pca": _pca, "tsne": _tsne, "umap": _umap}
"""Name → what places vectors of length 1, each program with a fixed seed: the same map for the same vectors."""
