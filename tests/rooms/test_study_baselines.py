"""Baselines beside a fine-tuning: scikit-learn by hand, counts by hand, and a finetune that shows them."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch
from scipy import stats
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import cosine_similarity
from transformers import AutoModel

import warmstart
from warmstart.base.files import read_json
from warmstart.base.run_folder import EXAMPLES, REPORT, RunFolder
from warmstart.build.start import read_start
from warmstart.config.schema import FinetuneRecipe
from warmstart.config.task_recipe import TaskRecipe
from warmstart.example.record import Answers, Record, Target
from warmstart.study.baselines import FILE, regress
from warmstart.study.plain_forms import FORMS
from warmstart.study.text_features import BagOfWords, FrozenStates
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.special_tokens import special_ids
from warmstart.tasks.table import KINDS
from warmstart.text.tokenizer import Tokenizer

WORDS = {"glad": "bright song warm day", "sad": "dark rain cold night"}


def sentences(count: int, seed: int = 0) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    names = [("glad", "sad")[n % 2] for n in range(count)]
    return [{"text": " ".join(draw.choices((WORDS[name] + " a the of").split(), k=5)), "label": name} for name in names]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def spec(kind: str, names: Sequence[str] = ()) -> TaskSpec:
    return TaskSpec(kind=kind, label_names=tuple(names), frame=FrameSettings(context=32, lm=False))


def form_of(kind: str, names: Sequence[str] = ()) -> Any:
    return FORMS[KINDS[kind].answer(tuple(names)).plain_form]


def learn(kind: str, train: list[Record], tested: list[Record], ordered: bool, names: Sequence[str] = ()) -> list[Any]:
    return regress(form_of(kind, names), BagOfWords(), train, tested, ordered=ordered)


def test_a_bag_of_words_is_what_scikit_learn_makes_of_it():
    """Witness: TfidfVectorizer and LogisticRegression called by hand."""
    rows, more = sentences(40), sentences(30, seed=1)
    train, tested = (
        [Record({"text": row["text"]}, int(row["label"] == "sad")) for row in part] for part in (rows, more)
    )
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    vectorizer.fit([*(row["text"] for row in rows), "no text"])
    model = LogisticRegression(C=10, max_iter=5000).fit(
        vectorizer.transform(row["text"] for row in rows), [one.label for one in train]
    )
    found = learn("classification", train, tested, True, ("glad", "sad"))
    assert found == model.predict(vectorizer.transform(row["text"] for row in more)).tolist()


def test_of_many_examples_some_are_read(monkeypatch: pytest.MonkeyPatch):
    """Witness: the same regression from every third of the examples."""
    records = [Record({"text": row["text"]}, int(row["label"] == "sad")) for row in sentences(60)]
    fewer = learn("classification", records[::3], records, True, ("glad", "sad"))
    monkeypatch.setattr(BagOfWords, "most", 25)
    assert learn("classification", records, records, True, ("glad", "sad")) == fewer


def test_two_texts_are_compared():
    """Witness: scikit-learn's cosine; scores that are that cosine are learned, and in either order alike."""
    draw = random.Random(0)
    pairs = [[" ".join(draw.choices(["abc", "def", "ghi", "jkl", "mno"], k=4)) for _ in range(2)] for _ in range(60)]
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit([text for pair in pairs for text in pair])
    scores = [float(cosine_similarity(*(vectors.transform([text]) for text in pair))[0, 0]) for pair in pairs]
    records = [Record(dict(zip("ab", pair, strict=True)), s) for pair, s in zip(pairs, scores, strict=True)]
    found = learn("similarity", records[:40], records[40:], False)
    assert np.corrcoef(found, scores[40:])[0, 1] > 0.9
    turned = [Record({"a": one.texts["b"], "b": one.texts["a"]}, one.label) for one in records[40:]]
    assert learn("similarity", records[:40], turned, False) == pytest.approx(found)


def test_the_choice_that_shares_a_word_with_the_question_is_found():
    """Invariant: what a bag of words can learn of choices, from 30 questions of two and three choices."""
    draw, words = random.Random(1), [f"w{n}" for n in range(40)]
    records = []
    for n in range(60):
        asked = draw.choice(words)
        choices = [
            f"{asked} it is",
            *(f"{draw.choice([w for w in words if w != asked])} it is" for _ in range(1 + n % 2)),
        ]
        draw.shuffle(choices)
        label = next(i for i, choice in enumerate(choices) if choice.startswith(f"{asked} "))
        records.append(Record({"context": f"say {asked}", "question": "", "choices": tuple(choices)}, label))
    found = learn("choice", records[:30], records[30:], True)
    assert np.mean([said == one.label for said, one in zip(found, records[30:], strict=True)]) > 0.8


