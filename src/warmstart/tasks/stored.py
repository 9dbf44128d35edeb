"""How rows and Records are kept that are too many for memory (:mod:`warmstart.base.overflow`)."""

from typing import Any

from warmstart.base.overflow import Codec
from warmstart.example.record import Answers, Record, Target
from warmstart.tasks.columns import Draft

OBJECTS_BYTES = 800
"""What a Record takes in memory beside the letters of its texts: about what its objects are."""
_LABELS: tuple[Any, ...] = (Answers, Target)


def _pack_draft(found: Draft) -> Any:
    return found.image if found.image is not None else [dict(found.texts), *found[1:-1]]


def _unpack_draft(values: Any) -> Draft:
    return Draft(*values)


def _pack_record(record: Record) -> Any:
    """An image is no plain value, so Records of images stay in memory."""
    if record.image is not None:
        return record.image
    kind = next((number for number, one in enumerate(_LABELS) if isinstance(record.label, one)), None)
    label = record.label if kind is None else [getattr(record.label, name) for name in _LABELS[kind].__slots__]
    return [dict(record.texts), kind, label, dict(record.extra), record.where]


def _unpack_record(values: Any) -> Record:
    texts, kind, label, extra, where = values
    return Record(texts, label if kind is None else _LABELS[kind](*label), extra, where)


def _size(found: Draft | Record) -> int:
    letters = sum(len(text) if isinstance(text, str) else sum(map(len, text)) for text in found.texts.values())
    return OBJECTS_BYTES + letters + (len(found.image.data) if found.image else 0)


DRAFTS = Codec(_pack_draft, _unpack_draft, _size)
RECORDS = Codec(_pack_record, _unpack_record, _size)
