"""Frames: each transformation's worked example, the one cut rule against brute force, weights, accounts, words."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmstart.base.errors import BadInput
from warmstart.build.describe import describe
from warmstart.example.batch import collate
from warmstart.example.record import Record
from warmstart.example.sight import Pattern
from warmstart.models.settings import HeadKind
from warmstart.tasks.choice import CHOICE
from warmstart.tasks.classification import CLASS
from warmstart.tasks.dataset import task_from
from warmstart.tasks.frames import class_weights, frame_records
from warmstart.tasks.kind import CHUNK
from warmstart.tasks.multilabel import LABELS
from warmstart.tasks.parts import Account, fit_lengths
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS, answer_of
from warmstart.text.tokenizer import DELIMITER, EXTRACT, START, TASK_TOKENS, Tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    """One token per byte."""
    return Tokenizer.train(["ab"], 257).with_special_tokens(TASK_TOKENS)


def spec(kind, names=(), **settings):
    return TaskSpec(kind=kind, label_names=names, frame=FrameSettings(**{"context": 64, **settings}))


def shown(tokenizer, example):
    text = tokenizer.decode(example.ids, skip_special_tokens=False)
    return text.replace(START, "[").replace(DELIMITER, "$").replace(EXTRACT, "]")


def framed(tokenizer, task, *records, **arguments):
    return frame_records(task, records, tokenizer, **arguments).examples


WHOLE = {
    "classification": (("n", "y"), {"text": "good"}, 1, ["[good]"]),
    "entailment": (("n", "y"), {"premise": "ab", "hypothesis": "c"}, 1, ["[ab$c]"]),
    "similarity": ((), {"sentence1": "ab", "sentence2": "c"}, 2.5, ["[ab$c]", "[c$ab]"]),
    "regression": ((), {"text": "good"}, 2.5, ["[good]"]),
    "choice": (
        (),
        {"context": "He.", "question": "Who?", "choices": ("x", "yz")},
        1,
        ["[He.\nWho?$x]", "[He.\nWho?$yz]"],
    ),
    "ranking": ((), {"query": "Who?", "choices": ("x", "yz")}, (1,), ["[Who?$x]", "[Who?$yz]"]),
    "multilabel": (("a", "b", "c"), {"text": "good"}, (0, 2), ["[good]"]),
}


def test_every_kind_has_its_frame_and_its_head():
    """Invariant: the tables cover the same kinds; images, seq2seq, vectors and many reads are tested beside this file."""
    assert all(KINDS[name].name == name for name in KINDS)
    assert set(KINDS) == {*WHOLE, "tagging", "span", "images", "seq2seq", "embedding"}
    more = [spec("tagging", ("NOUN", "VERB")), spec("span")]
    heads = {answer_of(task).head for task in [*(spec(kind, names) for kind, (names, *_) in WHOLE.items()), *more]}
    assert heads | {"crf", "san"} == set(get_args(HeadKind))  # the other heads of tagging and of pairs


@pytest.mark.parametrize("kind", WHOLE)
def test_the_transformations_are_those_of_the_papers_figure(kind, tokenizer):
    """Witness: GPT-1, Figure 1, drawn with [ $ ] for the special tokens; one question, read at each extract token."""
    names, texts, label, drawn = WHOLE[kind]
    task = spec(kind, names)
    examples = framed(tokenizer, task, Record(texts, label))[0]
    assert [shown(tokenizer, e) for e in examples] == drawn
    for number, example in enumerate(examples):
        goal = example.goals[answer_of(task).goal]
        assert goal.reads.tolist() == [len(example) - 1] and goal.question.tolist() == [0]
        assert len(goal.targets) == len(goal.weights) == (1 if number == 0 else 0)
        assert (example.turns == np.arange(len(example))).all()
    targets = examples[0].goals[answer_of(task).goal].targets
    expected = {"multilabel": [[1, 0, 1]], "ranking": [1]}.get(kind, [label])
    assert targets.tolist() == expected
    assert targets.dtype == (np.int64 if answer_of(task).goal in ("label", "choice") else np.float32)


@pytest.mark.parametrize("kind", WHOLE)
def test_the_auxiliary_goal_learns_every_token_after_the_first(kind, tokenizer):
    """Witness: the ids themselves, moved by one; delimiter and extract are targets too (GPT-1's released code)."""
    names, texts, label, drawn = WHOLE[kind]
    record = Record(texts, label)
    examples = framed(tokenizer, spec(kind, names), record)[0]
    for example in examples:
        goal = example.goals["lm"]
        assert goal.reads.tolist() == list(range(len(example) - 1))
        assert goal.targets.tolist() == example.ids[1:].tolist()
    batch = collate([examples, examples])
    asked = batch.goals["lm"]
    assert asked.question.tolist() == list(range(len(asked.targets)))  # no two reads share a question
    assert batch.goals[answer_of(spec(kind, names)).goal].question.tolist() == [0] * len(drawn) + [1] * len(drawn)
    by_sequence = framed(tokenizer, spec(kind, names, lm_weights="sequence"), record)[0]
    assert [e.goals["lm"].weights.sum() for e in by_sequence] == pytest.approx([1] * len(drawn))
    assert all("lm" not in e.goals for e in framed(tokenizer, spec(kind, names).for_evaluation(), record)[0])


def test_a_bidirectional_backbone_is_framed_as_bert_is(tmp_path):
    """Witness: transformers' BERT tokenizer on the same pair: ids and segments; one order of a similarity pair."""
    transformers = pytest.importorskip("transformers", minversion="5.3")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "he", "sings", "a", "song"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    theirs = transformers.BertTokenizer.from_pretrained(tmp_path)
    ours = Tokenizer.load(tmp_path)
    for kind in ("similarity", "entailment"):
        task = spec(kind, () if kind == "similarity" else ("n", "y"), sight="full", lm=False)
        keys = ("sentence1", "sentence2") if kind == "similarity" else ("premise", "hypothesis")
        [[example]] = framed(ours, task, Record(dict(zip(keys, ("he sings", "a song"), strict=True)), 1))
        wanted = theirs("he sings", "a song")
        assert example.ids.tolist() == wanted["input_ids"]
        assert example.segments.tolist() == wanted["token_type_ids"]
        assert example.goals[answer_of(task).goal].reads.tolist() == [0]
    single = spec("classification", ("n", "y"), sight="full", lm=False)
    [[example]] = framed(ours, single, Record({"text": "he sings"}, 1))
    assert example.ids.tolist() == theirs("he sings")["input_ids"] and example.segments is None


def test_each_text_has_its_own_limit_where_asked(tokenizer):
    """Witness: the released code of GPT-1 cuts each text to a limit before it joins them (spec by hand)."""
    task = spec("entailment", ("n", "y"), segment_limit=3)
    framed_all = frame_records(task, [Record({"premise": "abcdef", "hypothesis": "xy"}, 1)], tokenizer)
    assert shown(tokenizer, framed_all.examples[0][0]) == "[abc$xy]"
    assert (framed_all.account.cut, framed_all.account.tokens_cut) == (1, 3)


def test_full_sight_sees_all_and_asks_no_language_model(tokenizer):
    """Invariant: a token that sees its successor cannot be asked for it."""
    task = spec("classification", ("n", "y"), sight="full", lm=False)
    assert collate(framed(tokenizer, task, Record({"text": "ab"}, 0))).pattern is Pattern.FULL
    with pytest.raises(BadInput, match=r"needs causal sight; got 'full'; allowed: causal; switch"):
        spec("classification", ("n", "y"), sight="full")


@pytest.mark.parametrize("kind", WHOLE)
def test_a_record_without_label_weighs_nothing(kind, tokenizer):
    """Invariant: weight 0, target 0, the same tokens."""
    names, texts, _, drawn = WHOLE[kind]
    examples = framed(tokenizer, spec(kind, names), Record(texts))[0]
    goal = examples[0].goals[answer_of(spec(kind, names)).goal]
    assert goal.weights.tolist() == [0.0] and not goal.targets.any()
    assert [shown(tokenizer, e) for e in examples] == drawn


def cut_one_by_one(lengths, room):
    """The rule word for word: while too many, the longest loses one; of equals the shorter as written, then the first."""
    kept = list(lengths)
    while sum(kept) > room:
        longest = [i for i, length in enumerate(kept) if length == max(kept)]
        kept[min(longest, key=lambda i: (lengths[i], i))] -= 1
    return kept


@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.integers(1, 60))
def test_the_one_cut_rule_is_the_rule_word_for_word(lengths, room):
    """Witness: brute force, one token at a time."""
    assert fit_lengths(lengths, room) == cut_one_by_one(lengths, room)


