"""Known data sets, read from a folder as they are distributed.

Nothing is fetched and nothing is changed on disk. Each entry knows its files, columns, label numbers and encoding, and the
measure that papers report for it. Where a data set has traps, its loader says how it steps round them.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from warmstart.base.errors import BadInput, unknown
from warmstart.base.seeds import generator
from warmstart.example.record import Record
from warmstart.readers.opening import lines, open_binary
from warmstart.readers.rows import REST, Row, rows
from warmstart.tasks.dataset import records_of
from warmstart.tasks.spec import Kind

Splits = dict[str, list[Record]]

SENTIMENT = ("negative", "positive")
ACCEPTABILITY = ("unacceptable", "acceptable")
INFERENCE = ("contradiction", "entailment", "neutral")
_SNLI_NUMBERS = {"1": "neutral", "2": "contradiction", "3": "entailment"}
_SPLIT_SEED = 0
_JOINTS = (
    (re.compile(r"``\s*"), '"'),
    (re.compile(r"\s+''(?!\S)"), '"'),
    (re.compile(r"\s+(n't|'(?:s|m|d|re|ve|ll)?|[.,;:!?%)\]])(?=[\s\"]|$)"), r"\1"),
    (re.compile(r"([(\[$#])\s+"), r"\1"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One known data set.

    Attributes:
        name: what ``--task`` takes.
        kind: what kind of task it is.
        metric: the measure that papers report for it.
        label_names: class number → name; empty for scores and choices.
        note: where the splits come from and what was done to the text, in words.
        load: folder → ``train``, ``dev`` and, where labelled, ``test``.
    """

    name: str
    kind: Kind
    metric: str
    label_names: tuple[str, ...]
    note: str
    load: Callable[[Path], Splits]


def entry(name: str) -> Entry:
    """The data set of that name, or the error that suggests one."""
    if name not in CATALOGUE:
        raise unknown("data set", name, CATALOGUE, where="--task")
    return CATALOGUE[name]


def untokenised(text: str) -> str:
    """The named rule for Penn Treebank tokens: back to text as people write it.

    >>> print(untokenised("He said `` hi '' , but she does n't . "))
    He said "hi", but she doesn't.
    """
    for pattern, joined in _JOINTS:
        text = pattern.sub(joined, text)
    return text.strip()


def _rt_polarity(folder: Path) -> Splits:
    """Movie-review sentences (Pang and Lee 2005), cp1252; sentences of the same words stay in one part."""
    splits: Splits = {"train": [], "dev": [], "test": []}
    seen: set[tuple[str, ...]] = set()
    for label, ending in zip(SENTIMENT, ("neg", "pos"), strict=True):
        path = _file(folder, f"rt-polarity.{ending}")
        cells = (Row({"text": untokenised(line), "label": label}, where) for line, where in _lines(path, "cp1252"))
        groups: dict[tuple[str, ...], list[Record]] = {}
        for record in records_of("classification", cells, SENTIMENT, True, str(path)):
            groups.setdefault(tuple(re.findall(r"\w+", str(record.texts["text"]).lower())), []).append(record)
        ordered = [groups[key] for key in groups if key not in seen]
        seen |= groups.keys()
        tenth = sum(map(len, ordered)) / 10
        taken: list[Record] = []
        for place in generator(_SPLIT_SEED, "rt_polarity", label).permutation(len(ordered)):
            part = "test" if len(taken) < tenth else "dev" if len(taken) < 2 * tenth else "train"
            splits[part] += ordered[place]
            taken += ordered[place]
    return splits


def _cola(folder: Path) -> Splits:
    """Linguistic acceptability (Warstadt et al. 2018); the test labels are not public."""

    def split(name: str) -> list[Record]:
        path = _file(folder, f"{name}.tsv")
        found = rows(str(path), columns=["source", "label", "star", "text"])
        named = (_renamed(row, {"0": ACCEPTABILITY[0], "1": ACCEPTABILITY[1]}) for row in found)
        return list(records_of("classification", named, ACCEPTABILITY, True, str(path)))

    return {"train": split("train"), "dev": split("dev")}


def _snli(folder: Path) -> Splits:
    """SNLI (Bowman et al. 2015): raw training text, numbered labels; dev and test come as tokens and are joined again."""
    path = _file(folder, "train_18k.tsv")
    found = rows(str(path), columns=["label", "again", "premise", "hypothesis"])
    named = (_renamed(row, _SNLI_NUMBERS, drop="again") for row in found)
    splits = {"train": list(records_of("entailment", named, INFERENCE, True, str(path)))}
    for name in ("dev", "test"):
        path = _file(folder, f"{name}.tsv")
        tokens = rows(str(path), columns=["label", "premise", "hypothesis"])
        whole = (Row({key: untokenised(value) for key, value in row.fields.items()}, row.where) for row in tokens)
        splits[name] = list(records_of("entailment", whole, INFERENCE, True, str(path)))
    return splits


