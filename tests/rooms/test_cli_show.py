"""What the command line prints at the end, against the report that it prints."""

import json
import re
from pathlib import Path

import pytest

from warmstart.cli.main import main

WORDS = "finetune --start none --model gpt1-tiny --vocab-size 270 --task classification --length 1step --precision fp32"


@pytest.mark.parametrize("more", ["", "--seeds 2"])
def test_dev_and_test_are_two_named_tables(
    more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: report.json: each table has the name of its split, its count, and each metric's value and interval."""
    monkeypatch.chdir(tmp_path)
    for name, count in (("train", 16), ("dev", 10), ("test", 12)):
        rows = [{"text": f"a {('dull', 'fine')[n % 2]} film {n} {name}", "label": n % 2} for n in range(count)]
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    parts = [word for name in ("train", "dev", "test") for word in (f"--{name}", f"{name}.jsonl")]
    assert main([*WORDS.split(), *more.split(), *parts, "--retries", "0", "--out", "run", "--quiet"]) == 0
    report = json.loads(Path("run/report.json").read_text())
    tables = re.split(r"(?m)^(dev|test), (\d+) examples ", capsys.readouterr().out)
    assert tables[1::3] == ["dev", "test"] and tables[2::3] == ["10", "12"]
    for result, table in ((report, tables[3]), (report["test"], tables[6])):
        cells = [line.split() for line in table.partition("\n\n")[0].splitlines()]
        assert {line[0]: line[1:] for line in cells[2:]} == {
            name: [f"{number:.4f}" for number in (value, *result["intervals"][name])]
            for name, value in result["metrics"].items()
        }


def test_tokens_are_called_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: two files by hand, of 19 and 9 letters: all are guessed but the first of each, and so is each one's end."""
    texts, run = str(tmp_path / "texts"), str(tmp_path / "lm")
    Path(texts).mkdir()
    for name, text in (("a", "a b c d e f g h i j"), ("b", "k l m n o")):
        (Path(texts) / f"{name}.txt").write_text(text)
    size = "--model gpt1-tiny --vocabulary bytes --length 1step --precision fp32 --dev-frac 0.5 --quiet"
    assert main(["pretrain", "--corpus", texts, *size.split(), "--out", run]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--run", run, "--data", texts]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "28 tokens"
    assert main(["evaluate", "--run", run, "--data", texts, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["examples"], found["tokens"]) == (2, 28)
