"""What can be refused in a moment, before a verb and its libraries are imported: paths and names that do not exist."""

import glob
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from warmstart.base.errors import BadInput, suggest, unknown_name_error
from warmstart.config.flags import LENGTH, Flag, flags_of

if TYPE_CHECKING:
    from warmstart.base.settings import Settings

_WANTED = {
    "file": "a file",
    "files": "a file, or two parallel ones with a comma between",
    "folder": "a folder",
    "either": "a file or a folder",
    "text": "files, folders, globs or - for standard input",
    "model": "a folder (a run or a model), or the id of a model on the hub",
}


def check_typed_paths(table: str, typed: Mapping[str, Any], recipe: str | None) -> None:
    """Checks the paths among the flags of a verb.

    Raises:
        BadInput: the first that does not exist.
    """
    if recipe is not None:
        _check(Flag("--recipe", "", "", exists="file"), recipe)
    for flag in flags_of(table):
        if flag.exists and flag.name in typed:
            for path in _several(typed[flag.name]):
                _check(flag, path)


def check_recipe_paths(table: str, recipe: "Settings") -> None:
    """Checks the paths that a recipe names, whoever said them."""
    for flag in flags_of(table):
        if flag.exists:
            for path in _several(_value(recipe, flag.path)):
                _check(flag, path)


def check_words(table: str, recipe: "Settings") -> None:
    """Checks what is text to the schema and more to the verb: names that are looked up in tables, and lengths.

    Raises:
        BadInput: an unknown preset, task or cleaning rule, with a suggestion; a length without its unit.
    """
    from warmstart.base.units import Length
    from warmstart.build.sizes import backbone_settings, pretrained_size
    from warmstart.config.schema import FinetuneRecipe, PretrainRecipe
    from warmstart.text.clean import check_rules

    for flag in flags_of(table):
        if flag.shown == LENGTH and _value(recipe, flag.path) is not None:
            Length.parse(_value(recipe, flag.path), flag.name)
    if isinstance(recipe, PretrainRecipe):
        check_rules(recipe.corpus.clean)
        if recipe.start == "none":
            pretrained_size(recipe, recipe.corpus.vocab_size)
    elif isinstance(recipe, FinetuneRecipe):
        if recipe.start == "none":
            backbone_settings(recipe.model, recipe.vocab_size)
        _check_task(recipe.task.name)


def _check_task(name: str) -> None:
    from warmstart.tasks.settings import KIND_NAMES

    if name in KIND_NAMES:
        return
    from warmstart.tasks.catalogue import CATALOGUE

    if name not in CATALOGUE:
        raise unknown_name_error("task", name, [*KIND_NAMES, *CATALOGUE], "--task")


def _several(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _value(recipe: Any, path: str) -> Any:
    for name in path.split("."):
        recipe = getattr(recipe, name)
    return recipe


def _check(flag: Flag, path: str) -> None:
    if flag.exists in ("files", "either") and "," in path and not os.path.exists(path):
        for part in path.split(","):
            _check(replace(flag, exists="file"), part)
        return
    if path in flag.unless or (flag.unless_begins and path.startswith(flag.unless_begins)):
        return
    if flag.exists == "text" and (path == "-" or glob.has_magic(path)):
        return
    if not os.path.exists(path):
        if flag.exists == "model" and _may_be_hub_id(path):
            return
        raise BadInput(
            "no such path", where=flag.name, value=path, allowed=_WANTED[flag.exists],
            next_step=_close(path) or "check the path",
        )  # fmt: skip
    if flag.exists in ("file", "files") and os.path.isdir(path):
        raise BadInput(
            "a folder, where a file is needed", where=flag.name, value=path, allowed=_WANTED[flag.exists],
            next_step="name a file in it",
        )  # fmt: skip
    if flag.exists in ("folder", "model") and not os.path.isdir(path):
        raise BadInput(
            "a file, where a folder is needed", where=flag.name, value=path, allowed=_WANTED[flag.exists],
            next_step="name the folder that it is in",
        )  # fmt: skip


def _may_be_hub_id(path: str) -> bool:
    """Whether a path that does not exist is rather an id: ``hf:gpt2``, or ``owner/name`` where no folder ``owner`` is."""
    owner, slash, name = path.partition("/")
    return path.startswith("hf:") or bool(
        slash and name and "/" not in name and owner not in ("", ".", "..") and not os.path.isdir(owner)
    )


def _close(path: str) -> str:
    """A sibling whose name is close, or the folder that is missing on the way."""
    folder, name = os.path.split(os.path.normpath(path))
    if os.path.isdir(folder or "."):
        found = suggest(os.path.join(folder, name), _siblings(folder))
        return found
    return f"the folder {folder!r} does not exist"


def _siblings(folder: str) -> Iterator[str]:
    with os.scandir(folder or ".") as entries:
        yield from (os.path.join(folder, entry.name) for entry in entries)
