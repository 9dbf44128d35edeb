"""The head with steps of attention beside a transcription in NumPy, and on the road from the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.cli.main import main
from warmstart.example.batch import GoalBatch
from warmstart.models.heads import build_head
from warmstart.models.presets import preset
from warmstart.models.san_head import SANHead, kept_steps
from warmstart.models.settings import HeadSettings
from warmstart.run.loading import load_run

WIDTH, CLASSES, STEPS = 6, 3, 5
TEXT = [0, 0, 1, 1, 1, 0, 1, 0, 0, 0, 1]
QUESTION = [0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2]


def head(dropout: float = 0.0) -> SANHead:
    torch.manual_seed(2)
    found = build_head(
        HeadSettings(kind="san", size=CLASSES, steps=STEPS, dropout=dropout), preset("bert-tiny", width=WIDTH)
    )
    assert isinstance(found, SANHead)
    for parameter in found.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return found


def asked() -> GoalBatch:
    place = torch.arange(len(TEXT))
    return GoalBatch(
        place, torch.tensor(QUESTION), torch.tensor([2, 0, 1]), torch.tensor([1.0, 2.0, 0.5]), 3.5, "label",
        text=torch.tensor(TEXT),
    )  # fmt: skip


def states() -> torch.Tensor:
    return torch.randn(len(TEXT), WIDTH, generator=torch.Generator().manual_seed(1))


def softmax(scores: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.exp(scores - scores.max())
    return shares / shares.sum()


def sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-values)))


def transcribed(weights: dict[str, np.ndarray], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Liu et al. 2018, equations 3 to 7, and torch's GRU cell, one question at a time."""
    state = softmax(second @ weights["query.weight"][0]) @ second
    total = np.zeros(CLASSES)
    for _ in range(STEPS):
        read = softmax(first @ weights["bilinear.weight"].T @ state) @ first
        features = np.concatenate([state, read, np.abs(state - read), state * read])
        total += softmax(weights["linear.weight"] @ features + weights["linear.bias"])
        inside = np.split(weights["inputs.weight"] @ read + weights["inputs.bias"], 3)
        carried = np.split(weights["carried.weight"] @ state + weights["carried.bias"], 3)
        reset, update = (sigmoid(inside[k] + carried[k]) for k in range(2))
        state = (1 - update) * np.tanh(inside[2] + reset * carried[2]) + update * state
    return np.log(total / STEPS)


def test_it_is_the_transcription() -> None:
    """Witness: NumPy, question by question; the loss is the cross-entropy of the mean probabilities."""
    made, goal, x = head(), asked(), states()
    weights = {name: value.detach().double().numpy() for name, value in made.named_parameters()}
    rows = x.double().numpy()
    wanted = []
    for question in range(3):
        mine = np.array(QUESTION) == question
        parts = [rows[mine & (np.array(TEXT) == text)] for text in (0, 1)]
        wanted.append(transcribed(weights, *parts))
    found = made(x, goal)
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-4, atol=1e-5)
    loss = -(1.0 * wanted[0][2] + 2.0 * wanted[1][0] + 0.5 * wanted[2][1])
    assert float(made.loss(x, goal).sum.detach()) == pytest.approx(loss, rel=1e-4)


def test_its_gru_is_torchs() -> None:
    """Witness: torch.nn.GRUCell with the same weights."""
    made, cell = head(), torch.nn.GRUCell(WIDTH, WIDTH)
    cell.load_state_dict({
        "weight_ih": made.inputs.weight, "bias_ih": made.inputs.bias, "weight_hh": made.carried.weight,
        "bias_hh": made.carried.bias,
    })  # fmt: skip
    read, state = states()[:4], states()[4:8]
    torch.testing.assert_close(made._move(read, state), cell(read, state))


def test_a_step_of_each_question_is_kept() -> None:
    """Witness: counting: one step at least of each question, the others as often as the rate leaves them, and their size."""
    torch.manual_seed(0)
    kept = kept_steps(4000, STEPS, 0.9, torch.device("cpu"))[..., 0]
    assert kept.unique().tolist() == pytest.approx([0.0, 10.0], rel=1e-4) and (kept > 0).any(1).all()
    assert float((kept > 0).float().mean()) == pytest.approx((1 + 4 * 0.1) / STEPS, abs=0.01)
    made = head(dropout=0.5).train()
    assert torch.isfinite(made(states(), asked())).all()
    assert made.loss(states(), asked()).sum.requires_grad


ROWS = [
    {"premise": f"the sea on day {n}", "hypothesis": f"day {n % 3}", "label": ("no", "yes")[n % 2]} for n in range(8)
]
SIZE = ["--start", "none", "--model", "bert-tiny", "--vocab-size", "270", "--length", "2 steps", "--batch-size", "4"]


def flags(folder: Path, *more: str) -> list[str]:
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    words = [*SIZE, "--lr", "1e-3", "--task", "entailment", "--train", str(folder / "pairs.jsonl"), "--head-san", "3"]
    return ["finetune", *words, *more]


def test_a_run_has_it_and_goes_on_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Invariants: what is loaded answers as the training did; more of the same task goes on with the head; hf has none."""
    out = tmp_path / "run"
    assert main([*flags(tmp_path), "--out", str(out)]) == 0
    model = load_run(out).model
    settings: Any = model.settings.heads["label"]
    assert isinstance(model.head("label"), SANHead) and (settings.steps, settings.pooled) == (3, False)
    asked = ["--run", str(out), "--input", str(tmp_path / "pairs.jsonl"), "--output", str(tmp_path / "out.jsonl")]
    assert main(["predict", *asked]) == 0
    shares = json.loads((tmp_path / "out.jsonl").read_text().split("\n")[0])["probabilities"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    words = ["finetune", "--start", str(out), "--task", "entailment", "--train", str(tmp_path / "pairs.jsonl")]
    assert (
        main([*words, "--length", "1 steps", "--batch-size", "4", "--lr", "1e-9", "--out", str(tmp_path / "more")]) == 0
    )
    sentence = json.loads((tmp_path / "more" / "account.json").read_text())["head"]["sentence"]
    assert sentence.startswith("kept from the start")
    capsys.readouterr()
    assert main(["convert", str(out), "--to", "hf", "--out", str(tmp_path / "hf")]) == 2
    assert "several steps of attention" in capsys.readouterr().err and not (tmp_path / "hf").exists()


REFUSED = {
    "one text": (["--set", "task.name=classification", "--columns", "text=premise"], ["--head-san", "similarity"]),
    "two forms": (["--head-hidden", "8"], ["a head has one form", "--head-hidden"]),
    "left to right": (["--model", "gpt1-tiny"], ["seen both texts", "a bidirectional model"]),
    "apart": (["--pair-encoder", "bi"], ["--pair-encoder", "--head-san"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: exit code 2, one line, nothing written."""
    words, wanted = REFUSED[name]
    assert main([*flags(tmp_path, *words), "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert all(word in said for word in wanted) and not (tmp_path / "run").exists(), said
