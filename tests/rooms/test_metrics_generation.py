"""Measures of texts against their libraries; intervals and tests against brute force; s2s-ft's rules on its examples."""

import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from warmstart.base.errors import BadInput
from warmstart.metrics.generation import (
    _mean,
    approximate_randomization,
    bootstrap_texts,
    check_generation_metric,
    compute_statistics,
)
from warmstart.metrics.postprocess import POSTPROCESSORS, clean_summary, group_references, lead_sentences, penn_tokens
from warmstart.text.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat today", "where does oxygen rank by mass ?", "a b c d e", "who sings the old song"]
REFERENCES = [
    ["the cat sat on a mat today", "a cat is on the mat"],
    ["how does oxygen rank by mass ?"],
    ["a b c d e f g"],
    ["who sings this old song", "which song is old"],
]


def test_bleu4_is_sacrebleus_without_smoothing() -> None:
    """Witness: sacrebleu on the same tokens, several references."""
    sacrebleu = pytest.importorskip("sacrebleu")
    columns = [[refs[i] if i < len(refs) else None for refs in REFERENCES] for i in range(2)]
    metric = sacrebleu.metrics.BLEU(tokenize="none", smooth_method="none")
    assert compute_statistics("bleu4", TEXTS, REFERENCES).value == pytest.approx(
        metric.corpus_score(TEXTS, columns).score
    )


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
def test_sacrebleus_metrics(name: str) -> None:
    """Witness: sacrebleu's own corpus scores and signatures."""
    sacrebleu = pytest.importorskip("sacrebleu")
    metric = {"bleu": sacrebleu.metrics.BLEU, "chrf": sacrebleu.metrics.CHRF, "ter": sacrebleu.metrics.TER}[name]()
    one = [refs[:1] for refs in REFERENCES]
    ours = compute_statistics(name, TEXTS, one)
    assert ours.value == pytest.approx(metric.corpus_score(TEXTS, [[refs[0] for refs in one]]).score)
    assert ours.signature == str(metric.get_signature())


def test_rouge_is_rouge_scores_mean() -> None:
    """Witness: rouge-score, text by text, the best of several references."""
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"], use_stemmer=True)
    scores = [
        max(scorer.score(r, t)["rougeL"].fmeasure for r in refs) for t, refs in zip(TEXTS, REFERENCES, strict=True)
    ]
    assert compute_statistics("rougeL", TEXTS, REFERENCES).value == pytest.approx(100 * np.mean(scores))


@pytest.fixture
def wordnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A WordNet of one synset, in the form of the real database, where nltk looks for it."""
    corpus = pytest.importorskip("nltk.corpus")
    folder = tmp_path / "corpora" / "wordnet"
    folder.mkdir(parents=True)
    for part in ("noun", "verb", "adj", "adv"):
        for name in (f"index.{part}", f"data.{part}", f"{part}.exc"):
            (folder / name).touch()
    (folder / "lexnames").write_text("00\tadj.all\t3\n01\tnoun.artifact\t1\n")
    (folder / "data.adj").write_text("  1 WordNet 3.0 Copyright\n")
    (folder / "data.noun").write_text("00000000 01 n 02 car 0 auto 0 000 | it has four wheels  \n")
    (folder / "index.noun").write_text("".join(f"{word} n 1 0 1 0 00000000  \n" for word in ("auto", "car")))
    (folder / "index.sense").write_text("auto%1:01:00:: 00000000 1 0\ncar%1:01:00:: 00000000 1 0\n")
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])
    others = corpus.LazyCorpusLoader("omw-1.4", corpus.CorpusReader, "none")
    monkeypatch.setattr(corpus, "wordnet", corpus.LazyCorpusLoader("wordnet", corpus.WordNetCorpusReader, others))
    yield
    for file in getattr(corpus.wordnet, "_data_file_map", {}).values():
        file.close()


GUIDE = "It is a guide to action which ensures that the military always obeys the commands of the party"
HEED = "It is a guide to action that ensures that the military will forever heed Party commands"


@pytest.mark.parametrize(
    ("text", "reference", "score"),
    [
        ("a red fox", "a red fox", 1 - 0.5 / 27),  # three matches in one chunk
        ("the fox sat", "sat the fox", 1 - 0.5 * (2 / 3) ** 3),  # three in two chunks
        ("cats sit", "cat sits", 1 - 0.5 / 8),  # by their stems
        ("the car", "the auto", 1 - 0.5 / 8),  # one by WordNet
        ("the car", "the fox", 0.5 * 0.5),  # precision and recall 1/2, one match in one chunk
        ("fox", "hen", 0.0),
        (GUIDE, HEED, 0.6944),
    ],
)
def test_meteor(wordnet: None, text: str, reference: str, score: float) -> None:
    """Witness: Lavie and Agarwal's formula (2007) by hand, and nltk's published example; the best reference counts."""
    found = compute_statistics("meteor", [text], [[reference]])
    assert found.value == pytest.approx(100 * score, abs=0.005) and found.signature.startswith("METEOR of nltk")
    assert compute_statistics("meteor", [text, text], [[reference], ["none of it", text]]).value >= found.value


def test_meteor_without_its_data_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the sentence, where nltk finds no WordNet."""
    corpus = pytest.importorskip("nltk.corpus")
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])
    monkeypatch.setattr(corpus, "wordnet", corpus.LazyCorpusLoader("wordnet", corpus.WordNetCorpusReader, None))
    with pytest.raises(BadInput, match=r"--metrics: METEOR needs the data of WordNet.*nltk.downloader wordnet"):
        check_generation_metric("meteor", "--metrics")


