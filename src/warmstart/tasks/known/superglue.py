"""SuperGLUE (Wang et al. 2019b) beside COPA, ANLI and FEVER as inference: JSON lines as their authors distribute them."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from warmstart.readers.rows import Row, read_rows
from warmstart.tasks.known.choices import check_rows
from warmstart.tasks.known.files import Folder, SplitReader, concatenate, in_subfolder

HOLDS = ("false", "true")
_PLACEHOLDER, _HIGHLIGHT = "@placeholder", re.compile(r"\n@highlight\n")
_ROUNDS = ("R1", "R2", "R3")
_ANLI = {"e": "entailment", "n": "neutral", "c": "contradiction"}
_FEVER = {"SUPPORTS": "entailment", "NOT ENOUGH INFO": "neutral", "REFUTES": "contradiction"}
Fields = Mapping[str, Any]
_PARTS: dict[str, tuple[str, ...]] = {"train": ("train",), "dev": ("val", "dev")}


def _lines(make: Callable[[Fields, Folder], Iterator[Fields]], *names: str) -> SplitReader:
    """The part that stands in the first of these files that is there; ``make`` makes rows of each line."""

    def part(folder: Folder) -> Iterator[Row]:
        path = folder.file(*(f"{name}.jsonl" for name in names))
        return check_rows(path, _rows(path, make, folder))

    return part


def _rows(path: Path, make: Callable[[Fields, Folder], Iterator[Fields]], folder: Folder) -> Iterator[Row]:
    for row in read_rows(str(path), extension=".jsonl"):
        for fields in make(row.fields, folder):
            yield Row(dict(fields), row.where)


def _boolq(line: Fields, folder: Folder) -> Iterator[Fields]:
    """A question about a passage; SuperGLUE has ``label``, the authors' files ``answer``."""
    label = line["label"] if "label" in line else line["answer"]
    yield {"premise": line["passage"], "hypothesis": line["question"], "label": _holds(label)}


def _cb(line: Fields, folder: Folder) -> Iterator[Fields]:
    yield {name: line[name] for name in ("premise", "hypothesis", "label")}


def _multirc(line: Fields, folder: Folder) -> Iterator[Fields]:
    """Each answer to each question about a passage is a pair of its own."""
    passage = line["passage"]
    for question in passage["questions"]:
        for answer in question["answers"]:
            asked = {"premise": passage["text"], "hypothesis": f"{question['question']} {answer['text']}"}
            yield asked | {"label": _holds(answer["label"]), "question_id": question["idx"], "answer_id": answer["idx"]}


def _record(line: Fields, folder: Folder) -> Iterator[Fields]:
    """The statement with each entity of the passage in the place of the gap; one is right, or several that name it."""
    text, passage = line["passage"]["text"], line["passage"]
    entities = list(dict.fromkeys(text[span["start"] : span["end"] + 1] for span in passage["entities"]))
    for question in line["qas"]:
        right = {answer["text"] for answer in question["answers"]}
        if len(entities) < 2 or right.isdisjoint(entities):
            folder.count("questions without two entities, or whose answer is none of them, left out")
            continue
        candidates = [question["query"].replace(_PLACEHOLDER, entity) for entity in entities]
        yield {
            "query": _HIGHLIGHT.sub("\n", text), "candidates": candidates,
            "labels": [entity in right for entity in entities], "id": question["idx"],
        }  # fmt: skip


def _wic(line: Fields, folder: Folder) -> Iterator[Fields]:
    """Whether a word means the same in two sentences; it stands before the first."""
    yield {
        "sentence1": f"{line['word']}: {line['sentence1']}", "sentence2": line["sentence2"],
        "label": _holds(line["label"]),
    }  # fmt: skip


def _wsc(line: Fields, folder: Folder) -> Iterator[Fields]:
    """A text, and the same with a noun in the place of a pronoun that may stand for it."""
    target, text = line["target"], line["text"]
    pronoun, words = target["span2_text"], text.split()
    places = [n for n, word in enumerate(words) if pronoun.lower() in word.lower()]
    if not places:
        raise ValueError(f"the pronoun {pronoun!r} does not stand in the text")
    place = min(places, key=lambda n: abs(n - target["span2_index"]))  # a few indices of the official files are off
    words[place] = re.sub(
        re.escape(pronoun), lambda _: target["span1_text"], words[place], count=1, flags=re.IGNORECASE
    )
    yield {"premise": text, "hypothesis": " ".join(words), "label": _holds(line["label"])}


def _inference(
    premise: str, hypothesis: str, names: Mapping[str, str], line: Fields, folder: Folder
) -> Iterator[Fields]:
    label = line["label"]
    yield {"premise": line[premise], "hypothesis": line[hypothesis], "label": names.get(label, label)}


def _holds(label: Any) -> str:
    """A truth value, or 0 or 1, as a name.

    Raises:
        ValueError: it is neither.
    """
    if label not in (0, 1):  # True is 1
        raise ValueError(f"label {label!r} is neither true nor false")
    return HOLDS[int(label)]


def _splits(make: Callable[[Fields, Folder], Iterator[Fields]]) -> dict[str, SplitReader]:
    return {name: _lines(make, *files) for name, files in _PARTS.items()}


BOOLQ_SPLITS, CB_SPLITS, MULTIRC_SPLITS = _splits(_boolq), _splits(_cb), _splits(_multirc)
RECORD_SPLITS, WIC_SPLITS, WSC_SPLITS = _splits(_record), _splits(_wic), _splits(_wsc)
_anli, _fever = partial(_inference, "context", "hypothesis", _ANLI), partial(_inference, "context", "query", _FEVER)
ANLI_ROUND_SPLITS = {
    number: {name: in_subfolder(_lines(_anli, name), number) for name in ("train", "dev", "test")} for number in _ROUNDS
}
ANLI_SPLITS = {
    name: concatenate(
        concatenate(ANLI_ROUND_SPLITS["R1"][name], ANLI_ROUND_SPLITS["R2"][name]), ANLI_ROUND_SPLITS["R3"][name]
    )
    for name in ("train", "dev", "test")
}
FEVER_SPLITS = {name: _lines(_fever, f"{name}_fitems") for name in ("train", "dev")}
