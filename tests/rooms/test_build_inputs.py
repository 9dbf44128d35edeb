"""Models that read the states of language models, from the command line: what fits, what is kept, what a run remembers."""

import json
import random
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import warmstart
from warmstart.base.errors import BadInput
from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.cli.main import main
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.models.files import read_tensors
from warmstart.study.factors import list_arms
from warmstart.train.loop import Trainer
from warmstart.transfer.folder import load_model, load_settings
from warmstart.verbs.api import evaluate, generate

WORDS = tuple("red green blue fox hen runs".split())  # noqa: SIM905
GPT = ["--model", "gpt1-tiny", "--norm", "pre", "--context", "24"]
MODELS = {
    "gpt": GPT, "short": [*GPT[:-1], "12"], "backward": [*GPT, "--objective", "backward"],
    "elmo": ["--model", "lstm-tiny", "--layers", "2", "--objective", "both", "--set", "model.directions=2"],
    "pairs": ["--model", "encoder-decoder-tiny", "--objective", "masked-span", "--context", "24"],
}  # fmt: skip


def run(*words: str) -> int:
    return main([*words, "--quiet"])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs, labelled texts, one vocabulary and tiny language models of several kinds."""
    folder, draw = tmp_path_factory.mktemp("inputs"), random.Random(0)
    texts = [" ".join(draw.choice(WORDS) for _ in range(draw.randint(3, 5))) for _ in range(60)]
    rows = [{"source": text, "target": " ".join(text.split()[:2]).upper()} for text in texts]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    labelled = [{"text": text, "label": str("fox" in text)} for text in texts]
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labelled))
    tagged = [{"tokens": text.split(), "tags": [str(word == "fox") for word in text.split()]} for text in texts]
    (folder / "tags.jsonl").write_text("".join(json.dumps(row) + "\n" for row in tagged))
    both = (*texts, *(text.upper() for text in texts))
    (folder / "both.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in both))
    for name, size in (("both", "300"), ("other", "280")):
        assert run("prepare", f"{folder}/both.jsonl", "--vocab-size", size, "--out", f"{folder}/{name}") == 0
    for number, (name, words) in enumerate(MODELS.items()):
        words = [
            "--corpus",
            f"{folder}/both",
            "--length",
            "3 steps",
            "--precision",
            "fp32",
            "--seed",
            str(number),
            *words,
        ]
        assert run("pretrain", *words, "--out", str(folder / name)) == 0
    return folder


def words_of(home: Path, *more: str, task: str = "seq2seq") -> list[str]:
    files = {"seq2seq": "pairs", "classification": "labels", "tagging": "tags"}[task]
    model = ["--model", "encoder-decoder-tiny"] if task == "seq2seq" and "--model" not in more else []
    limits = ["--source-limit", "12", "--target-limit", "8"] if task == "seq2seq" else []
    words = ["--task", task, "--train", f"{home}/{files}.jsonl", "--dev", f"{home}/{files}.jsonl", *model, *limits]
    words += ["--precision", "fp32", "--batch-size", "16", *(word.replace("HOME", str(home)) for word in more)]
    return words if "--start" in more else ["--start", "none", *words]


def built(home: Path, *more: str, task: str = "seq2seq") -> tuple[FinetuneRecipe, Finetuning]:
    words = [*words_of(home, *more, task=task), "--length", "1 steps", "--lr", "1e-3", "--head-init", "random"]
    given = list(zip(words[::2], words[1::2], strict=True))
    sets = [value for flag, value in given if flag == "--set"]
    recipe = compose(FinetuneRecipe, flags={flag: value for flag, value in given if flag != "--set"}, sets=sets)
    return recipe, build_finetuning(recipe)


def stop_at(step: int) -> Any:
    """Ctrl-C comes in the middle of a step."""
    whole = Trainer._step

    def one(trainer: Trainer, bar: Any) -> None:
        if trainer.state.step == step - 1:
            signal.raise_signal(signal.SIGINT)
        whole(trainer, bar)

    return one


SIDES = ("--source-inputs", "HOME/elmo", "--target-inputs", "HOME/gpt")


def test_the_language_models_are_read_as_they_are(home: Path) -> None:
    """Witness: the tensors in their files; all else is new, by the account."""
    recipe, found = built(home, *SIDES)
    model, account = found.fresh(recipe)
    assert account is not None
    for side, name in (("encoder", "elmo"), ("decoder", "gpt")):
        for tensor, value in load_model(home / name).state_dict().items():
            own = tensor.removeprefix("backbone.")
            if not own.startswith(("output", "heads.")):
                assert torch.equal(model.get_parameter(f"backbone.{side}.inputs.lm.{own}"), value), own
    assert all(".inputs.lm." in name for name in account.loaded)
    assert "backbone.encoder.inputs.below.mix.scores" in account.initialised
    assert list_arms(recipe.model_copy(update={"control": True}))["scratch"].inputs.source is None


def test_tokens_that_a_language_model_does_not_know_are_the_end_to_it(home: Path) -> None:
    """Invariant: the task's own special tokens have the row of what ends a text; all other rows are those of the file."""
    recipe, found = built(home, "--text-inputs", "HOME/elmo", task="classification")
    model, _ = found.fresh(recipe)
    known = load_model(home / "elmo").backbone.tokens.weight
    rows = model.get_parameter("backbone.inputs.lm.tokens.weight")
    end = found.tokenizer.token_to_id("<|endoftext|>")  # type: ignore[union-attr]
    assert len(rows) == found.tokenizer.vocab_size > len(known) and torch.equal(rows[: len(known)], known)
    assert (rows[len(known) :] == rows[end]).all()
    assert found.criterion.coefficients == {"label": 1.0}
    assert list_arms(recipe.model_copy(update={"control": True}))["scratch"].lm_weight == 0


