"""Pre-training of encoder-decoders: what is corrupted, what is to be written, and the special tokens around both."""

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import warmstart
from warmstart.cli.main import main
from warmstart.example.example import Example
from warmstart.objectives.corruption import Corruption, SideTokens, split_randomly
from warmstart.objectives.infilling import fill_spans, infilling, permute_sentences
from warmstart.objectives.masked_span import masked_span
from warmstart.objectives.settings import MaskSettings
from warmstart.objectives.span_corruption import SENTINELS, span_corruption
from warmstart.run.metadata import read_metadata
from warmstart.tasks.seq2seq_template import pair_template
from warmstart.text.tokenizer import Tokenizer

MASK, STOP, END, START = 90, 91, 92, 93
FIRST = 100  # sentinel
SIDES = SideTokens(before=(94,), after=(END,), start=START, first=(95,), end=END)
BARE = SideTokens(before=(), after=(END,), start=START, first=(), end=END)


def tools(share: float, sides: SideTokens = BARE, **settings: float) -> Corruption:
    sentinels = tuple(range(FIRST, FIRST + 30))
    given = MaskSettings.model_validate(settings)
    return Corruption(given, share, sides, sentinels, MASK, END, 60, frozenset({STOP}))


def sides_of(example: Example) -> tuple[list[int], list[int], list[int]]:
    """Source, what the decoder reads, what it learns."""
    source = example.turns == 0
    assert np.array_equal(example.turns[~source], np.arange(1, 1 + (~source).sum()))
    goal = example.goals["lm"]
    assert np.array_equal(goal.reads, np.flatnonzero(~source))
    return example.ids[source].tolist(), example.ids[~source].tolist(), goal.targets.tolist()


def texts() -> list[np.ndarray]:
    """Of all lengths from 2 on; with full stops."""
    found = [np.random.default_rng(n).integers(0, 60, n) for n in (*range(2, 40), 100, 200)]
    for text in found:
        text[3::7] = STOP
    return found


def test_the_spans_of_t5_are_where_their_sentinels_stand() -> None:
    """Invariants of T5's released code: exact counts; the spans put back give the text; it begins with what stays."""
    corruption = tools(0.15)
    for number, text in enumerate(texts()):
        rng = np.random.default_rng(number)
        [example] = span_corruption(np.append(text, END), rng, corruption)
        source, read, learned = sides_of(example)
        assert (source[-1], read[0], learned[-1]) == (END, START, END) and read[1:] == learned[:-1]
        spans: dict[int, list[int]] = {}
        for token in learned[:-1]:
            if token >= FIRST:
                spans[token] = []
            else:
                spans[[*spans][-1]].append(token)
        hidden = max(1, round(0.15 * len(text)))
        assert sum(map(len, spans.values())) == hidden and all(spans.values())
        assert [*spans] == list(range(FIRST, FIRST + max(1, round(hidden / 3))))
        assert source[0] < FIRST <= source[-2]
        assert [t for token in source[:-1] for t in spans.get(token, [token])] == text.tolist()


def test_the_example_of_the_paper() -> None:
    """Worked by hand: Raffel et al. 2020, figure 2, with the draws that make its spans."""

    class Draws:
        """Cuts 4 of 10 tokens and 2 spans: kept 3 + 5 … and gone 2 + 2."""

        def __init__(self) -> None:
            self.rows = iter([[2], [1]])

        def choice(self, total: int, count: int, replace: bool) -> np.ndarray:
            return np.array(next(self.rows))

    words = "Thank you for inviting me to your party last week".split()  # noqa: SIM905
    corruption = tools(0.4, span=2.0)
    # as the released code has it a text ends with a span: the figure's "last" is hidden with "week"
    [example] = span_corruption(np.arange(10), Draws(), corruption)  # type: ignore[arg-type]
    source, _, learned = sides_of(example)
    names = dict(enumerate(words)) | {FIRST: "<X>", FIRST + 1: "<Y>", END: "<Z>"}
    assert " ".join(names[t] for t in source) == "Thank you for <X> to your party <Y> <Z>"
    assert " ".join(names[t] for t in learned) == "<X> inviting me <Y> last week <Z>"


def test_all_ways_to_cut_are_alike_likely() -> None:
    """Witness: a chi-square test over the ten ways to cut six into three."""
    rng = np.random.default_rng(0)
    counts = Counter(tuple(split_randomly(6, 3, rng).tolist()) for _ in range(4000))
    assert len(counts) == 10 and all(sum(way) == 6 for way in counts)
    assert stats.chisquare([*counts.values()]).pvalue > 0.01


def test_masks_stand_for_spans_of_barts_lengths() -> None:
    """Invariants and the paper's numbers: 30 % hidden, Poisson lengths of mean 3, no mask beside another."""
    corruption, lengths = tools(0.3), list[int]()
    for number in range(400):
        text = np.arange(60)
        source = fill_spans(text, np.random.default_rng(number), corruption).tolist()
        kept = [token for token in source if token != MASK]
        assert kept == sorted(set(kept)) and len(text) - len(kept) == 18
        places = [place for place, token in enumerate(source) if token == MASK]
        assert all(b - a > 1 for a, b in itertools.pairwise(places))
        for place in places:
            before = source[place - 1] if place else -1
            after = source[place + 1] if place + 1 < len(source) else 60
            lengths.append(after - before - 1)
    shares = [
        lengths.count(n) / len(lengths) for n in range(3)
    ]  # the last span of a text is cut, which longer ones pay
    assert shares[0] == pytest.approx(stats.poisson.pmf(0, 3), abs=0.02)
    assert 2.4 < np.mean(lengths) < 3.0


