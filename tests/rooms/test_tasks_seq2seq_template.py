"""Around source and target of an encoder-decoder: worked examples, language codes, prefixes, and what is refused."""

from typing import Any

import numpy as np
import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from warmstart.base.errors import BadInput
from warmstart.build.describe import describe
from warmstart.example.record import Record, Target
from warmstart.tasks.frames import build_frame, frame_records
from warmstart.tasks.seq2seq import Seq2Seq
from warmstart.tasks.seq2seq_frames import frame_source, source_room, target_room, template_of
from warmstart.tasks.settings import FrameSettings, Seq2SeqSettings, Seq2SeqTemplate
from warmstart.tasks.spec import TaskSpec
from warmstart.text.template import Template
from warmstart.text.tokenizer import Tokenizer

WORDS = ("<s>", "<pad>", "</s>", "<unk>", "en_XX", "ro_RO", "say", "he", "sings", "el", "cântă", "a")
NAMES = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "cls": "<s>", "sep": "</s>"}


def tokenizer(single: tuple[str, ...]) -> Tokenizer:
    backend = tokenizers.Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Tokenizer(backend, NAMES, Template(single))


def ids(text: str) -> tuple[int, ...]:
    return tuple(WORDS.index(word) for word in text.split())


def framed(options: Seq2SeqSettings, vocabulary: Tokenizer, **changes: Any) -> tuple[str, str, str]:
    """Source, what the decoder reads, what it learns of one pair, in words."""
    kind, spec = Seq2Seq(), TaskSpec(kind="seq2seq", frame=FrameSettings(context=12, sight="prefix", lm=False))
    spec = spec.with_options(kind.fit_options(options, "prefix", vocabulary))
    record = Record({"source": "he sings"}, Target("el cântă"))
    [[example]] = frame_records(spec, [record], vocabulary).examples
    behind = example.turns > 0
    rows = (example.ids[~behind], example.ids[behind], example.goals["lm"].targets)
    assert example.positions.tolist() == list(range(len(example)))
    source, read, learned = (" ".join(WORDS[n] for n in row) for row in rows)
    return source, read, learned


BART = Seq2SeqTemplate(before=ids("<s>"), after=ids("</s>"), start=2, first=ids("<s>"), end=2)
MBART = Seq2SeqTemplate(after=ids("</s> en_XX"), start=5, end=2)
MBART50 = Seq2SeqTemplate(before=ids("en_XX"), after=ids("</s>"), start=2, first=ids("en_XX"), end=2)


@pytest.mark.parametrize(
    ("template", "single", "asked", "wanted"),
    [
        (None, ("$A", "</s>"), {}, ("he sings </s>", "</s> el cântă", "el cântă </s>")),
        (BART, ("<s>", "$A", "</s>"), {}, ("<s> he sings </s>", "</s> <s> el cântă", "<s> el cântă </s>")),
        (MBART, ("$A", "</s>", "en_XX"), {}, ("he sings </s> en_XX", "ro_RO el cântă", "el cântă </s>")),
        (
            MBART, ("$A", "</s>", "en_XX"), {"source_language": "ro_RO", "target_language": "en_XX"},
            ("he sings </s> ro_RO", "en_XX el cântă", "el cântă </s>"),
        ),
        (
            MBART50, ("en_XX", "$A", "</s>"), {"target_language": "ro_RO", "source_prefix": "say "},
            ("en_XX say he sings </s>", "</s> ro_RO el cântă", "ro_RO el cântă </s>"),
        ),
    ],
)  # fmt: skip
def test_pairs_are_framed_as_their_models_have_learned_them(
    template: Seq2SeqTemplate | None, single: tuple[str, ...], asked: dict[str, str], wanted: tuple[str, str, str]
) -> None:
    """Worked examples: the pages of BART, mBART and mBART-50 in transformers' documentation, word by word."""
    options = Seq2SeqSettings(target_limit=6, template=template, **asked)  # type: ignore[arg-type]
    assert framed(options, tokenizer(single)) == wanted