def test_texts_of_other_scripts_are_measured() -> None:
    """Witness: a text is its own best match, with spaces between its characters or without; accents tell words apart."""
    chinese = ["二十七个省份开通了高铁", "他在北京出生"]
    for name in ("rouge1", "rouge2", "rougeL", "bleu4", "bleu", "chrf"):
        found = compute_statistics(name, [" ".join(chinese[0]), chinese[1]], [[text] for text in chinese])
        assert found.value == pytest.approx(100), (name, found.signature)
    assert compute_statistics("ter", [" ".join(chinese[0])], [[chinese[0]]]).value == 0
    french = "élève âgé né là"
    assert compute_statistics("rouge1", [french], [[french]]).value == pytest.approx(100)
    assert compute_statistics("rouge1", ["eleve age ne la"], [[french]]).value == 0
    hindi = compute_statistics("rouge1", ["हिन्दी में"], [["हिन्दी में लिखा"]])
    assert hindi.value == pytest.approx(80)  # two of three words, both right: combining marks do not divide them
    assert "any script" in hindi.signature


def test_english_is_measured_as_rouge_score_does_by_itself() -> None:
    """Witness: rouge-score; a foreign name in a long text does not change how it is measured."""
    from rouge_score.rouge_scorer import RougeScorer

    reference = "the old singer praises Beyoncé " + "and the houses of the town " * 9
    text = "a singer praised a house"
    theirs = RougeScorer(["rougeL"], use_stemmer=True).score(reference, text)["rougeL"].fmeasure
    assert compute_statistics("rougeL", [text], [[reference]]).value == pytest.approx(100 * theirs)


def test_randomisation_counts_all_exchanges() -> None:
    """Witness: all 2 ** 8 exchanges of two systems, counted one by one."""
    rng = np.random.default_rng(1)
    one, other = rng.random(8), rng.random(8) - 0.15
    first, second = _mean(one.tolist()), _mean(other.tolist())
    gain = 100 * (one.mean() - other.mean())
    every = [100 * np.where(signs, one - other, other - one).mean() for signs in itertools.product([0, 1], repeat=8)]
    exact = np.mean([abs(value) >= abs(gain) - 1e-9 for value in every])
    found = approximate_randomization(first, second, 0)
    assert found.gain == pytest.approx(gain)
    assert found.p_value == pytest.approx(exact, abs=0.02)
    assert approximate_randomization(first, first, 0).p_value == 1.0


def test_intervals_of_a_mean() -> None:
    """Witness: the normal approximation of the mean of 400 numbers."""
    values = np.random.default_rng(2).random(400)
    found = bootstrap_texts(_mean(values.tolist()), 0)
    half = 1.96 * 100 * values.std() / 20
    assert found.low == pytest.approx(100 * values.mean() - half, abs=0.4)
    assert found.high == pytest.approx(100 * values.mean() + half, abs=0.4)


def test_tokens_are_put_together() -> None:
    """Witness: the forms that the specification names."""
    told = "he said ( twice ) \" they don ' t know \" : 1 , 000 . 5 u . s . aid , a well - known man ' s . . ."
    assert penn_tokens(told) == (
        "he said -LRB- twice -RRB- `` they do n't know '' : 1,000.5 u.s. aid , a well-known man 's ..."
    )


