"""Sequence-to-sequence frames against the matrices and layouts that the specification of s2s-ft prints."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.example.noise import Noise
from warmstart.example.record import Record, Target
from warmstart.example.sight import sees
from warmstart.models.softmax import Smoothing, Softmax, next_token_loss
from warmstart.streams.sources import AugmentedSource
from warmstart.tasks.dataset import read_task, task_from
from warmstart.tasks.framing import Frame
from warmstart.tasks.parts import Parts
from warmstart.tasks.seq2seq import TEXT, Seq2Seq
from warmstart.tasks.seq2seq_frames import frame_pair, options_of, target_noise
from warmstart.tasks.seq2seq_texts import SENTENCE_MARK, decode_text, text_sides
from warmstart.tasks.settings import FrameSettings, Seq2SeqSettings, Seq2SeqTemplate
from warmstart.text.tokenizer import Tokenizer

CLS, SEP, MASK, VOCABULARY = 1, 2, 3, 50
SOURCE, TARGET = np.array([10, 11]), np.array([20, 21, 22])


def frame(sight: str = "full", context: int = 32, **changes: object) -> Frame:
    settings = Seq2SeqSettings.model_validate({"target_limit": 8} | changes)
    noise = Noise(MASK, VOCABULARY, settings.keep, settings.random)
    framed = FrameSettings(context=context, sight=sight, lm=False)  # type: ignore[arg-type]
    return Frame(framed, settings, TEXT, (), CLS, SEP, SEP, noise=noise)


def made(algorithm: str, draw: int | None = None, record: Record | None = None, **changes: object) -> Example:
    drawn = None if draw is None else generator(draw, "noise")
    asked = frame(algorithm=algorithm, **changes)
    return frame_pair(record or Record({}), Parts((SOURCE, TARGET)), asked, drawn)[0]


def test_without_an_algorithm_the_model_decides() -> None:
    """Witness: s2s-ft's default for a model like BERT; a model that only sees what came before cannot read a mask ahead."""
    kind, plain = Seq2Seq(), Tokenizer.train(["a b"], 300)
    masks = plain.with_special_tokens(["[MASK]"])
    cases = (("full", masks, "pseudo-masked"), ("causal", masks, "causal"), ("full", plain, "causal"))
    for sight, tokenizer, expected in cases:
        assert kind.fit_options(Seq2SeqSettings(), sight, tokenizer).algorithm == expected
        assert kind.fit_options(Seq2SeqSettings(algorithm="masked"), sight, tokenizer).algorithm == "masked"


def test_a_vocabulary_is_learned_from_sources_and_targets() -> None:
    """Witness: two scripts, one on each side: their words are tokens, whichever side they stand on."""
    rows = [{"source": f"pear plum {n}", "target": "груша слива"} for n in range(9)]
    records = task_from("seq2seq", rows).records
    learned = Seq2Seq().learn_vocabulary(records, 400, "words")
    assert isinstance(learned, Tokenizer)
    assert {"pear", "plum", "груша", "слива"} <= set(learned.ids_by_text)


def seen(turns: list[int]) -> list[str]:
    t = np.array(turns)
    table = sees(t[:, None], t[None, :]) | np.eye(len(t), dtype=bool)
    return ["".join("01"[int(cell)] for cell in row) for row in table]


def test_the_printed_mask() -> None:
    """Check 1 of the specification. Witness: the 9 x 9 matrix of s2s-ft with 3 source, 3 target and 3 pseudo tokens."""
    assert seen([0, 0, 0, 1, 2, 3, -1, -2, -3]) == [
        "111000000", "111000000", "111000000",
        "111100000", "111110000", "111111000",
        "111000100", "111100010", "111110001",
    ]  # fmt: skip


def test_the_printed_mask_of_spans() -> None:
    """Check 1 of the specification. Witness: the same with the span ids 3, 3, 4."""
    assert seen([0, 0, 0, 3, 3, 4, -3, -3, -4])[3:] == [
        "111110000", "111110000", "111111000",
        "111000110", "111000110", "111110001",
    ]  # fmt: skip


