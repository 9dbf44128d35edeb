"""What a page shows of single examples: scikit-learn's calibration, SciPy's intervals and tests, parts by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve

from warmstart.reporting.example_blocks import by_length, expected_error, reliability, wilson
from warmstart.reporting.study_page import report_folders

RIGHT = {"first": "1101" * 10, "second": "1001" * 10}


def write_run(folder: Path, right: str, examples: str = "abc") -> Path:
    folder.mkdir()
    count = len(right)
    one = {"metrics": {"accuracy": right.count("1") / count}, "intervals": {}, "examples": count}
    report: dict[str, Any] = {"run": str(folder), "steps": 3, "tokens": 90, "seconds": 2.0, **one, "test": one}
    (folder / "report.json").write_text(json.dumps(report))
    answered = {
        "examples": examples, "right": right, "confidence": [0.5 + n / 100 for n in range(count)],
        "tokens": list(range(1, count + 1)), "columns": {"source": ["web", "book"] * (count // 2)},
        "errors": [{"texts": {"text": "<b>odd</b>"}, "label": "sad", "predicted": "glad", "confidence": 0.93, "where": ""}],
    }  # fmt: skip
    (folder / "examples.json").write_text(json.dumps({"dev": {}, "test": answered}))
    return folder


def test_calibration_is_scikit_learns():
    """Witness: ``calibration_curve`` with ten equal parts; the error as the sum over all answers, one by one."""
    rng = np.random.default_rng(0)
    sure = rng.random(300)
    right = (rng.random(300) < sure**2).astype(int)
    found = reliability(right, sure)
    shares, means = calibration_curve(right, sure, n_bins=10)
    assert [share for _, share, _ in found] == pytest.approx(shares.tolist())
    assert [mean for mean, _, _ in found] == pytest.approx(means.tolist())
    parts = [sure[np.minimum(sure * 10, 9).astype(int) == k] for k in range(10)]
    hits = [right[np.minimum(sure * 10, 9).astype(int) == k] for k in range(10)]
    expected = sum(abs(part.sum() - hit.sum()) for part, hit in zip(parts, hits, strict=True)) / 300
    assert expected_error(right, sure) == pytest.approx(expected)


@pytest.mark.parametrize(("right", "count"), [(0, 4), (3, 7), (40, 40), (513, 900)])
def test_an_interval_of_a_share_is_wilsons(right: int, count: int):
    """Witness: SciPy's ``binomtest``."""
    theirs = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    found = wilson(np.array([1] * right + [0] * (count - right)))
    assert found == pytest.approx((theirs.low, theirs.high), abs=1e-4)


def test_every_example_is_in_one_part_by_length():
    """Invariant: the parts are disjoint and hold all; texts of one length are not divided."""
    tokens = np.random.default_rng(1).integers(2, 60, 101)
    parts = by_length(tokens)
    assert len(parts) == 4 and np.sum([*parts.values()], axis=0).tolist() == [1] * 101
    for words, chosen in parts.items():
        low, high = (int(word) for word in words.split(" to "))
        assert tokens[chosen].min() >= low and tokens[chosen].max() == high
    assert by_length(np.full(9, 7)) == {}


def test_a_page_shows_what_is_known_of_single_examples(tmp_path: Path):
    """Witness: SciPy's exact test of the ten examples that the first run alone has right; counts by hand."""
    runs = [write_run(tmp_path / name, right) for name, right in RIGHT.items()]
    other = write_run(tmp_path / "other", "10" * 5, "of other examples")
    report_folders([*runs, other], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert f"10 : 0, p {stats.binomtest(0, 10).pvalue:.3f}" in page and "first over second" in page
    assert "first over other" not in page
    assert "&lt;b&gt;odd&lt;/b&gt;" in page and "sad, predicted glad (93%)" in page
    assert "1 to 10" in page and "31 to 40" in page and "right answers by source" in page
    assert '<data value="20">20</data>' in page  # of the web, and of books
    assert "Expected calibration error" in page and 'aria-label="Calibration' in page
    assert page.index("first: accuracy 0.7500 on the 40 examples of test") < page.index("<h2>")  # the answer first
    assert "tokens a second" in page and ">45<" in page  # 90 tokens in 2 seconds
