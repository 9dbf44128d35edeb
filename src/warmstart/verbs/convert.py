"""``warmstart convert``: a model folder in another form."""

from pathlib import Path
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import temporary_folder, write_json
from warmstart.run.metadata import read_vocabulary
from warmstart.run.writing import pad_id, write_model
from warmstart.transfer.config import special_ids
from warmstart.transfer.folder import check_rows, import_model, layout_of, save_own
from warmstart.transfer.hub import model_folder

FORMS = ("hf", "warmstart", "onnx")


def convert(source: str, out: str, to: str = "hf") -> dict[str, Any]:
    """Writes the model in ``source`` to the new folder ``out``: {"out", "to", "model_type", "parameters", "unused"}.

    Args:
        source: a run, a model folder, a hub id, or the folder of the 2018 release.
        out: must not exist.
        to: ``hf``: the folder that transformers loads; ``warmstart``: our own names; ``onnx``: model.onnx and the
            tokenizer.

    Raises:
        BadInput: no model there, a folder that exists, or an architecture that has no name in that form.
    """
    target = Path(out)
    if target.exists():
        raise BadInput("the folder exists", where=out, next_step="choose another, or remove it first")
    folder = model_folder(source)
    tokenizer, metadata = read_vocabulary(folder)
    imported = import_model(folder)
    model = imported.model
    check_rows(tokenizer.vocab_size, model.settings.backbone.vocab_size, source)
    layout = layout_of(model.settings, pad_id(tokenizer))
    if to == "hf" and layout is None:
        raise BadInput(
            "this architecture has no name in transformers", where=source, allowed="--to warmstart, --to onnx",
            next_step="see docs/transfer.md for what has one",
        )  # fmt: skip
    with temporary_folder(target) as stage:
        if to == "onnx":
            from warmstart.transfer.onnx import export_onnx

            export_onnx(model, stage / "model.onnx")
        write_model(stage, model, tokenizer, metadata, f"Converted from `{Path(source).name}`.", special_ids(folder))
        if to == "warmstart":
            save_own(model, stage)
        write_json(
            stage / "account.json", {"weights": {"loaded": sorted(model.state_dict()), "unused": list(imported.unused)}}
        )
    if imported.unused:
        say(f"unused: {', '.join(imported.unused)}")
    name = "warmstart" if to == "warmstart" or layout is None else layout.model_type
    return {
        "out": out, "to": to, "model_type": name, "parameters": model.num_parameters, "unused": list(imported.unused)
    }  # fmt: skip
