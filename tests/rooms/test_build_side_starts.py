"""The two stacks of an encoder-decoder started from language models, which go on learning beside the pairs."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.build.labelled_data import LabelledData
from warmstart.cli.main import main
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.config.study import StudyRecipe
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.files import read_tensors
from warmstart.study.designs import DESIGNS
from warmstart.study.factors import list_arms
from warmstart.transfer.folder import load_model
from warmstart.verbs.api import evaluate, generate

WORDS = tuple("red green blue fox hen runs".split())  # noqa: SIM905
TINY = ["--set", "model.width=24", "--set", "model.embedding_width=16", "--context", "24"]
TRANSFORMER = ["--model", "gpt1-tiny", "--set", "model.width=24", "--context", "24", "--norm", "pre"]


def run(*words: str) -> int:
    return main([*words, "--quiet"])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs, text of either side, one vocabulary for both, and a tiny language model of each side."""
    folder, draw = tmp_path_factory.mktemp("sides"), random.Random(0)
    texts = [" ".join(draw.choice(WORDS) for _ in range(draw.randint(3, 5))) for _ in range(120)]
    (folder / "source").write_text("".join(text + "\n" for text in texts))
    (folder / "target").write_text("".join(text.upper() + "\n" for text in texts))
    rows = [{"source": text, "target": " ".join(text.split()[:2]).upper()} for text in texts]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    both = (*texts, *(text.upper() for text in texts))
    (folder / "both.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in both))
    assert run("prepare", f"{folder}/both.jsonl", "--vocab-size", "300", "--out", f"{folder}/both") == 0
    models = {"source-lm": ["--model", "lstm-tiny", *TINY], "target-lm": ["--model", "lstm-tiny", *TINY]}
    masked = ["--objective", "masked", "--model", "bert-tiny", "--set", "model.width=24", "--context", "24"]
    models |= {"bert": masked, "deep-gpt": [*TRANSFORMER, "--layers", "3", "--norm", "post", "--activation", "gelu"]}
    models["deep-gpt"] += ["--set", "model.embedding_norm=true"]
    models |= {"gpt": TRANSFORMER, "wide": ["--model", "lstm-tiny"], "deep-lm": [*models["source-lm"], "--layers", "2"]}
    for number, (name, size) in enumerate(models.items()):
        words = ["--corpus", f"{folder}/both", "--length", "3 steps", "--precision", "fp32", "--seed", str(number)]
        assert run("pretrain", *words, *size, "--out", str(folder / name)) == 0
    assert run("prepare", f"{folder}/both.jsonl", "--vocab-size", "280", "--out", f"{folder}/other") == 0
    small = ["pretrain", "--corpus", f"{folder}/other", "--model", "lstm-tiny", *TINY, "--length", "1 steps"]
    assert run(*small, "--out", str(folder / "other-lm")) == 0
    return folder


def words_of(home: Path, *more: str) -> list[str]:
    files = ["--task", "seq2seq", "--train", f"{home}/pairs.jsonl", "--dev", f"{home}/pairs.jsonl", "--dropout", "0"]
    model = ["--set", "model.width=24"]
    if "--model" not in more:
        model += ["--model", "lstm-encoder-decoder-tiny", "--set", "model.embedding_width=16"]
    limits = ["--source-limit", "12", "--target-limit", "8", "--precision", "fp32", "--batch-size", "16"]
    return ["--start", "none", *files, *model, *limits, *(word.replace("HOME", str(home)) for word in more)]


BOTH = ("--encoder-start", "HOME/source-lm", "--decoder-start", "HOME/target-lm")
TEXTS = ("--source-text", "HOME/source", "--target-text", "HOME/target")


def built(home: Path, *more: str) -> tuple[FinetuneRecipe, Finetuning]:
    words = [*words_of(home, *more), "--length", "1 steps", "--lr", "1e-3"]
    given = list(zip(words[::2], words[1::2], strict=True))
    sets = [value for flag, value in given if flag == "--set"]
    recipe = compose(FinetuneRecipe, flags={flag: value for flag, value in given if flag != "--set"}, sets=sets)
    return recipe, build_finetuning(recipe)


@pytest.mark.parametrize("sides", [BOTH, BOTH[:2], BOTH[2:]], ids=["both", "encoder", "decoder"])
def test_each_side_begins_as_its_language_model(home: Path, sides: tuple[str, ...]) -> None:
    """Witness: the tensors in the files of both language models; all else is new, by the account."""
    recipe, found = built(home, *sides)
    model, account = found.fresh(recipe)
    assert account is not None
    taken = {"encoder": ("tokens", "blocks.0"), "decoder": ("tokens", "blocks.0", "output")}
    expected = set()
    for side, lm in (("encoder", "source-lm"), ("decoder", "target-lm")):
        if f"--{side}-start" not in sides:
            continue
        tensors = read_tensors(home / lm / "model.safetensors")
        for name, tensor in tensors.items():
            own = name.removeprefix("backbone.")
            if own.startswith(taken[side]):
                here = model.get_parameter(f"backbone.{side}.{own}")
                assert torch.equal(here[: len(tensor)], tensor)
                expected.add(f"backbone.{side}.{own}")
    assert {name.split("[")[0] for name in account.loaded} == expected
    assert "backbone.decoder.mix.weight" in account.initialised


def test_a_study_sets_random_weights_beside_starts_of_sides(home: Path) -> None:
    """Witness: Ramachandran et al. 2016, the ablation: the row without pre-training has neither language model."""
    words = [*words_of(home, *BOTH), "--length", "1 steps", "--lr", "1e-3", "--seeds", "1"]
    given = list(zip(words[::2], words[1::2], strict=True))
    sets = [value for flag, value in given if flag == "--set"]
    flags = {flag: value for flag, value in given if flag != "--set"} | {"DESIGN": "ablation"}
    recipe = compose(StudyRecipe, flags=flags, sets=sets)
    [cells] = DESIGNS["ablation"].rounds(recipe, LabelledData("seq2seq", (), [], []))
    assert [(cell.row, cell.recipe.encoder_start, cell.recipe.decoder_start) for cell in cells] == [
        ("full", f"{home}/source-lm", f"{home}/target-lm"), ("no pre-training", None, None),
    ]  # fmt: skip


def test_a_study_whose_first_trial_is_refused_leaves_nothing(home: Path, tmp_path: Path) -> None:
    """Bad input: what only building a model finds; a folder for trials that was there stays."""
    (tmp_path / "shared").mkdir()
    words = [
        "study",
        "labels",
        "--sizes",
        "50%",
        *words_of(home, "--encoder-start", "HOME/wide"),
        "--length",
        "1 steps",
    ]
    for more in ([], ["--trials", str(tmp_path / "shared")]):
        assert run(*words, "--lr", "1e-3", *more, "--out", str(tmp_path / "a" / "study")) == 2
        assert [*tmp_path.iterdir()] == [tmp_path / "shared"] and not any((tmp_path / "shared").iterdir())


def test_of_a_deeper_language_model_the_first_layer_starts_a_side(home: Path) -> None:
    """Witness: Ramachandran et al. 2016: of the encoder its tokens and first layer, all other layers random."""
    recipe, found = built(home, "--encoder-start", "HOME/deep-lm")
    account = found.fresh(recipe)[1]
    assert account is not None
    assert {name.split(".")[2] for name in account.loaded} == {"tokens", "blocks"}
    assert "backbone.encoder.blocks.1.cells.0.input.weight" in account.initialised


def test_texts_of_one_side_go_with_the_pairs(home: Path) -> None:
    """Law of order: which texts go with a pair follows from the epoch and its number; each pair has one of each side."""
    recipe, found = built(home, *BOTH, *TEXTS, "--source-lm-weight", "0.5")
    stream = found.stream(recipe)
    [batch], [again], [other] = stream.batches(0), stream.batches(0), stream.batches(stream.steps_per_epoch)
    assert torch.equal(batch.ids, again.ids) and not torch.equal(batch.ids, other.ids)
    assert found.criterion.coefficients == {"lm": 1.0, "source_lm": 0.5, "target_lm": 1.0}
    assert len(batch.lengths) == 3 * batch.num_records == 48
    decode = found.tokenizer.decode  # type: ignore[union-attr]
    lines = {side: (home / side).read_text().splitlines() for side in ("source", "target")}
    firsts = np.cumsum(batch.lengths) - batch.lengths
    for number, (first, length) in enumerate(zip(firsts, batch.lengths, strict=True)):
        text = decode(batch.ids[first : first + length].tolist())
        if number % 3:
            assert text.strip() in lines["source" if number % 3 == 1 else "target"]


def test_the_control_has_the_same_model_without_its_starts(home: Path) -> None:
    """Invariant: the same settings, vocabulary, texts and goals; other weights."""
    recipe, found = built(home, *BOTH, *TEXTS, "--control", "true")
    arms = list_arms(recipe)
    assert [*arms] == ["pretrained", "scratch"]
    control = build_finetuning(arms["scratch"], found.data, found)
    assert control.settings.backbone.model_copy(update={"embedding_std": 0.1}) == found.settings.backbone
    assert control.tokenizer.fingerprint == found.tokenizer.fingerprint
    assert (
        control.criterion.coefficients == found.criterion.coefficients and control.task.training is found.task.training
    )
    assert control.fresh(arms["scratch"])[1] is None


def test_two_transformers_start_an_encoder_decoder(home: Path) -> None:
    """Witness: the tensors of the language model as it is loaded alone; an encoder sees its whole text."""
    size = ("--model", "encoder-decoder-tiny")
    recipe, found = built(home, *size, "--decoder-start", "HOME/gpt")
    model, account = found.fresh(recipe)
    assert account is not None
    for name, tensor in load_model(home / "gpt").state_dict().items():
        here = model.state_dict()[name.replace("backbone.", "backbone.decoder.")]
        assert torch.equal(here[: len(tensor)], tensor[: len(here)])
    with pytest.raises(BadInput, match="encoder's language model has another sight"):
        built(home, *size, "--encoder-start", "HOME/gpt")


PAIR = ("--model", "encoder-decoder-tiny")


def test_a_bert_starts_an_encoder_and_goes_on_guessing(home: Path) -> None:
    """Witness: its own states and logits of a source alone; 15 % of the text is masked, and stands there as it was."""
    recipe, found = built(home, *PAIR, "--encoder-start", "HOME/bert", "--source-text", "HOME/source")
    model, account = found.fresh(recipe)
    assert account is not None and "backbone.segments.weight[1:2]" in account.unused
    bert = load_model(home / "bert").eval()
    [batch] = found.stream(recipe).batches(0)
    text = batch.goals["source_lm"]
    alone = collate([[Example.full_sight(batch.ids.numpy()[:5], {})]])
    with torch.no_grad():
        theirs, ours = bert.backbone(alone), model.eval().backbone(alone)
        torch.testing.assert_close(ours, theirs)
        table = model.backbone.tables().encoder_softmax
        assert table is not None
        theirs_table = bert.backbone.tables().softmax
        assert theirs_table is not None
        torch.testing.assert_close(
            table.softmax(ours).logits(slice(None)), theirs_table.softmax(theirs).logits(slice(None))
        )
    noise = found.tokenizer.special_token_id("mask")  # type: ignore[union-attr]
    assert (batch.ids[text.reads] == noise).any() and not (text.targets == noise).any()


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_the_losses_of_texts_reach_pre_trained_weights_only(home: Path, kind: str) -> None:
    """Ramachandran et al. 2016: L_src and L_tgt touch nothing but what the account says was loaded."""
    starts = BOTH if kind == "lstm" else (*PAIR, "--encoder-start", "HOME/bert", "--decoder-start", "HOME/deep-gpt")
    recipe, found = built(home, *starts, *TEXTS, "--side-losses", "alternating")
    model, account = found.fresh(recipe)
    assert account is not None
    for batch in found.stream(recipe).batches(0):
        assert batch.goals.keys() == {"source_lm", "target_lm"}
        sum(loss.sum for loss in model(batch).values()).backward()  # type: ignore[union-attr]
    reached = {name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert reached <= {name.split("[")[0] for name in account.loaded}
    assert {name.split(".")[1] for name in reached} == {"encoder", "decoder"}


def test_texts_and_pairs_in_turns(home: Path) -> None:
    """Ramachandran et al. 2016: a step on both texts of each pair, then a step on these pairs; resumed by number."""
    recipe, found = built(home, *BOTH, *TEXTS, "--side-losses", "alternating")
    plain, together = built(home, *BOTH, *TEXTS)
    stream, summed = found.stream(recipe), together.stream(plain)
    assert stream.steps_per_epoch == 2 * summed.steps_per_epoch
    for number in (0, 5):
        [texts], [pairs], [both] = stream.batches(2 * number), stream.batches(2 * number + 1), summed.batches(number)
        assert texts.goals.keys() == {"source_lm", "target_lm"} and pairs.goals.keys() == {"lm"}
        assert texts.num_tokens + pairs.num_tokens == both.num_tokens
        for goal, batch in {"source_lm": texts, "target_lm": texts, "lm": pairs}.items():
            assert torch.equal(batch.goals[goal].targets, both.goals[goal].targets)


def test_frozen_tables_stay(home: Path, tmp_path: Path) -> None:
    """Witness: the files of the language models, after a training of all else; without a start they are refused."""
    words = words_of(home, *BOTH, "--freeze-tables", "true", "--length", "3 steps", "--lr", "1e-2", "--retries", "0")
    assert run("finetune", *[word for word in words if word != "true"], "--out", str(tmp_path / "run")) == 0
    trained = read_tensors(tmp_path / "run" / "model.safetensors")
    for side, lm in (("encoder", "source-lm"), ("decoder", "target-lm")):
        start = read_tensors(home / lm / "model.safetensors")
        assert torch.equal(trained[f"backbone.{side}.tokens.weight"], start["backbone.tokens.weight"])
        moved = "blocks.0.cells.0.input.weight"
        assert not torch.equal(trained[f"backbone.{side}.{moved}"], start[f"backbone.{moved}"])
    assert torch.equal(trained["backbone.decoder.output.weight"], start["backbone.output.weight"])
    recipe, found = built(home, *BOTH[2:], "--freeze-tables", "true")
    with pytest.raises(BadInput, match=r"--freeze-tables: .*got 'encoder.tokens.weight"):
        found.fresh(recipe)


def test_the_whole_road(home: Path, tmp_path: Path) -> None:
    """Trained, evaluated and generated through the command line; the losses of all three goals are in the log."""
    words = words_of(home, *BOTH, *TEXTS, "--length", "6 epochs", "--lr", "1e-2", "--seed", "3", "--retries", "0")
    assert run("finetune", *words, "--out", str(tmp_path / "run")) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row["losses"] for row in rows if row["kind"] == "train"]
    assert steps[0].keys() == {"lm", "source_lm", "target_lm"}
    assert all(steps[-1][goal] < steps[0][goal] - 0.5 for goal in steps[0])
    report: dict[str, Any] = evaluate(str(tmp_path / "run"), f"{home}/pairs.jsonl")
    assert report["metrics"]["loss"] < 3  # 5.7 at first
    found = generate(str(tmp_path / "run"), ["red fox runs", "blue hen"], beam=2, best=2)
    assert len(found) == 4 and all(one["text"] == one["text"].upper() for one in found)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--encoder-start", "HOME/other-lm"), "another vocabulary than the model"),
        (("--encoder-start", "HOME/wide"), "language model has another width"),
        (("--decoder-start", "HOME/gpt"), "language model has another kind"),
        (("--model", "lstm-tiny", "--decoder-start", "HOME/target-lm"), "an LSTM has no decoder"),
        (("--start", "HOME/gpt", "--decoder-start", "HOME/gpt"), "another for one of its sides"),
        (("--model", "lstm-tiny", "--target-text", "HOME/target"), "reads no text of one side alone"),
        (("--target-text", "/dev/null"), "no text to learn from"),
        (("--source-lm-weight", "2"), "weight of a text that is not named"),
        (("--side-losses", "alternating"), "no language model that could learn between the pairs"),
        ((*PAIR, "--source-text", "HOME/source", "--decoder-start", "HOME/deep-gpt"), "the vocabulary has no mask"),
        (
            (*PAIR, "--layers", "4", "--target-text", "HOME/target", "--decoder-start", "HOME/deep-gpt"),
            "layers that its language model has not",
        ),
    ],
)
def test_bad_input(home: Path, more: tuple[str, ...], words: str) -> None:
    """Bad input: a language model that does not fit its side, and text that nobody could learn from."""
    if "other-lm" in more[-1]:
        more = (*more, "--decoder-start", "HOME/target-lm")
    with pytest.raises(BadInput, match=words):
        built(home, *more)