def test_sentences_change_places_and_the_text_is_written_whole() -> None:
    """Invariants: the same sentences, in every order; the target is the text as it was, with the special tokens of BART."""
    text = np.array([1, 2, STOP, 3, STOP, 4, 5, 6])
    orders = Counter(tuple(permute_sentences(text, np.random.default_rng(n), tools(0.3)).tolist()) for n in range(600))
    pieces = ((1, 2, STOP), (3, STOP), (4, 5, 6))
    assert len(orders) == 6 and all(sorted(order) == sorted(text.tolist()) for order in orders)
    assert all(any(order[i : i + len(p)] == p for i in range(8)) for order in orders for p in pieces)
    assert stats.chisquare([*orders.values()]).pvalue > 0.01
    for number, one in enumerate(texts()):
        [example] = infilling(np.append(one, END), np.random.default_rng(number), tools(0.3, SIDES))
        source, read, learned = sides_of(example)
        assert (source[0], source[-1], read[:2]) == (94, END, [START, 95])
        assert learned == [95, *one.tolist(), END] and MASK in source


def test_mass_hides_one_half_in_one_piece() -> None:
    """Song et al. 2019, figure 1: what the decoder reads stands at the positions of the piece; its end is not learned."""
    starts = set()
    for number, text in enumerate(texts()):
        [example] = masked_span(np.append(text, END), np.random.default_rng(number), tools(0.5, random=0.0, keep=0.0))
        source, read, learned = sides_of(example)
        masked = [place for place, token in enumerate(source) if token == MASK]
        count = max(1, min(len(text) - 1, round(len(text) / 2)))
        assert masked == list(range(masked[0], masked[0] + count))
        assert learned == text[masked].tolist() and read == [START, *learned[:-1]]
        behind = example.turns > 0
        assert (example.positions[behind] - len(source)).tolist() == masked
        starts.add(masked[0])
    assert len(starts) > 10


def test_noise_of_mass_is_berts() -> None:
    """The paper's section 4.1: 80 % masks, 10 % random tokens, 10 % as they are; binomial bounds over 20,000 tokens."""
    text = np.full(40_000, 7)
    [example] = masked_span(text, np.random.default_rng(0), tools(0.5))
    source = example.ids[example.turns == 0]
    assert (source == MASK).sum() / 20_000 == pytest.approx(0.8, abs=0.015)
    assert ((source != MASK) & (source != 7) & (source != END)).sum() / 20_000 == pytest.approx(0.1 * 59 / 60, abs=0.01)


@pytest.mark.parametrize("objective", ["span-corruption", "infilling", "masked-span"])
def test_a_pre_trained_encoder_decoder_starts_a_task(objective: str, tmp_path: Path) -> None:
    """Witness: what the verbs remember: the task has the special tokens of the pre-training; all weights are taken."""
    text, rows = tmp_path / "text.jsonl", tmp_path / "rows.jsonl"
    text.write_text("".join(json.dumps({"text": f"a film {n} of many. it was seen."}) + "\n" for n in range(60)))
    rows.write_text("".join(json.dumps({"source": f"a film {n}", "target": f"of {n}"}) + "\n" for n in range(12)))
    run = tmp_path / "lm"
    sizes = {"vocab_size": 400, "model": "encoder-decoder-tiny", "length": "2 steps", "context": 32}
    report = warmstart.pretrain(str(run), corpus=str(text), objective=objective, **sizes)
    assert report["steps"] == 2 and report["metrics"]["loss"] > 0
    metadata, tokenizer = read_metadata(run), Tokenizer.load(run)
    assert metadata.objective == objective and metadata.pair == pair_template(tokenizer)
    assert tokenizer.has_token(SENTINELS[99]) == (objective == "span-corruption")
    found = warmstart.evaluate(str(run), str(text), precision="fp32")
    assert found["metrics"]["loss"] > 0
    words = ["finetune", "--start", str(run), "--task", "seq2seq", "--train", str(rows), "--dev", str(rows), "--quiet"]
    assert (
        main(
            [*words, "--length", "1 steps", "--target-limit", "16", "--metric", "loss", "--out", str(tmp_path / "run")]
        )
        == 0
    )
    account = json.loads((tmp_path / "run" / "account.json").read_text())["weights"]
    assert not account["initialised"] and not account["unused"]
    assert read_metadata(tmp_path / "run").pair_template == metadata.pair


def test_a_model_of_one_stack_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad input: the objective needs two stacks; and an encoder-decoder learns no next token of a plain text."""
    (tmp_path / "text.txt").write_text("a film of many")
    for model, objective in (("gpt1-tiny", "infilling"), ("encoder-decoder-tiny", "causal")):
        words = ["pretrain", "--corpus", str(tmp_path / "text.txt"), "--model", model, "--objective", objective]
        assert main([*words, "--out", str(tmp_path / "run")]) == 2
        assert "does not suit the objective" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
