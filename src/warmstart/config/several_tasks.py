"""Several tasks in one recipe: the short form of the command line, and what all of them share."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from warmstart.base.errors import BadInput
from warmstart.base.settings import merge


def split_tasks(given: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe as it is given, each of its tasks whole: what ``task`` says holds for all that do not say it themselves.

    ``task.name`` may hold the short form ``NAME=DIR,NAME=DIR`` of known data sets. An entry without a name of its own is
    the known data set of its key.
    """
    task = given.get("task") if isinstance(given.get("task"), Mapping) else {}
    entries = given.get("tasks")
    name = task.get("name") if isinstance(task, Mapping) else None
    short = _short_form(name) if isinstance(name, str) and "=" in name else {}
    if not isinstance(entries or {}, Mapping) or not (short or entries):
        return dict(given)
    common = {key: value for key, value in (task or {}).items() if key != "name"}
    whole = {}
    for key, entry in merge(short, dict(entries or {})).items():
        whole[key] = merge({"name": key} | common, dict(entry)) if isinstance(entry, Mapping) else entry
    return {**given, "task": common | {"name": ""}, "tasks": whole}


def _short_form(text: str) -> dict[str, Any]:
    """``mrpc=glue/MRPC,rte=glue/RTE`` as entries."""
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, equals, folder = part.partition("=")
        if not equals or not name or not folder:
            raise _refusal(BadInput(
                "not a task with its folder", where="--task", value=part, allowed="NAME=DIR of known data sets",
                next_step="write for example --task mrpc=glue/MRPC --task rte=glue/RTE",
            ))  # fmt: skip
        if name in found:
            raise _refusal(BadInput(
                "two tasks of one name", where="--task", value=name, allowed="different names",
                next_step="leave one out, or give both names of their own in a recipe, under tasks",
            ))  # fmt: skip
        found[name] = {"name": name, "data": folder}
    return found


def _refusal(error: BadInput) -> PydanticCustomError:
    return PydanticCustomError("bad_input", "{error}", {"error": error})
