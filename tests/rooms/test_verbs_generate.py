"""Prompts that are too long or no text; what ends and what never comes in texts of sources; a begin token in corpora."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.corpora.jobs import Chunk, Encoding
from warmstart.corpora.prepare import prepare
from warmstart.corpora.settings import PrepareSettings
from warmstart.corpora.writer import CorpusWriter, Partial
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.predictor import Member
from warmstart.evaluation.text_predictor import TextPredictor
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.run.metadata import RunMetadata
from warmstart.run.writing import write_model
from warmstart.tasks.seq2seq import TEXT
from warmstart.tasks.settings import FrameSettings, Seq2SeqSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.text.template import Template
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer
from warmstart.verbs.api import Classifier, generate
from warmstart.verbs.generate import Streamer

LINES = ["a heron stands in the reeds", "the reeds bend and the heron waits"] * 5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model with a context of 16."""
    folder = tmp_path_factory.mktemp("generate") / "run"
    folder.mkdir()
    tokenizer = Tokenizer.train(LINES, 270)
    backbone = preset("gpt1-tiny", vocab_size=tokenizer.vocab_size, context=16)
    write_model(folder, Model.fresh(ModelSettings(backbone=backbone), 1), tokenizer, RunMetadata(), "A test.")
    return folder


def test_a_prompt_that_was_cut_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the number of its tokens, less the 15 that are read; a prompt that fits says nothing."""
    long = "the heron waits and waits and waits in the reeds"
    assert main(["generate", "--run", str(run), "--prompt", "a heron", long, "--max-new", "2", "--json"]) == 0
    shown = capsys.readouterr()
    lost = len(Tokenizer.load(run).encode(long)) - 15
    assert shown.err == f"prompt 2: the first {lost} tokens did not fit into the context, not read\n"
    assert [found["cut"] for found in json.loads(shown.out)["generations"]] == [0, lost]


def test_a_prompt_that_is_no_text_is_one_sentence(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: a byte that is no UTF-8, as Python hands it over, and half a pair of surrogates."""
    for prompt, place in (("reeds \udcff", 7), ("\ud83d", 1)):
        assert main(["generate", "--run", str(run), "--prompt", "fine", prompt]) == 2
        [sentence] = capsys.readouterr().err.splitlines()
        assert (
            f"prompt 2: not Unicode text: character {place} is half a character, or a byte that is no UTF-8" in sentence
        )
        with pytest.raises(BadInput, match="prompt 1: not Unicode text"):
            generate(str(run), prompt)


def test_a_row_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    """Witness: half a pair of surrogates in a row of a program."""
    tokenizer = Tokenizer.train(LINES, 270).with_special_tokens(TASK_TOKENS)
    backbone = preset("gpt1-tiny", vocab_size=tokenizer.vocab_size)
    heads = {"label": HeadSettings(kind="class", size=2)}
    frame = FrameSettings(context=16, sight="causal", lm=False)
    spec = TaskSpec(kind="classification", label_names=("dry", "wet"), frame=frame)
    model = Model.fresh(ModelSettings(backbone=backbone, heads=heads), 1)
    write_model(tmp_path, model, tokenizer, RunMetadata(task=spec), "A test.")
    learned = Classifier.load(tmp_path)
    assert len(learned.predict(["fine", "half"])) == 2
    for rows in (["fine", "half \ud83d"], [{"text": "half \ud83d"}]):
        with pytest.raises(BadInput, match=r"half (of )?a character"):
            learned.predict(rows)


@pytest.mark.parametrize("how", [{"greedy": True}, {"beam": 3}, {"beam": 3, "compat": "s2s-ft"}])
def test_texts_of_sources_end_with_every_end_of_the_start(how: dict[str, object]) -> None:
    """Witness: the texts themselves, of a model whose second end and spare rows would else often come; lattices too."""
    plain = Tokenizer.train(LINES, 270).with_special_tokens(["<|over|>", *TASK_TOKENS])
    ends = (plain.token_to_id("<|endoftext|>"), plain.token_to_id("<|over|>"))
    tokenizer = Tokenizer(plain._backend, ends=ends)
    backbone = preset("gpt1-tiny", vocab_size=tokenizer.vocab_size + 6, norm="pre", tied=False, init_std=0.3)
    model = Model.fresh(ModelSettings(backbone=backbone), 2)
    spare = list(range(tokenizer.vocab_size, tokenizer.vocab_size + 6))
    with torch.no_grad():
        model.backbone.output.weight[[*spare, ends[1]]] *= 4
    frame = FrameSettings(context=64, sight="causal", lm=False)
    spec = TaskSpec(kind="seq2seq", frame=frame).with_options(Seq2SeqSettings(algorithm="causal"))
    lattices = []
    search = GenerateSettings.model_validate({"max_new": 10} | how)
    found = {}
    for name, vocabulary in (("plain", plain), ("several", tokenizer)):
        predictor = TextPredictor(
            [Member(model, vocabulary, spec)], search, lambda _, lattice: lattices.append(lattice)
        )
        outputs = predictor.outputs([Record({"source": line}) for line in LINES[:2]])
        found[name] = [candidate for output in outputs for candidate in output.raw]
        kept = {token for lattice in lattices for frame in lattice.frames for token in frame.tokens}
        assert not kept & set(spare)
    assert any(ends[1] in candidate.ids for candidate in found["plain"])
    assert not any({*ends, *spare} & {*candidate.ids} for candidate in found["several"])
    assert "end" in {candidate.stopped for candidate in found["several"]}


