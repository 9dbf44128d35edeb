"""The same page as files, and pages of runs that go on: read back by csv, by an XML parser, by the standard library."""

import csv
import io
import json
import re
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.reporting.blocks import Code, Figure, Heading, Number, Paragraph, Table
from warmstart.reporting.export import export_blocks, table_as_csv
from warmstart.reporting.figures import Arm, comparison_figure
from warmstart.reporting.runs import read_runs


def test_a_table_keeps_its_numbers_in_full():
    """Witness: the csv module; deviations and intervals have columns where there are any."""
    rows = (("a, b", Number(1 / 3, 0.01), Number(5)), ("c", Number(0.25, interval=(0.1, 0.4)), "–"))
    found = list(csv.reader(io.StringIO(table_as_csv(Table(("run", "f1", "n"), rows)))))
    assert found[0] == ["run", "f1", "f1 ±", "f1 95 % from", "f1 95 % to", "n"]
    assert found[1] == ["a, b", str(1 / 3), "0.01", "", "", "5"] and found[2] == ["c", "0.25", "", "0.1", "0.4", "–"]


def test_every_block_is_written(tmp_path: Path):
    """Witness: an XML parser on the drawing, whose colors are plain; Markdown with its marks taken as text."""
    figure = Figure(comparison_figure([Arm("x", 0, (0.5, 0.6))], "f1"), "A *drawing*.")
    table = Table(("a", "b|c"), (("x", Number(0.5, interval=(0.4, 0.6))),), "Two.")
    blocks = [Heading("Head"), Paragraph("<i>"), figure, table, Code("a ``` b", "How")]
    export_blocks(tmp_path / "files", "Title", blocks)
    assert {path.name for path in (tmp_path / "files").iterdir()} == {"report.md", "table-1.csv", "figure-1.svg"}
    svg = (tmp_path / "files" / "figure-1.svg").read_text()
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and "var(" not in svg and "#0072b2" in svg
    text = (tmp_path / "files" / "report.md").read_text()
    assert "# Title" in text and "## Head" in text and "\\<i>" in text and "![A \\*drawing\\*.](figure-1.svg)" in text
    assert "| a | b\\|c |\n| --- | --- |\n| x | 0.5000 (0.4000 to 0.6000) |" in text
    assert "How\n\n````\na ``` b\n````" in text


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A run that has logged three steps and not ended."""
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [
        {"kind": "train", "step": n, "tokens": 10 * n, "loss": 3 / n, "losses": {"lm": 3 / n}, "elapsed_s": n / 2}
        for n in (1, 2, 3)
    ]
    (folder / "config.yaml").write_text("seeds: 1\n")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"kind": "tr')
    return folder


def test_a_run_that_goes_on_is_shown_as_far_as_it_is(begun: Path, tmp_path: Path):
    """Witness: the last row of its log, a cut one left out; without --watch it is refused."""
    [found] = read_runs(begun, unfinished=True)
    assert (found.steps, found.tokens, found.seconds, found.is_finished) == (3, 30, 1.5, False)
    with pytest.raises(BadInput, match="no finished run"):
        warmstart.report([str(begun)], str(tmp_path / "page.html"))
    (tmp_path / "several" / "pretrained-seed1").mkdir(parents=True)
    (tmp_path / "several" / "config.yaml").write_text("seeds: 2\n")
    (begun / "metrics.jsonl").rename(tmp_path / "several" / "pretrained-seed1" / "metrics.jsonl")
    assert [one.name for one in read_runs(tmp_path / "several", unfinished=True)] == ["several/pretrained-seed1"]


def test_a_watched_page_is_written_until_the_run_has_ended(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Witness: the page between two looks, which a browser reads anew, and the last one, which stays."""
    page, seen = tmp_path / "page.html", []

    def end(_: float) -> None:
        seen.append(page.read_text())
        one = {"run": "run", "steps": 9, "tokens": 90, "seconds": 4.0, "metrics": {"loss": 1.0}}
        (begun / "report.json").write_text(json.dumps(one))

    monkeypatch.setattr(time, "sleep", end)
    warmstart.report([str(begun)], str(page), watch=True)
    refresh = re.compile(r'<meta http-equiv="refresh" content="10">')
    assert len(seen) == 1 and refresh.search(seen[0]) and "run is not finished: 3 steps" in seen[0]
    assert not refresh.search(page.read_text()) and "run: loss 1.0000" in page.read_text()


def test_a_file_of_scores_has_ended_when_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Invariant: nothing is waited for where all that is watched is whole."""

    def sleep(_: float) -> None:
        raise AssertionError("it waits for a file that is there")

    monkeypatch.setattr(time, "sleep", sleep)
    (tmp_path / "rows.jsonl").write_text("{}\n")
    with pytest.raises(BadInput, match="no curve of zero-shot scores"):
        warmstart.report([str(tmp_path / "rows.jsonl")], str(tmp_path / "page.html"), watch=True)


def test_a_folder_with_something_in_it_is_no_place_to_export(begun: Path, tmp_path: Path):
    """Invariant: one sentence, and no page."""
    with pytest.raises(BadInput, match=r"--export.*empty or new"):
        warmstart.report([str(begun)], str(tmp_path / "page.html"), str(begun), True)
    assert not (tmp_path / "page.html").exists()
