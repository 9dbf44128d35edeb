"""Labelled texts over frozen vectors, and whether other tests go with them: scikit-learn, SciPy."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from warmstart.cli.main import main
from warmstart.embed.downstream import correlate
from warmstart.embed.evaluate import evaluate_spaces
from warmstart.embed.probes import KINDS, ProbeOptions
from warmstart.embed.space import Space
from warmstart.readers.vector_table import WordVectors

WORDS = [f"w{n}" for n in range(40)]


def space(signal: float, name: str = "s") -> Space:
    """Vectors whose first number tells even words from odd ones, as clearly as ``signal`` says."""
    matrix = np.random.default_rng(3).normal(size=(len(WORDS), 4)).astype(np.float32)
    matrix[:, 0] += signal * (np.arange(len(WORDS)) % 2 * 2 - 1)
    return Space(name, WordVectors(WORDS, matrix))


def labelled(home: Path, rows: int = 120) -> str:
    """Texts of two words, both even or both odd, and some that come again."""
    rng = np.random.default_rng(0)
    lines = []
    for n in range(rows):
        words = rng.integers(0, 20, 2) * 2 + n % 2
        lines.append(json.dumps({"text": " ".join(WORDS[word] for word in words), "label": n % 2}))
    path = home / "task.jsonl"
    path.write_text("\n".join([*lines, *lines[:9], json.dumps({"text": "gone", "label": 1})]) + "\n")
    return str(path)


def test_labels_are_predicted_from_the_texts_of_other_parts(tmp_path: Path) -> None:
    """Invariants: a clear sign is always found, noise no better than chance; an unknown text is not covered. A text that
    comes again is never learned from itself: with labels by chance, equal texts gain nothing."""
    test = KINDS["classification"](labelled(tmp_path), ProbeOptions())
    clear, noise = space(9.0, "clear"), space(0.0, "noise")
    [result] = evaluate_spaces([clear, noise], [test], ("word",))
    assert result["items"] == 130 and result["sources"]["clear"]["covered"] == 129
    assert result["sources"]["clear"]["metrics"]["accuracy"] == 1.0
    assert result["sources"]["noise"]["metrics"]["accuracy"] < 0.75
    lines = [json.dumps({"text": f"w{n % 40}", "label": n // 40}) for n in range(80)]
    (tmp_path / "twice.jsonl").write_text("\n".join(lines))
    [twice] = evaluate_spaces(
        [noise], [KINDS["classification"](str(tmp_path / "twice.jsonl"), ProbeOptions())], ("word",)
    )
    assert twice["sources"]["noise"]["metrics"]["accuracy"] == 0.5  # each text once with each label


@pytest.mark.parametrize("count", [4, 6, 9])
def test_correlations_are_scipys(count: int) -> None:
    """Witness: SciPy's Pearson with its interval, Spearman, and its permutation test of all orders."""
    rng = np.random.default_rng(count)
    first = rng.normal(size=count)
    second = first + rng.normal(size=count)
    found = correlate(first, second)
    assert found is not None and found.sources == count
    pearson = stats.pearsonr(first, second)
    assert found.pearson == pytest.approx(pearson.statistic)
    assert found.interval == pytest.approx(tuple(pearson.confidence_interval(0.95)))
    assert found.spearman == pytest.approx(stats.spearmanr(first, second).statistic)
    if count < 8:  # all orders
        exact = stats.permutation_test(
            (first,),
            lambda x: abs(stats.spearmanr(x, second).statistic),
            permutation_type="pairings",
            alternative="greater",
        )
        assert found.p_permutation == pytest.approx(exact.pvalue, abs=1e-3)
    else:
        assert found.p_permutation == pytest.approx(stats.spearmanr(first, second).pvalue, abs=0.03)
    assert correlate(first[:3], second[:3]) is None and correlate(first, np.ones(count)) is None


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four sources of growing clearness; the correlation is that of the values shown. Bad input: one sentence."""
    files = []
    for number, signal in enumerate((0.0, 0.5, 1.0, 3.0)):
        rows = [f"{w} {' '.join(map(str, row))}" for w, row in zip(WORDS, space(signal).vectors.matrix, strict=True)]
        files.append(str(tmp_path / f"s{number}.vec"))
        Path(files[-1]).write_text(f"{len(rows)} 4\n" + "\n".join(rows) + "\n")
    (tmp_path / "sim.txt").write_text(
        "".join(f"w{a}\tw{b}\t{(a + b) % 2 == 0:d}\n" for a in range(9) for b in range(a))
    )
    given = ["--classification", labelled(tmp_path), "--similarity", str(tmp_path / "sim.txt")]
    assert main(["embed", "evaluate", *files, *given, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    [one] = result["correlations"]
    values = [
        [own["matched"][metric] for own in test["sources"].values()]
        for test, metric in zip(result["tests"], ("spearman", "accuracy"), strict=True)
    ]
    assert one["pearson"] == pytest.approx(stats.pearsonr(*values).statistic)
    assert (one["intrinsic"], one["downstream"], one["sources"]) == ("sim", "task.jsonl", 4)
    assert main(["embed", "evaluate", *files, *given]) == 0
    assert "Spearman" in capsys.readouterr().out
    (tmp_path / "one.jsonl").write_text('{"text": "w1", "label": 1}\n{"text": "w2", "label": 1}\n')
    (tmp_path / "other.jsonl").write_text('{"body": "w1", "label": 1}\n')
    for name, message in (("one", "2 texts with 1 label'"), ("other", "not a text with its label")):
        assert main(["embed", "evaluate", files[0], "--classification", str(tmp_path / f"{name}.jsonl")]) == 2
        assert message in capsys.readouterr().err.replace("\n", " ")
