"""Whole trainings by several processes from the command line: killed, stopped, continued by another number, refused.

Witness: the same command in one process.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

FORK = Path(__file__).parent / "fork.py"
WHO, DOES = ("a cat", "the owl", "my aunt", "no king"), ("sees", "eats")
WHAT, WHEN = ("red bird", "old house", "sun"), ("today", "at night", "with a spoon")
SENTENCES = [f"{who} {does} the {what} {when}." for who in WHO for does in DOES for what in WHAT for when in WHEN]


def run(*jobs: dict[str, Any]) -> list[dict[str, Any]]:
    """What becomes of each command: exit codes, words, seconds."""
    ran = subprocess.run([sys.executable, FORK, json.dumps(jobs)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ran.stdout.split("\n")[:-1]]


def job(size: int, *argv: object, strike: Sequence[int] = ()) -> dict[str, Any]:
    return {"size": size, "argv": [*map(str, argv)], "strike": [*strike]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts and their corpus, and labelled rows."""
    place = tmp_path_factory.mktemp("processes")
    (place / "texts").mkdir()
    for number in range(4):
        (place / "texts" / f"{number}.txt").write_text(" ".join(SENTENCES[number::4] * 3))
    rows = [{"text": text, "label": "cat" if "cat" in text else "other"} for text in SENTENCES]
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    [made] = run(job(1, "prepare", place / "texts", "--vocab-size", 300, "--out", place / "corpus", "--quiet"))
    assert made["codes"] == [0], made
    return place


def pretrain(place: Path, out: str, *more: object) -> list[object]:
    model = ("--model", "gpt1-tiny", "--batch-size", 6, "--precision", "fp32", "--dropout", 0, "--length", "12 steps")
    every = ("--evaluate-every", "6 steps", "--save-every", 0, "--device", "cpu")
    return ["pretrain", "--corpus", place / "corpus", *model, *every, "--out", place / out, *more]


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().split("\n")[:-1]]


def assert_same_training(run: Path, other: Path) -> None:
    """The same lines, so the same data in the same order; losses and weights but for rounding."""
    ours, theirs = metrics(run), metrics(other)
    assert [(r["kind"], r["step"], r["tokens"]) for r in ours] == [(r["kind"], r["step"], r["tokens"]) for r in theirs]
    for row, expected in zip(ours, theirs, strict=True):
        if row["kind"] == "train":
            assert [row["loss"], row["grad_norm"]] == pytest.approx([expected["loss"], expected["grad_norm"]], rel=1e-5)
        else:
            assert row["metrics"] == pytest.approx(expected["metrics"], rel=1e-5)
    weights, same = (load_file(folder / "model.safetensors") for folder in (run, other))
    assert max(float((weights[name] - same[name]).abs().max()) for name in same) < 1e-4


def test_killed_stopped_and_continued_by_other_numbers_of_processes(place: Path) -> None:
    """One process; four, of which one is killed, then two, of which one gets SIGTERM, then one: in all forms of weights.

    The others of the killed one end by themselves, with a sentence; those of the stopped one save and end as it does.
    """
    plans = {
        "sharded": [(4, ("--parallel", "fsdp")), (2, ("--parallel", "fsdp")), (1, ())],
        "mixed": [(1, ()), (2, ("--parallel", "fsdp")), (2, ("--parallel", "ddp"))],
    }
    strikes = {1: (9, 0, 4), 2: (15, 1, 8), 4: (9, 3, 4)}
    jobs = [job(1, *pretrain(place, "one"))]
    for name, steps in plans.items():
        for number, (size, more) in enumerate(steps):
            last = number == len(steps) - 1
            jobs.append(job(size, *pretrain(place, name, *more, "--resume"), strike=() if last else strikes[size]))
    one, *found = run(*jobs)
    assert [one["codes"], *(each["codes"] for each in found)] == [
        [0], [1, 1, 1, -9], [75, 75], [0], [-9], [75, 75], [0, 0],
    ], found  # fmt: skip
    assert "another process of this training has ended" in found[0]["words"][0]
    assert found[0]["seconds"] < 60
    assert "saved; run the same command with --resume" in found[1]["words"][0]
    assert found[1]["words"][1] == ""
    for name in plans:
        assert_same_training(place / name, place / "one")
        assert not (place / name / "resume").exists()