def _snli_cad(folder: Path) -> Splits:
    """Counterfactually augmented SNLI (Kaushik et al. 2020)."""

    def split(name: str) -> list[Record]:
        path = _file(folder, f"{name}.tsv")
        found = rows(str(path), columns=["premise", "hypothesis", "label"])
        next(found)  # the file's own header, which calls the label gold_label
        return list(records_of("entailment", found, INFERENCE, True, str(path)))

    return {name: split(name) for name in ("train", "dev", "test")}


def _snli_and_cad(folder: Path) -> Splits:
    """Training examples of both, dev and test of SNLI; ``folder`` holds ``snli`` and ``snli_cad``."""
    snli = _snli(folder / "snli")
    return snli | {"train": snli["train"] + _snli_cad(folder / "snli_cad")["train"]}


def _stsb(folder: Path) -> Splits:
    """STS benchmark (Cer et al. 2017): 0 to 5; rows with a source column beside each sentence have it left out."""
    columns = ["genre", "file", "year", "index", "score", "sentence1", "sentence2", REST]

    def split(name: str) -> list[Record]:
        path = _file(folder, f"sts-{name}.tsv")
        return list(records_of("similarity", rows(str(path), columns=columns), (), True, str(path)))

    return {name: split(name) for name in ("train", "dev", "test")}


def _dream(folder: Path) -> Splits:
    """DREAM (Sun et al. 2019): questions about dialogues, three choices; the answer is given as text."""

    def questions(path: Path) -> Iterator[Row]:
        with open_binary(str(path)) as file:
            try:
                dialogues = json.load(file)
                for turns, asked, number in dialogues:
                    for q in asked:
                        fields = {"context": "\n".join(turns), "question": q["question"], "choices": q["choice"]}
                        yield Row(fields | {"answer": q["answer"], "id": number}, f"{path}, dialogue {number}")
            except (ValueError, TypeError, KeyError) as error:
                raise BadInput(f"not a DREAM file ({error})", where=str(path), next_step="fetch it again") from None

    def split(name: str) -> list[Record]:
        path = _file(folder, f"{name}.json")
        return list(records_of("choice", questions(path), (), True, str(path)))

    return {name: split(name) for name in ("train", "dev", "test")}


def _renamed(row: Row, names: dict[str, str], drop: str = "") -> Row:
    """The row with its label number replaced by its name (an unknown number stays, to be refused by name)."""
    fields = {key: value for key, value in row.fields.items() if key != drop}
    return Row(fields | {"label": names.get(fields["label"], fields["label"])}, row.where)


def _lines(path: Path, encoding: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines(str(path), encoding), start=1):
        yield line, f"{path}:{number}"


def _file(folder: Path, name: str) -> Path:
    """The file, plain or packed.

    Raises:
        BadInput: neither is there.
    """
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise BadInput(
        "a file of this data set is missing", where=str(folder / name), allowed=f"{name} or {name}.gz",
        next_step="give the folder that holds it with --data",
    )  # fmt: skip


_OFFICIAL = "official splits"
CATALOGUE: dict[str, Entry] = {
    known.name: known
    for known in (
        Entry(
            "rt_polarity", "classification", "accuracy", SENTIMENT,
            "no official split: 80/10/10 by class, drawn with seed 0, sentences of the same words in one part; tokens "
            "joined to text",
            _rt_polarity,
        ),
        Entry("cola", "classification", "matthews", ACCEPTABILITY, "official train and dev", _cola),
        Entry(
            "snli", "entailment", "accuracy", INFERENCE,
            "18,000 of the training pairs, official dev and test; dev and test tokens joined to text", _snli,
        ),
        Entry("snli_cad", "entailment", "accuracy", INFERENCE, _OFFICIAL, _snli_cad),
        Entry(
            "snli+cad", "entailment", "accuracy", INFERENCE,
            "training pairs of snli and snli_cad together, dev and test of snli; the folder holds both folders",
            _snli_and_cad,
        ),
        Entry("stsb", "similarity", "pearson", (), _OFFICIAL, _stsb),
        Entry("dream", "choice", "accuracy", (), _OFFICIAL, _dream),
    )
}  # fmt: skip
