"""Tensors of foreign folders: names that wrappers changed, codes instead of numbers, numbers that are none, tied twins."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import warmstart
from warmstart.base.errors import BadInput
from warmstart.models.files import INDEX, WEIGHTS
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.readers.rows import read_rows
from warmstart.text.tokenizer import Tokenizer
from warmstart.transfer.config import CONFIG, label_names
from warmstart.transfer.folder import import_model, load_model, load_settings, save_model

Tensors = dict[str, torch.Tensor]
UP, TABLE = "transformer.h.1.mlp.c_fc.weight", "transformer.wte.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A GPT-2 of random weights."""
    save_model(Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", norm="pre")), 4), tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> Tensors:
    """Changes the file of the weights; returns what it held before."""
    tensors = load_file(folder / WEIGHTS)
    save_file(change(dict(tensors)), folder / WEIGHTS)
    return tensors


def reconfigure(folder: Path, **changes: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | changes))


def refused(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        import_model(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}},
            "to 4 bits (key 'quantization_config'); got 'gptq'",
        ),
        ({"quantization_config": {"quant_method": "awq", "zero_point": True}}, "got 'awq'"),
        ({"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}, "got 'fp8'"),
        ({"quantization_config": {"load_in_4bit": True}}, "to 4 bits (key 'quantization_config'); got 'bitsandbytes'"),
        ({"quantization_config": {"load_in_8bit": True, "quant_method": "bitsandbytes"}}, "to 8 bits"),
        ({"compression_config": {"quant_method": "compressed-tensors"}}, "got 'compressed-tensors'"),
    ],
)
def test_a_quantiser_in_the_config_is_refused(config: dict[str, object], name: str, folder: Path) -> None:
    """Witness: the keys that transformers' quantisers write; refused before a weight is read."""
    reconfigure(folder, **config)
    with pytest.raises(BadInput) as caught:
        load_settings(folder)
    for part in (name, CONFIG, "these weights are quantised", "dequantize().save_pretrained"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("n_embd", "32"), ("n_inner", "1e3"), ("layer_norm_epsilon", "1e-5"), ("tie_word_embeddings", "False")],
)
def test_numbers_and_truth_values_in_quotation_marks_are_refused(key: str, value: str, folder: Path) -> None:
    """Witness: Python: "32" times 4 is no number, and "False" is true; names and versions are texts as ever."""
    reconfigure(folder, transformers_version="4.5", _name_or_path="2")
    assert import_model(folder).model.settings.backbone.layers == 2
    reconfigure(folder, **{key: value})
    assert f"key '{key}': a number or a truth value in quotation marks; got '{value}'" in refused(folder)