def test_long_texts_are_cut_and_counted(tokenizer):
    """Witness: drawn and counted by hand; context 8 leaves 6 tokens for a text and 5 for a pair."""
    short = spec("classification", ("n", "y"), context=8)
    found = frame_records(short, [Record({"text": "abcdefgh"}, 0), Record({"text": "ab"}, 1)], tokenizer)
    assert [shown(tokenizer, e[0]) for e in found.examples] == ["[abcdef]", "[ab]"]
    assert found.account.to_dict() == {
        "used": 2, "cut": 1, "tokens": 12, "tokens_cut": 2, "longest": 10, "unread": 0, "targets_cut": 0,
        "windowed": 0, "windows": 0,
    }  # fmt: skip
    pair = framed(
        tokenizer, spec("entailment", ("n", "y"), context=8), Record({"premise": "abcdef", "hypothesis": "xy"})
    )
    assert shown(tokenizer, pair[0][0]) == "[abc$xy]"


def test_all_choices_show_the_same_cut_of_their_context(tokenizer):
    """Invariant: the longest choice decides for all, so that no choice is evaluated on more context than another."""
    record = Record({"context": "abcdefghij", "question": "", "choices": ("x", "wxyz")}, 0)
    examples = framed(tokenizer, spec("choice", context=12), record)[0]
    assert [shown(tokenizer, e) for e in examples] == ["[abcde$x]", "[abcde$wxyz]"]


