"""Span questions: rows and files to Records, contexts to windows, answers to the tokens that stand for them."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models, normalizers, pre_tokenizers, trainers

from warmstart.base.errors import BadInput
from warmstart.build.describe import describe
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.example.record import Answers, Record
from warmstart.example.sight import Pattern
from warmstart.tasks.dataset import read_task, records_from, task_from
from warmstart.tasks.frames import frame_records, items_of
from warmstart.tasks.hold_out import hold_out
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import FrameSettings, SpanSettings
from warmstart.tasks.span import SPAN
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS, options_of
from warmstart.tasks.windows import windows
from warmstart.text.tokenizer import DELIMITER, EXTRACT, START, TASK_TOKENS, Tokenizer

TOKENIZER = Tokenizer.train(["ab"], 257).with_special_tokens(TASK_TOKENS)
"""One token per byte."""
CONTEXT = "He sang — first — in 1923."


def threshold(records: list[Record]) -> float | None:
    """The threshold that a task with these training records begins with."""
    return KINDS["span"].learn_options(SpanSettings(), records, (), (0, 1)).threshold  # type: ignore[attr-defined,no-any-return]


def spec(stride: int = 128, **frame: Any) -> TaskSpec:
    settings = FrameSettings(**{"context": 64, **frame})
    return TaskSpec(kind="span", frame=settings, options=SpanSettings(stride=stride))


def record(context: str = CONTEXT, answer: str | None = "1923", question: str = "When?") -> Record:
    label = None if answer is None else Answers((answer,), (context.index(answer),)) if answer else Answers()
    return Record({"context": context, "question": question}, label, where="dev.json, question a")


def shown(example: Example) -> str:
    text = TOKENIZER.decode(example.ids, skip_special_tokens=False)
    return text.replace(START, "[").replace(DELIMITER, "$").replace(EXTRACT, "]")


def pointed(example: Example) -> str:
    """The text of the tokens that the example's target points at."""
    goal = example.goals["span"]
    first, last = (goal.reads[place] for place in goal.targets[0])
    return TOKENIZER.decode(example.ids[first : last + 1], skip_special_tokens=False)


def complaint(row: dict[str, Any]) -> str:
    with pytest.raises(BadInput) as error:
        task_from("span", [row])
    return str(error.value)


def test_a_question_and_its_context() -> None:
    """Witness: drawn by hand with [ $ ] for the special tokens: the first read is ``]``, then what is no blank in the
    context; the target counts reads."""
    made = frame_records(spec(), [record("a bc", "c", "q")], TOKENIZER)
    (example,) = made.examples[0]
    assert shown(example) == "[q$a bc]"
    goal = example.goals["span"]
    assert goal.reads.tolist() == [7, 3, 5, 6] and goal.question.tolist() == [0] * 4
    assert goal.targets.tolist() == [[3, 3]] and goal.weights.tolist() == [1.0]
    assert example.goals["lm"].targets.tolist() == example.ids[1:].tolist()
    assert collate(made.examples).pattern is Pattern.CAUSAL
    full = frame_records(spec(sight="full", lm=False), [record()], TOKENIZER).examples
    assert collate(full).pattern is Pattern.FULL


def test_a_bidirectional_backbone_is_framed_as_it_was_pre_trained() -> None:
    """Witness: Devlin et al. 2019, figure 1 (right) drawn by hand: segments, "no answer" at [CLS], small letters, accents
    and unknown words, and still the characters of the context."""
    backend = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    backend.add_special_tokens(["[UNK]", "[CLS]", "[SEP]"])
    trainer = trainers.WordPieceTrainer(vocab_size=60, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False)
    backend.train_from_iterator(["when he sang", "naive"] * 3, trainer)
    bert = Tokenizer(backend)
    task = spec(sight="full", lm=False)
    asked = Record({"context": "He Sang naïve 東!", "question": "When"}, Answers(("naïve 東",), (8,)))
    made = frame_records(task, [asked], bert)
    (example,) = made.examples[0]
    words = [bert.decode([token], skip_special_tokens=False).removeprefix("##") for token in example.ids]
    behind = words.index("[SEP]")
    assert "".join(words) == "[CLS]when[SEP]hesangnaive[UNK][UNK][SEP]"
    assert example.segments is not None and example.segments.tolist() == [0] * (behind + 1) + [1] * (
        len(words) - behind - 1
    )
    goal = example.goals["span"]
    assert goal.reads.tolist() == [0, *range(behind + 1, len(words) - 1)]
    places = made.parts[0].offsets
    assert places is not None
    first, last = (goal.reads[place] - behind - 1 for place in goal.targets[0])
    assert str(asked.texts["context"])[places[first, 0] : places[last, 1]] == "naïve 東"


