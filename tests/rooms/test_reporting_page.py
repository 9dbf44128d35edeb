"""The page about runs: well formed, self-contained, true to the numbers."""

import json
import re
import statistics
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import ImageFont

from warmstart.base.errors import BadInput
from warmstart.reporting.blocks import Code, Heading, Number, Paragraph, Table
from warmstart.reporting.figures import Arm, Series, comparison_figure, dev_figure, mean_curve, smooth
from warmstart.reporting.page import write_page
from warmstart.reporting.study_page import report_folders
from warmstart.reporting.zeroshot_curves import read_curve

HOSTILE = "<script>alert('$x^2$')</script> & ünï \u6f22"
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """The standard library's reading of a page: open tags, attributes, numbers and words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.labels: list[str] = []
        self.numbers: list[float] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self._read(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._read(tag, dict(attrs))

    def _read(self, tag: str, attributes: dict[str, Any]) -> None:
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("src", "href", "xlink:href", "action") if name in attributes]
        self.labels += [attributes["aria-label"]] if tag == "svg" else []
        self.numbers += [float(attributes["value"])] if tag == "data" else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _run(folder: Path, *, seeds: int, top: float, goal: str = "label") -> dict[str, Any]:
    folder.mkdir(parents=True)
    finals = [{"seed": s, "metrics": {"accuracy": top + s / 100}, "collapsed": s == 2} for s in range(1, seeds + 1)]
    report: dict[str, Any] = {
        "run": str(folder), "steps": 60, "tokens": 123456, "seconds": 75.0, "metrics": finals[0]["metrics"],
    }  # fmt: skip
    if seeds > 1:
        report["runs"] = [{**report, **final, "run": f"seed-{final['seed']}", "arm": "warm"} for final in finals]
    (folder / "report.json").write_text(json.dumps(report))
    for s in range(1, seeds + 1):
        place = folder / f"seed-{s}" if seeds > 1 else folder
        place.mkdir(exist_ok=True)
        rows = [
            {"kind": "train", "step": i, "tokens": i * 9, "loss": 5 / i, "losses": {goal: 5 / i}} for i in range(1, 60)
        ] + [{"kind": "dev", "step": i, "metrics": {"accuracy": top * i / 60}} for i in (20, 40, 60)]
        (place / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "manifest.json").write_text(json.dumps({"argv": ["warmstart", "finetune", HOSTILE], "seeds": [1, 2]}))
    (place / "account.json").write_text(json.dumps({"records": {"used": 640}, "moved": list("abcdefgh")}))
    (folder / "config.yaml").write_text(f"name: {HOSTILE}\n")
    return report


@pytest.fixture
def page_of_runs(tmp_path: Path) -> tuple[list[Path], list[dict[str, Any]], str]:
    folders = [tmp_path / "pre" / "trained", tmp_path / HOSTILE.replace("/", "|"), tmp_path / "other" / "trained"]
    reports = [_run(folders[0], seeds=3, top=0.61), _run(folders[1], seeds=3, top=0.41)]
    reports.append(_run(folders[2], seeds=1, top=0.5, goal="lm"))
    out = tmp_path / "out" / "report.html"
    report_folders(folders, out)
    first = out.read_bytes()
    report_folders(folders, out)
    assert out.read_bytes() == first
    return folders, reports, first.decode("utf-8")


def test_page_is_well_formed_and_fetches_nothing(page_of_runs: tuple[list[Path], list[dict[str, Any]], str]) -> None:
    """Witness: html.parser; every tag closes, ids are unique, references stay in the page, every figure has its words."""
    text = page_of_runs[2]
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags and "link" not in page.tags
    assert page.links and all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"url\((?!#)", text) and "@import" not in text
    assert (
        page.tags.count("svg") == len(page.labels) == 2 * 4
    )  # comparison, two kinds of loss, dev accuracy; each twice
    assert all("trained" in label for label in page.labels)


def test_what_users_wrote_is_shown_as_text(page_of_runs: tuple[list[Path], list[dict[str, Any]], str]) -> None:
    """Witness: the words that html.parser gives back hold the hostile name as it was typed, and no element of it."""
    page = Page(page_of_runs[2])
    words = "".join(page.words)
    assert HOSTILE in words
    assert "<script" not in page_of_runs[2]
    assert "trained: warm" in words and "trained" in words


def test_numbers_are_those_of_report_json(page_of_runs: tuple[list[Path], list[dict[str, Any]], str]) -> None:
    """Witness: report.json, number for number."""
    page = Page(page_of_runs[2])
    reports = page_of_runs[1]
    finals = [[run["metrics"]["accuracy"] for run in report.get("runs", [report])] for report in reports]
    means, counts = [statistics.fmean(values) for values in finals], [len(values) for values in finals]
    seeds = [value for values in finals for value in values if len(values) > 1]
    results = [number for pair in zip(means, counts, strict=True) for number in pair]
    costs = [n * report[name] for n, report in zip(counts, reports, strict=True) for name in ("steps", "tokens")]
    assert page.numbers == pytest.approx([*results, *seeds, *costs])
    words = " ".join(page.words)
    assert "0.6300 ± 0.0100" in words and "123,456" in words and "1m15s" in words and "(collapsed)" in words
    assert "8: a, b, c, …" in words and "640" in words


def test_figures_are_well_formed_xml_for_any_label() -> None:
    """Witness: the standard library's XML parser; a mathematical, a Chinese and a control character in the names."""
    names = ["$broken", "\u6f22\u5b57", "a\x00b\x1b", "x" * 200]
    arms = [Arm(name, i, (0.5, 0.6), (False, True)) for i, name in enumerate(names)]
    drawing, again = (comparison_figure(arms, "accuracy <&>") for _ in range(2))
    for svg in (drawing.wide, drawing.narrow):
        ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
        assert "var(--arm-0)" in svg and "#0a0b0c" not in svg
    assert (drawing.wide, drawing.narrow) == (again.wide, again.narrow)


