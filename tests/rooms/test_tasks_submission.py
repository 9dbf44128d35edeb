"""GLUE's submission: the rules of the zip, each broken once, and the test files that it is made from."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.tasks.catalogue import known_dataset
from warmstart.tasks.known.submission import SHEETS, check_submission, pack_submission, sheets_of

# what ``wc -l`` shows for a complete submission, header lines included
LINES = {
    "AX.tsv": 1105, "CoLA.tsv": 1064, "MNLI-mm.tsv": 9848, "MNLI-m.tsv": 9797, "MRPC.tsv": 1726, "QNLI.tsv": 5464,
    "QQP.tsv": 390966, "RTE.tsv": 3001, "SST-2.tsv": 1822, "STS-B.tsv": 1380, "WNLI.tsv": 147,
}  # fmt: skip


def constant(name: str) -> list[str]:
    sheet = SHEETS[name]
    return [sheet.answers[-1] if sheet.answers else "2.500"] * sheet.rows


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def table(answers: Iterable[str]) -> list[str]:
    return ["index\tprediction", *(f"{number}\t{answer}" for number, answer in enumerate(answers))]


def test_a_complete_submission_has_eleven_files_of_the_official_lengths(tmp_path: Path) -> None:
    """Witness: the lengths of a submission that the site has taken, and Python's own zip reader; bytes never vary."""
    answers = {name: constant(name) for name in SHEETS}
    path = tmp_path / "submission.zip"
    path.write_bytes(pack_submission(answers))
    assert check_submission(path) == ()
    assert pack_submission(answers) == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name).count(b"\n") for name in archive.namelist()} == LINES
        assert archive.read("RTE.tsv").startswith(b"index\tprediction\n0\tnot_entailment\n1\tnot_entailment\n")


def test_answers_are_written_as_the_site_wants_them() -> None:
    """Witness: GLUE's own label words for each class number, and its scale."""
    words = {
        sheet.name: [sheet.answer(0.5, n) for n in range(len(known_dataset(sheet.task).label_names))]
        for sheet in SHEETS.values()
    }
    assert (
        words["CoLA.tsv"]
        == words["SST-2.tsv"]
        == words["MRPC.tsv"]
        == words["QQP.tsv"]
        == words["WNLI.tsv"]
        == ["0", "1"]
    )
    for name in ("MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"):
        assert words[name] == list(known_dataset("mnli").label_names) == ["contradiction", "entailment", "neutral"]
    assert words["RTE.tsv"] == words["QNLI.tsv"] == ["entailment", "not_entailment"]
    assert known_dataset("wnli").label_names[1] == "entailment" and known_dataset("mrpc").label_names[1] == "paraphrase"
    scores = [SHEETS["STS-B.tsv"].answer(score, None) for score in (-0.2, 2.34567, 5.01)]
    assert scores == ["0.000", "2.346", "5.000"]
    assert [sheet.name for sheet in sheets_of("mnli")] == ["MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"] and not sheets_of(
        "snli"
    )


GOOD = table(["0"] * 146)


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("WNLI.tsv", ["id\tlabel", *GOOD[1:]], r"WNLI\.tsv:1: another header line"),
        ("WNLI.tsv", GOOD[:-1], r"WNLI\.tsv: another number of predictions; got 145; allowed: 146"),
        ("WNLI.tsv", [*GOOD, "146\t0"], "another number of predictions; got 147"),
        ("WNLI.tsv", [], "another number of predictions; got 0"),
        ("WNLI.tsv", [GOOD[0], *GOOD[2:], "1\t0"], r"WNLI\.tsv:2: another index; got '1'; allowed: 0"),
        ("WNLI.tsv", table(["entailment"] * 146), r"WNLI\.tsv:2: another answer; got 'entailment'; allowed: 0, 1"),
        ("STS-B.tsv", table(["5.2"] * 1379), "another answer; got '5.2'; allowed: a number from 0 to 5"),
        ("STS-B.tsv", table(["nan"] * 1379), "another answer"),
        ("SST2.tsv", GOOD, r"SST2\.tsv.*did you mean 'SST-2\.tsv'"),
        ("submission/WNLI.tsv", GOOD, "a file that a submission does not have"),
    ],
)
def test_each_rule_is_checked(tmp_path: Path, name: str, lines: list[str], words: str) -> None:
    """Witness: a file that breaks one rule."""
    with pytest.raises(BadInput, match=words):
        check_submission(zipped(tmp_path / "s.zip", {name: "".join(line + "\n" for line in lines)}))


