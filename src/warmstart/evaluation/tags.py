"""A tagger's answers as tags, one for each word, and the entities that they spell out."""

from typing import Any

from warmstart.evaluation.answers import RawOutput
from warmstart.example.record import Record
from warmstart.metrics.entities import get_entities
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.tagging import words_read
from warmstart.tasks.words import joined


def predict_tags(spec: TaskSpec, said: RawOutput) -> list[str]:
    """The likeliest tag of each word; a word that is read at no token has the tag that the task keeps for such words."""
    tags = [spec.tags.unread] * len(said.record.texts["tokens"])
    for word, best in zip(words_read(said.parts).tolist(), said.raw.argmax(axis=1).tolist(), strict=True):
        tags[word] = spec.label_names[best]
    return tags


def true_tags(spec: TaskSpec, record: Record) -> list[str]:
    """The right tags of a labelled sentence."""
    assert isinstance(record.label, tuple)
    return [spec.label_names[number] for number in record.label]


def tagged(spec: TaskSpec, record: Record, tags: list[str]) -> dict[str, Any]:
    """What is written about a sentence: its words, their tags and, where tags mark entities, these, in words from 0."""
    words = record.texts["tokens"]
    row: dict[str, Any] = {"tokens": list(words), "tags": tags}
    if spec.measured == "entities":
        row["entities"] = [
            entity._asdict() | {"text": joined(words[entity.start : entity.end])} for entity in get_entities(tags)
        ]
    return row
