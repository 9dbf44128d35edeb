"""Questions with choices, one of which is right: reading comprehension, stories, commonsense."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row, read_rows
from warmstart.readers.text_io import open_binary
from warmstart.tasks.known.files import Folder, SplitReader, in_subfolder

_STORY_SEED, _STORY_DEV = 3535999445, 374  # of GPT-1's code, which draws with scikit-learn's train_test_split
_COPA_QUESTIONS = {"cause": "What was the cause of this?", "effect": "What happened as a result?"}
_RACE_NAMES = {"train": ("train",), "dev": ("dev", "validation"), "test": ("test",)}
_LEVELS = ("middle", "high")


def check_rows(path: Path, found: Iterator[Row]) -> Iterator[Row]:
    """The rows, with one sentence for a file whose JSON is broken or has other keys."""
    try:
        yield from found
    except (ValueError, TypeError, KeyError, IndexError) as error:
        what = f"key {error}" if isinstance(error, KeyError) else str(error)
        raise BadInput(
            f"not a file of this data set ({what})", where=str(path), next_step="check the file, or fetch it again"
        ) from None


def _load(path: Path) -> Any:
    with open_binary(str(path)) as file:
        return json.load(file)


def _letter(answer: str, choices: list[str]) -> int:
    """The index that a letter stands for: A is the first choice, B the second."""
    index = ord(answer) - ord("A")
    if not 0 <= index < len(choices):
        raise ValueError(f"answer {answer!r} of {len(choices)}")
    return index


def _dream(name: str) -> SplitReader:
    """DREAM (Sun et al. 2019): questions about dialogues, three choices; the answer is given as text."""

    def part(folder: Folder) -> Iterator[Row]:
        path = folder.file(f"{name}.json")
        return check_rows(path, dialogues(path))

    return part


def dialogues(path: Path) -> Iterator[Row]:
    """The questions of a DREAM file, {"context", "question", "choices", "answer", "id"}; the answer is a choice's text."""
    for turns, asked, number in _load(path):
        for q in asked:
            fields = {"context": "\n".join(turns), "question": q["question"], "choices": q["choice"]}
            yield Row(fields | {"answer": q["answer"], "id": number}, f"{path}, dialogue {number}")


def _race(name: str, levels: tuple[str, ...]) -> SplitReader:
    """RACE (Lai et al. 2017), as distributed (a file per passage) or as JSON lines (a line per question)."""

    def part(folder: Folder) -> Iterator[Row]:
        root = folder.path / name
        if root.is_dir():
            return _passages(root, levels)
        files = [f"{n}.jsonl" for n in _RACE_NAMES[name]]
        path = folder.find(*files)
        if path is None:
            raise folder.missing(*files, folders=(name,))
        return check_rows(path, _race_lines(path, levels))

    return part


def _passages(root: Path, levels: tuple[str, ...]) -> Iterator[Row]:
    for level in levels:
        files = sorted((root / level).glob("*.txt"), key=lambda path: int(re.sub(r"\D", "", path.stem) or 0))
        if not files:
            raise BadInput(
                "a folder of this data set is missing or empty", where=str(root / level), allowed="a .txt file per passage",
                next_step="give the folder RACE with --data",
            )  # fmt: skip
        for path in files:
            yield from check_rows(path, _passage(path))


def _passage(path: Path) -> Iterator[Row]:
    found = _load(path)
    for asked, choices, answer in zip(found["questions"], found["options"], found["answers"], strict=True):
        fields = {"context": found["article"], "question": asked, "choices": choices, "id": found["id"]}
        yield Row(fields | {"label": _letter(answer, choices)}, str(path))


def _race_lines(path: Path, levels: tuple[str, ...]) -> Iterator[Row]:
    for row in read_rows(str(path)):
        asked = row.fields
        if asked["example_id"].startswith(levels):
            fields = {"context": asked["article"], "question": asked["question"], "choices": asked["options"]}
            label = _letter(asked["answer"], asked["options"])
            yield Row(fields | {"id": asked["example_id"], "label": label}, row.where)


