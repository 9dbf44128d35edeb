"""The sequence autoencoder's frame and its source of whole documents."""

import numpy as np

from warmstart.objectives.autoencoder import autoencoder
from warmstart.streams.sources import DocumentSource


class Text:
    """Three documents in memory, each ended by 0."""

    ids = np.array([5, 8, 2, 0, 7, 0, 3, 4, 6, 9, 1, 0])
    offsets = np.array([0, 4, 6, 12])
    num_tokens = 12

    def tokens(self, start: int, stop: int) -> np.ndarray:
        return self.ids[start:stop]


def test_the_sequence_is_that_of_the_released_code() -> None:
    """Witness: the rule of its build_seq_ae_sequence, step by step: 2n - 1 steps, weight 0 on steps 0 to n - 2; step n - 1
    is given the end and asked for the first word; afterwards each word is asked for the next."""
    words = [5, 8, 2, 0]
    n = len(words)
    given, asked, weight = [], [], []
    for step in range(2 * n - 1):
        given.append(words[step] if step < n else words[step - n])
        asked.append(words[step - n + 1] if step >= n - 1 else None)
        weight.append(float(step >= n - 1))
    [example] = autoencoder(np.array(words))
    goal = example.goals["lm"]
    assert example.ids.tolist() == given and goal.reads.tolist() == [s for s in range(7) if weight[s]]
    assert goal.targets.tolist() == [token for token in asked if token is not None] and goal.weights.tolist() == [1] * n
    assert example.turns.tolist() == list(range(7))


def test_a_unit_is_a_whole_document() -> None:
    """Invariant: every document once per epoch, in both parts together; long ones in pieces."""
    held, rest = (DocumentSource(Text(), 100, autoencoder, held_out=1, dev=dev) for dev in (True, False))
    assert (len(held), len(rest)) == (1, 2)
    found = held.take(0, np.arange(1)) + rest.take(0, np.arange(2))
    texts = sorted(example.goals["lm"].targets.tolist() for [example] in found)
    assert texts == [[3, 4, 6, 9, 1, 0], [5, 8, 2, 0], [7, 0]]
    cut = DocumentSource(Text(), 4, autoencoder).take(0, np.arange(3))
    assert sorted(len(example) for [example] in cut) == [3, 3, 7, 7]
