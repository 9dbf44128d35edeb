"""The blocks of a page as files: a Markdown text, a CSV for each table, an SVG and a PNG for each figure."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from warmstart.base.files import write_bytes, write_text
from warmstart.reporting.blocks import Block, Cell, Code, Figure, Heading, Number, Paragraph, Table

_COLOR = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")


def export_blocks(folder: Path, title: str, blocks: Sequence[Block]) -> None:
    """Writes ``report.md``, ``table-1.csv`` …, ``figure-1.svg``, ``figure-1.png`` … into ``folder``."""
    lines, tables, figures = [f"# {title}"], 0, 0
    for block in blocks:
        if isinstance(block, Table):
            tables += 1
            write_text(folder / f"table-{tables}.csv", table_as_csv(block))
            lines.append(_markdown_table(block, f"table-{tables}.csv"))
        elif isinstance(block, Figure):
            figures += 1
            write_text(folder / f"figure-{figures}.svg", figure_as_svg(block))
            write_bytes(folder / f"figure-{figures}.png", block.drawing.png(light_colors()))
            lines.append(f"![{_plain(block.caption)}](figure-{figures}.svg)")
        else:
            lines.append(_markdown(block))
    write_text(folder / "report.md", "\n\n".join(lines) + "\n")


def table_as_csv(table: Table) -> str:
    """Numbers in full; deviation and interval of a column have columns of their own, where it has any."""
    columns = list(zip(*table.rows, strict=True)) if table.rows else [() for _ in table.headers]
    parts = [_columns(head, cells) for head, cells in zip(table.headers, columns, strict=True)]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([head for part in parts for head in part])
    writer.writerows(zip(*(cells for part in parts for cells in part.values()), strict=True))
    return file.getvalue()


def _columns(head: str, cells: Sequence[Cell]) -> dict[str, list[object]]:
    """A column, and those of its deviations and intervals."""
    found: dict[str, list[object]] = {head: [cell.value if isinstance(cell, Number) else cell for cell in cells]}
    numbers = [cell if isinstance(cell, Number) else Number(0) for cell in cells]
    if any(number.std is not None for number in numbers):
        found[f"{head} ±"] = [number.std for number in numbers]
    if any(number.interval is not None for number in numbers):
        for place, bound in enumerate(("95 % from", "95 % to")):
            found[f"{head} {bound}"] = [number.interval[place] if number.interval else None for number in numbers]
    return found


def figure_as_svg(figure: Figure) -> str:
    """The drawing as a file of its own, in the colors of the light page."""
    colors = light_colors()
    svg = re.sub(r"var\(--font\)", "sans-serif", figure.drawing.wide)
    svg = re.sub(r"var\(--([\w-]+)\)", lambda found: colors[found[1]], svg)
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def light_colors() -> dict[str, str]:
    """CSS variable → color, of the first block of colors of the page's template."""
    template = (Path(__file__).parent / "page.html.j2").read_text(encoding="utf-8")
    return dict(_COLOR.findall(template[template.index(":root {") :].partition("}")[0]))


def _markdown(block: Heading | Paragraph | Code) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_plain(block.text)}"
    if isinstance(block, Paragraph):
        return _plain(block.text)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
    title = f"{_plain(block.title)}\n\n" if block.title else ""
    return f"{title}{fence}\n{block.text.rstrip()}\n{fence}"


def _markdown_table(table: Table, name: str) -> str:
    rows = [table.headers, ["---"] * len(table.headers), *table.rows]
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    caption = f"{_plain(table.caption)} " if table.caption else ""
    return "\n".join([f"{caption}([{name}]({name}))", "", *lines])


def _cell(cell: Cell) -> str:
    if isinstance(cell, Number):
        return f"{cell.text} ({cell.bounds})" if cell.bounds else cell.text
    return _plain(cell).replace("|", "\\|")


def _plain(text: str) -> str:
    """One line that Markdown takes as text: what begins an element is marked."""
    return re.sub(r"([\\`*_<\[\]])", r"\\\1", " ".join(text.split()))
