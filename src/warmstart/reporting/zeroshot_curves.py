"""What a language model knows step by step of its pre-training: the picture of Radford et al. 2018, Figure 2 (right).

Scores of several tasks stand in one picture, each between chance, which is 0, and a stated best, which is 1. Perplexities
have neither and stand in the table alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.reporting.blocks import Block, Cell, Figure, Heading, Number, Paragraph, Table
from warmstart.reporting.figures import Band, band_figure


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """The score of the model at a step, and its 95 % interval over examples."""

    step: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """One task's scores, as ``warmstart zeroshot --curve --json`` writes them.

    Attributes:
        run: what was judged.
        task: its name.
        metric: the main one.
        examples: how many there are.
        chance: what a guess is worth; ``None`` where nobody can say.
        best: the score that counts as 1.
        gain: of the last model over the first, over the same examples.
        points: by step.
    """

    run: str
    task: str
    metric: str
    examples: int
    chance: float | None
    best: float
    gain: ScorePoint
    points: tuple[ScorePoint, ...]

    @property
    def name(self) -> str:
        """As the picture calls it."""
        return Path(self.task).stem

    @property
    def sentence(self) -> str:
        """Whether it has become better."""
        gain, larger_is_better = self.gain, self.chance is not None
        up, down = gain.low > 0, gain.high < 0
        verdict = "no difference beyond the noise"
        if up or down:
            verdict = "better" if up is larger_is_better else "worse"
        return (
            f"{self.name}: {self.metric} {self.points[0].value:.4g} at step {self.points[0].step:,}, "
            f"{self.points[-1].value:.4g} at step {self.points[-1].step:,} ({gain.value:+.4g}; 95 % interval over the same "
            f"{self.examples:,} examples {gain.low:+.4g} to {gain.high:+.4g}): {verdict}."
        )


def read_curve(path: Path) -> ScoreCurve:
    """Reads what ``warmstart zeroshot --curve --json`` has written.

    Raises:
        BadInput: another file.
    """
    try:
        found = read_json(path)
        main, gain = found["main"], found["gain"]
        return ScoreCurve(
            run=str(found["run"]), task=str(found["task"]), metric=str(main), examples=int(found["examples"]),
            chance=None if found["chance"] is None else float(found["chance"]), best=float(found["best"]),
            gain=ScorePoint(0, float(gain["value"]), float(gain["low"]), float(gain["high"])),
            points=tuple(_point(one, main) for one in found["curve"]),
        )  # fmt: skip
    except (BadInput, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"no curve of zero-shot scores ({error})", where=str(path),
            allowed="folders of runs and studies, and what zeroshot --curve --json has written",
            next_step="warmstart zeroshot … --curve --json > FILE.json",
        ) from None  # fmt: skip


def _point(found: dict[str, Any], metric: str) -> ScorePoint:
    value = float(found["metrics"][metric])
    low, high = found["intervals"].get(metric, (value, value))
    return ScorePoint(int(found["step"]), value, float(low), float(high))


def curve_blocks(curves: Sequence[ScoreCurve]) -> list[Block]:
    """A sentence for each task, the picture, and the scores themselves."""
    blocks: list[Block] = [Heading("Zero-shot scores over the pre-training")]
    blocks += [Paragraph(curve.sentence) for curve in curves]
    bands = [_band(curve, index) for index, curve in enumerate(curves) if curve.chance is not None]
    if bands:
        caption = "Each score between chance (0) and the stated best (1); bands are 95 % intervals over examples."
        blocks.append(Figure(band_figure(bands, "zero-shot score", "chance"), caption))
    return [*blocks, _table(curves)]


def _band(curve: ScoreCurve, index: int) -> Band:
    chance = curve.chance or 0.0

    def scaled(value: float) -> float:
        return (value - chance) / (curve.best - chance)

    points = ((float(one.step), scaled(one.value), scaled(one.low), scaled(one.high)) for one in curve.points)
    return Band(curve.name, index, tuple(points))


def _table(curves: Sequence[ScoreCurve]) -> Table:
    steps = sorted({one.step for curve in curves for one in curve.points})
    rows: list[tuple[Cell, ...]] = []
    for curve in curves:
        found = {one.step: Number(one.value, interval=(one.low, one.high)) for one in curve.points}
        chance: Cell = "–" if curve.chance is None else Number(curve.chance)
        best: Cell = "–" if curve.chance is None else Number(curve.best)
        name = f"{curve.name}, {curve.metric}, {Path(curve.run).name}"
        rows.append((name, chance, best, *(found.get(step, "–") for step in steps)))
    heads = ("task", "chance", "best", *(f"step {step:,}" for step in steps))
    return Table(heads, tuple(rows), "Scores as they are, below each its 95 % interval over examples.")
