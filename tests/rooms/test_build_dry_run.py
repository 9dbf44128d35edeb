"""The description before a training: its estimate against torch's own count, and that it needs no weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from warmstart.build import start
from warmstart.build.dry_run import build_meta_model, flops_per_token, memory, share_of_words
from warmstart.cli.main import main
from warmstart.example.batch import collate
from warmstart.example.example import LM, Example, Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.train.schemes import apply_scheme, num_trainable
from warmstart.train.settings import SchemeSettings

SCHEMES = [
    SchemeSettings(), SchemeSettings(kind="head"), SchemeSettings(kind="top", layers=1), SchemeSettings(kind="lora", rank=4)
]  # fmt: skip


@pytest.mark.parametrize("share", [1.0, 0.15])
def test_only_what_is_asked_reaches_the_softmax(share: float) -> None:
    """Witness: torch's flop counter over forward and backward; with every token 20,000 words would be half of the work."""
    model = Model.fresh(ModelSettings(backbone=preset("bert-tiny", vocab_size=20_000)), 1)
    ids = np.random.default_rng(0).integers(0, 20_000, 40)
    places = np.arange(int(share * 40))
    batch = collate([[Example.full_sight(ids, {LM: Goal.each(places, ids[places])})] for _ in range(3)])
    with FlopCounterMode(display=False) as counter:
        model(batch)[LM].sum.backward()
    found = flops_per_token(model, 40, share_of_words(model, [batch]))
    assert found == pytest.approx(counter.get_total_flops() / batch.num_tokens, rel=0.1)


class Allocations(TorchDispatchMode):
    """Shapes of all tensors with memory that torch makes meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, tuple | list) else (found,):
            if isinstance(tensor, torch.Tensor) and not tensor.is_meta:
                self.shapes.add(tuple(tensor.shape))
        return found


def weight_shapes(settings: ModelSettings) -> set[tuple[int, ...]]:
    return {tuple(p.shape) for p in Model(settings).parameters()}


@pytest.mark.parametrize("name", ["gpt1-tiny", "bert-tiny", "modern-mini", "lstm-tiny"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.kind)
def test_a_model_without_weights_costs_what_the_model_costs(name: str, scheme: SchemeSettings) -> None:
    """Witness: the model with its weights; torch's dispatcher, which sees every tensor that is made."""
    heads = {"label": HeadSettings(kind="class", size=3)}
    settings = ModelSettings(backbone=preset(name), heads=heads)
    with Allocations() as allocations:
        meta = build_meta_model(settings, scheme)
    assert all(p.is_meta for p in meta.parameters()) and not allocations.shapes & weight_shapes(settings)
    real = Model.fresh(settings, 1)
    apply_scheme(real, scheme, 1)
    assert [(n, p.shape, p.requires_grad) for n, p in meta.named_parameters()] == [
        (n, p.shape, p.requires_grad) for n, p in real.named_parameters()
    ]
    assert num_trainable(meta) == num_trainable(real) and meta.num_parameters == real.num_parameters
    assert flops_per_token(meta, 40, 0.5, 7) == flops_per_token(real, 40, 0.5, 7)
    assert memory(meta, 100, 40, 2) == memory(real, 100, 40, 2)


def test_explain_reads_no_weights_and_makes_two_layers_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: every model that is made, by its layers; and a reader of weights that fails when it is called."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("\n\n".join(f"The fox number {n} runs over the hill." for n in range(40)))
    rows = [f'{{"text": "a {word} film {n}", "label": "{word}"}}\n' for n in range(8) for word in ("dull", "fine")]
    Path("rows.jsonl").write_text("".join(rows))
    size = "--model gpt1-tiny --layers 5 --vocab-size 301"
    short = "--length 1steps --batch-size 4 --precision fp32 --quiet"
    assert main(f"pretrain --corpus text.txt {size} --out lm {short}".split()) == 0

    def fail(*args: object) -> None:
        raise AssertionError("weights are read")

    made: list[int] = []
    fresh = Model.fresh

    def count(settings: ModelSettings, seed: int) -> Model:
        made.append(settings.backbone.layers)
        return fresh(settings, seed)

    monkeypatch.setattr(start, "import_model", fail)
    monkeypatch.setattr(Model, "fresh", count)
    tune = f"--task classification --train rows.jsonl --dev rows.jsonl --scheme lora --out new {short}"
    for command in (f"pretrain --corpus text.txt {size} --out new {short}", f"finetune --start lm {tune}"):
        assert main(["explain", *command.split()]) == 0
        assert "5 layers" in capsys.readouterr().out
        assert made == [1, 2]
        made.clear()
    assert not Path("new").exists()
