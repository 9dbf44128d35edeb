"""CoLA by GPT-1's heuristic (Figure 2, right): a sentence is acceptable where its mean token log-probability is high enough.

The paper does not say how the threshold is chosen. Here each half of the sentences (those with even and with odd numbers) is
judged by the threshold that is best on the other half, by Matthews' correlation, so no sentence helps to judge itself.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.readers.rows import EXTRA_COLUMNS, Row, read_rows
from warmstart.readers.text_io import split_extensions
from warmstart.zeroshot.likelihood import Pair
from warmstart.zeroshot.outcome import Outcome, Terms, matthews
from warmstart.zeroshot.scorer import Scorer
from warmstart.zeroshot.task import Item, Options, field, label_field

_COLUMNS = ("source", "label", "star", "sentence", EXTRA_COLUMNS)


class AcceptabilityTask:
    """Sentences with a label: 1 acceptable, 0 not."""

    main = "matthews"
    text_metrics: tuple[str, ...] = ()
    uses: tuple[str, ...] = ("long_text",)

    def items(self, path: str, options: Options) -> Iterator[Item]:
        """The sentences of a file: CoLA's own table, or rows with ``sentence`` and ``label``."""
        for row in _rows(path, options.encoding):
            sentence, label = field(row, "sentence", "cola"), label_field(row, "label", "cola", 2)
            if label is None:
                raise BadInput("no label", where=row.where, allowed="0 or 1", next_step="name a part with labels")
            yield Item((Pair("", sentence, row.where), label), [sentence], row.where)

    def outcomes(self, items: Iterable[Item], scorer: Scorer, options: Options) -> Iterator[Outcome]:
        """As :class:`~warmstart.zeroshot.task.ZeroshotTask` has it; all sentences are scored before the first is judged."""
        every = [item.asked for item in items]
        scores = np.array([one.mean for one in scorer.score(pair for pair, _ in every)])
        labels = np.array([label for _, label in every])
        halves = np.arange(len(labels)) % 2
        predicted = np.zeros(len(labels), np.int64)
        for half in (0, 1):
            other = halves != half
            predicted[~other] = scores[~other] >= best_threshold(scores[other], labels[other])
        for score, label, guess in zip(scores.tolist(), labels.tolist(), predicted.tolist(), strict=True):
            cell = [0.0] * 4
            cell[2 * label + guess] = 1.0
            row = {"label": label, "prediction": guess, "mean_log_prob": round(score, 6)}
            yield Outcome({"matthews": tuple(cell), "accuracy": Terms(float(label == guess))}, row, chance=0.0)


def _rows(path: str, encoding: str) -> Iterator[Row]:
    return read_rows(path, encoding, _COLUMNS if split_extensions(path)[0] == ".tsv" else None)


def best_threshold(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The score from which on a sentence is called acceptable with the greatest correlation; of equals the lowest."""
    order = np.argsort(scores)
    ranked, right = scores[order], labels[order]
    below = np.concatenate([[0], np.cumsum(right)])  # acceptable ones under each threshold
    places = np.arange(len(ranked) + 1)
    cells = np.stack([places - below, (len(right) - right.sum()) - (places - below), below, right.sum() - below], 1)
    found = matthews(cells.astype(np.float64))[:-1]
    return float(ranked[int(found.argmax())]) if len(ranked) else 0.0