def test_the_pointer_of_git_lfs_is_no_file_of_weights(folder: Path) -> None:
    """Witness: the specification of Git LFS, version 1: the three lines of a pointer."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 548118077\n"
    (folder / WEIGHTS).write_text(pointer)
    assert f"{folder / WEIGHTS}: the file itself is not here" in refused(folder)
    assert "git lfs pull" in refused(folder)
    (folder / "rows.parquet").write_text(pointer)
    with pytest.raises(BadInput, match=r"rows\.parquet: the file itself is not here"):
        list(read_rows(str(folder / "rows.parquet")))


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.float8_e4m3fn, torch.float8_e5m2])
def test_codes_in_the_place_of_weights_are_refused(kind: torch.dtype, folder: Path) -> None:
    """Bad input: a folder whose config says nothing of the 8-bit numbers in its file."""
    rewrite(folder, lambda t: t | {UP: (t[UP] * 100).to(kind), UP.replace("weight", "SCB"): torch.ones(128)})
    sentence = refused(folder)
    for part in (UP, str(folder / WEIGHTS), "it holds codes", str(kind).removeprefix("torch."), "dequantize()"):
        assert part in sentence


def test_packed_codes_beside_missing_weights_are_refused(folder: Path) -> None:
    """Bad input: 4-bit codes, eight to an int32, under the name that GPTQ and AWQ give them."""
    packed = UP.replace("weight", "qweight")
    rewrite(folder, lambda t: {n: w for n, w in t.items() if n != UP} | {packed: torch.ones(4, 128, dtype=torch.int32)})
    assert f"the weight {packed!r} is quantised" in refused(folder)


def test_masks_and_positions_are_no_codes(folder: Path) -> None:
    """Witness: the buffers that older GPT-2 files have beside the weights, which hold nothing learned."""
    mask = torch.ones(1, 1, 64, 64)
    more = {"transformer.h.0.attn.bias": mask.bool(), "transformer.h.1.attn.bias": mask.to(torch.uint8)}
    before = rewrite(folder, lambda t: t | more | {"transformer.h.1.attn.masked_bias": torch.tensor(-torch.inf)})
    imported = import_model(folder)
    assert imported.unused == ()
    assert torch.equal(imported.model.state_dict()["backbone.tokens.weight"], before[TABLE])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_a_weight_that_is_no_number_is_named(value: float, folder: Path) -> None:
    """Bad input: one number of one tensor; the last is none in float32."""

    def spoil(tensors: Tensors) -> Tensors:
        tensors[UP] = tensors[UP].double()
        tensors[UP][3, 5] = value
        return tensors

    rewrite(folder, spoil)
    for part in (f"the weight {UP!r}", str(folder / WEIGHTS), "no finite number", f"got {value!r}"):
        assert part in refused(folder)


@pytest.mark.parametrize("seeds", ["1", "2"])
def test_no_run_is_begun_from_weights_that_are_none(seeds: str, folder: Path, tmp_path: Path) -> None:
    """Bad input: a NaN in the start of a fine-tuning of one seed or several, and of a pre-training; nothing is written."""
    Tokenizer.train(["a b"], 257).save(folder)
    rewrite(folder, lambda t: t | {UP: t[UP] / 0})
    rows, text, out = tmp_path / "rows.jsonl", tmp_path / "text.txt", tmp_path / "run"
    rows.write_text(
        "".join(json.dumps({"text": word, "label": word[0]}) + "\n" for word in ("ab", "ba", "aab", "bba") * 3)
    )
    text.write_text("a bb a " * 60)
    start = {"start": str(folder), "length": "1 steps"}
    with pytest.raises(BadInput, match=f"the weight {UP!r} holds"):
        warmstart.finetune(str(out), task="classification", train=str(rows), seeds=seeds, **start)
    with pytest.raises(BadInput, match=f"the weight {UP!r} holds"):
        warmstart.pretrain(str(out), corpus=str(text), **start)
    assert not out.exists()


def test_of_several_files_the_one_is_named(folder: Path) -> None:
    """Bad input: two files and their index, the second with a NaN; codes are found there as well."""
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    parts = {"a.safetensors": {n: t for n, t in tensors.items() if n != UP}, "b.safetensors": {UP: tensors[UP] / 0}}
    for name, part in parts.items():
        save_file(part, folder / name)
    places = {tensor: name for name, part in parts.items() for tensor in part}
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))
    assert f"{folder / 'b.safetensors'}: the weight {UP!r} holds what is no finite number" in refused(folder)
    save_file({UP: tensors[UP].to(torch.int8)}, folder / "b.safetensors")
    assert f"{folder / 'b.safetensors'}: the weight {UP!r} is quantised" in refused(folder)


def test_what_is_not_taken_may_be_anything(folder: Path) -> None:
    """Invariant: a tensor without a place here changes nothing, so it is listed and not looked at."""
    rewrite(folder, lambda t: t | {"value_head.weight": torch.full((3,), torch.nan)})
    assert import_model(folder).unused == ("value_head.weight",)


@pytest.mark.parametrize("wrapped", ["module.{}", "_orig_mod.{}", "module._orig_mod.{}", "_orig_mod.module.{}"])
def test_names_of_wrapped_models_are_understood(wrapped: str, folder: Path) -> None:
    """Witness: torch's DataParallel and compile, which put these before every name of the same weights."""
    before = load_model(folder).state_dict()
    rewrite(folder, lambda t: {wrapped.format(name): tensor for name, tensor in t.items()})
    found = load_model(folder).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in before.items())


def test_an_unknown_prefix_is_named(folder: Path) -> None:
    """Bad input: the names of a model that stood inside another."""
    rewrite(folder, lambda t: {f"student.{name}": tensor for name, tensor in t.items()})
    for part in ("unknown prefix", f"got 'student.{TABLE}'", "'student.transformer.'", str(folder / WEIGHTS)):
        assert part in refused(folder)


