"""The model folder: there and back bit for bit, and every kind of damage in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from warmstart.base.errors import BadInput
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.files import WEIGHTS
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.transfer.config import CONFIG
from warmstart.transfer.folder import load_model, save_model


def make(norm: str = "post") -> Model:
    """Two heads, which no foreign layout has, so the folder is in our own names."""
    heads = {"label": HeadSettings(kind="class", size=3), "score": HeadSettings(kind="score")}
    return Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", norm=norm), heads=heads), 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(make(), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_there_and_back(norm: str, tmp_path: Path) -> None:
    """Invariant: settings and weights come back bit for bit, ready for evaluation, and no other file is left."""
    model = make(norm)
    save_model(model, tmp_path)
    found = load_model(tmp_path)
    assert found.settings == model.settings
    assert not found.training
    assert list(found.state_dict()) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor), name
    assert sorted(path.name for path in tmp_path.iterdir()) == [CONFIG, WEIGHTS]


def test_the_file_is_the_usual_one(folder: Path) -> None:
    """Witness: safetensors' own reader, and the metadata that transformers asks for."""
    tensors = load_file(folder / WEIGHTS)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert set(tensors) == set(make().state_dict())
    with open(folder / WEIGHTS, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    assert header["__metadata__"] == {"format": "pt"}


def test_bf16_weights_are_saved_as_float32(tmp_path: Path) -> None:
    """Invariant: every bf16 number is a float32 number."""
    model = make().to(torch.bfloat16)
    save_model(model, tmp_path)
    found = load_model(tmp_path, torch.bfloat16).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in model.state_dict().items())


