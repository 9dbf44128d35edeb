"""What the labelled data are like, before anything is learned from them: labels, lengths, repetitions, and what is wrong."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from warmstart.base.arrays import Ints, Repeats, find_repeats
from warmstart.build.data_findings import (
    Content,
    Finding,
    content_keys,
    example_content,
    find_contradictions,
    find_empty,
    find_named_labels,
    find_one_sided,
    find_scarce,
    find_shared,
)
from warmstart.build.labelled_data import LabelledData
from warmstart.example.record import Record
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Lengths
from warmstart.tasks.table import KINDS

MOST_SHOWN = 6  # labels that a line names


@dataclass(frozen=True, slots=True)
class SplitReport:
    """One part of the data.

    Attributes:
        examples: how many it has.
        labels: label → how many examples (tagging: entities or words) have it; empty where there are no labels to count.
        scores: least, median and greatest, where labels are scores.
        lengths: tokens of the shortest, the median, the 95th of 100 and the longest; empty where all are alike.
        cut: examples that are too long for the model.
        repeated: examples whose texts stand further up too.
    """

    examples: int
    labels: dict[str, int]
    scores: list[float]
    lengths: list[int]
    cut: int
    repeated: int


@dataclass(frozen=True, slots=True)
class DataReport:
    """The parts of the data, and what was found in them."""

    splits: dict[str, SplitReport]
    findings: list[Finding]

    def describe(self) -> list[str]:
        """Lines of the dry run."""
        lines = [
            ("labels", _each(self.splits, _describe_labels)),
            ("lengths", _each(self.splits, _describe_lengths)),
            ("repeated", _each(self.splits, lambda split: f"{split.repeated:,}" if split.repeated else "")),
            *(("warning", finding.text) for finding in self.findings),
        ]
        return [f"{name:<10} {text}" for name, text in lines if text]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for ``explain --json``."""
        return {
            "splits": {name: asdict(split) for name, split in self.splits.items()},
            "warnings": [asdict(finding) for finding in self.findings],
        }


def report_data(data: LabelledData, lengths: Mapping[str, Lengths]) -> DataReport:
    """Looks at all parts.

    Args:
        data: the Records.
        lengths: of the Records of each part, in tokens.
    """
    kind, names = KINDS[data.kind], data.open_labels or data.label_names
    parts = {"train": data.train} | ({} if data.dev_is_train else {"dev": data.dev})
    parts |= {} if data.test is None else {"test": data.test}
    keys = _keys(parts, partial(example_content, kind))
    repeats = {part: find_repeats(own) for part, own in keys.items()}
    splits = {
        part: _report_split(kind, names, records, lengths.get(part, Lengths()), len(repeats[part].numbers))
        for part, records in parts.items()
    }
    findings = [*_find_in_each(kind, parts, repeats), *_find_in_labels(kind, data, parts, splits)]
    of_train = repeats["train"]
    if kind.content(data.train[0]) != example_content(kind, data.train[0]):
        keys = _keys(parts, kind.content)
        of_train = find_repeats(keys["train"])
    for part in [name for name in parts if name != "train"]:
        findings += find_shared(kind, part, parts, keys, of_train)
    return DataReport(splits, findings)


def _keys(parts: Mapping[str, Sequence[Record]], content: Callable[[Record], Content]) -> dict[str, Ints]:
    """The keys of each part's contents."""
    return {part: content_keys(map(content, records), len(records)) for part, records in parts.items()}


def _report_split(
    kind: TaskKind, names: Sequence[str], records: Sequence[Record], lengths: Lengths, repeated: int
) -> SplitReport:
    labels = Counter(chain.from_iterable(kind.labels_of(record, names) for record in records))
    ordered = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
    scores = np.fromiter((record.label for record in records if isinstance(record.label, float)), np.float64)
    quantiles = [float(np.quantile(scores, share)) for share in (0, 0.5, 1)] if len(scores) else []
    return SplitReport(len(records), dict(ordered), quantiles, lengths.quantiles(), lengths.cut, repeated)


def _find_in_each(
    kind: TaskKind, parts: Mapping[str, Sequence[Record]], repeats: Mapping[str, Repeats]
) -> Iterator[Finding]:
    for part, records in parts.items():
        yield from find_empty(kind, part, records)
        if kind.has_one_answer:
            yield from find_contradictions(part, records, repeats[part])


def _find_in_labels(
    kind: TaskKind, data: LabelledData, parts: Mapping[str, Sequence[Record]], splits: Mapping[str, SplitReport]
) -> Iterator[Finding]:
    counts = {part: split.labels for part, split in splits.items()}
    yield from find_one_sided(counts, {part: _num_answers(kind, records) for part, records in parts.items()})
    if data.label_names:
        yield from find_scarce(counts)
        yield from find_named_labels(kind, data.label_names, data.train)


def _num_answers(kind: TaskKind, records: Sequence[Record]) -> int:
    """How many answers are asked for: one of each Record, of tagging one of each word, whether in an entity or not."""
    varied = kind.varied_labels(records)
    return len(records) if varied is None else sum(1 for _ in varied)


def _each(splits: Mapping[str, SplitReport], describe: Callable[[SplitReport], str]) -> str:
    """What is said of each part of which anything is."""
    found = {name: describe(split) for name, split in splits.items()}
    return "; ".join(f"{name} {text}" for name, text in found.items() if text)


def _describe_labels(split: SplitReport) -> str:
    if split.scores:
        return f"{split.scores[0]:g} to {split.scores[2]:g}, half up to {split.scores[1]:g}"
    counts = [f"{name} {count:,}" for name, count in split.labels.items()]
    if len(counts) <= MOST_SHOWN:
        return ", ".join(counts)
    return f"{len(counts):,} labels: {', '.join(counts[:2])} … {counts[-1]}"


def _describe_lengths(split: SplitReport) -> str:
    if not split.lengths:
        return ""
    shortest, half, most, longest = split.lengths
    cut = f", {split.cut:,} cut" if split.cut else ""
    return f"{shortest:,} to {longest:,} tokens, half up to {half:,}, 95 % up to {most:,}{cut}"