@pytest.mark.parametrize("rules", [(), ("gpt1",), ("lower", "whitespace")])
@pytest.mark.parametrize("answer", ["He", "first", "—", "in 1923", "1923.", "sang — first — in 1923."])
def test_the_target_is_the_answer(answer: str, rules: tuple[str, ...]) -> None:
    """Witness: the tokens pointed at, decoded; cleaning makes dashes and case others."""
    (example,) = frame_records(spec(clean=rules), [record(answer=answer)], TOKENIZER).examples[0]
    expected = answer.replace("—", "-") if "gpt1" in rules else answer.lower() if "lower" in rules else answer
    assert " ".join(pointed(example).split()) == expected


@settings(deadline=None, max_examples=200)
@given(st.text("ab ", max_size=60), st.text("q ", max_size=40), st.integers(8, 40), st.integers(1, 50))
def test_windows_cover_every_token_of_the_context(context: str, question: str, width: int, stride: int) -> None:
    """Invariant: each token stands in a window, each window in the model's context; they begin ``stride`` apart at most."""
    task = spec(stride, context=width)
    made = frame_records(task, [record(context, None, question)], TOKENIZER)
    parts = made.parts[0]
    seen = windows(parts, task.frame, options_of(task))
    covered = {token for window in seen for token in range(window.start, window.stop)}
    assert sorted(covered) == list(range(len(context.rstrip())))  # one token a character; blanks at the end are dropped
    assert all(len(example) <= width for example in made.examples[0])
    assert all(later.start - earlier.start <= stride for earlier, later in pairwise(seen))
    assert [window.stop for window in seen[:-1]] == [w.start + width - 3 - len(parts.texts[0]) for w in seen[:-1]]
    read = {token for window in seen for token in window.read.tolist()}
    assert read == {place for place, character in enumerate(context) if character != " "}
    assert made.account.tokens_cut == len(question) - len(parts.texts[0]) and len(parts.texts[0]) <= (width - 3) / 2 + 1


def test_windows_point_at_the_answer_or_at_none() -> None:
    """Witness: drawn by hand: six tokens of context at a time, three apart; half an answer is none. Both kinds weigh 1."""
    task = spec(3, context=10, lm=False)
    made = frame_records(task, [record("abcdefghijkl", "fg", "q")], TOKENIZER)
    examples = made.examples[0]
    assert [shown(example) for example in examples] == ["[q$abcdef]", "[q$defghi]", "[q$ghijkl]"]
    assert [pointed(example) for example in examples] == [EXTRACT, "fg", EXTRACT]
    assert [float(example.goals["span"].weights[0]) for example in examples] == [0.5, 1.0, 0.5]
    assert [example.goals["span"].question[0] for example in examples] == [0, 1, 2]
    assert collate([examples]).goals["span"].targets.tolist() == [[0, 0], [3, 4], [0, 0]]
    assert made.account.to_dict() == {
        "used": 1, "cut": 0, "tokens": 30, "tokens_cut": 0, "longest": 16, "unread": 0, "targets_cut": 0,
            "windowed": 0, "windows": 0,
    }  # fmt: skip


def test_windows_may_be_batched_apart() -> None:
    """Invariant: each window by itself is the same question, numbered from 0, as is its language model."""
    made = frame_records(spec(3, context=10), [record("abcdefghijkl", "fg", "q")] * 2, TOKENIZER).examples
    apart = items_of(spec(), made)
    assert len(apart) == 6
    together, single = collate(made), collate(apart)
    for name in ("span", "lm"):
        ours, theirs = together.goals[name], single.goals[name]
        assert ours.targets.tolist() == theirs.targets.tolist() and ours.question.tolist() == theirs.question.tolist()
        assert ours.reads.tolist() == theirs.reads.tolist()
    assert KINDS["classification"].items(made) == made


