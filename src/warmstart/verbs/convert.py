"""``warmstart convert``: a model folder in another form."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from warmstart.base.checksums import write_checksums
from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import temporary_folder, write_json
from warmstart.config.requests import ConvertRequest
from warmstart.models.model import Model
from warmstart.run.loading import check_only_task
from warmstart.run.metadata import RunMetadata, read_vocabulary
from warmstart.run.writing import pad_id
from warmstart.tasks.table import answer_of
from warmstart.transfer.adapter import is_adapter, link_adapter
from warmstart.transfer.folder import ImportedModel, check_rows, import_model, layout_of
from warmstart.transfer.hub import model_folder
from warmstart.verbs.forms import FORMS, Source


def convert(request: ConvertRequest) -> dict[str, Any]:
    """Writes a model to a new folder: {"out", "to", "model_type", "parameters", "unused"}, and what its form adds to it.

    Raises:
        BadInput: no model there, a folder that exists, or an architecture that has no name in that form.
    """
    target, form = Path(request.out), FORMS[request.to]
    _check(request)
    if target.exists():
        raise BadInput("the folder exists", where=request.out, next_step="choose another, or remove it first")
    with _source_folder(request) as folder:
        tokenizer, metadata = read_vocabulary(folder)
        imported = import_model(folder)
        if metadata.tasks:
            imported, metadata = _one_task(imported, metadata, request.task)
        elif request.task is not None:
            check_only_task(metadata.task, request.task)
        check_rows(tokenizer.vocab_size, imported.model.settings.backbone.vocab_size, request.source)
        source = Source(request, folder, imported, tokenizer, metadata)
        with temporary_folder(target) as stage:
            more = form(source, stage)
            weights = {"loaded": sorted(source.model.state_dict()), "unused": list(imported.unused)}
            write_json(stage / "account.json", {"weights": weights})
            write_checksums(stage)
    if imported.unused:
        say(f"unused: {', '.join(imported.unused)}")
    layout = layout_of(source.model.settings, pad_id(tokenizer))
    return {
        "out": request.out, "to": request.to,
        "model_type": "warmstart" if request.to == "warmstart" or layout is None else layout.model_type,
        "parameters": source.model.num_parameters, "unused": list(imported.unused), **more,
    }  # fmt: skip


def _check(request: ConvertRequest) -> None:
    """Refuses options that go with another form."""
    if request.quantize and request.to != "onnx":
        raise BadInput(
            "only an ONNX file is quantised", where="--to", value=request.to, allowed="onnx, with --quantize",
            next_step="leave --quantize out",
        )  # fmt: skip
    if request.data is not None and request.quantize is None:
        raise BadInput(
            "examples to measure 8 bits by, and nothing is quantised", where="--data", value=request.data,
            allowed="with --to onnx --quantize int8", next_step="leave it out",
        )  # fmt: skip


def _one_task(imported: ImportedModel, metadata: RunMetadata, name: str | None) -> tuple[ImportedModel, RunMetadata]:
    """A model of several tasks as one of the task that is named, without what its head does not read."""
    if name not in metadata.tasks:
        raise BadInput(
            "this run has several tasks, and a folder has one", where="--task", value=name,
            allowed=", ".join(metadata.tasks), next_step=f"name one, for example --task {next(iter(metadata.tasks))}",
        )  # fmt: skip
    spec = metadata.tasks[name]
    view = imported.model.with_heads({answer_of(spec).goal: name})
    pooled = any(head.pooled for head in view.settings.heads.values())
    backbone = view.settings.backbone.model_copy(update={} if pooled else {"pooler": False})
    model = Model(view.settings.model_copy(update={"backbone": backbone}))
    weights = view.state_dict()
    model.load_state_dict({key: weights[key] for key in model.state_dict()})
    model.eval()
    return replace(imported, model=model), metadata.model_copy(update={"task": spec, "tasks": {}})


@contextlib.contextmanager
def _source_folder(request: ConvertRequest) -> Iterator[Path]:
    """The folder of the model; of an adapter whose base is named, that adapter on this base."""
    folder = model_folder(request.source)
    if request.base_model is None or not is_adapter(folder):
        if request.base_model is not None and request.to != "peft":
            raise BadInput(
                "only an adapter has a base", where="--base", value=request.base_model,
                allowed="with the folder of an adapter, or --to peft", next_step="leave it out",
            )  # fmt: skip
        yield folder
        return
    base = model_folder(request.base_model)
    with tempfile.TemporaryDirectory() as scratch:
        link_adapter(folder, str(base.absolute()), Path(scratch))
        yield Path(scratch)