def _storycloze(name: str) -> SplitReader:
    """Story Cloze Test (Mostafazadeh et al. 2016): a story of four sentences and two endings."""

    def part(folder: Folder) -> Iterator[Row]:
        file = "test" if name == "test" else "val"
        stem = f"cloze_test_{file}__spring2016"
        path = folder.file(f"{stem}.csv", f"{stem} - cloze_test_ALL_{file}.csv")
        stories = list(check_rows(path, _stories(path)))
        if name == "test":
            return iter(stories)
        places = np.random.RandomState(_STORY_SEED).permutation(len(stories))
        return (stories[place] for place in (places[_STORY_DEV:] if name == "train" else places[:_STORY_DEV]))

    return part


def _stories(path: Path) -> Iterator[Row]:
    for row in read_rows(str(path)):
        told = row.fields
        choices = [told[f"RandomFifthSentenceQuiz{n}"] for n in (1, 2)]
        context = " ".join(told[f"InputSentence{n}"] for n in (1, 2, 3, 4))
        fields = {"context": context, "choices": choices, "id": told["InputStoryid"]}
        yield Row(fields | {"label": int(told["AnswerRightEnding"]) - 1}, row.where)


def _copa(name: str) -> SplitReader:
    """COPA (Roemmele et al. 2011) as in SuperGLUE; FewGLUE's dev32, where it is there, is dev, and val is then test."""

    def part(folder: Folder) -> Iterator[Row] | None:
        few = folder.has("dev32.jsonl")
        file = {"train": "train", "dev": "dev32" if few else "val", "test": "val"}[name]
        if name == "test" and not few:
            return None
        if few:
            folder.note("FewGLUE: 32 training and 32 dev questions; SuperGLUE's dev is test")
        path = folder.file(f"{file}.jsonl")
        return check_rows(path, _causes(path))

    return part


def _causes(path: Path) -> Iterator[Row]:
    for row in read_rows(str(path)):
        asked = row.fields
        fields = {"context": asked["premise"], "question": _COPA_QUESTIONS[asked["question"]]}
        yield Row(fields | {"choices": [asked["choice1"], asked["choice2"]], "label": asked["label"]}, row.where)


def read_stems(*names: str) -> SplitReader:
    """A file of questions as CommonsenseQA, OpenBookQA and ARC have them: a stem, labelled choices, the right label."""

    def part(folder: Folder) -> Iterator[Row]:
        path = folder.file(*names)
        return check_rows(path, _stems(path))

    return part


def _stems(path: Path) -> Iterator[Row]:
    for row in read_rows(str(path)):
        question = row.fields["question"]
        labels = [choice["label"] for choice in question["choices"]]
        fields = {"context": question["stem"], "choices": [choice["text"] for choice in question["choices"]]}
        label = labels.index(row.fields["answerKey"])
        yield Row(fields | {"id": row.fields.get("id"), "label": label}, row.where)


def race(*levels: str) -> dict[str, SplitReader]:
    """The parts of RACE for some levels."""
    return {name: _race(name, levels) for name in _RACE_NAMES}


DREAM_SPLITS = {name: _dream(name) for name in ("train", "dev", "test")}
RACE_SPLITS = race(*_LEVELS)
RACE_M_AND_DREAM_SPLITS = {name: in_subfolder(part, "race_m", "RACE") for name, part in race("middle").items()} | {
    "train": in_subfolder(DREAM_SPLITS["train"], "dream")
}
STORYCLOZE_SPLITS = {name: _storycloze(name) for name in ("train", "dev", "test")}
COPA_SPLITS = {name: _copa(name) for name in ("train", "dev", "test")}
CSQA_SPLITS = {name: read_stems(f"{name}_rand_split.jsonl") for name in ("train", "dev")}
OPENBOOKQA_SPLITS = {name: read_stems(f"{name}.jsonl") for name in ("train", "dev", "test")}
ARC_EASY_SPLITS = {name: read_stems(f"ARC-Easy-{name.capitalize()}.jsonl") for name in ("train", "dev", "test")}
ARC_CHALLENGE_SPLITS = {
    name: read_stems(f"ARC-Challenge-{name.capitalize()}.jsonl") for name in ("train", "dev", "test")
}