@pytest.mark.parametrize(
    ("label", "weights", "unread"),
    [
        (Answers(("cde",), (2,)), [1.0, 1.0], 0),  # only the first window holds it whole
        (Answers(("bcdefgh",), (1,)), [0.0, 0.0], 1),  # longer than any window
        (Answers(), [0.5, 0.5], 0),  # no answer: every window says so
        (None, [0.0, 0.0], 0),
    ],
)
def test_what_each_window_weighs(label: Answers | None, weights: list[float], unread: int) -> None:
    """Witness: by hand: two windows, abcde and fgh with what stands between them."""
    task = spec(3, context=9, lm=False)
    made = frame_records(task, [Record({"context": "abcdefgh", "question": "q"}, label)], TOKENIZER)
    assert [shown(example) for example in made.examples[0]] == ["[q$abcde]", "[q$defgh]"]
    assert [float(example.goals["span"].weights[0]) for example in made.examples[0]] == weights
    assert made.account.unread == unread


def test_long_questions_leave_half_the_room() -> None:
    """Witness: drawn by hand; 5 tokens are left, two for the question, three for a window."""
    made = frame_records(spec(context=8, lm=False), [record("abcd", "a", "qrstu")], TOKENIZER)
    assert [shown(example) for example in made.examples[0]] == ["[qr$abc]", "[qr$d]"]
    assert made.account.cut == 1 and made.account.tokens_cut == 3
    with pytest.raises(
        BadInput, match=r"question a: question and context have more tokens .*got 12; allowed: at most 8"
    ):
        frame_records(spec(context=8, long_text="refuse"), [record("abcd", "a", "qrstu")], TOKENIZER)


def test_an_empty_context_has_one_empty_window() -> None:
    """Invariant: a question is always asked; "no answer" is the only read."""
    for context in ("", " \n"):
        (example,) = frame_records(spec(), [record(context, "")], TOKENIZER).examples[0]
        assert example.goals["span"].reads.tolist() == [len(example) - 1]
    assert (
        len(
            windows(
                Parts((np.arange(3), np.arange(0)), offsets=np.zeros((0, 2), np.int64)),
                spec().frame,
                options_of(spec()),
            )
        )
        == 1
    )