@pytest.mark.parametrize(
    ("told", "tokens"),
    [
        ("where does oxygen rank by mass?", "where does oxygen rank by mass ?"),
        ("he doesn ' t ( well, no ) 1, 000. 5 u. s. aid", "he does n't -LRB- well , no -RRB- 1,000.5 u.s. aid"),
        ('He can\'t say "no" (yet).', "He ca n't say `` no '' -LRB- yet -RRB- ."),
        (
            "` ` a win / loss ratio ' ' in 2, 2015 at 4 : 51 - - yes",
            "`` a win/loss ratio '' in 2 , 2015 at 4:51 -- yes",
        ),
        ("he met mr. smith of the u.s. today.", "he met mr. smith of the u.s. today ."),
    ],
)
def test_every_form_of_a_text_comes_to_the_same_tokens(told: str, tokens: str) -> None:
    """Witness: Penn Treebank tokens by hand, from decoders' and from plain text; and they stay as they are."""
    assert penn_tokens(told) == penn_tokens(tokens) == tokens


@pytest.mark.data
def test_a_question_that_went_through_wordpiece_is_its_reference(data_dir: Path, tmp_path: Path) -> None:
    """Witness: SQuAD's own questions through BERT's vocabulary: BLEU-4 against themselves is 74 as decoded."""
    (tmp_path / "vocab.txt").write_bytes((data_dir / "bert_vocab" / "bert-base-uncased-vocab.txt").read_bytes())
    tokenizer = Tokenizer.load(tmp_path)
    with gzip.open(data_dir / "squad_qg" / "nqg_dev.tgt.gz", "rt", encoding="utf-8") as file:
        questions = file.read().splitlines()[:2000]
    rules = POSTPROCESSORS["question"]
    told = [rules.text(tokenizer.decode(ids)) for ids in tokenizer.encode_batch(questions)]
    assert compute_statistics("bleu4", told, [[rules.reference(text)] for text in questions]).value > 98
    assert sum(rules.reference(text) == text for text in questions) / len(questions) > 0.99


def test_brackets_by_name_survive_wordpiece() -> None:
    """Witness: the reference, whose hyphens BERT's tokenizer separates."""
    assert penn_tokens("- lrb - afc - rrb - champion") == "-lrb- afc -rrb- champion"
    assert penn_tokens("-lrb- afc -rrb- champion") == "-lrb- afc -rrb- champion"


def test_a_summary_says_nothing_twice() -> None:
    """Witness: short sentences, repetitions and what is beyond the limit are dropped, as the specification says."""
    text = "the red fox runs home [X_SEP] too short [X_SEP] the red fox runs home again [X_SEP] one two three four five six"
    assert clean_summary(text) == "the red fox runs home\none two three four five six"
    assert clean_summary(text, max_tokens=8) == "the red fox runs home\none two three"
    assert (
        clean_summary(text.replace("[X_SEP]", "[ x _ sep ]"))
        == clean_summary(text.replace(" [X_SEP] ", "\n"))
        == clean_summary(text)
    )


def test_a_reference_keeps_its_sentences() -> None:
    """Witness: s2s-ft's rules are for what a model wrote: a reference is neither shortened nor thinned out."""
    rules, text = (
        POSTPROCESSORS["cnndm"],
        "so it is. [X_SEP] the red fox runs home <S_SEP> the red fox runs home\n" + "far " * 200,
    )
    assert rules.reference(text).splitlines() == [
        "so it is .", "the red fox runs home", "the red fox runs home", ("far " * 200).strip()
    ]  # fmt: skip
    assert rules.text(text).split() == ["the", "red", "fox", "runs", "home"] + ["far"] * 155


def test_baselines_and_groups() -> None:
    """Witness: written by hand."""
    assert lead_sentences("One. Two! Three? Four.") == "One.\nTwo!\nThree?"
    assert lead_sentences("a\nb\nc\nd") == "a\nb\nc"
    assert lead_sentences("Mr. Li of the U.S. Army went... home. “Why?” asked J. Doe. No. Yes.") == (
        "Mr. Li of the U.S. Army went... home.\n“Why?” asked J. Doe.\nNo."
    )
    assert lead_sentences("一。二！三？四。") == "一。\n二！\n三？"
    assert group_references(["x", "y", "x"], ["1", "2", "3"]) == [["1", "3"], ["2"], ["1", "3"]]


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the sentence; an import that finds nothing."""
    import sys

    monkeypatch.setitem(sys.modules, "rouge_score", None)
    with pytest.raises(BadInput, match=r"needs the package rouge_score.*pip install 'warmstart"):
        check_generation_metric("rougeL")
    check_generation_metric("bleu4")