@pytest.mark.parametrize(("phase", "sentence"), [("dev", "saved; run the same command"), ("final", "--resume")])
def test_a_signal_to_one_process_ends_all(place: Path, phase: str, sentence: str) -> None:
    """Invariant: evaluations that only a signal ends, of which one process gets it, and the one that waits for the other."""
    train = ("--task", "classification", "--train", place / "rows.jsonl", "--dev", place / "rows.jsonl")
    model = ("--start", "none", "--model", "gpt1-tiny", "--vocab-size", 300, "--length", "2 steps", "--device", "cpu")
    [found] = run(job(2, "finetune", *train, *model, "--out", place / phase) | {"phase": phase})
    assert found["codes"] == [75, 75] and sentence in found["words"][0], found


def test_all_split_their_batches_where_one_lacks_memory(place: Path) -> None:
    """Witness: one process with memory enough: the same losses; where no part is small enough, all end and one says it."""
    enough, short, shorter = run(
        job(1, *pretrain(place, "enough")),
        job(2, *pretrain(place, "short")) | {"phase": "100"},
        job(2, *pretrain(place, "shorter")) | {"phase": "3"},
    )
    assert [enough["codes"], short["codes"], shorter["codes"]] == [[0], [0, 0], [1, 1]], (short, shorter)
    assert short["words"][0].count("out of memory; from here on") >= 1
    assert_same_training(place / "short", place / "enough")
    assert "out of memory with" in shorter["words"][0] and shorter["words"][1] == ""


def test_numbers_that_are_not_finite_in_one_process_stop_all(place: Path) -> None:
    """Witness: one process whose numbers are finite, up to that step; all leave out the same steps, and can go on."""
    out = ["broken-ddp", "broken-fsdp"]
    words = [pretrain(place, name, "--parallel", name.removeprefix("broken-")) for name in out]
    one, *stopped = run(job(1, *pretrain(place, "finite")), *(job(2, *own) | {"phase": "after 5"} for own in words))
    assert one["codes"] == [0]
    for name, found in zip(out, stopped, strict=True):
        assert found["codes"] == [1, 1] and "not finite" in found["words"][0] and found["words"][1] == "", found
        ours, expected = ([r for r in metrics(place / run) if r["kind"] != "dev"] for run in (name, "finite"))
        assert [row["loss"] for row in ours[:5]] == pytest.approx([row["loss"] for row in expected[:5]], rel=1e-5)
        assert [(row["kind"], row["step"]) for row in ours[5:]] == [("skipped", 6), ("skipped", 7), ("skipped", 8)]
    [resumed] = run(job(2, *words[1], "--resume"))
    assert resumed["codes"] == [0, 0], resumed


def test_parts_of_the_weights_go_on_with_smaller_batches_where_one_lacked_memory(place: Path) -> None:
    """Witness: one process with memory enough: what ends for want of memory leaves smaller parts to the next command."""
    short = job(2, *pretrain(place, "parts", "--parallel", "fsdp", "--resume")) | {"phase": "150"}
    enough, first, *_, last = run(job(1, *pretrain(place, "all")), short, short, short)
    assert [enough["codes"], first["codes"], last["codes"]] == [[0], [1, 1], [0, 0]], (first, last)
    assert "out of memory with" in "".join(first["words"])
    assert_same_training(place / "parts", place / "all")