def test_missing_files_are_named_and_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    """Witness: a zip with one good file, and a text file."""
    path = zipped(tmp_path / "s.zip", {"WNLI.tsv": "\n".join(GOOD) + "\n"})
    assert set(check_submission(path)) == set(SHEETS) - {"WNLI.tsv"}
    for content in (b"no zip", path.read_bytes()[:-30]):
        (tmp_path / "x.zip").write_bytes(content)
        with pytest.raises(BadInput, match="not a readable zip"):
            check_submission(tmp_path / "x.zip")
    with pytest.raises(BadInput, match="another number of predictions"):
        pack_submission({"WNLI.tsv": ["0"]})


# the header of each of GLUE's test files, and one example as our keys name it
TESTS = {
    "CoLA.tsv": ("CoLA/test.tsv", "index\tsentence", {"text": "sentence"}),
    "SST-2.tsv": ("SST-2/test.tsv", "index\tsentence", {"text": "sentence"}),
    "MRPC.tsv": ("MRPC/test.tsv", "index\t#1 ID\t#2 ID\t#1 String\t#2 String", {"sentence1": "#1 String"}),
    "STS-B.tsv": (
        "STS-B/test.tsv", "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2",
        {"sentence1": "sentence1", "sentence2": "sentence2"},
    ),
    "MNLI-m.tsv": (
        "MNLI/test_matched.tsv", "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
        "sentence1_parse\tsentence2_parse\tsentence1\tsentence2", {"premise": "sentence1", "hypothesis": "sentence2"},
    ),
    "QNLI.tsv": ("QNLI/test.tsv", "index\tquestion\tsentence", {"premise": "question", "hypothesis": "sentence"}),
    "WNLI.tsv": ("WNLI/test.tsv", "index\tsentence1\tsentence2", {"premise": "sentence1", "hypothesis": "sentence2"}),
    "AX.tsv": ("diagnostic/diagnostic.tsv", "index\tsentence1\tsentence2", {"premise": "sentence1"}),
}  # fmt: skip


def test_file(folder: Path, name: str, rows: int) -> Path:
    place, header, _ = TESTS[name]
    lines = ["\t".join([str(n), *header.split("\t")[1:]]) for n in range(rows)]  # every cell says its column's name
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return folder / place


test_file.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(TESTS))
def test_glues_test_files_are_read_by_their_headers(tmp_path: Path, name: str) -> None:
    """Witness: the headers of GLUE's test files; no label is looked for."""
    test_file(tmp_path, name, SHEETS[name].rows)
    rows = list(SHEETS[name].examples(tmp_path))
    assert len(rows) == LINES[name] - 1
    assert rows[3].fields.items() >= ({"index": "3"} | TESTS[name][2]).items() and "label" not in rows[3].fields


def test_other_test_files_are_refused(tmp_path: Path) -> None:
    """Witness: too few examples, another numbering, a file with labels and no numbers, and no file."""
    sheet = SHEETS["WNLI.tsv"]
    path = test_file(tmp_path, "WNLI.tsv", 145)
    with pytest.raises(BadInput, match="not GLUE's test file; got '145 examples'; allowed: 146"):
        list(sheet.examples(tmp_path))
    text = path.read_text()
    path.write_text(text.replace("\n5\t", "\n6\t"))
    with pytest.raises(BadInput, match=r"WNLI/test\.tsv:7: not numbered as GLUE numbers them; got '6'; allowed: 5"):
        list(sheet.examples(tmp_path))
    path.write_text("sentence1\tsentence2\tlabel\na\tb\t1\n")
    with pytest.raises(BadInput, match="not the columns of this data set"):
        list(sheet.examples(tmp_path))
    path.unlink()
    with pytest.raises(BadInput, match=r"WNLI/test\.tsv: a file of this data set is missing"):
        list(sheet.examples(tmp_path))
