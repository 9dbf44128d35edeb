"""Run folders as records."""

import json
import statistics
from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.reporting.runs import read_curves, read_runs
from warmstart.reporting.study_page import report_folders

REPORT = {"run": "runs/a", "steps": 20, "tokens": 4000, "seconds": 1.5, "metrics": {"accuracy": 0.8125}}


def test_a_folder_with_a_report_alone_is_a_run_without_curves(tmp_path: Path) -> None:
    """Witness: the written report."""
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    [run] = read_runs(tmp_path)
    assert (run.steps, run.tokens, run.seconds, run.final.metrics) == (20, 4000, 1.5, {"accuracy": 0.8125})
    assert (run.curves, run.final.seeds, run.final.std, run.manifest, run.account, run.config) == (
        (),
        (),
        {},
        {},
        {},
        "",
    )


def test_an_account_of_an_older_run_is_read_under_the_names_of_today(tmp_path: Path) -> None:
    """Witness: an account as runs before the change of names wrote it."""
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    weights = {"moved": ["a"], "made": ["b"], "left": [], "weights_moved": 6, "weights_made": 2}
    (tmp_path / "account.json").write_text(json.dumps({"records": {"used": 7}, "weights": weights}))
    [run] = read_runs(tmp_path)
    assert run.account == {
        "records": {"used": 7},
        "weights": {
            "loaded": ["a"], "initialised": ["b"], "unused": [], "weights_loaded": 6, "weights_initialised": 2,
        },
    }  # fmt: skip


def test_arms_seeds_and_their_curves_are_read(tmp_path: Path) -> None:
    """Witness: the written figures; mean and standard deviation by the statistics module of the standard library."""
    runs = []
    for arm, seed, value in (("pretrained", 1, 0.8), ("scratch", 1, 0.5), ("pretrained", 2, 0.9), ("scratch", 2, 0.6)):
        folder = tmp_path / f"{arm}-seed{seed}"
        folder.mkdir()
        line = {"kind": "dev", "step": 10, "metrics": {"accuracy": value / 2}}
        (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")
        test = {"metrics": {"accuracy": value, "loss": None}}
        runs.append({**REPORT, "run": str(folder), "arm": arm, "seed": seed, "collapsed": value == 0.6, "test": test})
    (tmp_path / "report.json").write_text(json.dumps({**REPORT, "runs": runs}))
    pretrained, scratch = read_runs(tmp_path)
    assert pretrained.name.endswith(": pretrained") and scratch.name.endswith(": scratch")
    assert [(s.seed, s.metrics, s.collapsed) for s in scratch.final.seeds] == [
        (1, {"accuracy": 0.5}, False), (2, {"accuracy": 0.6}, True),
    ]  # fmt: skip
    assert pretrained.final.metrics == {"accuracy": statistics.fmean([0.8, 0.9])}
    assert pretrained.final.std == {"accuracy": statistics.stdev([0.8, 0.9])}
    assert [curve.dev[0].metrics["accuracy"] for curve in pretrained.curves] == [0.4, 0.45]


def test_a_cut_last_line_is_left_out_and_a_repeated_step_counts_once(tmp_path: Path) -> None:
    """Witness: a file as kill -9 and a resume leave it."""
    path = tmp_path / "metrics.jsonl"
    lines = [{"kind": "train", "step": s, "tokens": s * 10, "loss": loss} for s, loss in ((1, 5.0), (2, 4.0), (2, 3.0))]
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"kind": "train", "st')
    assert [(point.step, point.tokens, point.loss) for point in read_curves(path).train] == [(1, 10, 5.0), (2, 20, 3.0)]


@pytest.mark.parametrize("line", ['{"kind": "tr', '{"step": 3}', "[1]", '{"kind": "train", "step": 1, "loss": NaN}'])
def test_a_broken_line_inside_is_named(tmp_path: Path, line: str) -> None:
    """Witness: the number of the line that was broken."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"kind": "dev", "step": 1, "metrics": {}}\n' + line + "\n")
    with pytest.raises(BadInput) as caught:
        read_curves(path)
    assert caught.value.where == f"{path}:2"
    assert caught.value.value == line and caught.value.allowed and caught.value.next_step


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"steps": 1}', '{"steps": 1, "tokens": 1, "seconds": 1, "metrics": 3}']
)
def test_a_folder_that_is_no_finished_run_is_refused(tmp_path: Path, text: str | None) -> None:
    """Witness: the folder or the file is named, with what to do."""
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(BadInput) as caught:
        read_runs(tmp_path)
    assert str(tmp_path) in caught.value.where and caught.value.next_step


def test_dev_and_test_are_two_results(tmp_path: Path) -> None:
    """Witness: the written report: each split has its own figures, intervals and count, and the arms their sentence."""
    test = {"metrics": {"accuracy": 0.7}, "intervals": {"accuracy": [0.6, 0.8]}, "examples": 50}
    one = REPORT | {"split": "dev", "examples": 30, "intervals": {"accuracy": [0.7, 0.9]}, "test": test}
    runs = [one | {"run": str(tmp_path / arm), "arm": arm, "seed": 1} for arm in ("pretrained", "scratch")]
    (tmp_path / "report.json").write_text(json.dumps(one | {"runs": runs, "comparison": {"sentence": "It gains."}}))
    [pretrained, scratch] = read_runs(tmp_path)
    assert {split: (result.metrics, result.examples) for split, result in pretrained.results.items()} == {
        "dev": ({"accuracy": 0.8125}, 30), "test": ({"accuracy": 0.7}, 50),
    }  # fmt: skip
    assert pretrained.final.intervals == {"accuracy": (0.6, 0.8)}
    assert (pretrained.comparison, scratch.comparison) == ("It gains.", "")
    report_folders([tmp_path], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Results on dev" in page and "Results on test" in page and "It gains." in page
    assert "0.6000 to 0.8000" in page and "0.7000 to 0.9000" in page