def settings_changed(change: Callable[[dict], object]) -> Callable[[Path], object]:  # type: ignore[type-arg]
    def damage(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        change(config)
        (folder / CONFIG).write_text(json.dumps(config))

    return damage


def weights_changed(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return damage


def cut(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])


DAMAGE: dict[str, tuple[Callable[[Path], object], str, tuple[str, ...]]] = {
    "no folder": (
        lambda f: [p.unlink() for p in f.iterdir()],
        "",
        ("no model here", "give a run or a model folder", CONFIG, WEIGHTS),
    ),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), WEIGHTS, ("weights file not found", "check the path")),
    "truncated": (cut, WEIGHTS, ("the weights file is damaged", "restore it from a copy")),
    "empty": (lambda f: (f / WEIGHTS).write_bytes(b""), WEIGHTS, ("the weights file is damaged",)),
    "broken JSON": (lambda f: (f / CONFIG).write_text('{"a":'), CONFIG, ("not a readable JSON file", "restore it")),
    "not an object": (
        lambda f: (f / CONFIG).write_text("[1]"),
        CONFIG,
        ("names no model_type", "give a run or a model folder"),
    ),
    "another type": (
        settings_changed(lambda c: c.update(model_type="berts")),
        CONFIG,
        ("unknown model_type", "got 'berts'", "did you mean 'bert'?"),
    ),
    "code": (
        settings_changed(lambda c: c.update(model_type="mine", auto_map={"AutoModel": "mine.Model"})),
        CONFIG,
        ("code in its folder, which is never run", "got 'mine'"),
    ),
    "pickles": (
        lambda f: (f / WEIGHTS).rename(f / "pytorch_model.bin"),
        "pytorch_model.bin",
        ("a pickle can run any code", f"allowed: {WEIGHTS}", "save_file"),
    ),
    "pickles in parts": (
        lambda f: (f / WEIGHTS).rename(f / "pytorch_model.bin.index.json"),
        "pytorch_model.bin.index.json",
        ("a pickle can run any code", f"allowed: {WEIGHTS}", "save_pretrained"),
    ),
    "unknown setting": (
        settings_changed(lambda c: c["backbone"].update(layer=3)),
        CONFIG,
        ("impossible model setting 'backbone.layer'", "Extra inputs are not permitted", "got 3"),
    ),
    "impossible setting": (
        settings_changed(lambda c: c["backbone"].update(layers=0)),
        CONFIG,
        ("impossible model setting 'backbone.layers'", "greater than or equal to 1", "got 0"),
    ),
    "odd heads": (
        settings_changed(lambda c: c["backbone"].update(heads=5)),
        "",
        ("the width 32 does not divide into 5 heads", "got 5", "allowed: a divisor of 32"),
    ),
    "missing tensor": (
        weights_changed(lambda t: t.pop("heads.label.bias", t.pop("heads.label.linear.bias"))),
        WEIGHTS,
        ("the weight 'heads.label.linear.bias' is missing", "belongs to another config.json"),
    ),
    "misshapen tensor": (
        weights_changed(lambda t: t.update({"backbone.positions.weight": torch.zeros(63, 32)})),
        WEIGHTS,
        ("the weight 'backbone.positions.weight' has another shape", "got (63, 32)", "allowed: (64, 32)"),
    ),
    "extra tensor": (
        weights_changed(lambda t: t.update(more=torch.zeros(1))),
        WEIGHTS,
        ("the weight 'more' has no place in this model",),
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_sentence(name: str, folder: Path) -> None:
    """Bad input: what, where, the value, what is allowed, what to do; one line, and the folder as it was."""
    damage, file, parts = DAMAGE[name]
    damage(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(BadInput) as caught:
        load_model(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    assert str(folder / file if file else folder) in sentence
    for part in parts:
        assert part in sentence
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_of_an_older_run_is_read() -> None:
    """Witness: what the code that wrote the folder, before parameters had the names of today, computed with it."""
    model = load_model(Path(__file__).parent / "files" / "older_lstm")
    ids = np.array([5, 0, 3, 3, 1])
    label = Goal(np.array([4]), np.array([0]), np.array([1]), np.ones(1, np.float32))
    batch = collate([[Example.left_to_right(ids, {"lm": Goal.each(np.arange(4), ids[1:]), "label": label})]])
    assert model.score_tokens(batch).losses.tolist() == pytest.approx(
        [7.425638, 2.548714, 0.648589, 4.569024], abs=1e-5
    )
    assert model.answers(batch)["label"].tolist() == [pytest.approx([2.375081, 3.376339], abs=1e-5)]
    assert "backbone.blocks.1.cells.0.input.weight" in model.state_dict()


def test_foreign_damage(tmp_path: Path) -> None:
    """Bad input: a GPT-2 folder with an impossible value, an unknown activation, a missing and a misshapen tensor."""
    backbone = preset("gpt1-tiny", norm="pre")
    save_model(Model.fresh(ModelSettings(backbone=backbone), 1), tmp_path)
    config, tensors = json.loads((tmp_path / CONFIG).read_text()), load_file(tmp_path / WEIGHTS)
    query = "transformer.h.1.attn.c_attn.weight"
    cases = [
        ({"n_head": "many"}, {}, "key 'n_head': not a number; got 'many'"),
        ({"n_head": 1.5}, {}, "impossible model setting 'heads'"),
        ({"n_inner": {}, "activation_function": []}, {}, "not a config of this architecture (unhashable type: 'list')"),
        ({"warmstart": {"backbone": 3}}, {}, "key 'warmstart': not settings of a model"),
        ({"architectures": ["GPT2ForSequenceClassification"], "id2label": 3}, {}, "the labels are not numbered from 0"),
        ({"activation_function": "gelu_5"}, {}, "unknown activation; got 'gelu_5'"),
        ({"scale_attn_by_inverse_layer_idx": True}, {}, "'scale_attn_by_inverse_layer_idx' is not supported; got True"),
        ({"n_embd": None}, {}, "the key 'n_embd' is missing"),
        ({}, {query: None}, f"the weight {query!r} is missing"),
        ({}, {query: torch.zeros(32, 95)}, "got (95, 32); allowed: (96, 32)"),
    ]
    for changes, weights, sentence in cases:
        (tmp_path / CONFIG).write_text(json.dumps(config | changes))
        changed = {name: tensor for name, tensor in (tensors | weights).items() if tensor is not None}
        save_file(changed, tmp_path / WEIGHTS)
        with pytest.raises(BadInput) as caught:
            load_model(tmp_path)
        assert sentence in str(caught.value) and str(tmp_path) in str(caught.value)
