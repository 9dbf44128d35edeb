"""``warmstart prepare``: raw text to a corpus folder."""

import json
import tempfile
from pathlib import Path
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.files import disk_errors
from warmstart.build.labelled_data import read_labelled_data
from warmstart.config.requests import PrepareRequest
from warmstart.config.task_recipe import TaskRecipe
from warmstart.corpora.corpus import Corpus
from warmstart.corpora.prepare import prepare as prepare_corpus
from warmstart.corpora.settings import PrepareSettings
from warmstart.tasks.catalogue import CATALOGUE


def prepare(request: PrepareRequest) -> dict[str, Any]:
    """Prepares a corpus, or with ``verify`` checks one.

    Returns:
        {"corpus", "documents", "tokens", "text_bytes", "vocab_size"}.

    Raises:
        BadInput: anything wrong with the settings or the text; a file of the corpus that is not what was written.
    """
    if request.verify:
        return _verify(request)
    if not request.paths and request.task is None and request.data is None:
        raise BadInput(
            "missing", where="TEXT", allowed="files, folders, globs or - for standard input",
            next_step="give text, or --task NAME with --data DIR",
        )  # fmt: skip
    if request.data is not None and request.task is None:
        raise BadInput(
            "a folder of a data set, and no name that says how to read it", where="--data", value=request.data,
            next_step="add --task NAME, or give files of text as TEXT",
        )  # fmt: skip
    settings = PrepareSettings(**request.model_dump(exclude={"task", "data", "verify"}))
    with tempfile.TemporaryDirectory(prefix="warmstart-") as scratch:
        extra = {}
        if request.task is not None:
            extra[f"{request.task}.jsonl"] = _write_texts(request.task, request.data, Path(scratch))
        corpus = prepare_corpus(settings, extra)
    return _describe(settings.out, corpus)


def _verify(request: PrepareRequest) -> dict[str, Any]:
    if request.paths or request.task is not None or request.data is not None:
        raise BadInput(
            "a corpus that is verified is not made", where="--verify", value="text to prepare", allowed="--out alone",
            next_step="leave the text out, or --verify",
        )  # fmt: skip
    found = _describe(request.out, Corpus.open(request.out, verify=True))
    say(f"{request.out}: every byte is what was written")
    return found


def _describe(out: str, corpus: Corpus) -> dict[str, Any]:
    return {
        "corpus": out,
        "documents": corpus.num_documents,
        "tokens": corpus.num_tokens,
        "text_bytes": corpus.manifest.text_bytes,
        "vocab_size": corpus.tokenizer().vocab_size,
    }


def _write_texts(name: str, data: str | None, folder: Path) -> str:
    """Writes the texts of the examples that ``finetune`` trains on, each a document; returns the file."""
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
