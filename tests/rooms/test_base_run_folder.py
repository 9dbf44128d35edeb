"""Which folders a run may begin or go on in, and who may."""

import json
import os
import signal
from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.base.run_folder import COMPUTE, CONFIG, MANIFEST, RunFolder


@pytest.mark.parametrize("there", ["a: 1\nb: {c: 2}\n", "b:\n  c: 2\na: 1\n"])
def test_a_run_goes_on_with_the_same_settings_in_any_order(tmp_path: Path, there: str) -> None:
    """Witness: the same values, written by a version that had its settings in another order."""
    (tmp_path / CONFIG).write_text(there)
    RunFolder(tmp_path).check_free(resume=True, config="a: 1\nb:\n  c: 2\n")


@pytest.mark.parametrize("there", ["a: 2\nb: {c: 2}\n", "a: 1\n", "a: 1\nb: {c: '2'}\n", "a: [1\n", ""])
def test_a_run_of_other_settings_is_refused(tmp_path: Path, there: str) -> None:
    """Witness: one value more, less, or another; and files that are no settings."""
    (tmp_path / CONFIG).write_text(there)
    with pytest.raises(BadInput, match="another recipe"):
        RunFolder(tmp_path).check_free(resume=True, config="a: 1\nb:\n  c: 2\n")


def test_the_settings_that_differ_are_named_with_both_values(tmp_path: Path) -> None:
    """Witness: the two files, compared by eye; a field that was chosen from the data and is left open is no difference."""
    (tmp_path / CONFIG).write_text("start: lm\ntrain: {length: 20 steps, seed: 1, batch_size: 8}\nold: [1, 2]\n")
    given = "start: lm\ntrain: {length: 30 steps, seed: 1, lr: 0.1}\n"
    said = (
        "another recipe: train.length is '30 steps' here and '20 steps' there, train.lr is 0.1 here and not set there, "
        r"old is not set here and \[1, 2\] there; choose another --out"
    )
    with pytest.raises(BadInput, match=said):
        RunFolder(tmp_path).check_free(resume=True, config=given, chosen=[("train", "batch_size")])
    (tmp_path / CONFIG).write_text("".join(f"field{number}: 1\n" for number in range(9)))
    with pytest.raises(BadInput, match=r"field5 is 2 here and 1 there, and 3 more; choose"):
        RunFolder(tmp_path).check_free(resume=True, config="".join(f"field{number}: 2\n" for number in range(9)))


def started(path: Path, **data: object) -> RunFolder:
    run = RunFolder(path)
    run.create("a: 1\n", {"data": data})
    return run


def test_a_second_process_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    """Witness: the kernel's lock, held by a process of its own, which is then killed and takes the lock with it."""
    run = started(tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))
    ready, says_ready = os.pipe()
    child = os.fork()
    if child == 0:
        with run.hold():
            os.write(says_ready, b"1")
            signal.pause()
    os.read(ready, 1)
    with pytest.raises(BadInput, match="another process works on this run") as caught, RunFolder(run.path).hold():
        pass
    assert caught.value.exit_code == 2 and sorted(tmp_path.rglob("*")) == before
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with run.hold():
        run.check_free(resume=True, config="a: 1\n")


def test_where_no_run_begins_no_folder_is_left(tmp_path: Path) -> None:
    """Witness: the file system; a folder that was there stays."""
    (tmp_path / "there").mkdir()
    for name in ("there", "new/and/deep"):
        with pytest.raises(BadInput), RunFolder(tmp_path / name).hold():
            raise BadInput("no such file")
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]
    with RunFolder(tmp_path / "new" / "run").hold():
        started(tmp_path / "new" / "run")
    assert (tmp_path / "new" / "run" / CONFIG).is_file()


@pytest.mark.parametrize("name", [MANIFEST, ".manifest.json.x1.tmp", COMPUTE, ".config.yaml.x2.tmp"])
def test_what_a_death_before_the_beginning_leaves_is_no_run(tmp_path: Path, name: str) -> None:
    """Invariant: the recipe is written last, so all before it may lie there alone."""
    (tmp_path / name).write_text("{}")
    RunFolder(tmp_path).check_free(resume=False, config="a: 1\n")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="other files"):
        RunFolder(tmp_path).check_free(resume=False, config="a: 1\n")


def test_data_that_have_changed_are_named(tmp_path: Path) -> None:
    """Invariant: every part that is another, and no part that the run knows nothing of."""
    run = started(tmp_path, fingerprints={"training records": "aa", "label names": ["hot", "cold"], "start": None})
    same = {"training records": "aa", "label names": ["hot", "cold"], "start": None, "word vectors": "bb"}
    run.check_data(same)
    with pytest.raises(BadInput, match="has changed since it began: label names, start; restore it"):
        run.check_data(same | {"label names": ["cold", "hot"], "start": "cc"})
    started(tmp_path / "old").check_data(same)
    RunFolder(tmp_path / "new").check_data(same)


def test_the_compute_settings_of_a_run_that_has_begun_stay(tmp_path: Path) -> None:
    """Invariant: the first ones; what a run left that never began is replaced."""
    (tmp_path / COMPUTE).write_text('{"dtype": "left"}')
    run = RunFolder(tmp_path)
    for dtype in ("first", "second"):
        run.create("a: 1\n", {}, {"dtype": dtype})
    assert json.loads((tmp_path / COMPUTE).read_text()) == {"dtype": "first"}


def test_the_space_of_a_run_is_counted_without_its_corpus(tmp_path: Path) -> None:
    """Witness: the sizes of the files that the test wrote."""
    for name, size in (("resume/step-000000001/state.safetensors", 300), ("best/model", 40), ("corpus/tokens.bin", 9)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x" * size)
    assert RunFolder(tmp_path).bytes_used == 340
    assert RunFolder(tmp_path / "none").bytes_used == 0


def test_a_run_that_goes_on_repeats_no_line(tmp_path: Path) -> None:
    """Witness: lines of a run killed after it has logged dev of step 4, with a checkpoint from before that evaluation."""
    run = RunFolder(tmp_path / "run")
    run.create("a: recipe\n", {})
    for kind, step in (("train", 1), ("train", 2), ("dev", 2), ("skipped", 3), ("train", 4), ("dev", 4), ("train", 5)):
        run.append_metrics({"kind": kind, "step": step})
    run.truncate_metrics(4, evaluated_step=2)
    kept = [(row["kind"], row["step"]) for row in run.read_metrics()]
    assert kept == [("train", 1), ("train", 2), ("dev", 2), ("skipped", 3), ("train", 4)]
