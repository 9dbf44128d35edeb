"""Sequence autoencoding: read a document, then write it (Dai and Le 2015, section 2)."""

from typing import Any

from numpy.typing import NDArray

from warmstart.example.example import Example
from warmstart.objectives.objective import Objective


def autoencoder(ids: NDArray[Any]) -> list[Example]:
    """The frame: the n ids of a document, its end token among them → one Example of 2n - 1 tokens.

    Vectors are framed alike: the n rows of an image, which has no end, since all have as many.

    >>> [example] = autoencoder(np.array([5, 8, 2]))
    >>> goal = example.goals["lm"]
    >>> example.ids.tolist(), goal.reads.tolist(), goal.targets.tolist()
    ([5, 8, 2, 5, 8], [2, 3, 4], [5, 8, 2])
    """
    return [Example.read_and_write(ids)]


AUTOENCODER = Objective(
    name="autoencoder",
    card="A sequence autoencoder",
    frame=autoencoder,
    item="document",
    copies=2,
    reads_images=True,
)