@pytest.mark.parametrize(
    ("model_type", "hint"),
    [
        ("nystromformer", ""), ("reformer", ""), ("qwen2_moe", ""), ("gptj", ""), ("mixtral", ""),
        ("lama", "did you mean 'llama'?"), ("distillbert", "did you mean 'distilbert'?"),
    ],
)  # fmt: skip
def test_only_a_slip_of_the_pen_is_taken_for_one(model_type: str, hint: str, folder: Path) -> None:
    """Witness: architectures of the hub that only sound like these, and two names with a letter too few or too many."""
    reconfigure(folder, model_type=model_type)
    sentence = refused(folder)
    assert f"got {model_type!r}" in sentence and "llama" in sentence
    assert sentence.endswith(hint or ".") and ("did you mean" in sentence) == bool(hint)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"id2label": {"0": "no", "2": "yes"}}, "not numbered from 0"),
        ({"id2label": {"no": 0, "yes": 1}}, "not numbered from 0"),
        ({"id2label": ["no", "yes"]}, "not numbered from 0"),
        ({"id2label": {"0": "no", "1": "no"}}, "two labels have one name; got 'no, no'"),
        ({"num_labels": "three"}, "not a number of labels; got 'three'"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(labels: dict[str, object], said: str, folder: Path) -> None:
    """Bad input: configs whose labels would give two classes one place or one name."""
    reconfigure(folder, **labels)
    with pytest.raises(BadInput, match=said):
        label_names(folder)


def test_labels_that_contradict_each_other_are_refused(folder: Path) -> None:
    """Invariant: one name, one number; the default names that transformers writes beside other ones say nothing."""
    names = {"0": "no", "1": "yes"}
    reconfigure(folder, id2label=names, label2id={"no": 1, "yes": 0})
    with pytest.raises(BadInput, match="'no' is 0 in id2label and 1 in label2id"):
        label_names(folder)
    for agreed in ({"no": 0, "yes": 1}, {"no": "0", "yes": "1"}, {"LABEL_0": 0, "LABEL_1": 1}, None):
        reconfigure(folder, id2label=names, label2id=agreed)
        assert label_names(folder) == ("no", "yes")


def test_labels_are_ordered_by_number(folder: Path) -> None:
    """Witness: the names as they were given, eleven of them, in a file that sorts its keys as text."""
    names = [f"name {number}" for number in range(11)]
    reconfigure(folder, id2label=dict(sorted((str(number), name) for number, name in enumerate(names))))
    assert label_names(folder) == tuple(names)
    reconfigure(folder, id2label=None, num_labels=3)
    assert label_names(folder) == ("LABEL_0", "LABEL_1", "LABEL_2")


def test_an_adapter_without_its_base_is_no_model(tmp_path: Path) -> None:
    """Bad input: the two files that peft writes."""
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "gpt2"}))
    save_file({"base_model.model.lora_A.weight": torch.ones(2, 2)}, tmp_path / "adapter_model.safetensors")
    assert "the model that this adapter belongs to is not here; got 'gpt2'" in refused(tmp_path)


def test_a_release_of_integers_or_with_a_gap_is_refused(tmp_path: Path) -> None:
    """Bad input: the ten arrays of 2018 as integers, and with one number that is none."""
    width = 64
    layer = [
        [1, width, 3 * width], [3 * width], [1, width, width], [width], [width], [width], [1, width, 4 * width],
        [4 * width], [1, 4 * width, width], [width], [width], [width],
    ]  # fmt: skip
    shapes = [[5, width], [9, width], *layer]
    (tmp_path / "params_shapes.json").write_text(json.dumps(shapes))
    numbers = np.ones(sum(int(np.prod(shape)) for shape in shapes), np.float32)
    numbers[5 * width + 7] = np.nan
    for n, part in enumerate(np.array_split(numbers, 10)):
        np.save(tmp_path / f"params_{n}.npy", part)
    assert "the weight 'tokens_embed.weight' holds what is no finite number; got nan" in refused(tmp_path)
    np.save(tmp_path / "params_4.npy", np.load(tmp_path / "params_4.npy").astype(np.int8))
    sentence = refused(tmp_path)
    assert "params_4.npy: the array holds no floats; got 'int8'" in sentence


def test_tied_tables_that_differ_are_refused(folder: Path) -> None:
    """Witness: transformers, of which versions read such a folder differently; equal but for rounding, it is read."""
    table = load_file(folder / WEIGHTS)[TABLE]
    rewrite(folder, lambda tensors: tensors | {"lm_head.weight": table.bfloat16()})
    assert import_model(folder).unused == ()
    rewrite(folder, lambda tensors: tensors | {"lm_head.weight": table.flip(0).contiguous()})
    said = refused(folder)
    assert f"the config ties {TABLE!r} and 'lm_head.weight', yet their numbers differ" in said
    reconfigure(folder, tie_word_embeddings=False)
    assert torch.equal(import_model(folder).model.state_dict()["backbone.output.weight"], table.flip(0))


def test_a_classifier_does_not_mind_the_table_of_words(tmp_path: Path) -> None:
    """Witness: its answers do not change with a table that they do not read."""
    heads = {"label": HeadSettings(kind="class", size=2, bias=False)}
    save_model(Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", norm="pre"), heads=heads), 4), tmp_path)
    before = load_model(tmp_path).state_dict()
    rewrite(tmp_path, lambda tensors: tensors | {"lm_head.weight": torch.zeros_like(tensors[TABLE])})
    after = load_model(tmp_path).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
