"""Tagging: rows and files to Records, sentences to Examples, and what happens to words that no token is left of."""

import json
from pathlib import Path
from typing import Any

import pytest
from seqeval.metrics import f1_score

from warmstart.base.errors import BadInput
from warmstart.build.describe import describe
from warmstart.example.batch import collate
from warmstart.example.record import Record
from warmstart.example.sight import Pattern
from warmstart.metrics.tagging import entity_metrics
from warmstart.tasks.dataset import read_records, read_task, records_from, task_from
from warmstart.tasks.frames import FramedRecords, class_weights, frame_records
from warmstart.tasks.hold_out import hold_out
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.settings import FrameSettings, TaggingSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS, answer_of
from warmstart.tasks.tagging import words_read
from warmstart.text.tokenizer import EXTRACT, START, TASK_TOKENS, Tokenizer

NAMES = ("B-LOC", "I-LOC", "O")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """One token per byte."""
    return Tokenizer.train(["ab"], 257).with_special_tokens(TASK_TOKENS)


def spec(names: tuple[str, ...] = NAMES, **settings: Any) -> TaskSpec:
    return TaskSpec(kind="tagging", label_names=names, frame=FrameSettings(**{"context": 64, **settings}))


def framed(tokenizer: Tokenizer, task: TaskSpec, *records: Record) -> FramedRecords:
    return frame_records(task, records, tokenizer)


def sentence(*pairs: tuple[str, int]) -> Record:
    return Record({"tokens": tuple(word for word, _ in pairs)}, tuple(tag for _, tag in pairs))


def complaint(rows: list[dict[str, Any]], labels: tuple[str, ...] | None = None) -> str:
    with pytest.raises(BadInput) as error:
        task_from("tagging", rows, labels)
    return str(error.value)


def test_each_word_is_asked_at_its_first_token(tokenizer: Tokenizer) -> None:
    """Witness: drawn by hand with [ ] for the special tokens; the blank before a word is a token that is not read."""
    found = framed(tokenizer, spec(), sentence(("in", 2), ("Rio", 0), ("é", 1)))
    (example,) = found.examples[0]
    assert tokenizer.decode(example.ids, skip_special_tokens=False) == f"{START}in Rio é{EXTRACT}"
    goal = example.goals["tags"]
    assert [tokenizer.decode([token]) for token in example.ids[goal.reads]][:2] == ["i", "R"]
    assert goal.reads.tolist() == [1, 4, 8]  # [ i n _ R i o _ é é ]
    assert goal.question.tolist() == [0, 1, 2]
    assert goal.targets.tolist() == [2, 0, 1] and goal.weights.tolist() == [1.0] * 3
    assert example.goals["lm"].targets.tolist() == example.ids[1:].tolist()
    assert found.account.to_dict() == {
        "used": 1, "cut": 0, "tokens": 11, "tokens_cut": 0, "longest": 11, "unread": 0, "targets_cut": 0,
        "windowed": 0, "windows": 0,
    }  # fmt: skip
    batch = collate([found.examples[0], found.examples[0]])
    assert batch.pattern is Pattern.CAUSAL
    assert batch.goals["tags"].question.tolist() == list(range(6))
    assert batch.goals["tags"].reads.tolist() == [1, 4, 8, 12, 15, 19]


def test_a_bidirectional_backbone_sees_all(tokenizer: Tokenizer) -> None:
    """Invariant: all turns 0, no language model."""
    (example,) = framed(tokenizer, spec(sight="full", lm=False), sentence(("in", 2), ("Rio", 0))).examples[0]
    assert collate([[example]]).pattern is Pattern.FULL and list(example.goals) == ["tags"]


def test_words_cut_away_and_words_without_a_token_shift_no_other(tokenizer: Tokenizer) -> None:
    """Witness: drawn by hand; context 8 leaves 6 tokens: two letters, a blank and the three bytes of a zero-width blank."""
    record = sentence(("ab", 2), ("", 0), ("\u200b\n", 1), ("cd", 2), ("Rio", 0))
    found = framed(tokenizer, spec(context=8, clean=("ftfy", "whitespace")), record)
    (example,) = found.examples[0]
    assert tokenizer.decode(example.ids) == "ab \u200b"
    whole = framed(tokenizer, spec(clean=("ftfy", "whitespace")), record)
    kept = words_read(found.parts[0]).tolist()
    assert words_read(whole.parts[0]).tolist() == [0, 2, 3, 4]  # the zero-width blank is a character, "" is not
    assert kept == [0, 2]
    assert example.goals["tags"].targets.tolist() == [2, 1]
    assert (whole.account.unread, found.account.unread, found.account.cut) == (1, 3, 1)


