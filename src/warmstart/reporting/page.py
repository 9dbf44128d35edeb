"""One self-contained HTML page: no script, no request, the same bytes for the same input.

``write_page`` writes any blocks; ``run_blocks`` chooses those for run folders: results, figures and details.
"""

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.files import write_text
from warmstart.base.formatting import format_duration
from warmstart.reporting.blocks import Block, Cell, Code, Figure, Heading, Number, Paragraph, Table
from warmstart.reporting.example_blocks import example_blocks
from warmstart.reporting.figures import (
    Arm,
    comparison_figure,
    dev_figure,
    loss_figure,
    loss_series,
    metric_series,
)
from warmstart.reporting.runs import RunReport, SplitResult, read_runs

MAX_COLUMNS, MAX_HEAD_CHARS = 12, 40
"""Classes that stand side by side, and characters that their names may have together."""
MAX_CONFUSED = 20


def write_page(path: Path, title: str, blocks: Sequence[Block], refresh_s: int = 0) -> None:
    """Writes the page to ``path`` (atomic); with ``refresh_s`` a browser reads it anew after so many seconds.

    Raises:
        BadInput: ``path`` is not the name of an HTML file.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    check_page_path(path)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    write_text(
        Path(path), environment.get_template("page.html.j2").render(title=title, blocks=blocks, refresh_s=refresh_s)
    )


def check_page_path(path: Path) -> None:
    """Raises :class:`BadInput` unless ``path`` names an HTML file: a wrong option must not overwrite another file."""
    if Path(path).suffix.lower() not in (".html", ".htm") or Path(path).is_dir():
        raise BadInput(
            "this is no name for an HTML page", where=str(path), allowed="a file name that ends in .html",
            next_step="choose a name such as report.html",
        )  # fmt: skip


def run_blocks(folders: Sequence[Path], *, unfinished: bool = False) -> tuple[str, list[Block]]:
    """The title and the blocks of a page about the runs in ``folders``, in order; ``unfinished`` as ``read_runs`` has it.

    Raises:
        BadInput: a folder without a finished run.
    """
    runs = _distinguish_names([run for folder in folders for run in read_runs(Path(folder), unfinished=unfinished)])
    blocks: list[Block] = [Paragraph(answer) for answer in answers(runs)]
    for split in dict.fromkeys(split for run in runs for split in run.results):
        blocks += [Heading(f"Results on {split}" if split else "Results"), results_table(runs, split)]
        blocks += baseline_blocks(runs, split)
        blocks += seeds_table(runs, split)
        blocks += comparison_figures(runs, split)
        blocks += confusion_tables(runs, split)
        blocks += example_blocks(runs, split)
    blocks += curve_figures(runs)
    blocks += [Heading("Runs"), cost_table(runs)]
    blocks += attempts_table(runs)
    blocks += [block for run in runs for block in run_details(run)]
    return "Runs: " + ", ".join(run.name for run in runs), blocks


def answers(runs: Sequence[RunReport]) -> list[str]:
    """What each run found, in a sentence: its comparison, its gain over a baseline, or else its first metric."""
    found = []
    for run in runs:
        told = " ".join(filter(None, (run.comparison, str(run.baselines.get("sentence", "")))))
        if told:
            found.append(told)
        elif not run.is_finished:
            found.append(f"{run.name} is not finished: {run.steps:,} steps in {format_duration(run.seconds)} so far.")
        elif not any(other.comparison and other.folder == run.folder for other in runs):
            found.append(_figure_in_words(run))
    return found


def _figure_in_words(run: RunReport) -> str:
    """The first metric of a run on its last split."""
    split, result = list(run.results.items())[-1]
    metric, value = next(iter(result.metrics.items()))
    where = f" on the {result.examples:,} examples of {split}" if result.examples and split else ""
    spread = f" ± {result.std[metric]:.4f} over {len(result.seeds)} seeds" if metric in result.std else ""
    bounds = result.intervals.get(metric)
    interval = f" (95 % interval {bounds[0]:.4f} to {bounds[1]:.4f} over examples)" if bounds else ""
    return f"{run.name}: {metric} {value:.4f}{spread}{where}{interval}."


def results_table(runs: Sequence[RunReport], split: str) -> Table:
    """One row per run: its final metrics on one split, each with its spread over seeds or its interval."""
    metrics, rows = _metrics(runs, split), []
    found = [(run.name, run.results[split]) for run in runs if split in run.results]
    counted = any(result.examples is not None for _, result in found)
    for name, result in found:
        cells = [
            _cell(result.metrics.get(metric), result.std.get(metric), result.intervals.get(metric))
            for metric in metrics
        ]
        count: list[Cell] = [_cell(result.examples)] if counted else []
        rows.append((name, *cells, *count, Number(len(result.seeds) or 1)))
    caption = "Final metrics"
    if any(result.seeds for _, result in found):
        caption += "; ± is the standard deviation over seeds"
    if any(result.intervals for _, result in found):
        caption += "; below a value its 95 % interval over examples"
    return Table(("run", *metrics, *(["examples"] if counted else []), "seeds"), tuple(rows), f"{caption}.")


def baseline_blocks(runs: Sequence[RunReport], split: str) -> list[Block]:
    """For each run that has them what a person would use instead, and what the run gains over the best of it."""
    blocks: list[Block] = []
    for run in runs:
        if run.baselines.get("split") != split:
            continue
        each: dict[str, Any] = run.baselines["each"]
        metrics = list(next(iter(each.values()))["metrics"])
        rows = []
        for name, one in each.items():
            bounds = {metric: (low, high) for metric, (low, high) in one["intervals"].items()}
            cells = [_cell(one["metrics"].get(metric), interval=bounds.get(metric)) for metric in metrics]
            rows.append((f"{name}: {one['what']}", *cells))
        caption = (
            f"{run.name}: baselines, learned from the same examples; below a value its 95 % interval over examples."
        )
        blocks += [Table(("baseline", *metrics), tuple(rows), caption), Paragraph(run.baselines["sentence"])]
    return blocks


def confusion_tables(runs: Sequence[RunReport], split: str) -> list[Block]:
    """For each run with classes how often each was taken for which."""
    tables: list[Block] = []
    for run in runs:
        labels, counts = run.results[split].confusion if split in run.results else ((), ())
        seeds = len(run.results[split].seeds) if split in run.results else 0
        over = f", {seeds} seeds together" if seeds else ""
        if 0 < len(labels) <= MAX_COLUMNS:
            tables.append(_confusion_matrix(labels, counts, f"{run.name}: examples{over}"))
        elif labels:
            tables.append(_confused_classes(labels, counts, f"{run.name}{over}"))
    return tables


def _confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]], name: str) -> Table:
    """Rows are true classes, columns predicted ones, which have numbers where their names are long."""
    heads = labels if sum(map(len, labels)) <= MAX_HEAD_CHARS else [str(n) for n in range(1, len(labels) + 1)]
    names = labels if heads is labels else [f"{head} {label}" for head, label in zip(heads, labels, strict=True)]
    rows: list[tuple[Cell, ...]] = [
        (f"true: {label}", *map(Number, row)) for label, row in zip(names, counts, strict=True)
    ]
    return Table(("", *heads), tuple(rows), f"{name} of each class (rows) by what was predicted (columns).")


def _confused_classes(labels: Sequence[str], counts: Sequence[Sequence[int]], name: str) -> Table:
    """The classes that were most often taken for others."""
    places = [(true, told) for true in range(len(labels)) for told in range(len(labels)) if true != told]
    places.sort(key=lambda place: -counts[place[0]][place[1]])
    rows = tuple(
        (labels[true], labels[told], Number(counts[true][told]), Number(sum(counts[true])))
        for true, told in places[:MAX_CONFUSED]
        if counts[true][told]
    )
    caption = f"{name}: the most frequent confusions of {len(labels)} classes; all counts are in report.json."
    return Table(("true class", "predicted as", "examples", "of this class"), rows, caption)


def cost_table(runs: Sequence[RunReport]) -> Table:
    """One row per run: steps, tokens, time and speed of training."""
    rows = (
        (run.name, Number(run.steps), Number(run.tokens), format_duration(run.seconds), _speed(run)) for run in runs
    )
    return Table(("run", "steps", "tokens", "time", "tokens a second"), tuple(rows), "Cost of training.")


def _speed(run: RunReport) -> str:
    return f"{run.tokens / run.seconds:,.0f}" if run.seconds > 0 else "–"


def seeds_table(runs: Sequence[RunReport], split: str) -> list[Block]:
    """One row per seed of the runs with several; it marks collapsed ones."""
    metrics = _metrics(runs, split)
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        for seed in run.results[split].seeds if split in run.results else ():
            name = f"{run.name}, seed {seed.seed}" + (" (collapsed)" if seed.collapsed else "")
            rows.append((name, *(_cell(seed.metrics.get(metric)) for metric in metrics)))
    return [Table(("seed", *metrics), tuple(rows), "Each seed.")] if rows else []


def attempts_table(runs: Sequence[RunReport]) -> list[Block]:
    """One row per training that collapsed, and per one that was begun in its place."""
    found = [(run.name, attempt) for run in runs for attempt in run.attempts]
    metrics = list(dict.fromkeys(name for _, attempt in found for name in attempt["metrics"]))
    rows: list[tuple[Cell, ...]] = []
    for name, attempt in found:
        mark = " (collapsed)" if attempt["collapsed"] else ""
        cells = [_cell(attempt["metrics"].get(metric)) for metric in metrics]
        rows.append((f"{name}, seed {attempt['seed']}{mark}", f"{attempt['lr']:.3g}", *cells))
    caption = "Trainings that ended with one answer for everything, and those begun in their place; metrics on dev."
    return [Table(("attempt", "rate", *metrics), tuple(rows), caption)] if rows else []


def comparison_figures(runs: Sequence[RunReport], split: str) -> list[Block]:
    """A figure for each metric of a split with at least two values."""
    figures: list[Block] = []
    for metric in _metrics(runs, split):
        found = [(i, run) for i, run in enumerate(runs) if split in run.results]
        arms = [arm for i, run in found if (arm := _arm(run.name, run.results[split], i, metric)).values]
        if sum(len(arm.values) for arm in arms) > 1:
            caption = f"Final {metric}{f' on {split}' if split else ''}. Each dot is a seed, the bar is their mean"
            caption += ", the band one standard deviation to either side" if any(arm.interval for arm in arms) else ""
            caption += "; an open dot is a collapsed run" if any(any(arm.collapsed) for arm in arms) else ""
            figures.append(Figure(comparison_figure(arms, metric), caption + "."))
    return figures


def curve_figures(runs: Sequence[RunReport]) -> list[Block]:
    """Training loss (one figure for runs with the same goals) and each dev metric."""
    figures: list[Block] = []
    points = [point for run in runs for curve in run.curves for point in curve.train]
    over = "tokens" if points and all(point.tokens for point in points) else "step"
    for goals in dict.fromkeys(_goals(run) for run in runs):
        alike = [(i, run) for i, run in enumerate(runs) if _goals(run) == goals]
        lines = [line for i, run in alike if (line := loss_series(run.name, i, run.curves, over)).seeds]
        if lines:
            caption = f"Training loss ({' + '.join(goals)})" if goals else "Training loss"
            figures.append(Figure(loss_figure(lines, over=over), f"{caption}: as logged (thin) and smooth (thick)."))
    dev_names = [name for run in runs for curve in run.curves for point in curve.dev for name in point.metrics]
    for metric in dict.fromkeys(dev_names):
        lines = [line for i, run in enumerate(runs) if (line := metric_series(run.name, i, run.curves, metric)).seeds]
        several = any(len(line.seeds) > 1 for line in lines)
        caption = f"{metric} on the dev set" + (
            ": thin lines are seeds, the thick line is their mean." if several else "."
        )
        figures.append(Figure(dev_figure(lines, metric), caption))
    return [Heading("Learning curves"), *figures] if figures else []


def run_details(run: RunReport) -> list[Block]:
    """The command, the manifest, the account and the recipe of one run."""
    manifest = dict(run.manifest)
    argv = manifest.pop("argv", None)
    blocks: list[Block] = [Heading(run.name)]
    if argv:
        blocks.append(Code(_command(argv), "Run it again"))
    if manifest:
        blocks.append(Table(("manifest", "value"), tuple(_flatten(manifest)), wrap=True))
    if run.account:
        caption = "Records used, cut and dropped; weights loaded, initialised and unused."
        blocks.append(Table(("account", "value"), tuple(_flatten(run.account)), caption, wrap=True))
    if run.config:
        blocks.append(Code(run.config, "The resolved recipe", collapsible=True))
    return blocks if len(blocks) > 1 else []


def _command(argv: Any) -> str:
    """What was typed; a manifest has it without the program's name."""
    if not isinstance(argv, list):
        return str(argv)
    words = [str(word) for word in argv]
    return shlex.join(words if words[:1] == ["warmstart"] else ["warmstart", *words])


