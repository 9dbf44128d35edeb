"""SuperGLUE, ANLI, FEVER and CoNLL 2003 on tiny files made by hand in their official forms; labels told by eye."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from warmstart.base.errors import BadInput
from warmstart.tasks.catalogue import known_dataset

TEXT = "Ada met Byron in London\n@highlight\nByron left for Oslo"
FILES: dict[str, tuple[str, list[dict[str, Any]], list[tuple[Any, ...]]]] = {
    "boolq": ("BoolQ", [{"question": "is it calm", "passage": "The sea is calm.", "idx": 0, "label": True},
                        {"question": "is it wild", "title": "Sea", "passage": "The sea is calm.", "answer": False}],
              [("The sea is calm.", "is it calm", "true"), ("The sea is calm.", "is it wild", "false")]),
    "cb": ("CB", [{"premise": "He said so.", "hypothesis": "It is so.", "label": "neutral", "idx": 1}],
           [("He said so.", "It is so.", "neutral")]),
    "multirc": ("MultiRC", [{"idx": 0, "passage": {"text": "He sings.", "questions": [
        {"question": "Who?", "idx": 3, "answers": [
            {"text": "he", "idx": 0, "label": 1}, {"text": "she", "idx": 1, "label": 0}]},
    ]}}], [("He sings.", "Who? he", "true"), ("He sings.", "Who? she", "false")]),
    "wic": ("WiC", [{"word": "bank", "sentence1": "A bank of sand.", "sentence2": "Money in a bank.", "label": False,
                     "start1": 2, "end1": 6, "start2": 11, "end2": 15}],
            [("bank: A bank of sand.", "Money in a bank.", "false")]),
    "wsc": ("WSC", [{"text": "Mark told Pete many lies. He should have been more honest.", "label": True, "target": {
        "span1_text": "Mark", "span1_index": 0, "span2_text": "He", "span2_index": 5}}],
            [("Mark told Pete many lies. He should have been more honest.",
              "Mark told Pete many lies. Mark should have been more honest.", "true")]),
    "record": ("ReCoRD", [{"source": "x", "idx": 0, "passage": {"text": TEXT, "entities": [
        {"start": 0, "end": 2}, {"start": 8, "end": 12}, {"start": 17, "end": 22}, {"start": 35, "end": 39}]},
        "qas": [{"query": "@placeholder went north", "idx": 7, "answers": [{"start": 8, "end": 12, "text": "Byron"}]},
                {"query": "@placeholder", "idx": 8, "answers": [{"start": 0, "end": 0, "text": "nobody"}]}]}],
               [("Ada met Byron in London\nByron left for Oslo",
                 ("Ada went north", "Byron went north", "London went north"), (1,))]),
}  # fmt: skip


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(name: str, folder: Path, part: str = "train") -> list[tuple[Any, ...]]:
    known = known_dataset(name)
    found = known.load(folder, [part]).records[part]
    return [
        (*record.texts.values(), known.label_names[record.label] if known.label_names else record.label)  # type: ignore[index]
        for record in found
    ]


@pytest.mark.parametrize("name", FILES)
def test_superglue_as_distributed(name: str, tmp_path: Path) -> None:
    """Witness: by hand; the folder itself or the one above it, ``val`` is dev."""
    folder, rows, wanted = FILES[name]
    write(tmp_path / folder / "train.jsonl", rows)
    write(tmp_path / folder / "val.jsonl", rows)
    assert read(name, tmp_path) == wanted
    assert read(name, tmp_path / folder, "dev") == wanted
    if name == "record":
        assert "1 questions without two entities" in known_dataset(name).load(tmp_path, ["train"]).note


def test_anli_by_round_and_together(tmp_path: Path) -> None:
    """Witness: by hand."""
    for number, label in enumerate("enc", start=1):
        row = {"uid": "1", "context": f"premise {number}", "hypothesis": "so", "label": label, "reason": ""}
        write(tmp_path / "anli_v1.0" / f"R{number}" / "dev.jsonl", [row])
    wanted = [("premise 1", "so", "entailment"), ("premise 2", "so", "neutral"), ("premise 3", "so", "contradiction")]
    assert read("anli", tmp_path, "dev") == wanted
    assert read("anli_r3", tmp_path, "dev") == wanted[2:]


def test_qnli_as_candidates_of_questions(tmp_path: Path) -> None:
    """Witness: by hand: of three questions one has a single sentence, and of another none is right."""
    lines = ["index\tquestion\tsentence\tlabel", "0\twho\the\tentailment", "1\twhere\there\tentailment"]
    lines += ["2\twho\tthe sea\tnot_entailment", "3\twhen\tnow\tnot_entailment", "4\twhen\tthen\tnot_entailment"]
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    assert read("qnli_ranking", tmp_path, "dev") == [("who", ("he", "the sea"), (0,))]
    assert "2 questions with one candidate" in known_dataset("qnli_ranking").load(tmp_path, ["dev"]).note


def test_fever_as_inference(tmp_path: Path) -> None:
    """Witness: by hand."""
    labels = {"SUPPORTS": "entailment", "REFUTES": "contradiction", "NOT ENOUGH INFO": "neutral"}
    rows = [{"cid": "1", "fid": "1", "query": "a claim", "context": "a page", "label": label} for label in labels]
    write(tmp_path / "nli_fever" / "dev_fitems.jsonl", rows)
    assert read("fever", tmp_path, "dev") == [("a page", "a claim", name) for name in labels.values()]


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("conll2003_ner", ["B-ORG", "O", "B-MISC", "O"]), ("conll2003_pos", ["NNP", "VBZ", "JJ", "."]),
        ("conll2003_chunk", ["B-NP", "B-VP", "B-NP", "O"]),
    ],
)  # fmt: skip
def test_conll_2003_has_three_tasks(name: str, tags: list[str], tmp_path: Path) -> None:
    """Witness: by hand, in the official form with IOB1 tags and its first line; the last sentence ends with the file."""
    lines = (
        "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\nGerman JJ I-NP I-MISC\n. . O O\n\nIt PRP I-NP O"
    )
    for file in ("eng.train", "eng.testa", "eng.testb"):
        (tmp_path / file).write_text(lines)
    known = known_dataset(name)
    first, last = known.load(tmp_path, ["train"]).records["train"]
    assert first.texts["tokens"] == ("EU", "rejects", "German", ".") and last.texts["tokens"] == ("It",)
    assert [known.label_names[number] for number in first.label] == tags  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("boolq", {"question": "a", "passage": "b", "label": "perhaps"}, "neither true nor false"),
        ("cb", {"premise": "a", "label": "neutral"}, "key 'hypothesis'"),
        (
            "wsc",
            {"text": "a b", "label": 1, "target": {"span1_text": "a", "span2_text": "he", "span2_index": 0}},
            "'he'",
        ),
    ],
)
def test_other_files_are_refused(name: str, row: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Witness: one sentence with the file."""
    write(tmp_path / "train.jsonl", [row])
    with pytest.raises(BadInput, match=said):
        known_dataset(name).load(tmp_path, ["train"])
