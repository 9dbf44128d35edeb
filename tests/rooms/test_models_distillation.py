"""A language model that learns from another: the divergence beside torch's, and the road from the command line."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import kl_div, log_softmax

from warmstart.cli.main import main
from warmstart.models.softmax import Softmax, soft_cap, soft_token_loss

READS, WIDTH, TEXT = 70, 6, "the sea is calm and the wind is low . "


@pytest.mark.parametrize("spare", [0, 5, -5])
@pytest.mark.parametrize("cap", [None, 2.0])
def test_it_is_the_divergence_of_whole_logits(spare: int, cap: float | None) -> None:
    """Witness: torch's kl_div on all logits at once, and autograd through them; spare rows of either table say nothing.

    More reads than are softened at a time.
    """
    draw = torch.Generator().manual_seed(1)
    states, table, bias = (
        torch.randn(s, generator=draw).requires_grad_() for s in ((READS, WIDTH), (40, WIDTH), (40,))
    )
    others = torch.randn(READS, 2 * WIDTH, generator=draw), torch.randn(40 + spare, 2 * WIDTH, generator=draw)
    weights, temperature = torch.rand(READS, generator=draw), 3.0
    student, teacher = Softmax(states, table, bias, cap), Softmax(*others)
    loss = soft_token_loss(student, teacher, weights, temperature)
    found = torch.autograd.grad(loss, (states, table, bias))
    logits = states @ table.T + bias
    own = log_softmax((logits if cap is None else soft_cap(logits, cap)) / temperature, -1)
    taught = log_softmax((others[0] @ others[1].T)[:, :40] / temperature, -1)
    each = kl_div(own[:, : taught.shape[1]], taught, reduction="none", log_target=True).sum(-1)
    wanted = temperature**2 * (each * weights).sum()
    torch.testing.assert_close(loss, wanted, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(found, torch.autograd.grad(wanted, (states, table, bias)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text, and a teacher for each objective."""
    home = tmp_path_factory.mktemp("teachers")
    (home / "text.txt").write_text(TEXT * 40)
    rows = [{"text": f"the sea on day {n}", "label": "ab"[n % 2]} for n in range(6)]
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = ["--task", "classification", "--train", str(home / "rows.jsonl"), "--start", "none", "--model", "bert-tiny"]
    short = ["--vocab-size", "270", "--length", "1 steps", "--lr", "1e-3"]
    assert main(["finetune", *task, *short, "--out", str(home / "classes")]) == 0
    made = {"causal": ("gpt1-tiny", "270"), "masked": ("bert-tiny", "270"), "other": ("gpt1-tiny", "262")}
    for name, (model, vocab) in made.items():
        words = size("masked" if name == "masked" else "causal", model)
        text = ["--corpus", str(home / "text.txt"), "--vocab-size", vocab]
        assert main(["pretrain", *text, *words, "--out", str(home / name)]) == 0
    return home


def size(objective: str, model: str = "") -> list[str]:
    words = ["--objective", objective, *(["--model", model, "--context", "32"] if model else [])]
    return [*words, "--length", "2 steps", "--batch-size", "4", "--lr", "1e-3", "--dropout", "0", "--precision", "fp32"]


def losses(run: Path) -> dict[str, float]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().strip().split("\n")]
    return next(row["losses"] for row in rows if row["kind"] == "train")  # type: ignore[no-any-return]


@pytest.mark.parametrize(("objective", "model"), [("causal", "gpt1-tiny"), ("masked", "bert-tiny")])
def test_a_student_learns_from_its_teacher(objective: str, model: str, home: Path, tmp_path: Path) -> None:
    """Invariants: raw text is read with the teacher's vocabulary; a student that begins as its teacher has nothing to learn.

    A smaller one has, and its loss of the text alone is what it is without a teacher.
    """
    given = ["pretrain", "--corpus", str(home / "text.txt"), "--teacher", str(home / objective)]
    small = [*size(objective, model), "--layers", "1"]
    assert main([*given, *small, "--out", str(tmp_path / "small")]) == 0
    assert losses(tmp_path / "small")["teacher"] > 1e-4
    ids = [(run / "tokenizer.json").read_text() for run in (tmp_path / "small", home / objective)]
    assert ids[0] == ids[1]
    assert main([*given, *size(objective), "--start", str(home / objective), "--out", str(tmp_path / "same")]) == 0
    assert losses(tmp_path / "same")["teacher"] == pytest.approx(0.0, abs=1e-5)


REFUSED = {
    "sight": (["--teacher", "causal", *size("masked", "bert-tiny")], ["sees other tokens"]),
    "length": (["--teacher", "causal", *size("causal", "gpt1-tiny"), "--context", "64"], ["32 tokens", "--context 32"]),
    "sampled": (["--teacher", "causal", *size("causal", "gpt1-tiny"), "--softmax", "sampled"], ["--softmax"]),
    "no words": (["--teacher", "classes", *size("masked", "bert-tiny")], ["not a run of a task"]),
    "no model": (["--teacher", "casual", *size("causal", "gpt1-tiny")], ["--teacher", "casual"]),
    "tokens": (
        ["--teacher", "causal", *size("causal", "gpt1-tiny"), "--tokenizer", "other"],
        ["not know the student's tokens", "--tokenizer causal"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_sentence(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: exit code 2, one line, nothing written."""
    monkeypatch.chdir(home)
    words, wanted = REFUSED[name]
    assert main(["pretrain", "--corpus", "text.txt", *words, "--out", "new"]) == 2
    said = capsys.readouterr().err.strip()
    assert all(word in said for word in wanted) and not (home / "new").exists(), said
