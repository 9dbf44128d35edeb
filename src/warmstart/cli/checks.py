"""What can be refused in a moment, before a verb and its libraries are imported: paths and names that do not exist."""

import glob
import os
from collections.abc import Iterator, Mapping
from typing import Any

from warmstart.base.errors import BadInput, nearest_name, unknown_name_error
from warmstart.base.settings import HUB_PREFIX, PathRule, Settings
from warmstart.config.flags import flags_of
from warmstart.readers.remote import is_remote

_ALLOWED = {
    "file": "a file",
    "files": "a file, or two parallel ones separated by a comma",
    "folder": "a folder",
    "any": "a file or a folder",
    "text": "files, folders, globs or - for standard input",
    "model": "a folder (a run or a model), or the id of a model on the hub",
}


def check_recipe_path(path: str | None) -> None:
    """Checks the path after ``--recipe``."""
    if path is not None:
        _check_path("--recipe", PathRule("file"), path)


def check_typed_paths(kind: type[Settings], typed: Mapping[str, Any]) -> None:
    """Checks the paths among the flags of a verb.

    Raises:
        BadInput: the first that does not exist.
    """
    for flag in flags_of(kind):
        if flag.option.path and flag.name in typed:
            for path in _as_tuple(typed[flag.name]):
                _check_path(flag.name, flag.option.path, path)


def check_setting_paths(settings: Settings) -> None:
    """Checks the paths in the settings, from wherever they come."""
    for flag in flags_of(type(settings)):
        if flag.option.path:
            for path in _as_tuple(_value_at(settings, flag.path)):
                _check_path(flag.name, flag.option.path, path)
            for name, entry in getattr(settings, "tasks", {}).items():
                if flag.path[0] == "task":
                    for path in _as_tuple(getattr(entry, flag.path[-1])):
                        _check_path(f"tasks.{name}.{flag.path[-1]}", flag.option.path, path)


def check_names(settings: Settings) -> None:
    """Checks names that are text to the settings and looked up in tables by the verb.

    Raises:
        BadInput: an unknown objective, preset, task or cleaning rule, with a suggestion.
    """
    from warmstart.build.sizes import backbone_settings
    from warmstart.config.schema import FinetuneRecipe, PretrainRecipe
    from warmstart.config.study import StudyRecipe
    from warmstart.objectives.table import OBJECTIVES
    from warmstart.text.clean import check_rules

    if isinstance(settings, PretrainRecipe):
        check_rules(settings.corpus.clean)
        if settings.objective not in OBJECTIVES:
            raise unknown_name_error("objective", settings.objective, OBJECTIVES, "--objective")
        if settings.start == "none" and settings.model.preset is not None:
            backbone_settings(settings.model, settings.corpus.vocab_size)
    elif isinstance(settings, FinetuneRecipe) and not (isinstance(settings, StudyRecipe) and settings.trains_nothing):
        if settings.start == "none":
            backbone_settings(settings.model, settings.vocab_size)
        for own in settings.by_task().values():
            _check_task(own.task.name)


def _check_task(name: str) -> None:
    from warmstart.tasks.known.names import DATASET_NAMES
    from warmstart.tasks.table import KINDS, unknown_task

    if name not in (*KINDS, *DATASET_NAMES):
        raise unknown_task(name, "--task")


def _as_tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _value_at(settings: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        settings = getattr(settings, name)
    return settings


def _check_path(flag: str, rule: PathRule, path: str) -> None:
    if path in rule.words or (rule.remote and is_remote(path)) or (rule.hub and path.startswith(HUB_PREFIX)):
        return
    if rule.kind == "new":
        _check_new(flag, path)
        return
    if rule.takes_several and "," in path and not os.path.exists(path):
        for part in path.split(","):
            _check_path(flag, PathRule("file") if rule.kind == "files" else rule, part)
        return
    if rule.kind == "text" and (path == "-" or glob.has_magic(path)):
        return
    if not os.path.exists(path):
        if rule.kind == "model" and _may_be_hub_model(path):
            return
        raise BadInput(
            "no such path", where=flag, value=path, allowed=_ALLOWED[rule.kind],
            next_step=_suggest_path(path) or "check the path",
        )  # fmt: skip
    if rule.kind in ("file", "files") and os.path.isdir(path):
        raise BadInput(
            "a folder, where a file is needed", where=flag, value=path, allowed=_ALLOWED[rule.kind],
            next_step="name a file in it",
        )  # fmt: skip
    if rule.kind in ("folder", "model") and not os.path.isdir(path):
        raise BadInput(
            "a file, where a folder is needed", where=flag, value=path, allowed=_ALLOWED[rule.kind],
            next_step="name the folder that it is in",
        )  # fmt: skip


def _check_new(flag: str, path: str) -> None:
    """Refuses a place where nothing can be made; whether something is there already is the verb's matter."""
    try:
        os.stat(path)
        return
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.lexists(path):
            return
        reason = "a link that leads nowhere"
    except OSError as error:
        reason = str(error.strerror)
    raise BadInput(f"cannot write here ({reason})", where=flag, value=path, next_step="choose another place")


def _may_be_hub_model(path: str) -> bool:
    """Whether a path that does not exist is rather an id: ``hf:gpt2``, or ``owner/name`` where no folder ``owner`` is."""
    owner, slash, name = path.partition("/")
    return path.startswith(HUB_PREFIX) or bool(
        slash and name and "/" not in name and owner not in ("", ".", "..") and not os.path.isdir(owner)
    )


def _suggest_path(path: str) -> str:
    """A sibling whose name is close, or the folder that is missing on the way."""
    folder, name = os.path.split(os.path.normpath(path))
    if os.path.isdir(folder or "."):
        found = nearest_name(name, _siblings(folder))
        return f"did you mean {os.path.join(folder, found)!r}?" if found else ""
    return f"the folder {folder!r} does not exist"


def _siblings(folder: str) -> Iterator[str]:
    with os.scandir(folder or ".") as entries:
        yield from (entry.name for entry in entries)
