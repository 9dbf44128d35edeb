"""What a page shows of single examples: how sure answers are, the surest errors, and which parts are harder.

Runs keep in ``examples.json`` whether each example was answered rightly, with which probability, how long it is and what the
other columns of its row say. Of several seeds the shares are means; each seed's answers count in the calibration.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from warmstart.base.formatting import format_p
from warmstart.metrics.metric import Array
from warmstart.metrics.paired import compare_means, holm, mcnemar
from warmstart.reporting.blocks import Block, Cell, Figure, Number, Paragraph, Table
from warmstart.reporting.figures import Series, calibration_figure
from warmstart.reporting.runs import Answered, RunReport

BINS, PARTS, MOST_ROWS = 10, 4, 20
"""Of confidence; of lengths; errors and values that are listed."""


def example_blocks(runs: Sequence[RunReport], split: str) -> list[Block]:
    """All that is known of the examples of one split, of the runs that have kept it and are judged by it."""
    judged = [(number, run) for number, run in enumerate(runs) if split in [*run.results][-1:]]
    found = [(number, run, run.answered[split]) for number, run in judged if run.answered.get(split)]
    blocks: list[Block] = [*paired_blocks([(run.name, answered) for _, run, answered in found])]
    blocks += calibration_blocks([(number, run.name, answered) for number, run, answered in found])
    for _, run, answered in found:
        blocks += [*error_blocks(run.name, answered), *part_blocks(run.name, answered)]
    return blocks


def paired_blocks(runs: Sequence[tuple[str, Sequence[Answered]]]) -> list[Block]:
    """The first run beside each other one that answered the same examples, tested over these examples."""
    if not runs:
        return []
    (main, ours), *others = runs
    same = [(name, theirs) for name, theirs in others if theirs[0].examples == ours[0].examples]
    found = [(name, theirs, compare_means(_mean(ours), _mean(theirs), 0)) for name, theirs in same]
    rows: list[tuple[Cell, ...]] = []
    for (name, theirs, test), p in zip(found, holm([test.p_permutation for _, _, test in found]), strict=True):
        each = [mcnemar(one.right, other.right) for one, other in zip(ours, theirs, strict=False)]
        words = "; ".join(f"{one.only_first} : {one.only_second}, p {format_p(one.p)}" for one in each)
        rows.append((f"{main} over {name}", Number(test.difference), format_p(p), words))
    caption = (
        "Right answers on the same examples: the difference of their shares; p of approximate randomisation, with Holm's "
        "correction; McNemar's exact test of two models at a time, with the examples that the first alone and the second "
        "alone has right. None of these knows what another seed would do."
    )
    return [Table(("", "difference", "p", "McNemar, seed by seed"), tuple(rows), caption, wrap=True)] if rows else []


def calibration_blocks(runs: Sequence[tuple[int, str, Sequence[Answered]]]) -> list[Block]:
    """How often answers of each confidence are right, and how far both are apart."""
    known = [
        (number, name, answered) for number, name, answered in runs if all(len(one.confidence) for one in answered)
    ]
    if not known:
        return []
    lines, gaps = [], []
    for number, name, answered in known:
        right, sure = (np.concatenate([getattr(one, field) for one in answered]) for field in ("right", "confidence"))
        points = reliability(right, sure)
        lines.append(Series(name, number, (tuple((confidence, share) for confidence, share, _ in points),)))
        gaps.append(f"{name} {100 * expected_error(right, sure):.1f} points")
    caption = (
        "Share of right answers by their probability, ten parts of equal width: on the diagonal both are the same."
    )
    said = f"Expected calibration error (Guo et al. 2017): {', '.join(gaps)}."
    return [Figure(calibration_figure(lines), caption), Paragraph(said)]


def reliability(right: Array, confidence: Array) -> list[tuple[float, float, int]]:
    """(mean confidence, share right, examples) of each tenth of the confidences that has examples."""
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (float(confidence[places == k].mean()), float(right[places == k].mean()), int((places == k).sum()))
        for k in np.unique(places)
    ]


def expected_error(right: Array, confidence: Array) -> float:
    """The mean distance of confidence and share right, each tenth by its examples."""
    points = reliability(right, confidence)
    return sum(count * abs(sure - share) for sure, share, count in points) / len(right)


def error_blocks(name: str, answered: Sequence[Answered]) -> list[Block]:
    """The wrong answers that the first training was surest of, with their text."""
    rows = tuple(
        (f"{one['label']}, predicted {one['predicted']} ({one['confidence']:.0%})", " / ".join(one["texts"].values()))
        for one in answered[0].errors[:MOST_ROWS]
    )
    seed = ", first seed" if len(answered) > 1 else ""
    return [Table(("true", "text"), rows, f"{name}{seed}: the surest errors.", wrap=True)] if rows else []


def part_blocks(name: str, answered: Sequence[Answered]) -> list[Block]:
    """Shares of right answers by length, and by each column that divides the examples into a few parts."""
    right, first = _mean(answered), answered[0]
    blocks: list[Block] = []
    if parts := by_length(first.tokens):
        blocks.append(_shares(right, parts, f"{name}: right answers by length.", "tokens"))
    for column, values in first.columns.items():
        each = {value: np.array([one == value for one in values]) for value in sorted(set(values))}
        blocks.append(_shares(right, each, f"{name}: right answers by {column}.", column))
    return blocks


def by_length(tokens: Array) -> dict[str, Array]:
    """Which examples are in each quarter by length; empty where the texts are hardly longer than each other."""
    edges = sorted({int(edge) for edge in np.quantile(tokens, np.linspace(0, 1, PARTS + 1))})
    if len(edges) < 3:
        return {}
    found = {}
    for number, (low, high) in enumerate(pairwise(edges)):
        least = low if number == 0 else low + 1
        found[f"{least:,} to {high:,}" if least < high else f"{high:,}"] = (tokens >= least) & (tokens <= high)
    return found


def _shares(right: Array, parts: dict[str, Array], caption: str, head: str) -> Table:
    rows = tuple(
        (part or "none", Number(int(chosen.sum())), Number(float(right[chosen].mean()), interval=wilson(right[chosen])))
        for part, chosen in parts.items()
    )
    return Table((head, "examples", "right"), rows, f"{caption[:-1]}; below a share its 95 % interval over examples.")


def wilson(right: Array, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which few examples do not take out of 0 to 1."""
    count, share = len(right), float(right.mean())
    middle, spread = share + z * z / (2 * count), z * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return float((middle - spread) / (1 + z * z / count)), float((middle + spread) / (1 + z * z / count))


def _mean(answered: Sequence[Answered]) -> Array:
    """[n] the share of the trainings that has each example right."""
    shares: Array = np.mean([one.right for one in answered], axis=0)
    return shares
