"""What every trained run leaves in its folder besides the weights: manifest, tokenizer, task, model card."""

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from warmstart.base.files import write_text
from warmstart.image.processor import ImageProcessor
from warmstart.models.model import Model
from warmstart.run.card import NO_FACTS, CardFacts, card_text
from warmstart.run.foreign_pairs import START, stated_ids
from warmstart.run.metadata import RunMetadata, write_metadata
from warmstart.tasks.settings import TemplateSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.special_tokens import num_delimiters, special_tokens
from warmstart.tasks.table import answer_of
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.template import Template
from warmstart.transfer.folder import FolderMetadata, save_model


def manifest(verb: str, seed: int, data: dict[str, Any]) -> dict[str, Any]:
    """What ran, with which versions, on what."""
    versions = {name: version(name) for name in ("warmstart", "torch", "numpy", "tokenizers")}
    return {
        "verb": verb,
        "argv": sys.argv[1:],
        "seed": seed,
        "versions": {"python": platform.python_version(), **versions},
        "machine": platform.machine(),
        "data": data,
    }


def write_model(
    folder: Path, model: Model, tokenizer: Vocabulary, metadata: RunMetadata, words: str,
    ids: Mapping[str, Any] | None = None, facts: CardFacts = NO_FACTS,
) -> None:  # fmt: skip
    """Writes everything that loading and predicting need, and a model card.

    Args:
        folder: of the run.
        model: what is saved.
        tokenizer: its vocabulary.
        metadata: its task, or how its text was cleaned.
        words: what it is, for the card.
        ids: ids of special tokens as another config has stated them, under its keys.
        facts: how good it is and what it started from, for the card.
    """
    save_model(model, folder, folder_metadata(tokenizer, metadata, ids))
    write_surroundings(folder, model, tokenizer, metadata, words, facts)


def folder_metadata(
    tokenizer: Vocabulary, metadata: RunMetadata, ids: Mapping[str, Any] | None = None
) -> FolderMetadata:
    """What the config of a model with this vocabulary and task says of labels and special tokens; ``ids`` come first."""
    task = metadata.first_task
    labels = () if metadata.task is None else metadata.task.label_names
    if task is not None and task.frame.template is not None:  # the class is read before padding, here and there
        ids = {"pad_token_id": task.frame.template.pad, **(ids or {})}
    if task is not None and task.frame.sight == "prefix" and not answer_of(task).generated:
        ids = {**(ids or {}), **_decoder_start(task, tokenizer)}
    pair = metadata.pair_template
    if pair is not None:
        ids = {**(ids or {}), **stated_ids(pair)}
    end, begin = _first_id(tokenizer, ("eos", "sep")), _first_id(tokenizer, ("bos",))
    return FolderMetadata(labels, pad_id(tokenizer), end, begin, ids or {})


def _decoder_start(task: TaskSpec, tokenizer: Vocabulary) -> dict[str, Any]:
    """The key of a config that names what the decoder reads before a text."""
    template = task.frame.template
    if template is not None and template.start is not None:
        return {START: template.start}
    return {START: require_text(tokenizer, "--task").token_to_id(special_tokens("prefix", tokenizer).delimiter)}


def write_surroundings(
    folder: Path, model: Model, tokenizer: Vocabulary, metadata: RunMetadata, words: str, facts: CardFacts = NO_FACTS
) -> None:
    """Writes what stands beside config and weights: tokenizer, task and card; as :func:`write_model` has it."""
    task = metadata.first_task
    sight, typed = model.settings.backbone.sight, model.settings.backbone.segments > 0
    typed = typed and (task is None or task.frame.typed)
    template = _template(sight, tokenizer, typed) if task is not None or sight == "full" else None
    if task is not None and task.frame.template is not None:
        template = _own_template(task.frame.template, tokenizer)
    pair = metadata.pair_template
    if pair is not None:
        one = (pair.before, pair.after)
        template = _own_template(TemplateSettings(one=one, pair=(pair.before, pair.between, pair.after)), tokenizer)
    tokenizer.save(folder, template, model.settings.backbone.max_length)
    write_metadata(folder, metadata)
    if metadata.direction == "backward":
        words = f"{words} It reads texts from their end: to another program give the tokens in opposite order."
    card = card_text(folder.name, metadata.named_tasks, words, facts, images=isinstance(tokenizer, ImageProcessor))
    write_text(folder / "README.md", card)


def pad_id(tokenizer: Vocabulary) -> int | None:
    """The id that other programs fill rows up with."""
    return _first_id(tokenizer, ("pad", "eos", "unk"))


def _first_id(tokenizer: Vocabulary, roles: tuple[str, ...]) -> int | None:
    """The id of the first of ``roles`` that the vocabulary has; an image has none."""
    if isinstance(tokenizer, ImageProcessor):
        return None
    return next((tokenizer.special_token_id(role) for role in roles if tokenizer.special_token(role) is not None), None)


def _template(sight: str, tokenizer: Vocabulary, typed: bool) -> Template:
    """How a text and a pair of texts are framed, for those who read the folder with another library."""
    start, delimiter, extract = special_tokens(sight, tokenizer)
    second = ("$B:1", f"{extract}:1") if typed else ("$B", extract)
    return Template((start, "$A", extract), (start, "$A", *[delimiter] * num_delimiters(sight, tokenizer), *second))


def _own_template(framing: TemplateSettings, tokenizer: Vocabulary) -> Template:
    """The special tokens that a model of another library was trained with."""
    pieces = require_text(tokenizer, "--run").pieces
    before, after = (tuple(pieces[number] for number in ids) for ids in framing.one)
    first, between, last = (tuple(pieces[number] for number in ids) for ids in framing.pair)
    return Template((*before, "$A", *after), (*first, "$A", *between, "$B", *last))