ANSWER = {"text": "1923", "answer_start": 21}


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        ({"answer": "1923", "start": 21}, Answers(("1923",), (21,))),
        ({"answer": "1923", "start": "21"}, Answers(("1923",), (21,))),
        ({"answer": "1923", "start": 21.0}, Answers(("1923",), (21,))),
        ({"answer": " 1923 ", "start": 20}, Answers(("1923",), (21,))),
        ({"answer": "1923", "start": 20}, Answers(("1923",), (21,))),
        ({"answer": "1923\n", "start": 21}, Answers(("1923",), (21,))),
        ({"answer": "", "start": 0}, Answers()),
        ({"answer": None}, Answers()),
        ({"answers": [ANSWER, {"text": "He", "answer_start": 0}]}, Answers(("1923", "He"), (21, 0))),
        ({"answers": {"text": ["1923"], "answer_start": [21]}}, Answers(("1923",), (21,))),
        ({"answers": []}, Answers()),
        ({"answers": {"text": [], "answer_start": []}}, Answers()),
    ],
)
def test_every_accepted_form_of_an_answer(columns: dict[str, Any], label: Answers) -> None:
    """Witness: the documentation's list, row by row; other columns are carried along."""
    row = {"id": 7, "question": "When?", "context": CONTEXT, **columns}
    found = task_from("span", [row]).records[0]
    assert (found.label, found.extra, found.where) == (label, {"id": 7}, "row 1")
    assert found.texts == {"context": CONTEXT, "question": "When?"}
    unread = next(records_from("span", [row], (), labelled=False))
    assert unread.label is None and unread.extra == {"id": 7, **columns}


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"answer": "1923", "start": 19},
            "row 1: the answer does not stand in its context at character 19; got 'n 19'; allowed: '1923'; "
            "it stands at character 21.",
        ),
        (
            {"answer": "1924", "start": 21},
            "row 1: the answer does not stand in its context at character 21; got '1923'",
        ),
        ({"answer": "1923", "start": 99}, "row 1: the answer does not stand in its context at character 99; got ''"),
        ({"answer": "1923"}, "row 1: missing key 'start' for a span task"),
        ({"answer": "1923", "start": -1}, "row 1: not the place of an answer; got -1"),
        ({"answer": "1923", "start": "x"}, "row 1: not the place of an answer; got 'x'"),
        ({"answers": [{"text": "", "answer_start": 0}]}, "row 1: an answer without text; got ''"),
        ({"answers": [{"text": "1923"}]}, "row 1: not the form of answers; got {'text': '1923'}"),
        ({"answers": {"text": ["a"], "answer_start": []}}, "row 1: not the form of answers"),
        ({"answers": "1923"}, "row 1, key 'answers': not a list"),
        ({"answers": None}, "row 1, key 'answers': the label is empty"),
        ({}, "row 1: missing key 'answers' for a span task"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(columns: dict[str, Any], sentence: str) -> None:
    """Witness: the sentence, or its beginning."""
    assert complaint({"context": CONTEXT, "question": "When?", **columns}).startswith(sentence)


def test_squad_files_are_read_and_their_questions_named(tmp_path: Path) -> None:
    """Witness: a file by hand: one answer, none, and one that stands elsewhere, with file, question and what is there."""
    qas = [
        {"id": "q1", "question": "When?", "answers": [ANSWER]},
        {"id": "q2", "question": "Why?", "answers": [], "is_impossible": True},
    ]
    path = tmp_path / "dev.json"

    def write() -> None:
        path.write_text(json.dumps({"data": [{"paragraphs": [{"context": CONTEXT, "qas": qas}]}]}))

    write()
    task = read_task("span", path)
    assert [r.label for r in task.records] == [Answers(("1923",), (21,)), Answers()] and task.label_names == ()
    assert threshold(task.records) == 0.0 and threshold(task.records[:1]) is None
    qas.append({"id": "q3", "question": "Who?", "answers": [{"text": "He", "answer_start": 1}]})
    write()
    with pytest.raises(BadInput) as error:
        read_task("span", path)
    assert str(error.value) == (
        f"{path}, question q3: the answer does not stand in its context at character 1; got 'e '; allowed: 'He'; "
        "it stands at character 0."
    )
    qas[2] = {"id": "q3", "question": "Who?"}
    write()
    with pytest.raises(BadInput, match=r"question q3: missing key 'answers' for a span task"):
        read_task("span", path)


def test_questions_on_one_context_are_set_aside_together() -> None:
    """Invariant: no context on both sides, though its questions differ."""
    whole = [
        Record({"context": f"text {n % 20}", "question": f"question {n}"}, Answers((f"{n % 20}",), (5,)))
        for n in range(80)
    ]
    rest, aside = hold_out(KINDS["span"], whole, 0.25, seed=0)
    assert len(aside) == 20
    assert not {r.texts["context"] for r in rest} & {r.texts["context"] for r in aside}


def test_a_question_is_described_in_words() -> None:
    """Witness: read in full."""
    made = frame_records(spec(3, context=10, lm=False), [record("abcdefghijkl", "fg", "q")], TOKENIZER).examples[0]
    lines = describe(made, TOKENIZER, SPAN)
    assert lines[1] == (
        f'  span: reads 6 tokens of the context, and 9 "{EXTRACT}" for no answer; learns that there is none here, weight 0.5'
    )
    assert lines[3].endswith('learns the answer from 5 to 6 "fg"')
    unlabelled = frame_records(spec(lm=False), [record("ab", None)], TOKENIZER).examples[0]
    assert describe(unlabelled, TOKENIZER, SPAN)[1].endswith("nothing is learned (no answer is known here)")