def test_a_drawing_for_a_phone_has_letters_as_large_and_its_names_below() -> None:
    """Witness: widths in inches, and places of the name, as an XML parser reads them."""
    drawing = dev_figure([Series("a name", 0, [[(1.0, 0.5), (2.0, 0.6)]])], "f1")
    for svg, inches, is_there in (
        (drawing.wide, 6.4, lambda x, y: x > 0.75 and y < 0.9),
        (drawing.narrow, 3.7, lambda x, y: x < 0.4 and y > 0.9),
    ):
        tree = ElementTree.fromstring(svg)
        _, _, width, height = map(float, tree.get("viewBox", "").split())
        [name] = [one for one in tree.iter("text") if one.text == "a name"]
        assert width / 72 == pytest.approx(inches) and "10.5px" in name.get("style", "").replace(" ", "")
        assert is_there(float(name.get("x", "nan")) / width, float(name.get("y", "nan")) / height), name.attrib


def test_smoothing_and_means_against_arithmetic() -> None:
    """Witness: a straight line stays itself under a centred mean; means by hand, where all seeds have a point."""
    line = [2.0 * i for i in range(200)]
    assert smooth(line) == pytest.approx(line)
    assert smooth([]) == []
    assert mean_curve([[(1, 2.0), (2, 4.0), (3, 9.0)], [(1, 4.0), (2, 8.0)]]) == [(1, 3.0), (2, 6.0)]


def test_blocks_are_set_as_they_are(tmp_path: Path) -> None:
    """Witness: html.parser on a page of every kind of block."""
    blocks = [
        Heading("H"),
        Paragraph("W <i>"),
        Code("a\n  b", "sample"),
        Table(("k", "v"), (("row", Number(3)),), "cap"),
    ]
    write_page(tmp_path / "p.html", "T", blocks)
    page = Page((tmp_path / "p.html").read_text(encoding="utf-8"))
    assert page.open == [] and page.numbers == [3.0]
    assert {"H", "W <i>", "a\n  b", "sample", "cap", "row", "T"} <= set(page.words)


FONT = ImageFont.load_default(14.9)  # .93 rem, as the page has it


def width_px(table: Table) -> float:
    """What a table takes where its rows are rows: names may be broken, other cells may not."""
    columns = zip(table.headers[1:], *(row[1:] for row in table.rows), strict=True)
    lines = [
        [line for c in column for line in ((c,) if isinstance(c, str) else (c.text, c.bounds))] for column in columns
    ]
    return 96 + sum(17.6 + max(map(FONT.getlength, column)) for column in lines)


@pytest.mark.parametrize("count", [1, 3, 7, 12, 30])
@pytest.mark.parametrize("size", [1, 10, 60])
def test_no_table_is_wider_than_its_page(count: int, size: int) -> None:
    """Witness: Pillow's widths of the words at 400 to 1,600 pixels; a list of cells takes any width."""
    value = Number(0.123456, interval=(0.1, 0.2))
    tables = [
        Table(("run", *("m" * size for _ in range(count))), (("name", *[value] * count),)),
        Table(("", *map(str, range(count))), (("true: x", *[Number(10**6)] * count),)),
        Table(("a", *["b"] * count), (("w", *["W" * size] * count),)),
    ]
    for table in tables:
        for page_px in range(400, 1601, 50):
            is_list = table.layout == "list" or page_px <= {"narrow": 46 * 16, "medium": 62 * 16}[table.layout]
            assert is_list or width_px(table) <= min(page_px, 960) - 35.2, (table.headers[1], page_px)


