"""Adapters of ``peft``: a folder with LoRA's products for some weights of a base, and with tensors that replace others.

An adapter is read as the whole model that it makes of its base: W + scale · B·A, as ``merge_and_unload`` there gives it
(Hu et al. 2021, section 4.1), with alpha / r or, for rsLoRA, alpha / √r. Names are those of ``transformers``, so no
architecture is known here. Methods that are more than a product of two matrices are refused by name.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_json
from warmstart.base.run_folder import RunFolder
from warmstart.models.files import INDEX, RESAVE, WEIGHTS, misshapen, pickled, read_tensors, tensor_shapes
from warmstart.transfer.hub import cached_folder
from warmstart.transfer.tensors import FoundTensors

ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
JOINED = "joined_config.json"
"""The config of the whole model, where a ``config.json`` would make sentence-transformers look for the whole weights."""
PICKLE = "adapter_model.bin"
BASE = "base_model_name_or_path"
OWN, OUTER = "warmstart", "base_model.model."
"""What stands before every name in the file."""
A, B = ".lora_A.weight", ".lora_B.weight"
TASKS = {
    "SEQ_CLS": "ForSequenceClassification", "TOKEN_CLS": "ForTokenClassification",
    "QUESTION_ANS": "ForQuestionAnswering",
}  # fmt: skip
"""The task of an adapter → how the name of its class ends."""
HEADS = ("score.weight", "classifier.weight", "classifier.out_proj.weight")
TABLES = ("wte.weight", "tokens_embed.weight", "word_embeddings.weight", "embed_tokens.weight", "embed_in.weight")
SOFTMAX = ("lm_head.weight", "embed_out.weight", "decoder.weight")
_CLASS = re.compile(r"(LMHead|DoubleHeads)?Model$|For[A-Z]\w*$")
INITS = (True, False, "gaussian", "eva", "orthogonal")
"""Ways to begin that leave the base as it is; others (PiSSA, OLoRA, LoftQ, CorDA) take something out of it."""
PLAIN_KEYS = frozenset({
    "peft_type", "task_type", "auto_mapping", "peft_version", BASE, "revision", "inference_mode", "r", "lora_alpha",
    "lora_dropout", "target_modules", "exclude_modules", "fan_in_fan_out", "bias", "use_rslora", "modules_to_save",
    "init_lora_weights", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern", "megatron_core",
    "qalora_group_size", "runtime_config", "eva_config", "ensure_weight_tying",
})  # fmt: skip
"""Keys that do not change what the tensors mean, or change it as :func:`_scale` says."""
NAMES = {"use_dora": "DoRA", "use_qalora": "QALoRA", "alora_invocation_tokens": "activated LoRA", "lora_bias": "biases"}


def is_adapter(folder: Path) -> bool:
    """Whether there is an adapter in ``folder``, and no model beside it."""
    return (folder / ADAPTER).is_file() and not any((folder / name).is_file() for name in (WEIGHTS, INDEX))


def base_of(folder: Path) -> Path:
    """The folder of the model that an adapter belongs to; of a model its own.

    The adapter names it by a path, from here or from its own folder, or by the id of a model that the hub's cache holds.

    Raises:
        BadInput: it is not there, or is an adapter as well.
    """
    if not is_adapter(folder):
        return folder
    named = read_adapter_config(folder).get(BASE)
    how = f"name it: warmstart convert {folder} --base MODEL --out NEW, then give NEW"
    if not isinstance(named, str) or not named:
        raise BadInput(
            "this adapter does not name the model that it belongs to", where=str(folder / ADAPTER), next_step=how
        )
    local = next((path for path in (Path(named), folder / named) if path.is_dir()), None)
    found = cached_folder(named) if local is None else local
    if found is None:
        raise BadInput(
            "the model that this adapter belongs to is not here", where=f"{folder / ADAPTER}, key {BASE!r}", value=named,
            allowed="a folder of this machine, or an id that the hub's cache holds", next_step=how,
        )  # fmt: skip
    if is_adapter(found):
        raise BadInput(
            "an adapter of an adapter is not read", where=str(folder / ADAPTER), value=named,
            next_step=f"join the inner one first: warmstart convert {named} --out BASE, and {how}",
        )  # fmt: skip
    RunFolder(found).check_model()
    return found


def link_adapter(folder: Path, base: str, into: Path) -> None:
    """Makes ``into`` the adapter of ``folder`` on another base, its files by links."""
    config = read_adapter_config(folder)
    for path in folder.iterdir():
        if path.name != ADAPTER:
            (into / path.name).symlink_to(path.absolute())
    write_json(into / ADAPTER, config | {BASE: base})


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """What ``adapter_config.json`` says.

    Raises:
        BadInput: another method than LoRA, or a kind of LoRA that is more than a product beside a weight.
    """
    path = folder / ADAPTER
    config = read_json(path)
    if not isinstance(config, dict) or not config.get("peft_type"):
        raise BadInput("not the config of an adapter: it names no peft_type", where=str(path))
    if config["peft_type"] != "LORA":
        raise _unread("this method of adaptation", path, "peft_type", config["peft_type"])
    for key, value in config.items():
        if key not in PLAIN_KEYS and value:
            raise _unread(f"LoRA with {NAMES.get(key, repr(key))}", path, key, value)
    if (init := config.get("init_lora_weights", True)) not in INITS:
        raise _unread("LoRA that began by taking something out of its base", path, "init_lora_weights", init)
    return config


def _unread(what: str, path: Path, key: str, value: Any) -> BadInput:
    return BadInput(
        f"{what} is not read", where=f"{path}, key {key!r}", value=value, allowed="plain LoRA, with rsLoRA's scale too",
        next_step="join both in peft, merge_and_unload().save_pretrained(NEW), and give NEW",
    )  # fmt: skip


def adapt_config(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The config of the model that an adapter makes of its base: its class, its labels, its vocabulary."""
    stated, shapes = read_adapter_config(folder), _shapes(folder)
    if config["model_type"] == OWN:
        raise BadInput(
            "an adapter of a model that transformers has no name for is not read", where=str(folder / ADAPTER),
            value=stated.get(BASE),
        )  # fmt: skip
    found = dict(config)
    rows = _rows(shapes, TABLES)
    if rows is not None:
        found["vocab_size"] = rows
    if _rows(shapes, SOFTMAX) is not None:
        found["tie_word_embeddings"] = False
    mapping = stated.get("auto_mapping") or {}
    old = str((config.get("architectures") or [""])[0])
    name = mapping.get("base_model_class") or old
    if stated.get("task_type") in TASKS:
        name = _CLASS.sub("", name) + TASKS[stated["task_type"]]
    labels = _rows(shapes, HEADS)
    known = len(config.get("id2label") or ())
    if name != old or (labels is not None and labels != known):
        own = {key: value for key, value in (config.get(OWN) or {}).items() if key != "heads"}
        found |= {"architectures": [name], "problem_type": None, **({OWN: own} if own else {})}
    if labels is not None and labels != known:
        found["id2label"] = {str(number): f"LABEL_{number}" for number in range(labels)}
    return found