def test_each_label_has_a_regression_of_its_own():
    """Witness: LogisticRegression for one label alone."""
    texts = ["red car", "red tree", "blue car", "blue tree"] * 6
    labels = [tuple(k for k, word in enumerate(("car", "red")) if word in text) for text in texts]
    records = [Record({"text": text}, label) for text, label in zip(texts, labels, strict=True)]
    found = np.array(learn("multilabel", records, records[:4], True, ("car", "red")))
    assert found.tolist() == [[1, 1], [0, 1], [1, 0], [0, 0]]


def test_guesses_read_no_text():
    """Witness: counts by hand."""
    classes = [Record({"text": "x"}, label) for label in (1, 1, 0, 2)]
    assert form_of("classification", ("a", "b", "c")).guess(classes, spec("classification"))(classes[0]) == 1
    scores = [Record({"a": "x", "b": "y"}, label) for label in (1.0, 2.0, 6.0)]
    assert form_of("regression").guess(scores, spec("regression"))(scores[0]) == 3.0
    labels = [Record({"text": "x"}, label) for label in ((0,), (0, 1), (0,), ())]
    assert form_of("multilabel", "ab").guess(labels, spec("multilabel", "ab"))(labels[0]).tolist() == [1, 0]
    tags = [Record({"tokens": ("a", "b", "a")}, (0, 1, 0)), Record({"tokens": ("b", "c")}, (1, 1))]
    tagger = form_of("tagging", ("X", "Y")).guess(tags, spec("tagging", ("X", "Y")))
    assert tagger(Record({"tokens": ("a", "b", "new")})) == ["X", "Y", "Y"]
    spans = [
        Record({"context": "in Rome", "question": "?"}, Answers((text,), (3,))) for text in ("Rome", "Oslo", "Oslo")
    ]
    answer = form_of("span").guess(spans, spec("span"))
    asked = [Record({"context": text, "question": "?"}) for text in ("Rome or Oslo", "to Rome", "nowhere")]
    assert [answer(one) for one in asked] == ["Oslo", "Rome", ""]


def test_candidates_are_ordered_by_place_or_by_words():
    """Witness: by hand: right candidates stand first twice and last once, and all of them have one word."""
    train = [
        Record({"query": "who", "choices": ("he sings", "the sea", "a wind")}, (0,)),
        Record({"query": "who", "choices": ("she sings", "the sea", "he sings")}, (0, 2)),
    ]
    asked = [Record({"query": "who", "choices": ("a wind", "the sea", "somebody sings")})]
    assert form_of("ranking").guess(train, spec("ranking"))(asked[0]).tolist() == [2.0, 0.0, 1.0]
    [scores] = learn("ranking", train, asked, ordered=True)
    assert int(scores.argmax()) == 2 and len(scores) == 3


def test_every_kind_of_labelled_text_has_a_guess():
    """Invariant: each kind names a form that there is, and no form is named by none."""
    named = {name: KINDS[name].answer(("a", "b")).plain_form for name in KINDS}
    assert named.pop("embedding") == ""  # vectors have no plain answer
    assert {*named.values()} == set(FORMS)


def pair(source: str, target: str) -> Record:
    return Record({"source": source}, Target(target))


def test_plain_methods_write_texts_too():
    """Witness: sentences by hand; the nearest source by scikit-learn's cosine of every pair."""
    train = [
        pair("A red car. It is fast.", "car"),
        pair("A green tree. It is old.", "tree"),
        pair("The old sea.", "tree"),
    ]
    tested = [pair("The tree is green. It stands. It grows. It falls.", "x"), pair("One fast car.", "y")]
    ways = form_of("seq2seq").ways(train, tested, spec("seq2seq"))
    said = {name: way.answer(tested) for name, way in ways.items()}
    sources = [str(one.texts["source"]) for one in tested]
    assert said["guess"] == ["tree", "tree"] and said["copy"] == sources
    assert said["lead1"] == ["The tree is green.", "One fast car."]
    assert said["lead3"] == ["The tree is green.\nIt stands.\nIt grows.", "One fast car."]
    known = [str(one.texts["source"]) for one in train]
    vectors = TfidfVectorizer(sublinear_tf=True).fit([*known, "no text"])
    best = cosine_similarity(vectors.transform(sources), vectors.transform(known)).argmax(1)
    assert said["nearest"] == [("car", "tree", "tree")[place] for place in best] == ["tree", "car"]
    short = form_of("seq2seq").ways(train, [pair("One sentence", "y")], spec("seq2seq"))
    assert list(short) == ["guess", "copy", "nearest"]  # its first sentence is all of it


