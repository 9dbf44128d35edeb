"""Schemes: what moves, what does not by a single bit, what is saved, and what is refused."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.arrays import Ints
from warmstart.base.errors import BadInput
from warmstart.base.run_folder import RunFolder
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.files import read_tensors
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.streams.sources import ListSource
from warmstart.streams.stream import Stream
from warmstart.train.loop import Trainer
from warmstart.train.progress import Validation
from warmstart.train.schemes import apply_scheme, check_scheme, checkpoint_bytes, close_scheme, num_trainable
from warmstart.train.settings import OptimizerSettings, SchemeSettings, TrainSettings
from warmstart.train.step import Criterion

SIZE = preset("gpt1-tiny", vocab_size=64, context=16, layers=3, norm="pre")
SCHEMES = {
    "full": SchemeSettings(),
    "head": SchemeSettings(kind="head"),
    "top": SchemeSettings(kind="top", layers=1),
    "lora": SchemeSettings(kind="lora", rank=2, dropout=0.1),
}
HEAD = {"heads.label.linear.weight", "heads.label.linear.bias"}


def labelled(count: int = 24) -> list[list[Example]]:
    """Two classes that the first token tells apart, with the auxiliary language model."""
    draw = np.random.default_rng(0)
    found = []
    for number in range(count):
        ids = draw.integers(2, 64, draw.integers(4, 12))
        ids[0] = number % 2
        last = np.array([len(ids) - 1])
        goals = {"label": Goal.each(last, np.array([number % 2])), "lm": Goal.each(np.arange(len(ids) - 1), ids[1:])}
        found.append([Example.left_to_right(ids, goals)])
    return found


def model_of(scheme: str) -> Model:
    model = Model.fresh(ModelSettings(backbone=SIZE, heads={"label": HeadSettings(kind="class", size=2)}), 1)
    apply_scheme(model, SCHEMES[scheme], 1)
    return model


class Dying(ListSource):
    """Fails when it is asked for the Records of take number ``dies_at``."""

    def __init__(self, records: list[list[Example]], dies_at: int = -1) -> None:
        super().__init__(records)
        self.left = dies_at

    def take(self, epoch: int, indices: Ints) -> list[list[Example]]:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return super().take(epoch, indices)


def trainer(folder: Path, scheme: str, dies_at: int = -1, length: str = "3 epochs", **changes: Any) -> Trainer:
    """Twelve steps, or more, with dropout; dev is judged every four by numbers that make the second judgement the best."""
    settings = TrainSettings(length=length, batch_size=6, evaluate_every="4 steps", save_every_s=0.0, **changes)
    model, asked = model_of(scheme), itertools.count()
    evaluate = Validation(lambda _: {"score": -abs(next(asked) - 1.0)}, "score", True)
    stream = Stream(Dying(labelled(), dies_at), 6, 1)
    return Trainer(
        model, stream, settings, Criterion({"label": 1.0, "lm": 0.5}), RunFolder(folder), evaluate, torch.device("cpu")
    )


def trained(folder: Path, scheme: str, **changes: Any) -> Trainer:
    made = trainer(folder, scheme, **changes)
    made.folder.create("a recipe", {})
    made.run()
    return made


@pytest.mark.parametrize(("scheme", "parts"), [("head", ()), ("top", ("blocks.2.", "final_norm."))])
def test_what_moves(scheme: str, parts: tuple[str, ...]) -> None:
    """Witness: the names, by where they stand."""
    moving = {name for name, p in model_of(scheme).named_parameters() if p.requires_grad}
    assert moving == {
        name for name, _ in model_of("full").named_parameters() if name in HEAD or any(p in name for p in parts)
    }


@pytest.mark.parametrize("scheme", ["head", "top", "lora"])
def test_a_pooler_moves_with_the_head_that_reads_it(scheme: str) -> None:
    """Invariant: it stands between the backbone and the head, so it is no frozen feature."""
    size = SIZE.model_copy(update={"pooler": True})
    heads = {"label": HeadSettings(kind="class", size=2, pooled=True)}
    model = Model.fresh(ModelSettings(backbone=size, heads=heads), 1)
    apply_scheme(model, SCHEMES[scheme], 1)
    moving = {name for name, p in model.named_parameters() if p.requires_grad}
    assert moving >= HEAD | {"backbone.pooler.weight", "backbone.pooler.bias"}


@pytest.mark.parametrize("precision", ["fp32", "auto"])
@pytest.mark.parametrize("scheme", ["head", "top", "lora"])
def test_what_is_frozen_stays_to_the_last_bit(tmp_path: Path, scheme: str, precision: str) -> None:
    """Witness: the float32 weights before, though the training computed in bf16 where the processor can."""
    before = {name: p.clone() for name, p in model_of(scheme).named_parameters()}
    made = trained(tmp_path / "run", scheme, precision=precision)
    changed = {name for name, p in made.model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == set(made.weights.trainable())
    assert all(p.dtype == torch.float32 for p in made.model.parameters())
    made.load_best()
    close_scheme(made.model)
    assert made.model.state_dict().keys() == model_of("full").state_dict().keys()
    assert all(p.requires_grad for p in made.model.parameters())
    tables = ("backbone.tokens.weight", "backbone.positions.weight")
    assert all(torch.equal(made.model.get_parameter(name), before[name]) for name in tables)


@pytest.mark.parametrize("scheme", ["head", "top", "lora"])
def test_only_what_moves_is_saved(tmp_path: Path, scheme: str) -> None:
    """Witness: the sizes of the files in a run that was cut off, beside the number of weights that move."""
    made = trainer(tmp_path / "run", scheme, dies_at=10)
    made.folder.create("a recipe", {})
    with pytest.raises(KeyboardInterrupt):
        made.run()
    made.writer.wait()
    moving = num_trainable(made.model)
    assert moving == sum(t.numel() for t in read_tensors(made.best_path).values()) < made.model.num_parameters / 2
    states = [*(tmp_path / "run" / "resume").glob("*/state.safetensors")]
    assert len(states) == 2
    for state in states:
        assert sum(size for t in read_tensors(state).values() if (size := t.numel()) > 1) == 3 * moving
    assert checkpoint_bytes(made.model, made.settings) == 4 * 3 * moving
    assert made.bytes_to_write < 4 * (10 * moving + 1.1 * model_of("full").num_parameters)


@pytest.mark.parametrize(
    ("scheme", "precision"), [("head", "fp32"), ("top", "auto"), ("lora", "fp32"), ("lora", "auto")]
)
def test_cut_off_and_resumed_equals_uninterrupted(tmp_path: Path, scheme: str, precision: str) -> None:
    """Witness: the uninterrupted run: weights, moments and best weights bit for bit, cut in three places."""
    whole = trained(tmp_path / "whole", scheme, precision=precision)
    for cut in (3, 9, 12):
        folder = tmp_path / f"cut{cut}"
        first = trainer(folder, scheme, cut, precision=precision)
        first.folder.create("a recipe", {})
        with pytest.raises(KeyboardInterrupt):
            first.run()
        first.writer.wait()
        second = trainer(folder, scheme, precision=precision)
        assert second.resume()
        evaluate = itertools.count(first.state.evaluated_step // 4)
        second.validation = Validation(lambda _, j=evaluate: {"score": -abs(next(j) - 1.0)}, "score", True)  # type: ignore[misc]
        second.run()
        ours, theirs = second.optimizer.state(), whole.optimizer.state()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert second.best_path.read_bytes() == whole.best_path.read_bytes()


def test_another_start_is_not_resumed_onto(tmp_path: Path) -> None:
    """Invariant: frozen weights are not in the checkpoint, so a change of theirs is found by their sum."""
    trained(tmp_path / "run", "lora")
    again = trainer(tmp_path / "run", "lora")
    again.weights.frozen[3].full.view(-1)[7] += 1e-3
    with pytest.raises(BadInput, match="the start has changed"):
        again.resume()


@pytest.mark.parametrize(
    ("scheme", "flows"), [("head", [False] * 3), ("top", [False, False, True]), ("lora", [True] * 3)]
)
def test_backward_stops_below_what_moves(scheme: str, flows: list[bool]) -> None:
    """Witness: whether autograd keeps anything for the states that leave each block, in training with dropout."""
    model, found = model_of(scheme).train(), []
    for block in model.backbone.blocks:
        block.register_forward_hook(lambda _module, _given, states: found.append(states.requires_grad))
    losses = model(collate(labelled(6)))
    assert found == flows
    assert losses["lm"].sum.requires_grad == any(flows) and losses["label"].sum.requires_grad


def test_lora_learns_and_merges(tmp_path: Path) -> None:
    """Invariant: the loss falls, and the plain model gives the losses of the one with products beside its linears."""
    slow = OptimizerSettings(lr=3e-3)  # at 1e-2 rounding decides how far it comes
    made = trained(tmp_path / "run", "lora", length="50 epochs", precision="fp32", optimizer=slow)
    made.model.eval()
    batch = collate(labelled())
    with torch.no_grad():
        assert made.model(batch)["label"].sum < model_of("lora").eval()(batch)["label"].sum - 0.2 * len(batch.lengths)
        before = {name: float(loss.sum) for name, loss in made.model(batch).items()}
        close_scheme(made.model)
        assert {name: float(loss.sum) for name, loss in made.model(batch).items()} == pytest.approx(before, rel=1e-5)


def test_lora_draws_by_seed() -> None:
    """Invariant: the same seed, the same products; another seed, others; every product is zero at first."""
    settings = ModelSettings(backbone=SIZE)
    drawn = []
    for seed in (1, 1, 2):
        model = Model.fresh(settings, 1)
        apply_scheme(model, SCHEMES["lora"], seed)
        drawn.append(torch.cat([p.flatten() for n, p in model.named_parameters() if n.endswith(".a")]))
        assert not any(p.any() for n, p in model.named_parameters() if n.endswith(".b"))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    ("changes", "taken", "words"),
    [
        ({"kind": "top"}, 3, "--scheme-layers: .*needs a number of layers"),
        ({"kind": "lora", "layers": 2}, 3, "--scheme-layers: .*no other has one"),
        ({"kind": "top", "layers": 4}, 3, "--scheme-layers: more layers than the model has; got 4; allowed: 1 to 3"),
        ({"kind": "lora", "rank": 33}, 3, "--lora-rank: .*got 33; allowed: 1 to 32"),
        ({"kind": "head"}, None, "would freeze random weights"),
        ({"kind": "top", "layers": 1}, 1, "would freeze random weights"),
        ({"kind": "lora"}, 2, "would freeze random weights"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], taken: int | None, words: str) -> None:
    """Invariant: one sentence with the flag, the value and what is allowed."""
    with pytest.raises(BadInput, match=words):
        check_scheme(SchemeSettings(**changes), SIZE, taken)


@pytest.mark.parametrize(
    ("changes", "taken"), [({}, None), ({}, 0), ({"kind": "top", "layers": 2}, 1), ({"kind": "top", "layers": 3}, 0)]
)
def test_what_is_not_refused(changes: dict[str, Any], taken: int | None) -> None:
    """Invariant: everything may move; newly made layers may, as long as they do."""
    check_scheme(SchemeSettings(**changes), SIZE, taken)