def test_layouts() -> None:
    """Witness: the table of sequence layouts, without noise."""
    causal = made("causal")
    assert causal.ids.tolist() == [CLS, 10, 11, SEP, 20, 21, 22]
    assert causal.turns.tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert causal.positions.tolist() == list(range(7))
    assert causal.segments is not None and causal.segments.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert (causal.goals["lm"].reads.tolist(), causal.goals["lm"].targets.tolist()) == ([3, 4, 5, 6], [20, 21, 22, SEP])
    pseudo = made("pseudo-masked")
    assert pseudo.ids.tolist() == [CLS, 10, 11, SEP, 20, 21, 22, SEP, *[MASK] * 4]
    assert pseudo.turns.tolist() == [0, 0, 0, 0, 1, 2, 3, 4, -1, -2, -3, -4]
    assert pseudo.positions.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7]
    assert pseudo.goals["lm"].reads.tolist() == [8, 9, 10, 11]
    assert pseudo.goals["lm"].targets.tolist() == [20, 21, 22, SEP]


def test_a_left_to_right_model_keeps_its_sight() -> None:
    """Witness: turns 0 1 2 …, and no segments."""
    [example] = frame_pair(Record({}), Parts((SOURCE, TARGET)), frame("causal", algorithm="causal"))
    assert example.turns.tolist() == list(range(7)) and example.segments is None


def test_masked_asks_at_some_places_only() -> None:
    """Witness: int(p · n) places, at most the number allowed and at least one; the loss there asks for the true token."""
    for noise, most, count in ((0.5, 0, 2), (0.01, 0, 1), (1.0, 0, 4), (1.0, 3, 3)):
        example = made("masked", draw=1, target_noise=noise, most_masked=most)
        goal = example.goals["lm"]
        assert len(goal.reads) == count and len(example) == 8
        assert goal.targets.tolist() == [[20, 21, 22, SEP][place - 4] for place in goal.reads]
        others = np.setdiff1d(np.arange(8), goal.reads)
        assert example.ids[others].tolist() == [[CLS, 10, 11, SEP, 20, 21, 22, SEP][place] for place in others]


def test_noise_is_80_10_10() -> None:
    """Witness: the shares of 20,000 noised tokens; what a mask becomes is what stands in the true token's place."""
    ids = np.full(20_000, 7)
    found = Noise(MASK, VOCABULARY).corrupt(ids, generator(1, "noise"))
    assert abs((found == MASK).mean() - 0.8 - 0.1 / VOCABULARY) < 0.02
    assert abs((found == 7).mean() - 0.1 - 0.1 / VOCABULARY) < 0.02
    example = made("pseudo-masked", draw=3, target_noise=1.0)
    assert example.ids[4:8].tolist() == example.ids[8:].tolist()
    assert made("pseudo-masked", draw=3, target_noise=0.0).ids[4:8].tolist() == [20, 21, 22, SEP]
    assert made("pseudo-masked", draw=3, source_noise=1.0, keep=0.0, random=0.0).ids[:4].tolist() == [
        CLS,
        MASK,
        MASK,
        SEP,
    ]
    noised = made("causal", draw=3, target_noise=1.0, keep=0.0, random=0.0)
    assert noised.ids.tolist() == [CLS, 10, 11, SEP, MASK, MASK, MASK]


def test_noise_is_drawn_anew_in_every_epoch() -> None:
    """Check 6 of the specification: the noise follows from (seed, epoch, number); another epoch has another."""
    asked = frame(algorithm="masked")
    parts = Parts((SOURCE, np.arange(20, 27)))
    source = AugmentedSource(4, lambda i, draw: frame_pair(Record({}), parts, asked, draw), seed=1)

    def ids(epoch: int) -> list[list[int]]:
        return [unit[0].ids.tolist() for unit in source.take(epoch, np.arange(4))]

    assert ids(0) == ids(0) != ids(1)


def test_span_ids() -> None:
    """Check 1 of the specification: the law of sight; ids from 1 that rise, the end a block of its own; 0 is refused."""
    record = Record({}, Target(pieces=("a", "b", "c"), spans=(1, 1, 2)))
    assert made("pseudo-masked", record=record).turns[4:].tolist() == [1, 1, 2, 3, -1, -1, -2, -3]
    for spans in ((0, 1, 2), (2, 1, 3), (1, 2)):
        with pytest.raises(BadInput, match="span ids have to rise from 1"):
            made("pseudo-masked", record=Record({}, Target(pieces=("a", "b", "c"), spans=spans)))