def test_a_generator_is_compared_with_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Witness: sacrebleu of the copied sources; the report names the best, and that a loss has no baselines.

    It is written once, so that a run that is killed has all of it or none.
    """
    written, finish = list[dict[str, Any]](), RunFolder.finish

    def finish_and_tell(self: RunFolder, report: dict[str, Any]) -> None:
        written.append(report)
        finish(self, report)

    monkeypatch.setattr(RunFolder, "finish", finish_and_tell)
    draw = random.Random(0)
    texts = [" ".join(draw.choices("abcdefgh", k=8)) for _ in range(24)]
    rows = [{"source": text, "target": text[:9]} for text in texts]
    flags: dict[str, Any] = {
        "task": "seq2seq", "start": "none", "model": "gpt1-tiny", "vocab_size": 270, "length": "1 step", "batch_size": 8,
        "precision": "fp32", "retries": 0, "train": write(tmp_path / "train.jsonl", rows[:16]), "max_new": 4,
        "test": write(tmp_path / "test.jsonl", rows[16:]), "baselines": "yes",
    }  # fmt: skip
    found = warmstart.finetune(str(tmp_path / "run"), metric="bleu", **flags)["baselines"]
    assert list(found["each"]) == ["guess", "copy", "nearest"] and [one["baselines"] for one in written] == [found]
    references = [[str(row["target"]) for row in rows[16:]]]
    copied = sacrebleu.corpus_bleu([str(row["source"]) for row in rows[16:]], references).score
    assert found["each"]["copy"]["metrics"] == {"bleu": pytest.approx(copied)}
    assert "baselines" not in warmstart.finetune(str(tmp_path / "loss"), metric="loss", **flags)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A start and a finetune from it, beside its control and the baselines."""
    home = tmp_path_factory.mktemp("baselines")
    flags: dict[str, Any] = {"task": "classification", "batch_size": 8, "precision": "fp32", "retries": 0, "lr": 1e-3}
    files = {"train": write(home / "train.jsonl", sentences(40)), "test": write(home / "test.jsonl", sentences(50, 1))}
    warmstart.finetune(
        str(home / "start"), start="none", model="bert-tiny", vocab_size=300, length="3 steps", **files, **flags
    )
    report = warmstart.finetune(
        str(home / "run"), start=str(home / "start"), length="2 steps", seeds=2, control=True, **files, **flags
    )
    return home, report


def test_a_comparison_shows_them_and_the_gain_over_the_best(compared: tuple[Path, dict[str, Any]]):
    """Witness: the difference of the figures in the report; the bag of words is what scikit-learn makes of the rows."""
    home, report = compared
    found = report["baselines"]
    figures = {name: one["metrics"]["accuracy"] for name, one in found["each"].items()}
    assert list(figures) == ["guess", "words", "frozen"] and figures["guess"] == 0.5 and figures["words"] > 0.8
    assert found["best"] == max(figures, key=lambda name: figures[name]) and found["split"] == "test"
    assert found["gain"] == pytest.approx(report["pretrained"]["mean"] - figures[found["best"]])
    low, high = found["interval"]
    assert low < found["gain"] < high and "over words, the best baseline, on the 50 examples" in found["sentence"]
    assert read_json(home / "run" / REPORT) == report
    page = home / "page.html"
    warmstart.report([str(home / "run")], str(page))
    assert "regression on TF-IDF" in page.read_text() and found["sentence"] in page.read_text()


