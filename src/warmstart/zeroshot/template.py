r"""One's own task: a YAML file that says how a row becomes a question, and what is measured.

::

    context: "{premise}\nQuestion: {question}\nAnswer:"      # fields of the row in braces
    choices: [bad, good]                                    # texts, also with fields; or "{endings}", a list in the row
    label: label                                            # the field with the right one: its number or its text
    names: {0: bad, 1: good}                                # where the field has other words for the choices
    delimiter: " "                                          # between context and choice

Choices that are fixed words are label names, and the task is classification. A double brace stands for a brace.
"""

from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any

import yaml
from pydantic import ValidationError

from warmstart.base.errors import BadInput, suggest
from warmstart.base.settings import Settings
from warmstart.readers.rows import Row
from warmstart.zeroshot.choices import ChoiceTask, Question

_FORM = "context, choices, label, names, delimiter (docs/zeroshot.md)"


class TaskFile(Settings):
    """The file's fields; see above."""

    context: str = ""
    choices: tuple[str, ...] | str
    label: str
    names: Mapping[str, str] = {}
    delimiter: str = " "


def read_task(path: str) -> ChoiceTask:
    """The task that a YAML file describes.

    Raises:
        BadInput: no such file, no YAML, an unknown field, or a template that is not closed.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        found = yaml.BaseLoader(text).get_single_data()  # all scalars are text: ``no`` is a label, not a truth value
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"not a readable YAML file ({error})", where=path, allowed=_FORM) from None
    try:
        template = TaskFile.model_validate(found)
        for one in (template.context, *_listed(template.choices)):
            list(Formatter().parse(one))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"not a task ({first['msg']})", where=f"{path}, {name}", allowed=_FORM,
            next_step=suggest(name, list(TaskFile.model_fields)),
        ) from None  # fmt: skip
    except ValueError as error:
        raise BadInput(
            f"a template that cannot be read ({error})", where=path, allowed="{field}, and {{ for a brace"
        ) from None
    return ChoiceTask(lambda row: question_of(row, template))


def _listed(choices: tuple[str, ...] | str) -> tuple[str, ...]:
    return (choices,) if isinstance(choices, str) else choices


def question_of(row: Row, template: TaskFile) -> Question:
    """A row by the template.

    Raises:
        BadInput: a field that the row does not have, or a label that is no choice.
    """
    if isinstance(template.choices, str):
        choices = _list_at(row, template.choices)
    else:
        choices = [fill(row, choice) for choice in template.choices]
    given = _field(row, template.label)
    word = str(given).lower() if isinstance(given, bool) else str(given)
    word = template.names.get(word, word)
    if word in choices:
        label = choices.index(word)
    elif word.isdecimal() and int(word) < len(choices):
        label = int(word)
    else:
        raise BadInput(
            "the label is no choice", where=f"{row.where}, field {template.label!r}", value=given,
            allowed=", ".join([*template.names, *choices]), next_step="say in names what stands for what",
        )  # fmt: skip
    return Question.of(fill(row, template.context), choices, label, row.where, template.delimiter)


def fill(row: Row, template: str) -> str:
    """A template with the fields of a row.

    Raises:
        BadInput: the row does not have one.
    """
    parts = []
    for text, name, _, _ in Formatter().parse(template):
        parts.append(text)
        if name is not None:
            parts.append(str(_field(row, name)))
    return "".join(parts)


def _list_at(row: Row, template: str) -> list[str]:
    """The list in a row that ``{name}`` names."""
    name = template.strip().removeprefix("{").removesuffix("}")
    found = _field(row, name)
    if not isinstance(found, list) or not found:
        raise BadInput(
            "not a list of choices", where=row.place(name), value=found, allowed="a list of texts",
            next_step="name such a field, or list the choices in the task file",
        )  # fmt: skip
    return list(map(str, found))


def _field(row: Row, name: str) -> Any:
    if name not in row.fields:
        raise BadInput(
            f"the template's field {name!r} is not in the row", where=row.where, value=", ".join(row.fields),
            next_step=suggest(name, list(row.fields)) or "correct the template, or the row",
        )  # fmt: skip
    return row.fields[name]
