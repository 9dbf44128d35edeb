"""Fine-tuning by each scheme, from the verb to the folder it leaves."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import warmstart
from warmstart.base.errors import BadInput
from warmstart.base.run_folder import RunFolder
from warmstart.build.finetuning import build_finetuning
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.models.files import read_tensors
from warmstart.study.run import plan_study

SHORT: dict[str, Any] = {"precision": "auto", "batch_size": 4, "task": "classification"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a language model ``lm`` and rows of two classes."""
    home = tmp_path_factory.mktemp("schemes")
    (home / "text.txt").write_text("\n\n".join(f"The fox number {n} runs over the hill." for n in range(60)))
    rows = [{"text": f"a {('dull', 'fine')[n % 2]} film {n}", "label": ("neg", "pos")[n % 2]} for n in range(16)]
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    warmstart.pretrain(
        str(home / "lm"), corpus=str(home / "text.txt"), vocab_size=270, model="gpt1-tiny", length="2 steps",
        optimizer="muon", decay="wsd", cooldown="1 step", warmup="0 steps",
    )  # fmt: skip
    return home


def asked(home: Path, **flags: Any) -> dict[str, Any]:
    return (
        SHORT | {"start": str(home / "lm"), "train": str(home / "rows.jsonl"), "dev": str(home / "rows.jsonl")} | flags
    )


@pytest.mark.parametrize(
    ("flags", "still"),
    [
        ({"scheme": "head"}, ("backbone.",)),
        ({"scheme": "top", "scheme_layers": 1}, ("backbone.tokens", "backbone.positions", "backbone.blocks.0.")),
        ({"scheme": "lora", "lora_rank": 2}, ("backbone.tokens", "backbone.positions", "norm", "bias")),
    ],
)
def test_the_folder_holds_a_plain_model(home: Path, flags: dict[str, Any], still: tuple[str, ...]) -> None:
    """Witness: the start's own float32 weights, of which only those that the scheme moves may differ."""
    out = home / flags["scheme"]
    warmstart.finetune(str(out), **asked(home, length="6 steps", lr=1e-2, **flags))
    start, tuned = (read_tensors(home / run / "model.safetensors") for run in ("lm", out.name))
    assert tuned.keys() == start.keys() | {"heads.label.linear.weight", "heads.label.linear.bias"}
    for name, before in start.items():
        same = torch.equal(tuned[name][: len(before)], before)
        assert same == any(part in name for part in still), name
    assert warmstart.load(out).predict(["a fine film"])[0] in ("neg", "pos")


def test_the_control_moves_everything(home: Path) -> None:
    """Invariant: beside LoRA from the start stands the whole model from random weights."""
    report = warmstart.finetune(str(home / "both"), **asked(home, length="2 steps", scheme="lora", control=True))
    recipes = {run["arm"]: (Path(run["run"]) / "config.yaml").read_text() for run in report["runs"]}
    assert "kind: lora" in recipes["pretrained"] and "kind: full" in recipes["scratch"]


def test_the_control_is_trained_whole_whatever_the_start_spares(home: Path) -> None:
    """Witness: the weights that the control began with, drawn anew: none of its matrices is where it was."""
    flags = asked(home, length="3 steps", lr=1e-2, unfreeze="2 steps", layer_decay=2.6, control=True)
    report = warmstart.finetune(str(home / "unfrozen"), **flags)
    [scratch] = [run["run"] for run in report["runs"] if run["arm"] == "scratch"]
    recipe = compose(FinetuneRecipe, recipe=f"{scratch}/config.yaml")
    assert recipe.train.unfreeze is None and recipe.train.optimizer.layer_decay == 1.0
    drawn, _ = build_finetuning(recipe).fresh(recipe)
    tuned = read_tensors(Path(scratch) / "model.safetensors")
    still = [
        name for name, before in drawn.state_dict().items() if before.dim() > 1 and torch.equal(tuned[name], before)
    ]
    assert still == []
    said = "\n".join(warmstart.explain("finetune", **flags)["words"])
    assert "control    the same model from random weights" in said and "without --unfreeze and --layer-decay" in said


def test_arms_that_read_alike_share_what_they_read(home: Path) -> None:
    """Invariant: the records and the Examples of both arms are the same objects; with another frame they are not."""
    for flags, same in (({}, True), ({"scheme": "head"}, False)):
        words = asked(home, control=True, **flags)
        recipe = compose(FinetuneRecipe, flags={f"--{name.replace('_', '-')}": value for name, value in words.items()})
        built = plan_study(recipe, RunFolder(home / "never")).built
        assert built["pretrained"].task.data is built["scratch"].task.data
        assert (built["pretrained"].task.training is built["scratch"].task.training) == same


def test_joint_training_reads_half_of_what_a_transformer_sees(home: Path, tmp_path: Path) -> None:
    """Invariant: what is read and then written fits into the context, so half of it is read; what is cut is counted."""
    (tmp_path / "long.jsonl").write_text(
        json.dumps({"text": "fox " * 60, "label": "a"}) + "\n" + '{"text": "", "label": "b"}\n'
    )
    flags = {"train": str(tmp_path / "long.jsonl"), "dev": str(tmp_path / "long.jsonl"), "length": "1 step"}
    warmstart.finetune(str(tmp_path / "run"), **asked(home, lm_frame="autoencoder", **flags))
    records = json.loads((tmp_path / "run" / "account.json").read_text())["records"]
    assert records["longest"] - records["tokens_cut"] == (64 + 1) // 2


def test_the_dry_run_counts_what_moves(home: Path) -> None:
    """Witness: the head's 32 x 2 weights and 2 biases; the auxiliary language model would move nothing there."""
    said = {
        scheme: "\n".join(warmstart.explain("finetune", **asked(home, scheme=scheme))["words"])
        for scheme in ("full", "head")
    }
    assert "of which 66 are trained" in said["head"] and "1 x label;" in said["head"]
    assert "are trained" not in said["full"] and "0.5 x lm" in said["full"]


def test_frozen_random_weights_are_refused(home: Path) -> None:
    """Invariant: nothing is written."""
    with pytest.raises(BadInput, match=r"--scheme: this scheme would freeze random weights; got 'lora'"):
        warmstart.finetune(str(home / "no"), **asked(home, scheme="lora", start="none"))
    with pytest.raises(BadInput, match="needs a number of layers"):
        warmstart.finetune(str(home / "no"), **asked(home, scheme="top"))
    assert not (home / "no").exists()