def test_each_answer_is_kept_and_both_arms_are_compared_on_the_same_examples(compared: tuple[Path, dict[str, Any]]):
    """Witness: what ``predict`` says of each row; SciPy's exact binomial test of the rows that one arm alone has right."""
    home, report = compared
    truths, rights = [row["label"] for row in sentences(50, 1)], {}
    for run in report["runs"]:
        folder = Path(run["run"])
        kept = read_json(folder / EXAMPLES)["test"]
        warmstart.predict(str(folder), str(home / "test.jsonl"), str(home / f"{folder.name}.jsonl"))
        said = [json.loads(line) for line in (home / f"{folder.name}.jsonl").read_text().splitlines()]
        right = [int(row["label"] == truth) for row, truth in zip(said, truths, strict=True)]
        assert kept["right"] == "".join(map(str, right))
        assert kept["confidence"] == pytest.approx([row["score"] for row in said], abs=1e-3)
        errors = [row for row, one in zip(said, right, strict=True) if not one]
        surest = sorted((row["score"] for row in errors), reverse=True)[:20]
        assert [one["confidence"] for one in kept["errors"]] == pytest.approx(surest, abs=1e-3)
        assert all(one["label"] != one["predicted"] for one in kept["errors"])
        rights[run["arm"], run["seed"]] = np.array(right)
    found = report["comparison"]["paired"]
    for seed, one in enumerate(found["mcnemar"], start=1):
        ours, theirs = rights["pretrained", seed], rights["scratch", seed]
        counts = int((ours > theirs).sum()), int((theirs > ours).sum())
        assert (one["only_main"], one["only_other"]) == counts
        assert one["p"] == pytest.approx(stats.binomtest(counts[0], max(1, sum(counts))).pvalue if sum(counts) else 1)
    assert len(found["mcnemar"]) == 2 and 0 < found["p_randomisation"] <= 1
    words = report["baselines"]["each"]["words"]["metrics"]["accuracy"]
    for seed, one in enumerate(report["baselines"]["paired"]["mcnemar"], start=1):
        gain = rights["pretrained", seed].mean() - words
        assert (one["only_main"] - one["only_other"]) / 50 == pytest.approx(gain)


def test_frozen_states_are_those_of_the_start(compared: tuple[Path, dict[str, Any]]):
    """Witness: transformers' mean of the last hidden states of the same folder, of each text by itself."""
    start = str(compared[0] / "start")
    features = FrozenStates(FinetuneRecipe(start=start, task=TaskRecipe(name="entailment")))
    texts = ["bright song", "a dark rain of the cold night", "day"]
    found = features.rows(texts)
    model, tokenizer = AutoModel.from_pretrained(start).eval(), read_start(start).tokenizer
    assert isinstance(tokenizer, Tokenizer)
    special = special_ids("full", tokenizer)
    for text, row in zip(texts, found, strict=True):
        ids = [special.start, *tokenizer.encode(text), special.extract]
        with torch.no_grad():
            mean = model(torch.tensor([ids])).last_hidden_state[0].mean(0)
        assert row == pytest.approx((mean / mean.norm()).numpy(), abs=1e-5)


def test_one_training_has_them_where_it_asks(tmp_path: Path):
    """Invariant: one seed claims nothing; tags have a dictionary and no regression."""
    rows = [{"tokens": row["text"].split(), "tags": ["X" if w in WORDS["glad"] else "Y" for w in row["text"].split()]}
            for row in sentences(30)]  # fmt: skip
    flags: dict[str, Any] = {
        "task": "tagging", "start": "none", "model": "gpt1-tiny", "vocab_size": 300, "length": "1 step", "batch_size": 8,
        "precision": "fp32", "retries": 0, "train": write(tmp_path / "train.jsonl", rows[:20]),
        "test": write(tmp_path / "test.jsonl", rows[20:]),
    }  # fmt: skip
    report = warmstart.finetune(str(tmp_path / "run"), baselines="yes", **flags)
    found = report["baselines"]
    assert list(found["each"]) == ["guess"] and found["each"]["guess"]["metrics"]["accuracy"] == 1.0
    assert not found["significant"] and "one seed says nothing about others" in found["sentence"]
    assert read_json(tmp_path / "run" / REPORT)["baselines"] == found
    assert (tmp_path / "run" / FILE).is_file()
    assert "baselines" not in warmstart.finetune(str(tmp_path / "plain"), **flags)


def test_scores_are_learned_by_ridge_regression():
    """Witness: Ridge by hand."""
    rows = [Record({"text": text}, float(n)) for n, text in enumerate(["a bad film", "a fair film", "a fine film"] * 3)]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    texts = [str(one.texts["text"]) for one in rows]
    matrix = vectorizer.fit([*texts, "no text"]).transform(texts)
    expected = Ridge(alpha=0.1).fit(matrix, [one.label for one in rows]).predict(matrix)
    assert learn("regression", rows, rows, True) == pytest.approx(expected.tolist())