def test_a_pair_is_told_in_words() -> None:
    """Worked by hand: what the dry run says of a source of 3 tokens and a target of 3."""
    kind, vocabulary = Seq2Seq(), tokenizer(("$A", "</s>"))
    spec = TaskSpec(kind="seq2seq", frame=FrameSettings(context=12, sight="prefix", lm=False))
    spec = spec.with_options(kind.fit_options(Seq2SeqSettings(), "prefix", vocabulary))
    [examples] = frame_records(spec, [Record({"source": "he sings"}, Target("el cântă"))], vocabulary).examples
    first = describe(examples, vocabulary)[0]
    assert first.startswith("6 tokens, a source of 3 is seen whole, of the target what came before: ")


def test_a_target_language_is_forced_and_travels() -> None:
    """Invariant: what the options remember: the code stands first, learned and forced; asked again nothing changes."""
    vocabulary = tokenizer(("en_XX", "$A", "</s>"))
    options = Seq2SeqSettings(template=MBART50, target_language="ro_RO")
    once = Seq2Seq().fit_options(options, "prefix", vocabulary)
    assert once.template is not None and (once.template.first, once.template.forced) == (ids("ro_RO"),) * 2
    assert Seq2Seq().fit_options(once, "prefix", vocabulary) == once


def test_both_sides_have_the_whole_context() -> None:
    """Worked by hand: a context of 12 holds 9 words and BART's 2 special tokens, or as many as the limit says."""
    kind = Seq2Seq()
    options = Seq2SeqSettings(algorithm="causal", target_limit=20, template=BART)
    spec = TaskSpec(kind="seq2seq", frame=FrameSettings(context=12, sight="prefix", lm=False)).with_options(options)
    frame = build_frame(spec, tokenizer(("<s>", "$A", "</s>")))
    assert (source_room(frame), target_room(frame), template_of(frame)) == (10, 10, BART)
    [parts] = frame_records(
        spec, [Record({"source": "he " * 30}, Target("el " * 30))], tokenizer(("<s>", "$A", "</s>"))
    ).parts
    assert [len(text) for text in parts.texts] == [10, 10] and len(frame_source(parts, frame)) == 12
    assert kind.min_context(options, "prefix") == 20
    limited = options.model_copy(update={"source_limit": 9})
    assert (kind.min_context(limited, "prefix"), kind.min_context(limited, "causal")) == (20, 29)


@pytest.mark.parametrize(
    ("sight", "asked", "words"),
    [
        ("full", {"target_language": "ro_RO"}, "only an encoder-decoder has language codes"),
        (
            "prefix",
            {"target_language": "de_DE"},
            "--target-language: the vocabulary has no such language code; got 'de_DE'",
        ),
        ("prefix", {"source_language": "ro_RO"}, "puts no language code around a source"),
    ],
)
def test_codes_that_are_not_there_are_refused(sight: str, asked: dict[str, str], words: str) -> None:
    """Bad input: one sentence."""
    with pytest.raises(BadInput, match=words):
        Seq2Seq().fit_options(Seq2SeqSettings(**asked), sight, tokenizer(("$A", "</s>")))  # type: ignore[arg-type]


def test_a_prefix_needs_a_text() -> None:
    """Bad input: sub-words have no text to stand behind a prefix."""
    options = Seq2SeqSettings(algorithm="causal", source_prefix="say ", template=BART)
    spec = TaskSpec(kind="seq2seq", frame=FrameSettings(context=12, sight="prefix", lm=False)).with_options(options)
    with pytest.raises(BadInput, match="no text to stand behind a prefix"):
        frame_records(spec, [Record({"source": ("he", "sings")}, Target("el"))], tokenizer(("<s>", "$A", "</s>")))


def test_the_prefix_is_read_with_the_text() -> None:
    """Invariant: the ids of a prefixed source are those of one text, not of two."""
    vocabulary = tokenizer(("$A", "</s>"))
    with_prefix = framed(Seq2SeqSettings(source_prefix="say "), vocabulary)[0]
    assert np.array_equal(ids(with_prefix)[:-1], vocabulary.encode("say he sings"))