def test_a_sentence_of_nothing_asks_nothing(tokenizer: Tokenizer) -> None:
    """Invariant: an Example all the same, so that answers stay in order."""
    found = framed(tokenizer, spec(), Record({"tokens": ()}, ()), Record({"tokens": ("", " ")}, (0, 1)))
    assert [len(examples[0]) for examples in found.examples] == [2, 2]
    batch = collate(found.examples)
    assert len(batch.goals["tags"].reads) == 0 and batch.goals["tags"].total_weight == 0.0


def test_without_tags_nothing_is_learned(tokenizer: Tokenizer) -> None:
    """Invariant: the same reads, weight 0."""
    (example,) = framed(tokenizer, spec(), Record({"tokens": ("in", "Rio")})).examples[0]
    assert example.goals["tags"].reads.tolist() == [1, 4] and not example.goals["tags"].weights.any()


def test_long_sentences_are_refused_where_asked(tokenizer: Tokenizer) -> None:
    """Witness: the place and both numbers."""
    record = Record({"tokens": ("abcdefgh",)}, (0,), where="a.conll:3")
    with pytest.raises(BadInput, match=r"a\.conll:3: the text has more tokens .*got 10; allowed: at most 8"):
        framed(tokenizer, spec(context=8, long_text="refuse"), record)


def test_rows_become_records_with_tags_in_one_scheme() -> None:
    """Witness: by hand: IOB1 (I- begins an entity) is read as BIO, in training and later; other columns stay."""
    rows = [
        {"id": 1, "tokens": ["Rio", "and", "La", "Paz"], "tags": ["I-LOC", "O", "I-LOC", "I-LOC"]},
        {"words": '["U.N."]', "ner_tags": '["I-ORG"]'},
    ]
    task = task_from("tagging", [rows[0], {"tokens": ["U.N."], "tags": ["I-ORG"]}])
    assert task.label_names == ("B-LOC", "B-ORG", "I-LOC", "O")
    assert task.records[0].label == (0, 3, 0, 2) and task.records[0].extra == {"id": 1}
    later = list(records_from("tagging", [rows[1]], task.label_names))
    assert (later[0].texts, later[0].label) == ({"tokens": ("U.N.",)}, (1,))
    unread = list(records_from("tagging", [{"tokens": ["a"], "tags": 7}], task.label_names, labelled=False))
    assert (unread[0].label, unread[0].extra) == (None, {"tags": 7})


def test_parts_of_speech_are_left_as_they_are() -> None:
    """Invariant: no scheme, no rewriting, another goal."""
    task = task_from("tagging", [{"tokens": ["I", "go"], "tags": ["PRON", "VERB"]}])
    assert task.label_names == ("PRON", "VERB")
    assert [answer_of(one).metrics(())[0] for one in (spec(task.label_names), spec())] == ["accuracy", "f1"]
    assert answer_of(spec()).num_outputs(spec().label_names) == 3


@pytest.mark.parametrize("name", ["x.conll", "x.conllu", "x.txt", "x.tsv", "x.jsonl"])
def test_files_are_read_as_their_ending_says(tmp_path: Path, name: str) -> None:
    """Witness: the same sentence in five forms."""
    universal = "".join(f"{n}\t{w}\t_\t{t}\t_\t_\t0\t_\t_\t_\n" for n, w, t in [(1, "go", "VERB"), (2, "Rio", "PROPN")])
    text = {
        "x.conllu": universal,
        "x.jsonl": json.dumps({"tokens": ["go", "Rio"], "tags": ["VERB", "PROPN"]}),
        "x.tsv": "go\tVERB\nRio\tPROPN\n",
    }.get(name, "go VERB\nRio PROPN\n")
    (tmp_path / name).write_text(text)
    task = read_task("tagging", tmp_path / name)
    assert task.records[0].texts == {"tokens": ("go", "Rio")} and task.label_names == ("PROPN", "VERB")
    assert task.records[0].where == f"{tmp_path / name}:1"
    assert next(read_records("tagging", tmp_path / name, task.label_names)).label == (1, 0)


def test_the_column_of_the_tag_can_be_named(tmp_path: Path) -> None:
    """Witness: the second of three columns."""
    (tmp_path / "x.conll").write_text("go VB O\nRio NNP B-LOC\n")
    assert read_task(
        "tagging", tmp_path / "x.conll", read=ReadOptions(options=TaggingSettings(column=2))
    ).label_names == ("NNP", "VB")