def test_both_orders_of_a_pair_are_cut_alike(tokenizer):
    """Invariant: the same tokens in both orders."""
    record = Record({"sentence1": "abcdefghij", "sentence2": "xyz"}, 1.0)
    examples = framed(tokenizer, spec("similarity", context=10), record)[0]
    assert [shown(tokenizer, e) for e in examples] == ["[abcd$xyz]", "[xyz$abcd]"]


def test_long_texts_are_refused_where_asked(tokenizer):
    """Witness: the whole sentence."""
    task = spec("classification", ("n", "y"), context=8, long_text="refuse")
    with pytest.raises(BadInput) as error:
        frame_records(task, [Record({"text": "abcdefgh"}, 0, where="a.jsonl:3")], tokenizer)
    assert str(error.value) == (
        "a.jsonl:3: the text has more tokens than the context holds; got 10; "
        "allowed: at most 8 tokens, special ones included; use --long-text cut or a model with a larger context."
    )


def test_records_keep_their_order_across_chunks(tokenizer):
    """Invariant: framing many Records is framing each alone."""
    records = [Record({"text": "x" * (n % 7)}, n % 2) for n in range(CHUNK + 5)]
    found = frame_records(spec("classification", ("n", "y")), iter(records), tokenizer)
    assert [len(e[0]) - 2 for e in found.examples] == [n % 7 for n in range(CHUNK + 5)]
    assert found.account.used == CHUNK + 5


def test_accounts_add_up():
    """Invariant: counts are summed, the longest is the longest of both."""
    assert Account(1, 1, 10, 3, 13, 2) + Account(2, 0, 9, 0, 5, 1) == Account(3, 1, 19, 3, 13, 3)


def test_class_weights_make_classes_count_alike(tokenizer):
    """Witness: scikit-learn's balanced weights; the question of a Record weighs as its class does."""
    from sklearn.utils.class_weight import compute_class_weight

    labels = [0, 0, 0, 1, 2, 2]
    task = task_from("classification", [{"text": "a", "label": n} for n in labels])
    weights = class_weights(task)
    assert weights == pytest.approx(compute_class_weight("balanced", classes=np.arange(3), y=labels))
    examples = framed(tokenizer, spec("classification", task.label_names), *task.records, class_weights=weights)
    assert [float(e[0].goals["label"].weights[0]) for e in examples] == pytest.approx([weights[n] for n in labels])
    assert examples[0][0].goals["lm"].weights.tolist() == [1.0, 1.0]


def test_class_weights_need_classes():
    """Witness: the parts of the sentence."""
    task = task_from("regression", [{"text": "a", "score": 1}, {"text": "b", "score": 2}])
    with pytest.raises(BadInput, match=r"class weights: class weights need a task with classes; got 'regression'"):
        class_weights(task)


def test_a_spec_survives_json():
    """Invariant: what is saved beside the weights comes back equal."""
    task = spec("multilabel", ("a", "b"))
    assert TaskSpec.model_validate_json(task.model_dump_json()) == task
    assert (answer_of(task).goal, answer_of(task).num_outputs(task.label_names)) == ("labels", 2)
    assert (answer_of(spec("similarity")).goal, answer_of(spec("similarity", ("0", "1"))).goal) == ("score", "label")


