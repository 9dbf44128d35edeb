"""The forms that a model can be converted to: each one function that writes a folder."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.run_folder import CONFIG
from warmstart.config.load import compose
from warmstart.config.requests import ConvertRequest
from warmstart.config.schema import FinetuneRecipe
from warmstart.models.model import Model
from warmstart.run.metadata import RunMetadata
from warmstart.run.writing import folder_metadata, pad_id, write_model, write_surroundings
from warmstart.tasks.vocabulary import Vocabulary
from warmstart.transfer.config import special_ids
from warmstart.transfer.folder import ImportedModel, layout_of, load_model, save_own
from warmstart.transfer.hub import model_folder


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What is converted: the request, the folder that was read, and what is in it."""

    request: ConvertRequest
    folder: Path
    imported: ImportedModel
    tokenizer: Vocabulary
    metadata: RunMetadata

    @property
    def model(self) -> Model:
        """The model, float32, in evaluation mode."""
        return self.imported.model

    @property
    def words(self) -> str:
        """What it is, for the card."""
        return f"Converted from `{Path(self.request.source).name}`."

    def write_model(self, stage: Path) -> None:
        """Writes it as any run is written."""
        write_model(stage, self.model, self.tokenizer, self.metadata, self.words, special_ids(self.folder))


def _check_heads(source: Source) -> None:
    """Refuses a head that no other library has."""
    nouns = [source.model.head(name).noun for name in source.model.settings.heads]
    if found := next(filter(None, nouns), ""):
        raise BadInput(
            f"the head is {found}, which this form cannot hold", where=source.request.source,
            value=f"--to {source.request.to}", allowed="--to warmstart", next_step="train with a plain head",
        )  # fmt: skip


def _write_hf(source: Source, stage: Path) -> dict[str, Any]:
    _check_heads(source)
    if layout_of(source.model.settings, pad_id(source.tokenizer)) is None:
        raise BadInput(
            "this architecture has no name in transformers", where=source.request.source,
            allowed="--to warmstart, --to onnx", next_step="see docs/transfer.md for what has one",
        )  # fmt: skip
    source.write_model(stage)
    return {}


def _write_own(source: Source, stage: Path) -> dict[str, Any]:
    source.write_model(stage)
    save_own(source.model, stage)
    return {}


def _write_onnx(source: Source, stage: Path) -> dict[str, Any]:
    from warmstart.transfer.onnx import export_onnx
    from warmstart.transfer.onnx_int8 import quantise_onnx
    from warmstart.verbs.measure_int8 import measure_int8

    _check_heads(source)
    if any(one.gives_vectors for one in source.model.settings.heads.values()):
        raise BadInput(
            "vectors of texts have no ONNX form here", where=source.request.source, value="--to onnx",
            allowed="--to hf, --to warmstart", next_step="sentence-transformers loads the run as it is, and exports it",
        )  # fmt: skip
    path = stage / "model.onnx"
    export_onnx(source.model, path)
    source.write_model(stage)
    if source.request.quantize is None:
        return {}
    whole = path.rename(stage / "whole.onnx")
    quantise_onnx(whole, path)
    sizes = [file.stat().st_size / 1e6 for file in (path, whole)]
    say(f"onnx: {sizes[0]:,.1f} MB with weights in 8 bits, {sizes[1]:,.1f} MB without")
    whole.unlink()
    return {"quantised": measure_int8(source.model, path, source.tokenizer, source.metadata.task, _labelled(source))}


def _labelled(source: Source) -> str | None:
    """Labelled examples to measure by: those that are named, else the run's own dev."""
    recipe = _recipe(source)
    return source.request.data or (None if recipe is None else recipe.task.dev)


def _write_ctranslate2(source: Source, stage: Path) -> dict[str, Any]:
    from warmstart.transfer.ctranslate import export_ctranslate2

    heads = source.model.settings.heads
    if heads and source.model.settings.backbone.sight != "full":
        raise BadInput(
            "CTranslate2 has no heads of tasks", where=source.request.source, value=", ".join(heads),
            allowed="a language model, or the states of a bidirectional model", next_step="convert it with --to onnx",
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        _write_hf(source, Path(scratch))
        with torch.no_grad():
            far = export_ctranslate2(source.model, Path(scratch), stage)
    write_surroundings(stage, source.model, source.tokenizer, source.metadata, source.words)
    say(f"ctranslate2: its numbers are those of warmstart to {far:.1g} of the largest one")
    if heads:
        say(
            f"the head {', '.join(heads)} is not in this form; it holds the states, and the pooler's where there is one"
        )
    return {"difference": far}


def _write_peft(source: Source, stage: Path) -> dict[str, Any]:
    from warmstart.transfer.adapter_export import LoraOrigin, export_adapter

    _check_heads(source)
    recipe = _lora_recipe(source)
    name = source.request.base_model or recipe.start
    base = model_folder(name)
    stated = str(base.absolute()) if Path(name).is_dir() else name.removeprefix("hf:")
    scheme = recipe.scheme
    origin = LoraOrigin(stated, scheme.rank, scheme.alpha, scheme.dropout)
    metadata = folder_metadata(source.tokenizer, source.metadata, special_ids(source.folder))
    export_adapter(source.model, load_model(base), origin, stage, metadata)
    write_surroundings(stage, source.model, source.tokenizer, source.metadata, source.words)
    return {"base": stated}


def _lora_recipe(source: Source) -> FinetuneRecipe:
    """The recipe of a run that was trained with LoRA."""
    recipe = _recipe(source)
    if recipe is None or recipe.scheme.kind != "lora":
        raise BadInput(
            "only a run that was trained with LoRA is an adapter", where=source.request.source, allowed="--to hf",
            next_step="fine-tune with --scheme lora",
        )  # fmt: skip
    return recipe


def _recipe(source: Source) -> FinetuneRecipe | None:
    """The recipe of a fine-tuned run; of another folder there is none."""
    path = source.folder / CONFIG
    return compose(FinetuneRecipe, recipe=str(path)) if path.is_file() and source.metadata.task else None


FORMS: dict[str, Callable[[Source, Path], dict[str, Any]]] = {
    "hf": _write_hf, "warmstart": _write_own, "onnx": _write_onnx, "peft": _write_peft,
    "ctranslate2": _write_ctranslate2,
}  # fmt: skip
"""Name of a form → writes the folder; what it returns goes into the report."""
