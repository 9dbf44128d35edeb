"""The page of a study: its answer in one sentence, its table, its curve, every comparison, the command to run it again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.base.formatting import format_duration, format_p
from warmstart.reporting.blocks import Block, Cell, Code, Figure, Heading, Number, Paragraph, Table
from warmstart.reporting.drawing import Drawing
from warmstart.reporting.export import export_blocks
from warmstart.reporting.figures import Arm, Series, comparison_figure, label_figure, short_number
from warmstart.reporting.page import check_page_path, run_blocks, write_page
from warmstart.reporting.zeroshot_curves import curve_blocks, read_curve

STUDY = "study.json"


def write_study_page(path: Path, study: dict[str, Any]) -> None:
    """Writes the page to ``path``; ``study`` is what stands in ``study.json``."""
    write_page(path, f"Study: {study['design']}", study_blocks(study))


def report_folders(
    folders: Sequence[Path], out: Path, export: Path | None = None, *, unfinished: bool = False, refresh_s: int = 0
) -> None:
    """Writes a page about studies, curves of zero-shot scores (files) and runs, each in the given order.

    Args:
        folders: of finished runs and studies.
        out: the page.
        export: a folder for the same as Markdown, CSV, SVG and PNG.
        unfinished: whether runs that have not ended are shown as far as they are.
        refresh_s: seconds after which a browser reads the page anew; 0: never.

    Raises:
        BadInput: no folder, one without a finished run or study, or an ``out`` that is not the name of an HTML file.
    """
    if not folders:
        raise BadInput("no run to report", where="warmstart report", next_step="name at least one run folder")
    check_page_path(out)
    studies = [folder for folder in folders if (folder / STUDY).is_file()]
    blocks: list[Block] = []
    found = {folder.resolve().name: read_json(folder / STUDY) for folder in studies}
    blocks += [
        Paragraph(f"{name}: {one['answer']}" if len(found) > 1 else one["answer"]) for name, one in found.items()
    ]
    for name, one in found.items():
        parts = [replace(block, level=3) if isinstance(block, Heading) else block for block in _parts(one)]
        blocks += [Heading(f"Study: {name}"), *parts]
    files = [folder for folder in folders if folder.is_file()]
    blocks += curve_blocks(list(map(read_curve, files))) if files else []
    runs = [folder for folder in folders if folder not in [*studies, *files]]
    title, more = run_blocks(runs, unfinished=unfinished) if runs else ("", [])
    more = [Heading(title), *more] if blocks and more else more
    names = [f"Studies: {', '.join(folder.resolve().name for folder in studies)}"] if studies else []
    names += ["Zero-shot scores"] if files else []
    title = "; ".join([*names, title] if title else names)
    write_page(out, title, [*blocks, *more], refresh_s)
    if export is not None:
        export_blocks(export, title, [*blocks, *more])


def study_blocks(study: dict[str, Any]) -> list[Block]:
    """The blocks of a study, the answer first."""
    return [Paragraph(study["answer"]), *_parts(study)]


def _parts(study: dict[str, Any]) -> list[Block]:
    """All that the answer stands on."""
    blocks: list[Block] = [Heading("Results"), _table(study), *_what_baselines_are(study)]
    blocks += [Figure(*drawn) for drawn in [*_figures(study), *_cost_figures(study)]]
    blocks += [Heading("Comparisons"), _comparisons(study), *_paired(study), *_power(study)]
    blocks += [*_tried(study), *_costs(study)]
    return [*blocks, Heading("Run it again"), Code(study["command"], "Command")]


def _tried(study: dict[str, Any]) -> list[Block]:
    """What a search tried, by dev, and what that took."""
    if not study["tried"]:
        return []
    rows = tuple((one["row"], Number(one["dev"]), format_duration(one["seconds"])) for one in study["tried"])
    spent = format_duration(sum(one["seconds"] for one in study["tried"]))
    return [Heading("Search"), Table(("setting", f"{study['metric']} on dev", "time"), rows, f"In all {spent}.")]


def _place(study: dict[str, Any], column: str) -> str:
    """A column in words; empty where a table has one."""
    return f"{column} of {study['columns']}" if column.endswith("%") else f"{column} {study['columns']}".strip()


def _what_baselines_are(study: dict[str, Any]) -> list[Block]:
    """The names of baselines, explained."""
    found = {one["row"]: one["what"] for one in study["baselines"] if one.get("what")}
    return (
        [Paragraph(f"Instead of a model: {'; '.join(f'{name}, {what}' for name, what in found.items())}.")]
        if found
        else []
    )


def _rows(study: dict[str, Any]) -> list[dict[str, Any]]:
    return [*study["table"], *study["baselines"]]


def _columns(study: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(one["column"] for one in study["table"]))


def _table(study: dict[str, Any]) -> Table:
    """One row per variant and baseline, one column per size."""
    found = {(one["row"], one["column"]): one for one in _rows(study)}
    columns, names = _columns(study), dict.fromkeys(one["row"] for one in _rows(study))
    rows = tuple((name, *(_cell(found.get((name, column))) for column in columns)) for name in names)
    heads = tuple(_place(study, column) or study["metric"] for column in columns)
    caption = f"{study['metric']} on the {study['examples']:,} examples of {study['split']}"
    spread = f"; ± is the standard deviation over {study['seeds']} seeds" if study["seeds"] > 1 else ""
    return Table(("", *heads), rows, f"{caption}{spread}.")


def _cell(one: dict[str, Any] | None) -> Cell:
    if one is None:
        return "–"
    return Number(one["mean"], one["std"] if len(one["values"]) > 1 else None)


def _figures(study: dict[str, Any]) -> list[tuple[Drawing, str]]:
    """A curve over the columns, where they are several; else a dot for each seed."""
    names = list(dict.fromkeys(one["row"] for one in _rows(study)))
    if len(_columns(study)) > 1:
        if not study["columns"]:  # of different things, so that no line goes from one to the next
            return []
        lines = [_line(study, name, index) for index, name in enumerate(names)]
        seeds = ": thin lines are seeds, the thick line is their mean" if study["seeds"] > 1 else ""
        caption = f"{study['metric']} by {study['columns']}{seeds}."
        return [(label_figure(lines, study["metric"], study["columns"], _columns(study)), caption)]
    arms = [Arm(one["row"], index, tuple(one["values"])) for index, one in enumerate(_rows(study))]
    return [(comparison_figure(arms, study["metric"]), "Each dot is a seed, the bar is their mean.")]


def _cost_figures(study: dict[str, Any]) -> list[tuple[Drawing, str]]:
    """The metric over the tokens that starts were pre-trained on, where a table has several: what more of it brings."""
    costs = {row: cost["tokens"] for row, cost in study.get("costs", {}).items() if cost is not None}
    places = {tokens: place for place, tokens in enumerate(sorted(set(costs.values())))}
    if len(places) < 3 or len(_columns(study)) > 1:
        return []
    runs: dict[str, list[dict[str, Any]]] = {}
    for one in study["table"]:
        if costs.get(one["row"]):
            runs.setdefault(one["row"].partition(", after ")[0], []).append(one)
    lines = [_cost_line(name, index, own, costs, places) for index, (name, own) in enumerate(runs.items())]
    columns = [short_number(tokens) for tokens in places]
    caption = f"{study['metric']} by tokens of pre-training: thin lines are seeds, the thick line is their mean."
    return [(label_figure(lines, study["metric"], "tokens of pre-training", columns), caption)]


def _cost_line(
    name: str, index: int, own: Sequence[dict[str, Any]], costs: dict[str, int], places: dict[int, int]
) -> Series:
    """The models of one pre-training, the shortest first, a line for each seed."""
    ordered = sorted((places[costs[one["row"]]], one["values"]) for one in own)
    seeds = min(len(values) for _, values in ordered)
    return Series(name, index, tuple(tuple((place, values[k]) for place, values in ordered) for k in range(seeds)))


def _costs(study: dict[str, Any]) -> list[Block]:
    """What each row took: the pre-training of its start, and its own trainings."""
    costs = study.get("costs", {})
    if not costs:
        return []
    rows: list[tuple[Cell, ...]] = []
    for row, cost in costs.items():
        spent = sum(one["seconds"] for one in study["table"] if one["row"] == row)
        before: list[Cell] = ["–", "–"] if cost is None else [Number(cost["tokens"]), format_duration(cost["seconds"])]
        rows.append((row, *before, format_duration(spent)))
    caption = "What it took; of a start that no run of this program has made it is not known."
    heads = ("", "pre-training, tokens", "pre-training, time", "trainings, time")
    return [Heading("Cost"), Table(heads, tuple(rows), caption)]


def _line(study: dict[str, Any], name: str, index: int) -> Series:
    """The curve of one row: the place of each column, one line for each seed."""
    own = [(place, one) for place, column in enumerate(_columns(study)) for one in _rows(study)
           if (one["row"], one["column"]) == (name, column)]  # fmt: skip
    seeds = max(len(one["values"]) for _, one in own)
    points = (tuple((place, one["values"][k]) for place, one in own if k < len(one["values"])) for k in range(seeds))
    return Series(name, index, tuple(points))


def _comparisons(study: dict[str, Any]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in study["comparisons"]:
        interval = None if one["interval"] is None else (one["interval"][0], one["interval"][1])
        p = "–" if one["p_holm"] is None else format_p(one["p_holm"])
        rows.append((_name(study, one), Number(one["gain"], interval=interval), p, one["verdict"]))
    over = "seeds and examples" if study["seeds"] > 1 else "examples"
    caption = (
        f"Gains; below each its 95 % interval over {over}. p is two-sided and Holm's: it allows for all rows of this table "
        "together."
    )
    return Table(("", "gain", "p", "verdict"), tuple(rows), caption)


def _paired(study: dict[str, Any]) -> Sequence[Block]:
    """The tests over the examples alone; nothing, where there are none."""
    found = [one for one in study["comparisons"] if one.get("paired", {}).get("p_holm") is not None]
    rows = tuple((_name(study, one), format_p(one["paired"]["p_holm"]), _mcnemar(one["paired"])) for one in found)
    caption = (
        "Paired tests on the same examples, without the luck of the seeds. Approximate randomisation is of the mean over "
        "seeds, with Holm's correction. McNemar's exact test is of two models at a time: the examples that the first alone "
        "and the second alone has right, and p without correction."
    )
    return [Table(("", "randomisation, p", "McNemar, seed by seed"), rows, caption, wrap=True)] if rows else []


def _mcnemar(paired: dict[str, Any]) -> str:
    each = [f"{one['only_main']} : {one['only_other']}, p {format_p(one['p'])}" for one in paired["mcnemar"]]
    return "; ".join(each) or "–"


def _name(study: dict[str, Any], one: dict[str, Any]) -> str:
    place = _place(study, one["column"]) if one["column"] else ""
    return f"{place + ': ' if place else ''}{one['main']} over {one['other']}"


def _power(study: dict[str, Any]) -> Sequence[Block]:
    """What it would take to see one point."""
    known = [one for one in study["comparisons"] if one["detectable"] is not None]
    if not known:
        return []
    last = known[-1]
    needed = [
        f"{last[key]:,} {what}" for key, what in (("examples_for_a_point", "test examples"), ("seeds_for_a_point", "seeds"))
        if last[key] is not None
    ]  # fmt: skip
    scale = 100 if last["detectable"] < 1 else 1
    seen = f"This study would see a difference of {scale * last['detectable']:.1f} points between {last['main']} and "
    seen += f"{last['other']} in 80 of 100 repetitions. "
    one = f"would take {' or '.join(needed)}" if needed else "takes more seeds and more examples"
    return [Paragraph(f"{seen}For 1 point it {one}.")]
