"""The tutorial's blocks run in one session and print what the page shows. Witness: the code itself."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, blocks

PAGE = ROOT / "docs" / "tutorial.md"
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def test_the_tutorial_prints_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words and whole numbers are the same; fractions agree to a few units of the last place, for any order of sums."""
    monkeypatch.chdir(tmp_path)
    session: dict[str, Any] = {}
    printed = ""
    for block in blocks(PAGE):
        if block.file:
            Path(block.file).write_text(block.text)
        elif block.language == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(block.text, f"docs/tutorial.md:{block.line}", "exec"), session)
            printed = out.getvalue()
        elif block.language == "text":
            assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", block.text).split(), block.line
            ours, theirs = ([float(number) for number in NUMBER.findall(text)] for text in (block.text, printed))
            assert theirs == pytest.approx(ours, abs=5e-4), block.line


def test_fifteen_files_are_enough() -> None:
    """Witness: the headings, which name the files that a reader opens."""
    headings = re.findall(r"(?m)^## \d+\. .*$", PAGE.read_text(encoding="utf-8"))
    named = re.findall(r"\(\.\./src/warmstart/([\w/]+\.py)\)", "\n".join(headings))
    assert len(named) == len(set(named)) <= 15