def _metrics(runs: Sequence[RunReport], split: str) -> list[str]:
    return list(dict.fromkeys(name for run in runs if split in run.results for name in run.results[split].metrics))


def _cell(value: float | None, std: float | None = None, interval: tuple[float, float] | None = None) -> Cell:
    return "–" if value is None else Number(value, std, interval)


def _arm(name: str, result: SplitResult, color_index: int, metric: str) -> Arm:
    """The final values of ``metric``, one for each seed."""
    seeds = [seed for seed in result.seeds if metric in seed.metrics]
    mean, std = result.metrics.get(metric), result.std.get(metric)
    if not seeds:
        return Arm(name, color_index, () if mean is None else (mean,))
    interval = (mean - std, mean + std) if mean is not None and std is not None else None
    values, collapsed = tuple(seed.metrics[metric] for seed in seeds), tuple(seed.collapsed for seed in seeds)
    return Arm(name, color_index, values, collapsed, interval)


def _goals(run: RunReport) -> tuple[str, ...]:
    """The goals whose losses a run logged: runs with the same goals share a loss figure."""
    return tuple(sorted({name for curve in run.curves for point in curve.train for name in point.losses}))


def _distinguish_names(runs: Sequence[RunReport]) -> list[RunReport]:
    """The runs; where two have the same name, with the name of the parent folder in front."""
    names = [run.name for run in runs]
    return [
        replace(run, name=f"{run.folder.resolve().parent.name}/{run.name}") if names.count(run.name) > 1 else run
        for run in runs
    ]


def _flatten(values: dict[str, Any], prefix: str = "") -> list[tuple[Cell, ...]]:
    """Rows (dotted key, value); of a long list the length and the first items."""
    rows: list[tuple[Cell, ...]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += _flatten(value, f"{prefix}{key}.")
            continue
        if isinstance(value, list):
            items = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in value]
            value = ", ".join(items or ["none"]) if len(items) <= 4 else f"{len(items):,}: {', '.join(items[:3])}, …"
        rows.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return rows