def test_the_rows_of_segments_are_the_models() -> None:
    """Witness: UniLM's 4 and 5 where nothing else is said, BERT's 0 and 1 where no model was asked."""
    asked = frame(algorithm="causal")
    own = options_of(asked).with_segments((4, 5))
    assert own.segments == (4, 5) and options_of(asked).segments == (0, 1)
    assert Seq2SeqSettings(source_segment=0).with_segments((4, 5)).segments == (0, 5)
    [example] = frame_pair(
        Record({}),
        Parts((SOURCE, TARGET)),
        replace(asked, options=own),
    )
    assert example.segments is not None and example.segments.tolist() == [4, 4, 4, 5, 5, 5, 5]


def test_an_answer_stands_before_its_context() -> None:
    """Witness: the layout by hand; a context that is too long loses its end, never the answer."""
    cut = Seq2Seq().truncate(Record({}), Parts((np.arange(30, 60), TARGET, np.array([7, 8]))), frame())
    assert cut.parts.texts[0].tolist() == [7, 8, SEP, *range(30, 49)] and cut.lost == 33 - 22


@pytest.mark.parametrize("algorithm", ["causal", "masked", "pseudo-masked"])
def test_noise_leaves_the_delimiter_of_an_answer(algorithm: str) -> None:
    """Witness: s2s-ft's rule by hand: all of the source may be noised but for its special tokens."""
    asked = frame(algorithm=algorithm, source_noise=1.0, keep=0.0, random=0.0)
    parts = Parts((np.array([7, SEP, 30, 31]), TARGET))
    found = frame_pair(Record({}), parts, asked, generator(1, "noise"))[0].ids[:6]
    assert found.tolist() == [CLS, MASK, SEP, MASK, MASK, SEP]


def test_noise_leaves_the_special_tokens_of_an_encoder_decoder() -> None:
    """Witness: the same rule by hand, with BART's tokens around both sides: a language code, what ends, what begins."""
    template = Seq2SeqTemplate(before=(5,), after=(6,), between=(6,), start=6, first=(5,), end=6)
    asked = frame(
        "prefix", algorithm="causal", template=template, source_noise=1.0, target_noise=1.0, keep=0.0, random=0.0
    )
    found = frame_pair(Record({}), Parts((SOURCE, TARGET)), asked, generator(1, "noise"))[0]
    assert found.ids.tolist() == [5, MASK, MASK, 6, 6, 5, MASK, MASK, MASK]


def test_noise_by_default_is_where_there_is_a_mask() -> None:
    """Witness: what the help says: half of the targets, none without a mask token or from left to right."""
    assert target_noise(frame()) == 0.5
    assert target_noise(frame("causal")) == target_noise(replace(frame(), noise=None)) == 0


def test_limits_are_cut_counted_or_refused() -> None:
    """Witness: lengths counted by hand."""
    parts = Parts((np.arange(40), np.arange(20)))
    cut = Seq2Seq().truncate(Record({}), parts, frame())
    assert [len(side) for side in cut.parts.texts] == [32 - 8 - 2, 7]
    assert (cut.lost, cut.targets) == (40 - 22 + 20 - 7, 1)
    short = Seq2Seq().truncate(Record({}), Parts((SOURCE, TARGET)), frame())
    assert (short.lost, short.targets) == (0, 0)
    with pytest.raises(BadInput, match="the target has more tokens than its limit; got 20; allowed: at most 7"):
        Seq2Seq().truncate(Record({}), parts, frame(long_target="refuse"))


@pytest.mark.parametrize("left_out", [None, 0, 4])
def test_smoothed_labels(left_out: int | None) -> None:
    """Check 7 of the specification: torch's cross-entropy with the label distribution written out, and its gradients."""
    torch.manual_seed(1)
    states = torch.randn(6, 8, requires_grad=True)
    table = torch.randn(11, 8, requires_grad=True)  # the last row is no token
    bias = torch.randn(11, requires_grad=True)
    targets, weights = torch.tensor([1, 2, 3, 5, 9, 2]), torch.tensor([1.0, 0.5, 1.0, 0.0, 2.0, 1.0])
    smoothing = Smoothing(0.2, 10, left_out)
    ours = next_token_loss(Softmax(states, table, bias), targets, weights, smoothing=smoothing)
    found = torch.autograd.grad(ours, [states, table, bias])
    label = torch.zeros(6, 11)
    count = 10 - 1 - (left_out is not None)
    label[:, :10] = 0.2 / count
    if left_out is not None:
        label[:, left_out] = 0.0
    label[torch.arange(6), targets] = 0.8
    logits = states @ table.T + bias
    theirs = (torch.nn.functional.cross_entropy(logits, label, reduction="none") * weights).sum()
    torch.testing.assert_close(ours, theirs)
    for left, right in zip(found, torch.autograd.grad(theirs, [states, table, bias]), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)