def test_a_forged_sharded_checkpoint_is_refused(place: Path, tmp_path: Path) -> None:
    """Invariant: a folder as torch writes it, whose ``.metadata`` is a pickle that would run a command, is never read."""
    out, mark = tmp_path / "run", tmp_path / "ran"
    [stopped] = run(
        job(2, *pretrain(place, str(out), "--parallel", "fsdp", "--keep-checkpoints", 1), strike=(15, 0, 4))
    )
    assert stopped["codes"] == [75, 75], stopped
    [found] = (out / "resume").iterdir()
    forged = b"cos\nsystem\n(S'touch %s'\ntR." % bytes(mark)
    (found / ".metadata").write_bytes(forged)
    [refused] = run(job(1, *pretrain(place, str(out), "--resume", "--keep-checkpoints", 1)))
    assert (refused["codes"], mark.exists()) == ([2], False)
    assert f"{found} is damaged (.metadata)" in refused["words"][0]
    (found / ".metadata").unlink()
    shard = next(found.glob("shard-00002-*"))
    data = bytearray(shard.read_bytes())
    data[-3] ^= 1
    shard.write_bytes(data)
    [damaged] = run(job(2, *pretrain(place, str(out), "--resume", "--keep-checkpoints", 1)))
    assert damaged["codes"] == [2, 2]
    assert f"({shard.name})" in damaged["words"][0]
    assert "no checkpoint here is whole" in damaged["words"][0]
    assert damaged["words"][1] == ""


def test_fine_tuning_by_two_processes(place: Path) -> None:
    """Two seeds and a control as one process trains them: the same metrics, and one report."""

    def finetune(out: str, *more: object) -> list[object]:
        train = ("--task", "classification", "--train", place / "rows.jsonl", "--dev", place / "rows.jsonl")
        model = ("--start", "none", "--model", "gpt1-tiny", "--vocab-size", 300, "--precision", "fp32")
        plain = ("--dropout", 0, "--head-dropout", 0)
        length = ("--length", "6 steps", "--batch-size", 8, "--seeds", 2, "--lr", 0.001, "--retries", 0)
        return ["finetune", *train, *model, *plain, *length, "--out", place / out, "--device", "cpu", *more]

    found = run(
        job(1, *finetune("tuned")), job(2, *finetune("tuned-2")), job(2, *finetune("tuned-fsdp"), "--parallel", "fsdp")
    )
    assert [each["codes"] for each in found] == [[0], [0, 0], [0, 0]], found
    expected, *others = (
        json.loads((place / name / "report.json").read_text()) for name in ("tuned", "tuned-2", "tuned-fsdp")
    )
    for other in others:
        assert other["metrics"] == pytest.approx(expected["metrics"], rel=1e-4)
    assert_same_training(place / "tuned-2" / "scratch-seed1", place / "tuned" / "scratch-seed1")


REFUSED = [
    (["prepare", "texts", "--out", "x"], "run warmstart prepare by itself, without torchrun", 2),
    (["evaluate", "--run", "x", "--data", "rows.jsonl"], "pretrain and finetune under torchrun", 2),
    (["pretrain", "--corpus", "texts", "--out", "x"], "run first, without torchrun: warmstart prepare texts --out", 1),
    (["pretrain", "--corpus", "corpus", "--batch-size", "1", "--out", "x"], "at least 2", 1),
    (
        ["pretrain", "--corpus", "corpus", "--parallel", "fsdp", "--optimizer", "muon", "--out", "x"],
        "--parallel ddp",
        1,
    ),
    (["pretrain", "--corpus", "corpus", "--device", "cuda:99", "--out", "x"], "no such device on this machine", 2),
    (["pretrain", "--corpus", "corpus", "--model", "lstm-tiny", "--carry", "--out", "x"], "with one process", 1),
]
"""Command → a part of the sentence, and how many processes say it: all what is found before they have met."""


def test_what_several_processes_cannot_do_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, exit code 2 from all, nothing written."""
    monkeypatch.chdir(place)
    for (_, sentence, count), found in zip(REFUSED, run(*(job(2, *argv) for argv, *_ in REFUSED)), strict=True):
        assert found["codes"] == [2, 2], found
        said = [words for words in found["words"] if words]
        assert len(said) == count, found
        assert all(words.count("warmstart: ") == 1 and sentence in words for words in said)
        assert not (place / "x").exists()
