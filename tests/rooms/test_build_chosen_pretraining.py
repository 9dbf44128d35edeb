"""What a pre-training chooses by itself. Witnesses: the rule of docs/train.md by hand, and what is asked for."""

from pathlib import Path
from typing import Any

import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.build.chosen_pretraining import choose_batch, choose_length, choose_model, choose_rate, choose_settings
from warmstart.config.load import compose
from warmstart.config.schema import PretrainRecipe
from warmstart.models.presets import preset
from warmstart.objectives.table import find_objective

MINI = preset("modern-mini")


def recipe(**flags: Any) -> PretrainRecipe:
    given: dict[str, Any] = {"--corpus": ["books"]}
    return compose(
        PretrainRecipe, flags=given | {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
    )


def test_the_length_is_the_shorter_of_four_readings_and_twenty_tokens_a_weight() -> None:
    """Witness: Muennighoff et al. 2023 and Hoffmann et al. 2022 by a pocket calculator."""
    assert choose_length(5_108_435, 12_585_600) == "4 epochs"  # 20M tokens of the 252M that the weights could take
    assert choose_length(62_900_000, 12_585_600) == "4 epochs"
    assert choose_length(63_000_000, 12_585_600) == "250M tokens"
    assert choose_length(10**9, 4_000_512) == "80M tokens"


@pytest.mark.parametrize(
    ("length", "rows"), [("4 epochs", 16), ("1M tokens", 16), ("500k tokens", 8), ("20k tokens", 1), ("9 steps", 16)]
)
def test_a_step_reads_4096_tokens_where_there_are_250_of_them(length: str, rows: int) -> None:
    """Witness: rows of 256 tokens, counted by hand."""
    assert choose_batch(length, num_tokens=5_000_000, context=256) == rows


def test_rates() -> None:
    """Witness: those at 384 wide; half at 768; a trained start goes on with four times the rate of its fine-tuning."""
    wide, lstm = preset("modern"), preset("lstm-mini", width=384)
    assert choose_rate(wide, "muon", starts=False) == pytest.approx(choose_rate(MINI, "muon", starts=False) / 2)
    assert (choose_rate(MINI, "adamw", starts=False), choose_rate(lstm, "adamw", starts=False)) == (1e-3, 2e-3)
    assert choose_rate(MINI, "adamw", starts=True) == 2e-4 and choose_rate(wide, "adamw", starts=True) == 1e-4


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [("modern-mini", "none", "muon"), ("gpt1-mini", "none", "muon"), ("lstm-mini", "none", "adamw"),
     ("gpt1", "none", "adamw"), ("bert-mini", "none", "adamw"), ("modern-mini", "runs/lm", "adamw")],
)  # fmt: skip
def test_a_transformer_from_random_weights_learns_by_muon(name: str, start: str, kind: str) -> None:
    """Witness: docs/results/modern.md, where norms come first; of post-norm and of starts nothing is known."""
    assert choose_settings(recipe(start=start), preset(name), 10**6).recipe.train.optimizer.kind == kind


def test_what_is_stated_stays() -> None:
    """Invariant: a recipe that states all is itself, without a word; each flag alone wins over the rule."""
    stated = {"length": "2 epochs", "batch_size": 5, "lr": "1e-3", "optimizer": "adam-2018"}
    whole = choose_settings(recipe(**stated), MINI, 10**6)
    assert whole.recipe == recipe(**stated) and whole.words == ()
    for name, value in stated.items():
        train = choose_settings(recipe(**{name: value}), MINI, 10**6).recipe.train
        found = {"length": train.length, "batch_size": train.batch_size, "lr": train.optimizer.lr}
        found["optimizer"] = train.optimizer.kind
        assert found[name] == (1e-3 if name == "lr" else value) and None not in found.values()


def test_the_obvious_command_says_and_keeps_what_was_chosen(tmp_path: Path) -> None:
    """Invariant: the recipe in the folder is whole, the words are those of explain; the same command finds its own run."""
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(f"The fox number {n} runs over the hill and back." for n in range(20)))
    flags: dict[str, Any] = {"corpus": str(text), "vocab_size": 257, "context": 64, "precision": "fp32"}
    flags |= {"layers": 1, "width": 12, "hidden": 16}
    said = "\n".join(warmstart.explain("pretrain", **flags)["words"])
    assert (
        "chosen     4 epochs of 949 tokens, since further readings of a text teach little (20 tokens a weight" in said
    )
    assert "optimizer muon, rate 0.012, batches of 1, by the model, its start and the length" in said
    report = warmstart.pretrain(str(tmp_path / "run"), **flags)
    kept = compose(PretrainRecipe, recipe=str(tmp_path / "run" / "config.yaml"))
    assert (kept.train.length, kept.train.batch_size, kept.train.optimizer.kind) == ("4 epochs", 1, "muon")
    assert report["steps"] == 4 * 14
    with pytest.raises(BadInput, match="holds this run, and it is finished"):
        warmstart.pretrain(str(tmp_path / "run"), **flags)
    with pytest.raises(BadInput, match="another run, with another recipe"):
        warmstart.pretrain(str(tmp_path / "run"), **flags, lr=1e-3)


@pytest.mark.parametrize(
    ("objective", "num_tokens", "given", "name"),
    [("causal", 3_000_000, {}, "modern-micro"), ("causal", 3_200_000, {}, "modern-mini"),
     ("backward", 3_200_000, {"length": "1 epoch"}, "modern-micro"), ("causal", 99, {"length": "9 steps"}, "modern-mini"),
     ("masked", 9**9, {}, "bert-mini"), ("causal", 99, {"model": "gpt1-mini"}, "gpt1-mini"),
     ("causal", 99, {"width": 96}, None), ("causal", 99, {"start": "runs/lm"}, None)],
)  # fmt: skip
def test_a_model_reads_at_least_as_many_tokens_as_it_has_weights(
    objective: str, num_tokens: int, given: dict[str, Any], name: str | None
) -> None:
    """Witness: the counts of the presets (12.6M weights with 8,192 tokens), and what is named."""
    found = choose_model(recipe(**given), find_objective(objective), 8192, num_tokens)
    assert found.recipe.model.preset == name
    assert bool(found.words) == (name is not None and "model" not in given)
