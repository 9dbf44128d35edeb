"""What is chosen where a recipe leaves it open. Witnesses: the rule of docs/train.md by hand, and what is asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.build.chosen import choose_rate, choose_settings, choose_steps
from warmstart.build.labelled_data import LabelledData
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.record import Record
from warmstart.models.presets import preset
from warmstart.tasks.table import KINDS


def data(count: int, *, dev_is_train: bool = False) -> LabelledData:
    records = [Record({"text": f"day {n}"}, n % 2) for n in range(count)]
    return LabelledData("classification", ("cold", "warm"), records, records[:4], dev_is_train=dev_is_train)


def recipe(**flags: Any) -> FinetuneRecipe:
    named = {"start": "none", "model": "gpt1-mini", "task": "classification"} | flags
    return compose(FinetuneRecipe, flags={f"--{name.replace('_', '-')}": value for name, value in named.items()})


@pytest.mark.parametrize(
    ("count", "batch", "steps"), [(16, 16, 76), (64, 16, 132), (256, 16, 230), (10_000, 32, 995), (400_000, 32, 12_500)]
)
def test_steps(count: int, batch: int, steps: int) -> None:
    """Witness: 25 n^0.4 by a pocket calculator, and whole epochs of the largest."""
    assert choose_steps(count, -(-count // batch), starts=True) == steps
    few, epochs = 2 * 25 * count**0.4, 3 * -(-count // batch)
    assert choose_steps(count, epochs // 3, starts=False) == max(round(few), epochs)


def test_rates() -> None:
    """Witness: the rates at 384 wide; twice as wide half of it, words more, very narrow ones no more than three times."""
    mini, base, tiny = (preset(name) for name in ("gpt1-mini", "gpt1", "gpt1-tiny"))
    text, words = KINDS["classification"], KINDS["tagging"]
    assert (choose_rate(mini, text, True), choose_rate(mini, text, False)) == (5e-5, 3e-4)
    assert choose_rate(mini, KINDS["similarity"], True, apart=True) == 5e-6
    assert choose_rate(base, text, True) == 2.5e-5 and choose_rate(tiny, text, True) == pytest.approx(1.5e-4)
    assert (
        choose_rate(mini, words, True) == pytest.approx(2e-4) and choose_rate(preset("lstm-mini"), text, False) <= 3e-3
    )


def test_what_is_stated_stays() -> None:
    """Invariant: a recipe that states all is itself, without a word; each flag alone wins over the rule."""
    stated = {
        "head_init": "random",
        "scheme": "top",
        "length": "2 epochs",
        "batch_size": 5,
        "lr": "1e-3",
        "evaluate_every": "1 epoch",
    }
    whole = recipe(**stated)
    assert (
        choose_settings(whole, {"": data(300)}) == (found := choose_settings(whole, {"": data(300)}))
        and found.recipe == whole
    )
    assert found.words == ()
    for name, value in stated.items():
        chosen = choose_settings(recipe(**{name: value}), {"": data(300)}).recipe
        train = chosen.train
        shown = {key: getattr(train, key) for key in stated if key not in ("lr", "head_init", "scheme")}
        shown |= {"lr": train.optimizer.lr, "head_init": chosen.head_init, "scheme": chosen.scheme.kind}
        assert str(shown[name]) == str(float(value) if name == "lr" else value)
        assert all(one is not None for one in shown.values())


def test_how_often_dev_is_evaluated() -> None:
    """Invariant: many short epochs by tenths of the run, few long ones each, and once where nothing is held out."""
    every = [
        choose_settings(recipe(), {"": found}).recipe.train.evaluate_every
        for found in (data(16), data(20_000), data(16, dev_is_train=True))
    ]
    assert every == ["0.1 run", "1 epoch", "1 run"]


@pytest.mark.parametrize(
    ("length", "every"), [("2k steps", "0.1 run"), ("20steps", "1 epoch"), ("9 epochs", "1 epoch"), ("80 epochs", "0.1 run"),
                          ("1M tokens", "0.1 run")],
)  # fmt: skip
def test_a_length_of_ones_own_is_read_with_its_unit(length: str, every: str) -> None:
    """Witness: 300 examples in batches of 16 are 19 steps an epoch, by hand."""
    assert choose_settings(recipe(length=length), {"": data(300)}).recipe.train.evaluate_every == every


def test_a_run_says_and_keeps_what_was_chosen(tmp_path: Path) -> None:
    """Invariant: the recipe in the folder is whole, the words are those of explain; the same command finds its own run."""
    rows = [{"text": f"{('ice', 'sun')[n % 2]} on day {n}", "label": ("cold", "warm")[n % 2]} for n in range(24)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags: dict[str, Any] = {
        "start": "none", "model": "gpt1-tiny", "task": "classification", "train": str(path), "vocab_size": 300,
        "precision": "fp32",
    }  # fmt: skip
    said = "\n".join(warmstart.explain("finetune", **flags)["words"])
    assert "chosen     178 steps, batches of 16, rate 0.0009, by 24 training examples and random weights" in said
    assert "24 training, no dev; 0 of 24 training examples held out as dev: of fewer than 200 all" in said
    report = warmstart.finetune(str(tmp_path / "run"), **flags)
    assert (report["steps"], report["split"]) == (178, "train")
    kept = compose(FinetuneRecipe, recipe=str(tmp_path / "run" / "config.yaml"))
    assert (kept.train.length, kept.train.batch_size, kept.train.evaluate_every) == ("178 steps", 16, "1 run")
    with pytest.raises(BadInput, match="holds this run, and it is finished"):
        warmstart.finetune(str(tmp_path / "run"), **flags)
    with pytest.raises(BadInput, match="another run, with another recipe"):
        warmstart.finetune(str(tmp_path / "run"), **flags, lr=1e-3)
