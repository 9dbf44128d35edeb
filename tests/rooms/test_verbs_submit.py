"""Known data sets through the verbs: runs know their task, answer GLUE's test files, and are evaluated on parts."""

import json
import zipfile
from pathlib import Path

import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.run.metadata import read_metadata
from warmstart.tasks.known.submission import SHEETS, check_submission

TINY = ["--start", "none", "--model", "gpt1-tiny", "--vocab-size", "300", "--length", "2 steps", "--precision", "fp32"]
QUIET = ["--lm-weight", "0", "--quiet"]
PAIRS = "index\tsentence1\tsentence2"
STSB = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"


def glue(root: Path) -> None:
    """GLUE's folders for two tasks, with as many test examples as it has."""
    wnli = {
        name: [f"{PAIRS}\tlabel", *(f"{n}\tHe {n} it.\tIt {n}.\t{n % 2}" for n in range(12))]
        for name in ("train", "dev")
    }
    wnli["test"] = [PAIRS, *(f"{n}\tHe {n} it.\tIt {n}{' again' * 200 * (n == 7)}." for n in range(146))]
    cells = "main\tf\t2012\t1\tnone\tnone"
    stsb = {
        name: [f"{STSB}\tscore", *(f"{n}\t{cells}\tOne {n}\tTwo\t{n % 6}.0" for n in range(12))]
        for name in ("train", "dev")
    }
    stsb["test"] = [STSB, *(f"{n}\t{cells}\tOne {n}\tTwo" for n in range(1379))]
    for folder, files in (("WNLI", wnli), ("STS-B", stsb)):
        (root / folder).mkdir(parents=True)
        for name, lines in files.items():
            (root / folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GLUE's folder, a run for each of its two tasks, and a run on files of one's own."""
    root = tmp_path_factory.mktemp("home")
    glue(root / "glue")
    for task in ("wnli", "stsb"):
        words = ["finetune", "--task", task, "--data", str(root / "glue"), "--out", str(root / task)]
        assert main([*words, *TINY, *QUIET]) == 0
    rows = [{"premise": "a", "hypothesis": f"b {n}", "label": "xy"[n % 2]} for n in range(12)]
    (root / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["finetune", "--task", "entailment", "--train", str(root / "own.jsonl"), "--out", str(root / "own")]
    assert main([*words, *TINY, *QUIET]) == 0
    return root


def test_a_run_remembers_which_data_set_it_has_learned(home: Path) -> None:
    """Witness: the names that were typed; files of one's own have none."""
    metadata = {name: read_metadata(home / name).task for name in ("wnli", "stsb", "own")}
    assert [task.name if task else None for task in metadata.values()] == ["wnli", "stsb", ""]


def test_a_submission_holds_what_predict_says(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the checker, and the predictions of the same runs for the same rows by the other verb."""
    out = tmp_path / "s.zip"
    assert (
        main(["submit", str(home / "wnli"), str(home / "stsb"), "--data", str(home / "glue"), "--out", str(out)]) == 0
    )
    told = capsys.readouterr()
    missing = check_submission(out)
    assert set(missing) == set(SHEETS) - {"WNLI.tsv", "STS-B.tsv"}
    assert f"still missing: {', '.join(missing)}" in told.err and "1 of 146 texts were cut" in told.err
    assert "WNLI.tsv" in told.out and "9 files missing" in told.out
    for task, name, key in (("wnli", "WNLI", "label"), ("stsb", "STS-B", "score")):
        warmstart.predict(str(home / task), str(home / "glue" / name / "test.tsv"), str(tmp_path / f"{task}.jsonl"))
        rows = [json.loads(line) for line in (tmp_path / f"{task}.jsonl").read_text().splitlines()]
        with zipfile.ZipFile(out) as archive:
            cells = [line.split("\t")[1] for line in archive.read(f"{name}.tsv").decode().splitlines()[1:]]
        if key == "label":
            assert cells == [{"entailment": "1", "not_entailment": "0"}[row["label"]] for row in rows]
        else:
            assert [float(cell) for cell in cells] == pytest.approx(
                [min(max(row["score"], 0), 5) for row in rows], abs=6e-4
            )


def test_one_run_of_both_tasks_submits_both(home: Path, tmp_path: Path) -> None:
    """Witness: the checker, and what the run predicts for one of the tasks by the other verb."""
    tasks = ["--task", f"wnli={home / 'glue'}", "--task", f"stsb={home / 'glue'}"]
    assert main(["finetune", *tasks, *TINY, *QUIET, "--out", str(tmp_path / "both")]) == 0
    found = warmstart.submit([str(tmp_path / "both")], str(home / "glue"), str(tmp_path / "s.zip"))
    assert found["files"] == {"STS-B.tsv": 1379, "WNLI.tsv": 146}
    assert set(check_submission(tmp_path / "s.zip")) == set(SHEETS) - {*found["files"]}
    test = str(home / "glue" / "WNLI" / "test.tsv")
    warmstart.predict(str(tmp_path / "both"), test, str(tmp_path / "told.jsonl"), task="wnli")
    rows = [json.loads(line)["label"] for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        cells = [line.split("\t")[1] for line in archive.read("WNLI.tsv").decode().splitlines()[1:]]
    assert cells == [str(int(label == "entailment")) for label in rows]


@pytest.mark.parametrize(
    ("runs", "out", "words"),
    [
        (
            ["own"],
            "s.zip",
            "own: this run has not learned a task of GLUE by its name; got 'entailment'; allowed: cola, sst2",
        ),
        (["wnli", "wnli"], "s.zip", "two runs for wnli"),
        (["wnli"], "s.tsv", "--out: not the name of a zip"),
        (["wnli"], "there.zip", "--out: the submission exists"),
        (["wnli", "nowhere"], "s.zip", "RUN: no such path"),
        ([], "s.zip", "RUN: missing"),
    ],
)
def test_bad_submissions_are_refused_and_nothing_is_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], runs: list[str],
    out: str, words: str,
) -> None:  # fmt: skip
    """Witness: the sentence, and the folder as it was."""
    for thing in home.iterdir():
        (tmp_path / thing.name).symlink_to(thing)
    (tmp_path / "there.zip").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["submit", *runs, "--data", "glue", "--out", out]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_all_test_files_are_checked_before_the_first_is_answered(home: Path, tmp_path: Path) -> None:
    """Witness: the second run's test file, which lacks a line."""
    glue(tmp_path / "glue")
    path = tmp_path / "glue" / "STS-B" / "test.tsv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(BadInput, match=r"STS-B/test\.tsv: not GLUE's test file; got '1,378 examples'; allowed: 1,379"):
        warmstart.submit([str(home / "wnli"), str(home / "stsb")], str(tmp_path / "glue"), str(tmp_path / "s.zip"))
    assert not (tmp_path / "s.zip").exists()


def test_a_run_is_judged_on_its_own_data_set_by_default_and_on_the_part_that_is_named(home: Path) -> None:
    """Witness: the file of the part, evaluated as a file."""
    run, data = str(home / "wnli"), home / "glue"
    rows = [line.split("\t") for line in (data / "WNLI" / "dev.tsv").read_text().splitlines()[1:]]
    named = [{"premise": p, "hypothesis": h, "label": ("not_entailment", "entailment")[int(n)]} for _, p, h, n in rows]
    (home / "named.jsonl").write_text("".join(json.dumps(row) + "\n" for row in named))
    expected = warmstart.evaluate(run, str(home / "named.jsonl"))
    assert warmstart.evaluate(run, str(data)) == warmstart.evaluate(run, str(data / "WNLI"), split="dev") == expected
    assert warmstart.evaluate(run, str(data), split="train", task="wnli")["examples"] == 12


def test_what_does_not_fit_the_run_is_refused(home: Path) -> None:
    """Witness: a data set of another kind, one of other labels, a part that does not exist, a part of a file."""
    own, stsb, data = str(home / "own"), str(home / "stsb"), str(home / "glue")
    for arguments, words in (
        (
            (stsb, data, "wnli", None),
            r"another kind than the run's task; got 'wnli \(entailment\)'; allowed: similarity",
        ),
        ((own, data, "wnli", None), "label unseen in training"),
        ((stsb, data, None, "dev2"), "--split: unknown split of this data set; got 'dev2'"),
        ((stsb, data, None, "test"), "--split: no such split in this folder; got 'test'"),
        ((own, str(home / "own.jsonl"), None, "dev"), "--task and --split are for the folder of a known data set"),
        ((own, data, None, None), "a folder, where a file is needed"),
        ((own, data, "wnil", None), "unknown data set; got 'wnil'"),
    ):
        run, place, task, split = arguments
        flags = {name: value for name, value in (("task", task), ("split", split)) if value is not None}
        with pytest.raises(BadInput, match=words):
            warmstart.evaluate(run, place, **flags)