@pytest.mark.parametrize(
    ("rows", "labels", "sentence"),
    [
        (
            [{"tokens": ["a", "b"], "tags": ["O"]}], NAMES,
            "row 1, key 'tags': 1 tags for 2 words; allowed: one tag for each word; mend the row or leave it out.",
        ),
        (
            [{"tokens": ["a", "b"], "tags": ["O", "B-LOX"]}], NAMES,
            "row 1, key 'tags', word 2: label unseen in training; got 'B-LOX'; allowed: B-LOC, I-LOC, O; "
            "did you mean 'B-LOC'?",
        ),
        ([{"tokens": "a b", "tags": ["O"]}], NAMES, "row 1, key 'tokens': not a list; got 'a b'; allowed: "),
        ([{"tokens": ["a", 7], "tags": ["O", "O"]}], NAMES, "row 1, key 'tokens': a word is not text; got ['a', 7]"),
        ([{"tokens": ["a"], "tags": [0.5]}], NAMES, "row 1, key 'tags': not a label; got 0.5"),
        ([{"tokens": ["a"]}], NAMES, "row 1: missing key 'tags' for a tagging task; got ['tokens']"),
        ([{"texts": "a", "tags": ["O"]}], NAMES, "row 1: missing key 'tokens' for a tagging task"),
        ([{"text": "a b", "tags": ["O"]}], NAMES, "row 1, key 'tags': 1 tags for 2 words"),
        ([{"tokens": ["a"], "tags": ["O"]}] * 2, None, "rows, key 'tags': all labels are the same"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_row_is_said(
    rows: list[dict[str, Any]], labels: tuple[str, ...] | None, sentence: str
) -> None:
    """Witness: the sentence, or its beginning."""
    assert complaint(rows, labels).startswith(sentence)


def test_words_that_are_not_read_get_o_or_the_commonest_tag() -> None:
    """Witness: counted by hand."""
    records = [Record({"tokens": ("a",) * 3}, (1, 0, 1)), Record({"tokens": ("a",)}, (2,))]
    assert KINDS["tagging"].learn_options(TaggingSettings(), records, ("B-X", "I-X", "O"), (0, 1)).unread == "O"
    assert KINDS["tagging"].learn_options(TaggingSettings(), records, ("ADJ", "NOUN", "VERB"), (0, 1)).unread == "NOUN"


def test_sentences_set_aside_are_drawn_and_not_sorted_by_their_tags() -> None:
    """Invariant: a tag sequence is no class; other seeds draw other sentences."""
    whole = [Record({"tokens": (f"w{n}", "x")}, (n % 2, 1)) for n in range(40)]
    drawn = [{r.texts["tokens"] for r in hold_out(KINDS["tagging"], whole, 0.25, seed)[1]} for seed in (0, 1)]
    assert len(drawn[0]) == len(drawn[1]) == 10 and drawn[0] != drawn[1]
    with pytest.raises(BadInput, match="class weights need a task with classes; got 'tagging'"):
        class_weights(task_from("tagging", [{"tokens": ["a", "b"], "tags": ["N", "V"]}]))


def test_a_sentence_is_described_in_words(tokenizer: Tokenizer) -> None:
    """Witness: read in full."""
    task = spec(lm=False)
    lines = describe(
        framed(tokenizer, task, sentence(("in", 2), ("Rio", 0))).examples[0], tokenizer, answer_of(task), NAMES
    )
    assert lines == [
        f'8 tokens, each sees what came before: "{START}in Rio{EXTRACT}"',
        '  tags: reads 2 words at their first token, learns 1 "i" O, 4 "R" B-LOC',
    ]
    many = framed(tokenizer, task, Record({"tokens": ("a",) * 20})).examples[0]
    assert describe(many, tokenizer, answer_of(task), NAMES)[1].startswith(
        "  tags: reads 20 words at their first token, nothing is learned"
    )


def test_an_odd_tag_is_named_with_its_line(tmp_path: Path) -> None:
    """Witness: by hand: one slip among ten words; without it the same file is read."""
    text = "Rio B-LOC\nis O\nfar O\n\n" * 3 + "Ada B-PER\n# O\nsings {}\n"
    path = tmp_path / "x.conll"
    path.write_text(text.format("o"))
    with pytest.raises(BadInput) as error:
        read_task("tagging", path)
    assert str(error.value) == (
        f"{path}:13, key 'tags', word 3: 1 of 12 tags have another form than those that mark entities; got 'o'; "
        "allowed: B-LOC, B-PER, O; did you mean 'O'? correct the tag, or write O for words outside of all entities."
    )
    path.write_text(text.format("O"))
    assert read_task("tagging", path).label_names == ("B-LOC", "B-PER", "O")


def test_chinese_tags_are_learned_as_entities() -> None:
    """Witness: BMES by its definition: the same entities in BIOES."""
    rows = [{"tokens": list("王小明在京"), "tags": ["B-NAME", "M-NAME", "E-NAME", "O", "S-LOC"]}]
    task = task_from("tagging", rows)
    assert task.label_names == ("B-NAME", "E-NAME", "I-NAME", "O", "S-LOC")
    assert answer_of(spec(task.label_names)).metrics(task.label_names)[0] == "f1"


@pytest.mark.parametrize(
    ("names", "tags", "expected"),
    [
        (("O", "I-PER", "I-LOC"), ["I-PER", "I-PER", "O", "I-LOC"], ["I-PER", "I-PER", "O", "I-LOC"]),
        (("O", "I-PER", "I-LOC"), ["B-PER", "I-PER", "O", "B-LOC"], ["I-PER", "I-PER", "O", "I-LOC"]),
        (("O", "I-PER", "B-LOC", "I-LOC"), ["I-LOC", "B-LOC", "B-PER", "O"], ["I-LOC", "B-LOC", "I-PER", "O"]),
        (("B-PER", "I-PER", "O"), ["I-PER", "I-PER", "O", "O"], ["B-PER", "I-PER", "O", "O"]),
        (("O", "B-X", "M-X", "E-X", "S-X"), ["B-X", "M-X", "E-X", "S-X"], ["B-X", "M-X", "E-X", "S-X"]),
        (("O", "B-X", "I-X", "L-X", "U-X"), ["B-X", "I-X", "E-X", "S-X"], ["B-X", "I-X", "L-X", "U-X"]),
    ],
)
def test_files_are_read_in_the_tags_of_a_model(names: tuple[str, ...], tags: list[str], expected: list[str]) -> None:
    """Witness: the tags by hand; seqeval finds the same entities in what is written and what is read (BIO and IOB1)."""
    (record,) = records_from("tagging", [{"tokens": list("abcd"), "tags": tags}], names)
    assert isinstance(record.label, tuple)
    found = [names[number] for number in record.label]
    assert found == expected
    if all(tag[0] in "BIO" for tag in tags):
        assert f1_score([tags], [found]) == 1.0
    assert entity_metrics([tags], [found])["f1"] == 1.0
    task = spec(names)
    assert answer_of(task).evaluate(task, [found], [found], None).metrics["f1"] == 1.0


def test_words_of_a_sentence_of_characters_are_entities() -> None:
    """Witness: BMES by its definition: the same words in BIES; a set of other single letters is one of plain tags."""
    task = task_from(
        "tagging", [{"tokens": list("我爱北京"), "tags": list("SSBE")}, {"tokens": list("大学生"), "tags": list("BME")}]
    )
    assert task.label_names == ("B", "E", "I", "S")
    assert answer_of(spec(task.label_names)).metrics(task.label_names)[0] == "f1"
    plain = task_from("tagging", [{"tokens": ["a", "b"], "tags": ["N", "V"]}])
    assert answer_of(spec(plain.label_names)).metrics(plain.label_names) == ("accuracy",)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["b-per", "i-per", "o"], "got 'b-per, i-per, o'; allowed: B-per, I-per, O; write them so"),
        (["B_PER", "I_PER", "O"], "got 'B_PER, I_PER, O'; allowed: B-PER, I-PER, O; write them so"),
        (["PER-B", "PER-I", "O"], "got 'O, PER-B, PER-I'; allowed: O, B-PER, I-PER; write them so"),
    ],
)
def test_entities_in_another_form_are_refused(tags: list[str], said: str) -> None:
    """Witness: written out by hand; they would be learned as words' own, and no F1 of entities would be shown."""
    with pytest.raises(BadInput, match="these tags seem to mark entities in another form") as caught:
        task_from("tagging", [{"tokens": ["a", "b", "c"], "tags": tags}])
    assert said in str(caught.value)
    speech = [["NOUN", "VERB", "O"], ["b", "o", "b_x_y"], ["A-B", "C-B"], ["X_B", "Y", "O"]]
    for plain in speech:
        rows = [{"tokens": list(plain), "tags": plain}]
        assert set(task_from("tagging", rows).label_names) == {*plain}