def _rows(shapes: Mapping[str, tuple[int, ...]], ends: tuple[str, ...]) -> int | None:
    """Rows of the first tensor that is called so, if there is one."""
    return next(
        (shape[0] for name, shape in shapes.items() if f".{name}".endswith(tuple(f".{end}" for end in ends))), None
    )


def _weights(folder: Path) -> Path:
    path = folder / ADAPTER_WEIGHTS
    if not path.is_file() and (folder / PICKLE).is_file():
        raise pickled(str(folder / PICKLE), RESAVE.format(pickle=PICKLE, weights=ADAPTER_WEIGHTS))
    return path


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name → shape of each tensor in the file, without :data:`OUTER`."""
    return {_name(name): shape for name, shape in tensor_shapes(_weights(folder)).items()}


def _name(name: str) -> str:
    return name.removeprefix(OUTER).replace(".base_layer.", ".")


def joined_names(base: Collection[str], folder: Path, prefix: str) -> set[str]:
    """The names of the tensors of base and adapter together, with ``prefix`` before those of the base model."""
    own = {name.replace(B, ".weight") for name in _shapes(folder) if not name.endswith(A)}
    before = _prefixes(base, own, prefix)
    return {before[0] + name for name in base} | {before[1] + name for name in own}


def _prefixes(base: Collection[str], own: Collection[str], prefix: str) -> tuple[str, str]:
    """What is missing before the names of the base, and before those of the adapter, of a model without a head."""
    first, second = ("" if any(name.startswith(prefix) for name in names) else prefix for names in (base, own))
    return first, second


def join_adapter(found: FoundTensors, folder: Path, prefix: str, transposed: Collection[str]) -> FoundTensors:
    """The tensors of the model that an adapter makes of its base.

    Args:
        found: those of the base.
        folder: of the adapter.
        prefix: what stands before the names of a base model inside a model with a head.
        transposed: names of the weights that are [in, out], not [out, in].

    Raises:
        BadInput: the adapter changes a weight that the base does not have, or has in another shape.
    """
    config, path = read_adapter_config(folder), _weights(folder)
    tensors = {_name(name): tensor for name, tensor in read_tensors(path).items()}
    before = _prefixes(found.tensors, tensors, prefix)
    joined = {before[0] + name: tensor for name, tensor in found.tensors.items()}
    files = {before[0] + name: file for name, file in found.files.items()}
    for name in tensors:
        if name.endswith(A):
            continue
        target = before[1] + name.replace(B, ".weight")
        if name.endswith(B):
            delta = _product(config, tensors, name, path)
            joined[target] = _add(joined, target, delta.T if target in transposed else delta, path)
        else:
            _check_plain(name, path)
            joined[target], files[target] = tensors[name], str(path)
    return replace(found, tensors=joined, files=files)


def _check_plain(name: str, path: Path) -> None:
    if ".lora_" in name or "token_adapter" in name:
        raise BadInput(
            "an adapter with more than products of linear layers is not read", where=str(path), value=name,
            allowed="lora_A, lora_B, and modules_to_save",
            next_step="join both in peft, merge_and_unload().save_pretrained(NEW), and give NEW",
        )  # fmt: skip


def _product(config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], name: str, path: Path) -> torch.Tensor:
    """[out, in] what is added to a weight; ``name`` is that of its B."""
    first, second = tensors.get(name.replace(B, A)), tensors[name]
    if first is None or first.shape[0] != second.shape[1]:
        raise BadInput(
            "the two matrices of a product do not fit", where=str(path), value=name, allowed="an A for each B"
        )
    return _scale(config, name.removesuffix(B), len(first)) * (second.float() @ first.float())


def _scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    """How much a product counts: patterns of names have an alpha of their own."""
    patterns: Mapping[str, Any] = config.get("alpha_pattern") or {}
    alpha = next(
        (value for key, value in patterns.items() if re.fullmatch(rf"(.*\.)?({key})", module)),
        config.get("lora_alpha", 8),
    )  # fmt: skip
    return float(alpha / (rank**0.5 if config.get("use_rslora") else rank))


def _add(joined: Mapping[str, torch.Tensor], target: str, delta: torch.Tensor, path: Path) -> torch.Tensor:
    if target not in joined:
        raise BadInput(
            "this adapter changes a weight that its base does not have", where=str(path), value=target,
            next_step="name the base that it was trained with: warmstart convert ADAPTER --base MODEL --out NEW",
        )  # fmt: skip
    if joined[target].shape != delta.shape:
        raise misshapen(target, delta, joined[target], str(path))
    if not joined[target].is_floating_point():  # refused as quantised, with the rest of its file
        return joined[target]
    return joined[target].float() + delta
