"""Choices that have labels of their own (A, B, …), as OpenBookQA, ARC and CommonsenseQA are distributed.

Their authors put the choices into the question, ``{"stem": …, "choices": [{"text": …, "label": "A"}, …]}``; the hub has them
beside it, ``{"text": […], "label": […]}``. The right one is named by its label.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.tasks.columns import as_list

QUESTION, STEM, CHOICES, TEXT, LABEL = "question", "stem", "choices", "text", "label"


class LabelledChoices(NamedTuple):
    """The texts of choices, and their labels; empty where they have none."""

    texts: list[Any]
    labels: list[Any]


def with_stem(row: Row) -> Row:
    """The row with stem and choices as columns, where its question is an object that holds both."""
    question = row.fields.get(QUESTION)
    if not isinstance(question, Mapping) or not question.keys() >= {STEM, CHOICES}:
        return row
    fields = row.fields | {QUESTION: question[STEM], CHOICES: question[CHOICES]}
    return Row(fields, row.where, row.aside, row.renamed)


def labelled_choices(value: Any, place: str) -> LabelledChoices:
    """Choices as a list of texts, as a list of texts with labels, or as a list of texts beside one of labels.

    Raises:
        BadInput: none of these, or two choices of one label.
    """
    if isinstance(value, Mapping) and value.keys() >= {TEXT, LABEL}:
        texts, labels = as_list(value[TEXT], place), as_list(value[LABEL], place)
    else:
        texts, labels = as_list(value, place), []
        if texts and all(isinstance(one, Mapping) and one.keys() >= {TEXT, LABEL} for one in texts):
            texts, labels = [one[TEXT] for one in texts], [one[LABEL] for one in texts]
    if labels and (len(labels) != len(texts) or len({*map(str, labels)}) < len(labels)):
        raise BadInput(
            "not one label for each choice", where=place, value=labels, allowed=f"{len(texts)} different labels",
            next_step="correct the row or leave it out",
        )  # fmt: skip
    return LabelledChoices(texts, labels)


def place_of(label: Any, labels: Sequence[Any], place: str) -> int:
    """Which of the choices has the label.

    Raises:
        BadInput: none.
    """
    names = [*map(str, labels)]
    if str(label) not in names:
        raise BadInput("no choice has this label", where=place, value=label, allowed=", ".join(names))
    return names.index(str(label))