def test_a_generator_that_answers_alike_has_collapsed() -> None:
    """Witness: one text for many different targets; not where the targets are alike too."""
    spec = TaskSpec(kind="seq2seq", frame=FrameSettings(context=64, sight="causal", lm=False))
    for truths, answers, collapsed in (("abde", "cccc", True), ("abde", "caaa", False), ("aaaa", "cccc", False)):
        scores = TEXT.evaluate(spec, list(truths), list(answers), None, ("bleu4",))
        assert scores.collapsed is collapsed


def test_documents_begin_as_the_tokenizer_begins_texts(tmp_path: Path) -> None:
    """Witness: the ids by hand: begin, text, end, for each document with text; a document may be in several jobs."""
    own = Tokenizer.train(LINES, 270).with_special_tokens(["<s>"])
    start, end = own.token_to_id("<s>"), own.token_to_id("<|endoftext|>")
    own.save(tmp_path / "v", Template.begin(("<s>",)))
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in (LINES[0], "", LINES[1])))
    asked = PrepareSettings(paths=(str(tmp_path / "t.jsonl"),), out=str(tmp_path / "c"), tokenizer=str(tmp_path / "v"))
    corpus = prepare(asked)
    expected = [[start, *own.encode(line).tolist(), end] for line in LINES[:2]]
    assert corpus.tokens(0, corpus.num_tokens).tolist() == expected[0] + expected[1]
    assert corpus.offsets.tolist() == [0, len(expected[0]), len(expected[0]) + len(expected[1])]
    assert corpus.tokenizer().begin == corpus.manifest.begin == ("<s>",)
    with pytest.raises(BadInput, match="do not begin as the model's texts do; got '<s>'; allowed: nothing"):
        corpus.check_begin(own)
    (tmp_path / "parts").mkdir()
    with CorpusWriter(Partial(tmp_path / "parts", ""), "uint16", 9, (7, 8)) as writer:
        for ids, lasts in (([1, 2], [False]), ([3, 4], [True, True]), ([5], [True])):
            counts = [len(ids)] if len(lasts) == 1 else [1, 1]
            chunks = [Chunk("", first=False, last=last) for last in lasts]
            writer.add(chunks, Encoding(np.array(ids), counts, 0))
        writer.finish()
    stored = np.fromfile(tmp_path / "parts/tokens.bin", "<u2").tolist()
    assert stored == [7, 8, 1, 2, 3, 9, 7, 8, 4, 9, 7, 8, 5, 9]
    assert np.fromfile(tmp_path / "parts/documents.bin", "<i8").tolist() == [0, 6, 10, 14]


@pytest.mark.parametrize("how", [["--greedy"], ["--samples", "3"]])
def test_a_text_ends_where_it_says_so(run: Path, how: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the same texts without a stop, cut at its first place; fewer tokens are written."""
    words = ["generate", "--run", str(run), "--prompt", "a heron", "the reeds", *how, "--max-new", "12", "--json"]
    assert main(words) == 0
    whole = json.loads(capsys.readouterr().out)["generations"]
    stop = whole[0]["text"][4:6]
    assert main([*words, "--stop", stop]) == 0
    cut = json.loads(capsys.readouterr().out)["generations"]
    for before, after in zip(whole, cut, strict=True):
        assert after["text"] == before["text"].split(stop)[0]
        assert (after["stopped"] == "text") == (stop in before["text"]) and after["tokens"] <= before["tokens"]
    assert cut[0]["stopped"] == "text" and cut[0]["tokens"] < whole[0]["tokens"]
    assert main([*words[:6], "--beam", "2", "--stop", "x"]) == 2
    assert "--stop: a beam search compares whole texts" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more", [["--greedy"], ["--stop", "er", "the re", "--greedy"], ["--stop", "er", "--seed", "5"]]
)
def test_a_single_text_is_shown_while_it_is_made(
    run: Path, more: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: prompt and text of --json; they come in pieces, and what is shown once is never taken back."""
    words = ["generate", "--run", str(run), "--prompt", "a heron", "--max-new", "12", *more]
    assert main([*words, "--json"]) == 0
    [whole] = json.loads(capsys.readouterr().out)["generations"]
    pieces: list[str] = []
    monkeypatch.setattr("warmstart.base.console.print_lines", lambda some, at_once: pieces.extend(some))
    assert main(words) == 0
    assert "".join(pieces) == "a heron" + whole["text"] and capsys.readouterr().out == "\n"
    assert len([piece for piece in pieces if piece]) > (1 if "--stop" in more else 2)


def test_half_a_character_and_half_a_stop_wait(run: Path) -> None:
    """Witness: by hand: a character of three bytes, and a stop that begins and does not come, then comes."""
    shown: list[str] = []
    stream = Streamer("> ", ["STOP", "OPEN"], shown.append)
    for text in ("a\ufffd", "a\u20ac", "a\u20acST", "a\u20acSTo", "a\u20acSTo OP", "a\u20acSTo OPEN and"):
        stream.see(text)
    stream.finish("a\u20acSTo ")
    assert [piece for piece in shown if piece] == ["> ", "a", "\u20ac", "STo", " "]