@pytest.mark.parametrize("kind", ["mix", "tune"])
def test_a_run_holds_its_language_models(
    home: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant: trained, stopped and resumed bit for bit, evaluated and searched with beams, with the start moved away."""
    (tmp_path / "lms").mkdir()
    for name in ("elmo", "gpt"):
        (home / name).rename(tmp_path / "lms" / name)
    sides = [word.replace("HOME", str(tmp_path / "lms")) for word in SIDES]
    words = ["finetune", *words_of(home, *sides, "--inputs", kind), "--lr", "1e-3", "--length", "4 steps"]
    assert run(*words, "--out", str(tmp_path / "whole")) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", stop_at(2))
        assert run(*words, "--out", str(tmp_path / "again")) == 130
    assert run(*words, "--resume", "--out", str(tmp_path / "again")) == 0
    whole = read_tensors(tmp_path / "whole" / "model.safetensors")
    again = read_tensors(tmp_path / "again" / "model.safetensors")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    for name in ("elmo", "gpt"):
        given = load_model(tmp_path / "lms" / name).backbone.tokens.weight
        side = "encoder" if name == "elmo" else "decoder"
        assert torch.equal(whole[f"backbone.{side}.inputs.lm.tokens.weight"], given) is (kind == "mix")
        (tmp_path / "lms" / name).rename(home / name)
    report = json.loads((tmp_path / "again" / "report.json").read_text())
    found = evaluate(str(tmp_path / "again"), f"{home}/pairs.jsonl", precision="fp32", beam=3)
    assert found["examples"] == 60 and "account.json" in {path.name for path in (tmp_path / "again").iterdir()}
    assert report["steps"] == 4 and {*load_settings(tmp_path / "again").inputs} == {"encoder", "decoder"}
    texts = generate(str(tmp_path / "again"), prompt="red fox runs", max_new=4)
    assert texts


def test_a_run_goes_on_from_one_that_reads_a_language_model(home: Path, tmp_path: Path) -> None:
    """Invariant: a fine-tuning that starts from such a run begins with all of its weights, those of its inputs too."""
    first, words = tmp_path / "first", words_of(home, "--text-inputs", "HOME/elmo", task="classification")
    assert run("finetune", *words, "--length", "2 steps", "--lr", "1e-3", "--out", str(first)) == 0
    recipe, found = built(home, "--start", str(first), task="classification")
    model, account = found.fresh(recipe)
    assert account is not None and account.weights_initialised == 0
    expected = load_model(first).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    with pytest.raises(BadInput, match=r"--text-inputs: a start decides what its tokens are read as"):
        built(home, "--start", str(first), "--text-inputs", "HOME/gpt", task="classification")
    assert run("pretrain", "--corpus", f"{home}/both", "--start", str(first), "--out", str(tmp_path / "lm")) == 2


def test_the_dry_run_says_what_the_inputs_cost(home: Path) -> None:
    """Witness: the weights of both models, counted; times are measured, so only that each part has one."""
    flags: dict[str, Any] = {
        "task": "seq2seq",
        "train": f"{home}/pairs.jsonl",
        "dev": f"{home}/pairs.jsonl",
        "start": "none",
    }
    flags |= {"model": "encoder-decoder-tiny", "source_inputs": f"{home}/elmo", "length": "2 steps", "target_limit": 8}
    [line] = [one for one in warmstart.explain("finetune", **flags)["words"] if one.startswith("inputs ")]
    recipe, found = built(home, "--source-inputs", "HOME/elmo")
    plain = built(home)[1].fresh(recipe)[0]
    more = found.fresh(recipe)[0].num_parameters - plain.num_parameters
    lm = load_model(home / "elmo")
    assert more > lm.num_parameters - lm.backbone.output.weight.numel()  # type: ignore[union-attr]
    assert "encoder (mix, 2 layers in two directions" in line and f"{more:+,} parameters" in line
    for part in ("training", "evaluations on dev", "final decoding"):
        assert re.search(part + r" [+-]\d+% tokens/s", line), line


REFUSED: dict[str, tuple[tuple[str, ...], str, str]] = {
    "ahead": (("--target-inputs", "HOME/elmo"), "seq2seq", "by the target: it sees what is not written yet"),
    "backward": (("--source-inputs", "HOME/backward"), "seq2seq", "by the source: it reads from the end"),
    "from the end": (("--encoder-start", "HOME/backward"), "seq2seq", "language model reads texts from their end"),
    "pairs": (("--source-inputs", "HOME/pairs"), "seq2seq", "by the source: it is an encoder-decoder"),
    "other": (("--source-inputs", "HOME/gpt", "--tokenizer", "HOME/other"), "seq2seq", "another vocabulary than the model"),
    "short": (("--source-inputs", "HOME/short", "--source-limit", "16"), "seq2seq", "got 16; allowed: up to 12"),
    "endless": (("--text-inputs", "HOME/gpt", "--model", "lstm-tiny"), "classification", "add --context 24"),
    "no side": (("--source-inputs", "HOME/gpt"), "classification", "a Transformer has no encoder"),
    "two sides": (("--text-inputs", "HOME/gpt"), "seq2seq", "an encoder-decoder reads two texts"),
    "above": (("--source-inputs", "HOME/gpt", "--inputs-at", "both"), "seq2seq", "--inputs-at: an encoder-decoder reads"),
    "nothing": (("--inputs", "tune"), "seq2seq", "how inputs are read, of which none are named"),
    "untied": (("--target-inputs", "HOME/gpt", "--set", "model.tied=false"), "seq2seq", "reads no table of its own"),
    "lm": (("--text-inputs", "HOME/elmo", "--lm-weight", "0.5"), "classification", "cannot read states that know of them"),
    "writes": (("--text-inputs", "HOME/gpt", "--model", "gpt1-tiny"), "seq2seq", "cannot read states that know of them"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(
    home: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the sentence, exit code 2, and nothing written."""
    words, task, sentence = REFUSED[name]
    assert run("finetune", *words_of(home, *words, task=task), "--out", str(tmp_path / "run")) == 2
    error = capsys.readouterr().err
    assert sentence in error and "allowed: " in error
    assert not (tmp_path / "run").exists()


def test_any_model_may_read_a_language_model(home: Path) -> None:
    """Invariant: one step of each kind of backbone, beside its own embeddings or in their place."""
    cases: list[tuple[str, tuple[str, ...], str]] = [
        ("classification", ("--text-inputs", "HOME/gpt", "--context", "24"), "lstm-tiny"),
        ("classification", ("--text-inputs", "HOME/elmo"), "bert-tiny"),
        ("tagging", ("--text-inputs", "HOME/elmo", "--inputs-at", "both"), "gpt1-tiny"),
        ("seq2seq", ("--source-inputs", "HOME/elmo"), "lstm-encoder-decoder-tiny"),
    ]
    for task, inputs, name in cases:
        more: tuple[str, ...] = ("--model", name, *inputs)
        recipe, found = built(home, *more, task=task)
        model, _ = found.fresh(recipe)
        losses: dict[str, Any] = model(found.stream(recipe).batches(0)[0])
        assert all(bool(loss.sum.isfinite()) for loss in losses.values())