def test_confusions_of_many_or_long_classes(tmp_path: Path) -> None:
    """Witness: counts by hand: short names head columns, long ones are numbered, of many the worst pairs are listed."""

    def page_of(labels: list[str]) -> Page:
        counts = [[3 if t == p else (t == 1 and p == 0) * 2 for p in range(len(labels))] for t in range(len(labels))]
        one = {"metrics": {"accuracy": 0.5}, "confusion": {"labels": labels, "counts": counts}}
        (tmp_path / "report.json").write_text(json.dumps({"run": "r", "steps": 1, "tokens": 9, "seconds": 1.0} | one))
        report_folders([tmp_path], tmp_path / "page.html")
        return Page((tmp_path / "page.html").read_text())

    short = page_of(["no", "yes"])
    assert {"true: no", "true: yes", "yes"} <= set(short.words)
    long = page_of([f"{name} {'of the world' * 3}" for name in "ab"])
    assert {"true: 2 b " + "of the world" * 3, "2"} <= set(long.words)
    many = page_of([f"c{number}" for number in range(25)])
    assert {"c1", "c0"} <= set(many.words) and "true: c1" not in many.words
    assert many.numbers[-4:-2] == [2, 5] and "the most frequent confusions of 25 classes" in "".join(many.words)


@pytest.mark.parametrize("out", ["weights.safetensors", "folder.html"])
def test_only_a_page_is_overwritten(tmp_path: Path, out: str) -> None:
    """Witness: the folder's listing before and after; the sentence has its parts."""
    _run(tmp_path / "run", seeds=1, top=0.5)
    (tmp_path / "folder.html").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput) as caught:
        report_folders([tmp_path / "run"], tmp_path / out)
    assert caught.value.where == str(tmp_path / out) and ".html" in caught.value.allowed and caught.value.next_step
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_a_run_writes_nothing(tmp_path: Path) -> None:
    """Witness: no page afterwards."""
    with pytest.raises(BadInput, match="no run to report"):
        report_folders([], tmp_path / "a.html")
    with pytest.raises(BadInput, match="folder not found"):
        report_folders([tmp_path / "nowhere"], tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_a_curve_of_one_point_is_seen() -> None:
    """Witness: the marks in the color of the curve: a dot where a line would have no length, none where it has."""
    marks = []
    for points in ([(3.0, 0.5)], [(3.0, 0.5), (4.0, 0.6)]):
        tree = ElementTree.fromstring(dev_figure([Series("a", 0, [points])], "accuracy").wide)
        marks.append(sum("fill: var(--arm-0)" in element.get("style", "") for element in tree.iter("use")))
    assert marks == [1, 0]


def test_a_curve_of_zero_shot_scores(tmp_path: Path) -> None:
    """Witness: by hand: scores between chance and the best; a perplexity is in the table alone, and falls when better."""
    shares = [(10, 0.5, 0.4, 0.6), (20, 0.7, 0.6, 0.8)]
    files = []
    for task, main, chance, gain in (
        ("blimp", "accuracy", 0.5, (0.1, 0.3)),
        ("text", "word_perplexity", None, (-9, -1)),
    ):
        scale = 1 if chance else 100
        points = [
            {"step": step, "metrics": {main: value * scale}, "intervals": {main: [low * scale, high * scale]}}
            for step, value, low, high in shares
        ]
        found = {"run": "runs/lm", "task": task, "examples": 100, "main": main, "chance": chance, "best": 0.9,
                 "curve": points, "gain": {"value": 0.2, "low": gain[0], "high": gain[1]}}  # fmt: skip
        files.append(tmp_path / f"{task}.json")
        files[-1].write_text(json.dumps(found))
    report_folders(files, tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text())
    [label, narrow] = page.labels  # one of the two drawings is shown
    assert label == narrow == "zero-shot score over step: blimp from 0 to 0.5."
    assert {50.0, 70.0, 0.5, 0.7, 0.9} <= {*page.numbers}
    words = " ".join(page.words)
    assert "blimp: accuracy 0.5 at step 10, 0.7 at step 20" in words and words.count(": better.") == 2
    with pytest.raises(BadInput, match="no curve of zero-shot scores"):
        read_curve(tmp_path / "page.html")
