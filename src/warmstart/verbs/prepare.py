"""``warmstart prepare``: raw text to a corpus folder."""

import json
import tempfile
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.files import disk_errors
from warmstart.build.labelled_data import read_labelled_data
from warmstart.config.requests import PrepareRequest
from warmstart.config.schema import TaskRecipe
from warmstart.corpora.prepare import prepare as make
from warmstart.corpora.settings import PrepareSettings
from warmstart.tasks.catalogue import CATALOGUE


def prepare(asked: PrepareRequest) -> dict[str, Any]:
    """Prepares a corpus; returns {"corpus", "documents", "tokens", "text_bytes", "vocab_size"}."""
    if not asked.paths and asked.task is None and asked.data is None:
        raise BadInput(
            "missing", where="TEXT", allowed="files, folders, globs or - for standard input",
            next_step="give text, or --task NAME with --data DIR",
        )  # fmt: skip
    if asked.data is not None and asked.task is None:
        raise BadInput(
            "a folder of a data set, and no name that says how to read it", where="--data", value=asked.data,
            next_step="add --task NAME, or give files of text as TEXT",
        )  # fmt: skip
    settings = PrepareSettings(**asked.model_dump(exclude={"task", "data"}))
    with tempfile.TemporaryDirectory(prefix="warmstart-") as scratch:
        spooled = {} if asked.task is None else {f"{asked.task}.jsonl": _texts(asked.task, asked.data, Path(scratch))}
        corpus = make(settings, spooled)
    return {
        "corpus": settings.out,
        "documents": corpus.num_documents,
        "tokens": corpus.num_tokens,
        "text_bytes": corpus.manifest.text_bytes,
        "vocab_size": corpus.tokenizer().vocab_size,
    }


def _texts(name: str, data: str | None, folder: Path) -> str:
    """A file with the texts of the examples that ``finetune`` trains on, each a document."""
    if name not in CATALOGUE:
        raise unknown_name_error("data set", name, CATALOGUE, "--task")
    path = folder / "texts.jsonl"
    records = read_labelled_data(TaskRecipe(name=name, data=data), 0).train
    if not any(record.texts for record in records):
        raise BadInput(
            "a data set without texts", where="--task", value=name, allowed="data sets of texts",
            next_step="images need no preparing: warmstart pretrain --corpus takes them as they are",
        )  # fmt: skip
    with disk_errors(path), open(path, "w", encoding="utf-8") as file:
        for record in records:
            for text in record.texts.values():
                for part in (text,) if isinstance(text, str) else text:
                    file.write(json.dumps({"text": part}) + "\n")
    return str(path)
