"""Progress: one line that rewrites itself on a terminal, a line now and then elsewhere."""

import os
import re
import subprocess
import sys

import pytest

from warmstart.base import console
from warmstart.base.console import progress_bar

pty = pytest.importorskip("pty", reason="no pseudo-terminals here")

WORK = """
from warmstart.base.console import progress_bar, say
for part in ("first", "second"):
    say(f"the {part} part")
    with progress_bar(part, 300) as bar:
        for step in range(1, 301):
            bar.update(step, f"loss {step / 7:.4f}  4,321 tokens/s")
            if step % 100 == 0:
                bar._bar.refresh()
                say(f"dev after step {step}")
say("done")
"""
WORDS = [
    line
    for part in ("first", "second")
    for line in (f"the {part} part", *(f"dev after step {step}" for step in (100, 200, 300)))
] + ["done"]


def on_a_terminal(code: str, columns: int, terminal: str) -> str:
    """Runs Python with a terminal as its standard error, and returns all that was written there."""
    here, there = pty.openpty()
    settings = {"COLUMNS": str(columns), "LINES": "30", "TERM": terminal}
    process = subprocess.Popen([sys.executable, "-c", code], stderr=there, env=os.environ | settings)
    os.close(there)
    written = b""
    try:
        while piece := os.read(here, 65536):
            written += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(here)
    assert process.wait() == 0, written
    return written.decode()


def screen(written: str) -> list[str]:
    """What a terminal shows in the end: carriage returns, cursor up, erased lines; colours are left out."""
    lines, row, column = [""], 0, 0
    for number, order, letter in re.findall("\x1b\\[([?\\d;]*)([A-Za-z])|(.)", written, re.DOTALL):
        if letter == "\r":
            column = 0
        elif letter == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif letter:
            lines[row] = lines[row][:column].ljust(column) + letter + lines[row][column + 1 :]
            column += 1
        elif order == "A":
            row -= int(number or 1)
        elif order == "K":
            lines[row] = "" if number == "2" else lines[row][:column]
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize(("columns", "terminal"), [(80, "xterm"), (120, "xterm"), (80, "dumb")])
def test_a_terminal_keeps_the_words_and_no_bar(columns: int, terminal: str) -> None:
    """Witness: a terminal by hand: each bar has one line, if it can be drawn, and only the words are left at the end."""
    written = on_a_terminal(WORK, columns, terminal)
    assert [line for line in screen(written) if line] == WORDS
    if terminal != "dumb":
        assert all(f"{step}/300" in written and f"loss {step / 7:.4f}" in written for step in (100, 200, 300))
        assert written.count("\n") == len(WORDS) + 2  # a line for each bar, in which it is drawn again and again


NESTED = """
from warmstart.base.console import progress_bar, say
with progress_bar("outer", 3) as outer:
    for step in range(1, 4):
        outer.update(step)
        with progress_bar("inner", 2) as inner:
            for part in (0.5, 0.5, 1):
                inner.advance(part)
            inner._bar.refresh()
        outer._bar.refresh()
        say(f"step {step}")
"""


def test_a_bar_inside_another_takes_its_place() -> None:
    """Witness: a terminal by hand: only the words are left, and both bars have reached their ends."""
    written = on_a_terminal(NESTED, 80, "xterm")
    assert [line for line in screen(written) if line] == ["step 1", "step 2", "step 3"]
    assert "inner" in written and "2/2" in written and "3/3" in written


def test_elsewhere_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: a clock by hand, over three bars that follow each other: 35 s, 4 s and 25 s long."""
    now_s, shown_s = 100.0, []
    monkeypatch.setattr(console.time, "monotonic", lambda: now_s)
    monkeypatch.setattr(console, "_last_line_s", float("-inf"))
    monkeypatch.setattr(console, "_quiet", False)
    for seconds in (35, 4, 25):
        with progress_bar("work", 2 * seconds) as bar:
            for step in range(1, 2 * seconds + 1):
                now_s += 0.5
                bar.update(step, "loss 1.0")
                if line := capsys.readouterr().err:
                    shown_s.append(now_s - 100)
                    assert line == f"work {step}/{2 * seconds}  loss 1.0  {round((2 * seconds - step) / 2)}s left\n"
    assert shown_s == [10, 20, 30, 49, 59]