def rows_of(path: str) -> list[Record]:
    return read_task("seq2seq", path).records


@pytest.mark.parametrize(
    ("row", "source", "target"),
    [
        ({"src": "a b", "tgt": "c"}, "a b", "c"),  # s2s-ft's
        ({"article": "a b", "highlights": "c", "id": "1"}, "a b", "c"),  # CNN/DM
        ({"document": "a b", "summary": "c", "id": "1"}, "a b", "c"),  # XSum, Gigaword
    ],
)
def test_published_columns_are_read(row: dict[str, str], source: str, target: str) -> None:
    """Witness: the columns as their publishers name them."""
    [record] = task_from("seq2seq", [row]).records
    assert record.texts == {"source": source} and record.label == Target(target)


@pytest.mark.data
def test_the_files_of_the_recipes_are_read_as_distributed(data_dir: Path) -> None:
    """Witness: the first rows, read by hand, and the numbers of rows that the data's own page states."""
    found = rows_of(f"{data_dir / 'squad_qg' / 'nqg_dev.src.gz'},{data_dir / 'squad_qg' / 'nqg_dev.tgt.gz'}")
    assert len(found) == 10570 and found[0].label == Target("which nfl team represented the afc at super bowl 50 ?")
    found = rows_of(f"{data_dir / 'multi30k' / 'val.en.gz'},{data_dir / 'multi30k' / 'val.de.gz'}")
    assert len(found) == 1014 and found[0].texts == {"source": "A group of men are loading cotton onto a truck"}
    found = rows_of(str(data_dir / "aeslc" / "dev.jsonl.gz"))
    assert len(found) == 1960 and found[0].label == Target("Confirmation: Risk Management Simulation Meeting 10/30/01")
    assert "annotations" in found[0].extra
    found = rows_of(str(data_dir / "orangesum" / "valid.jsonl.gz"))
    assert len(found) == 1000 and isinstance(found[0].label, Target)
    assert found[0].label.text.startswith("Le bateau de croisière, long de 275 m")  # the abstract, not the title
    for name, count in (("piaf_fr", 918), ("cmrc2018_zh", 571)):
        found = rows_of(str(data_dir / name / "dev.jsonl.gz"))
        assert len(found) == count
        assert all(str(one.texts["answer"]) in str(one.texts["source"]) for one in found)
        assert all(isinstance(one.label, Target) and one.label.text != one.extra["title"] for one in found)


def test_packing_changes_nothing() -> None:
    """Checks 6 and 7 of the specification: no padding; the goals of a batch are those of its examples, moved."""
    batch = collate([[made("pseudo-masked")], [made("causal")]])
    assert batch.num_tokens == 12 + 7
    assert batch.goals["lm"].reads.tolist() == [8, 9, 10, 11, 15, 16, 17, 18]


def test_line_ends_of_a_target_come_back(tmp_path: Path) -> None:
    """Witness: the text itself, through a vocabulary that can spell s2s-ft's mark; else a blank is read."""
    text = "a fox runs\nthe hen runs"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "the", "fox", "hen", "runs"]
    for name, more, told in (("able", ["[", "]", "x", "_", "sep"], text), ("unable", [], text.replace("\n", " "))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vocab.txt").write_text("\n".join([*words, *more]))
        tokenizer = Tokenizer.load(tmp_path / name)
        [parts] = Seq2Seq().encode([Record({"source": "a"}, Target(text))], tokenizer, ())
        assert decode_text(parts.texts[1].tolist(), tokenizer) == told


def test_only_line_ends_become_marks() -> None:
    """Witness: by hand: U+2028 and a form feed are characters of a line, CRLF is its end."""
    record = Record({"source": "x"}, Target("one\u2028still one\x0c\r\n\ntwo"))
    assert text_sides(record, marked=True) == ["x", f"one\u2028still one {SENTENCE_MARK} two"]