def test_examples_are_described_in_words(tokenizer):
    """Witness: read in full."""
    examples = framed(tokenizer, spec("classification", ("bad", "good")), Record({"text": "ab\nc"}, 1))[0]
    assert describe(examples, tokenizer, CLASS, ("bad", "good")) == [
        f'6 tokens, each sees what came before: "{START}ab⏎c{EXTRACT}"',
        f'  label: reads token 5 "{EXTRACT}", learns 1 (good)',
        f'  lm: reads 5 places from 0 to 4, learns the token after each: "ab⏎c{EXTRACT}"',
    ]
    names, texts, label, _ = WHOLE["choice"]
    lines = describe(
        framed(tokenizer, spec("choice", names, lm=False), Record(texts, label))[0],
        tokenizer,
        CHOICE,
    )
    assert lines[1] == f'  choice: reads token 11 "{EXTRACT}", learns 1'
    assert lines[3] == f'  choice: reads token 12 "{EXTRACT}" for the question asked above'
    names, texts, label, _ = WHOLE["multilabel"]
    lines = describe(
        framed(tokenizer, spec("multilabel", names), Record(texts, label))[0],
        tokenizer,
        LABELS,
        names,
    )
    assert lines[1].endswith("learns 0 (a), 2 (c)")
    lines = describe(framed(tokenizer, spec("multilabel", names), Record(texts))[0], tokenizer, LABELS, names)
    assert lines[1].endswith("nothing is learned (no label)")


def test_linear_label_gain(tokenizer):
    """Witness: Dai and Le 2015: weight i / (T - 1) at step i of T, the class at each; in training only."""
    task = spec("classification", ("n", "y"), reads="rising")
    [[example]] = framed(tokenizer, task, Record({"text": "good"}, 1))
    goal = example.goals["label"]
    assert goal.reads.tolist() == list(range(6)) and goal.targets.tolist() == [1] * 6
    assert goal.weights.tolist() == pytest.approx([i / 5 for i in range(6)])
    [[evaluated]] = framed(tokenizer, task.for_evaluation(), Record({"text": "good"}, 1))
    assert evaluated.goals["label"].reads.tolist() == [5] and evaluated.goals["label"].weights.tolist() == [1]
    [[nothing]] = framed(tokenizer, task, Record({"text": "good"}))
    assert not nothing.goals["label"].weights.any()
    assert "6 tokens with weights from 0 to 1, learns 1 (y)" in describe([example], tokenizer, CLASS, ("n", "y"))[1]


def test_a_head_that_pools_reads_every_token(tokenizer):
    """Invariant: one question at all places, in training and after it."""
    task = spec("classification", ("n", "y"), reads="all")
    for asked in (task, task.for_evaluation()):
        [[example]] = framed(tokenizer, asked, Record({"text": "good"}, 1))
        goal = example.goals["label"]
        assert goal.reads.tolist() == list(range(6)) and not goal.question.any() and goal.targets.tolist() == [1]


def test_joint_training_writes_the_text_again(tokenizer):
    """Witness: the sequence of Dai and Le 2015 over the same tokens, in an Example of its own."""
    task = spec("classification", ("n", "y"), lm_frame="autoencoder")
    [[first, second]] = framed(tokenizer, task, Record({"text": "ab"}, 1))
    assert set(first.goals) == {"label"} and set(second.goals) == {"lm"}
    assert shown(tokenizer, second) == "[ab][ab"
    assert second.goals["lm"].reads.tolist() == [3, 4, 5, 6]
    batch = collate([[first, second]] * 2)
    assert batch.goals["lm"].targets.tolist() == first.ids.tolist() * 2


def test_the_account_of_many_is_that_of_each(tokenizer):
    """Witness: every Record framed alone, and the accounts added by hand."""
    task = spec("classification", ("n", "y"), context=12)
    records = [Record({"text": "a" * (n % 23 + 1)}, n % 2) for n in range(60)]
    alone = [frame_records(task, [record], tokenizer).account.to_dict() for record in records]
    found = frame_records(task, records, tokenizer).account.to_dict()
    longest = found.pop("longest")
    assert longest == max(one["longest"] for one in alone) == 25
    assert (
        found == {name: sum(one[name] for one in alone) for name in found}
        and found["cut"] == 30
        and found["used"] == 60
    )
