"""What may be wrong with labelled data: texts that stand in two parts, labels that contradict each other or are missing.

Texts are the same here however they are cased and spaced. Near duplicates, which take longer to find, are looked for among
:data:`MOST_ASKED` examples of a part at most and in :data:`MOST_CHARACTERS` characters of the training texts, evenly spread,
and it is said where that is not all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from warmstart.base.arrays import Ints, Repeats, find_in
from warmstart.base.formatting import format_count
from warmstart.base.overflow import select
from warmstart.example.record import Record
from warmstart.tasks.kind import TaskKind
from warmstart.text.near_duplicates import find_near_duplicates

MOST_ASKED = 5_000
MOST_CHARACTERS = 20_000_000
ONE_SIDED = 0.9
"""Share of the labels from which one of them is too much: whoever always says it is right as often."""
RARE = 8
"""Training examples below which a label is rare, if the others have four times as many on average."""
MOST_READ = 1_000
NAMED = 0.9
"""Share of at most MOST_READ texts that hold the name of their label, from which on the labels seem to stand in them."""
MOST_NAMED = 6  # labels that a sentence names

Content = tuple[object, ...]
Counts = Mapping[str, Mapping[str, int]]
"""Part → label → how many examples have it, the commonest first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that may be wrong with the data.

    Attributes:
        kind: ``shared``, ``near``, ``contradiction``, ``empty``, ``one_sided``, ``rare``, ``missing`` or ``named``.
        split: where it was found.
        count: of examples, or of labels.
        of: how many there are, or were looked at.
        text: the whole in words, with the places of one example.
    """

    kind: str
    split: str
    count: int
    of: int
    text: str


def example_content(kind: TaskKind, record: Record) -> Content:
    """What makes two Records the same example: all that is read, of a pair without an order in either one."""
    return kind.content(record) if kind.pair == "symmetric" else record.content


def content_key(content: Content) -> tuple[str, ...]:
    """Texts however they are cased and spaced; an image is told by a digest."""
    return tuple([_normal(text) for text in _texts(content)])


def _normal(text: str) -> str:
    """Without case, one blank between words; most texts are spaced so already, which is seen faster than done."""
    text = text.casefold()
    is_spaced = text.isprintable() and "  " not in text and " " not in (text[:1], text[-1:])
    return text if is_spaced else " ".join(text.split())


def content_keys(contents: Iterable[Content], count: int) -> Ints:
    """[count] a number for each, which equal texts have in common."""
    return np.fromiter((hash(content_key(content)) for content in contents), np.int64, count)


def _texts(content: Content) -> tuple[str, ...]:
    """The words of a sentence, or the choices of a question, as one text."""
    return tuple([" ".join(part) if isinstance(part, tuple) else str(part) for part in content])


def _place(record: Record) -> str:
    return record.where or "a row"


def find_empty(kind: TaskKind, part: str, records: Sequence[Record]) -> Iterator[Finding]:
    """Examples of which a text has nothing to read."""
    empty = (record for record in records if kind.is_empty(record))
    if first := next(empty, None):
        count = 1 + sum(1 for _ in empty)
        text = f"{count:,} of {len(records):,} {part} examples have an empty text ({_place(first)})"
        yield Finding("empty", part, count, len(records), text)


def find_contradictions(part: str, records: Sequence[Record], repeats: Repeats) -> Iterator[Finding]:
    """Examples whose texts stand further up with another label."""
    pairs = (
        (one, other)
        for one, number in zip(select(records, repeats.numbers), repeats.first, strict=True)
        if one.label != (other := records[number]).label
    )
    if first := next(pairs, None):
        count = 1 + sum(1 for _ in pairs)
        text = (
            f"{count:,} of {len(records):,} {part} examples have the same texts as an earlier one and another label "
            f"({_place(first[0])} and {_place(first[1])})"
        )
        yield Finding("contradiction", part, count, len(records), text)


def find_one_sided(counts: Counts, sizes: Mapping[str, int]) -> Iterator[Finding]:
    """Labels that nearly all examples have."""
    for part, labels in counts.items():
        total = max(sizes[part], sum(labels.values()))
        name, count = next(iter(labels.items()), ("", 0))
        if count > 0 and count >= ONE_SIDED * total:
            text = f"{count:,} of {total:,} {part} labels are {name!r}, so that always to say so is right as often"
            yield Finding("one_sided", part, count, total, text)


def find_scarce(counts: Counts) -> Iterator[Finding]:
    """Labels that few training examples have, or none of another part."""
    train = counts["train"]
    for part, labels in counts.items():
        missing = [name for name in train if name not in labels]
        if missing:
            text = f"{part} has no example of {len(missing):,} of the {len(train):,} labels: {_some(missing)}"
            yield Finding("missing", part, len(missing), len(train), text)
    usual = sum(train.values()) / max(1, len(train))
    rare = [name for name, count in train.items() if count < RARE and count < usual / 4]
    if rare:
        text = f"{len(rare):,} of {len(train):,} labels have fewer than {RARE} training examples: {_some(rare[::-1])}"
        yield Finding("rare", "train", len(rare), len(train), text)


def find_named_labels(kind: TaskKind, names: Sequence[str], train: Sequence[Record]) -> Iterator[Finding]:
    """Whether texts hold the name of their own label, and not those of others too."""
    own_name = {n: name.casefold() for n, name in enumerate(names) if len(name) > 2 and not name.isdecimal()}
    if not kind.answer(names).has_classes or len(own_name) < 2:
        return
    some = [record for record in _spread(train, -(-len(train) // MOST_READ)) if record.label in own_name]
    found = [(record, _named(record, own_name)) for record in some]
    own = [record for record, named in found if record.label in named]
    others = sum(bool(named - {record.label}) for record, named in found)
    if own and len(own) >= NAMED * len(some) and others < len(own) / 2:
        text = (
            f"{len(own):,} of {len(some):,} training texts hold the name of their own label, so that it seems to stand in "
            f"the text ({_place(own[0])})"
        )
        yield Finding("named", "train", len(own), len(some), text)


def _named(record: Record, names: Mapping[int, str]) -> set[Any]:
    """The labels whose names stand in the texts."""
    text = "\n".join(content_key(record.content))
    return {number for number, name in names.items() if name in text}


def find_shared(
    kind: TaskKind, part: str, parts: Mapping[str, Sequence[Record]], keys: Mapping[str, Ints], repeats: Repeats
) -> Iterator[Finding]:
    """Examples that stand in training too, and others that nearly do.

    Args:
        kind: of the task.
        part: that is not the training.
        parts: part → its Records.
        keys: part → the keys of what may not stand in two parts.
        repeats: of the training's keys.
    """
    records, train = parts[part], parts["train"]
    places = find_in(keys[part], keys["train"])
    is_shared = places >= 0
    if shared := np.flatnonzero(is_shared).tolist():
        one, other = records[shared[0]], train[int(places[shared[0]])]
        text = (
            f"{len(shared):,} of {len(records):,} {part} examples have the {kind.content_noun} of a training example "
            f"({_place(one)} = {_place(other)})"
        )
        yield Finding("shared", part, len(shared), len(records), text)
    distinct = select(train, repeats.distinct(len(train))) if len(repeats.numbers) else train
    yield from _find_near(kind, part, select(records, np.flatnonzero(~is_shared)), distinct)


def _find_near(kind: TaskKind, part: str, records: Sequence[Record], train: Sequence[Record]) -> Iterator[Finding]:
    asked = _spread(records, -(-len(records) // MOST_ASKED))
    every = -(-_num_characters(kind, train) // MOST_CHARACTERS)
    train = _spread(train, every)
    near = find_near_duplicates(*([_texts(kind.content(record)) for record in some] for some in (asked, train)))
    if near:
        one, noun = min(near), f"{part} example"
        looked = [f"{len(asked):,} of them"] if len(asked) < len(records) else []
        looked += [f"one in {every} training examples"] if every > 1 else []
        sample = f", of {' and '.join(looked)} looked at" if looked else ""
        text = (
            f"{format_count(len(near), noun)} with nearly the {kind.content_noun} of a training example{sample} "
            f"({_place(asked[one])} ≈ {_place(train[near[one]])})"
        )
        yield Finding("near", part, len(near), len(asked), text)


def _num_characters(kind: TaskKind, records: Sequence[Record]) -> int:
    """Of all texts; of many of them as a sample says."""
    some = _spread(records, -(-len(records) // MOST_ASKED))
    found = sum(len(text) for record in some for text in _texts(kind.content(record)))
    return found * len(records) // max(1, len(some))


def _spread(items: Sequence[Any], every: int) -> Sequence[Any]:
    return items[::every] if every > 1 else items


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:MOST_NAMED])) + (" …" if len(names) > MOST_NAMED else "")
