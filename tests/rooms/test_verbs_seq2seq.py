"""The whole road of a sequence-to-sequence task with a tiny model: files, training, evaluating, predicting, bad input."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from warmstart.base import console
from warmstart.build.finetuning import build_finetuning
from warmstart.cli.main import main
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.settings import GenerateSettings
from warmstart.models.files import read_tensors
from warmstart.run.loading import load_run
from warmstart.verbs.api import evaluate, generate

WORDS = tuple("red green blue fox hen runs".split())  # noqa: SIM905
SHORT = [
    "--batch-size", "8", "--precision", "fp32", "--lr", "3e-3", "--source-limit", "12", "--target-limit", "8", "--quiet",
    "--dropout", "0",
]  # fmt: skip


def pairs(count: int, seed: int) -> list[dict[str, str]]:
    """To be learned: the first two words of the source."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        words = [draw.choice(WORDS) for _ in range(draw.randint(3, 4))]
        rows.append({"source": " ".join(words), "target": " ".join(words[:2])})
    return rows


def jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny BERT as transformers writes it, and files of both forms."""
    folder = tmp_path_factory.mktemp("seq2seq")
    (folder / "bert").mkdir()
    (folder / "bert" / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    config = BertConfig(
        vocab_size=5 + len(WORDS), hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=32,
    )  # fmt: skip
    torch.manual_seed(0)
    BertForMaskedLM(config).save_pretrained(folder / "bert")
    jsonl(folder / "train.jsonl", pairs(400, 1))
    rows = pairs(24, 2)
    jsonl(folder / "dev.jsonl", rows)
    for side in ("source", "target"):
        (folder / f"dev.{side}").write_text("".join(row[side] + "\n" for row in rows))
    return folder


def trained(home: Path, algorithm: str, length: str, out: str, *more: str) -> dict[str, Any]:
    words = ["--start", str(home / "bert"), "--task", "seq2seq", "--algorithm", algorithm, "--length", length]
    files = ["--train", str(home / "train.jsonl"), "--dev", f"{home / 'dev.source'},{home / 'dev.target'}"]
    assert main(["finetune", *words, *files, *SHORT, "--out", str(home / out), *more]) == 0
    report: dict[str, Any] = json.loads((home / out / "report.json").read_text())
    return report


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    report = trained(home, "pseudo-masked", "10 epochs", "run", "--smoothing", "0", "--target-noise", "0.1")
    assert report["metrics"]["rougeL"] > 50, report["metrics"]
    return home / "run"


@pytest.mark.parametrize("algorithm", ["causal", "masked"])
def test_the_other_algorithms_learn(home: Path, algorithm: str) -> None:
    """Witness: an untrained model's loss is about the log of the vocabulary, 2.4; theirs is below."""
    report = trained(home, algorithm, "4 epochs", algorithm, "--metric", "loss")
    assert report["metric"] == "loss" and report["metrics"]["loss"] < 1.8


def test_a_left_to_right_model_learns_causally(home: Path, tmp_path: Path) -> None:
    """Witness: the algorithm that its run remembers, though none was named; and that masks are refused in one sentence."""
    words = ["finetune", "--start", "none", "--model", "gpt1-tiny", "--vocab-size", "270", "--task", "seq2seq"]
    files = ["--train", str(home / "train.jsonl"), "--dev", str(home / "dev.jsonl"), "--out", str(tmp_path / "gpt")]
    short = [word for word in SHORT if word not in ("--source-limit", "12")]
    assert main([*words, *files, "--length", "4 steps", *short]) == 0
    remembered = json.loads((tmp_path / "gpt" / "warmstart.json").read_text())
    assert remembered["task"]["options"]["algorithm"] == "causal"
    assert main([*words, "--algorithm", "masked", *files, "--length", "4 steps", *short]) == 2


def test_evaluate_predict_and_generate_agree(home: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: each other: the same texts by three verbs, in the order of the input, with a beam of 1 and of 3."""
    assert (
        main(["evaluate", "--run", str(run), "--data", str(home / "dev.jsonl"), "--json", "--precision", "fp32"]) == 0
    )
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["examples"] == 24 and set(evaluated["intervals"]) == set(evaluated["metrics"]) - {"loss"}
    assert "nrefs:1" in evaluated["signatures"]["bleu"]
    rows = [json.loads(line) for line in (home / "dev.jsonl").read_text().splitlines()]
    for beam in ("1", "3"):
        words = ["predict", "--run", str(run), "--input", str(home / "dev.source"), "--output", "-", "--beam", beam]
        assert main([*words, "--best", beam]) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["source"] for row in told] == [row["source"] for row in rows]
        texts = generate(str(run), [row["source"] for row in rows], beam=int(beam), best=int(beam))
        assert [one["text"] for one in texts[:: int(beam)]] == [row["prediction"] for row in told]
    assert len(told[0]["candidates"]) == 3
    scores = [one["score"] for one in told[0]["candidates"]]
    assert scores == sorted(scores, reverse=True)


def test_what_is_decoded_shows_progress(
    home: Path, run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: the rows counted: decoding, 21 sources (64 texts by beams of three) at a time, and the loss before it."""
    monkeypatch.setattr(console, "INTERVAL_S", 0.0)
    monkeypatch.setattr(console, "_quiet", False)
    evaluate(str(run), str(home / "dev.jsonl"), beam=3, precision="fp32")
    lines = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert [line[1] for line in lines if line[0] == "evaluating"] == ["21/24", "24/24"]
    assert next(line[1] for line in lines if line[0] == "loss") == "1/1"


def test_a_run_remembers_how_it_generates(home: Path) -> None:
    """Witness: what was asked for in training: it holds for every verb that says nothing else."""
    trained(home, "causal", "1 step", "kept", "--beam", "3", "--length-penalty", "0.7")
    kept = load_run(home / "kept").search(GenerateSettings(no_repeat=2))
    assert (kept.beam, kept.length_penalty, kept.max_new, kept.no_repeat) == (3, 0.7, 8, 2)
    assert load_run(home / "kept").search(GenerateSettings(beam=1)).length_penalty == 0  # it needs the beam


def test_samples_are_drawn_where_they_are_asked_for(home: Path, run: Path) -> None:
    """Witness: the likeliest token without them; with a flat temperature texts differ, whatever search the run remembers."""
    trained(home, "causal", "1 step", "searching", "--beam", "3")
    for folder in (run, home / "searching"):
        drawn = generate(str(folder), ["red fox hen runs"], samples=5, temperature=50.0)
        assert len(drawn) == 5 and len({one["text"] for one in drawn}) > 1
        assert len({one["text"] for one in generate(str(folder), ["red fox hen runs"] * 2)}) == 1


def test_s2s_fts_own_file_is_rows(home: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the same rows with the ending that s2s-ft's files do not have."""
    for ending in ("json", "jsonl"):
        path = jsonl(tmp_path / f"test.{ending}", [{"src": ["red", "fox"], "tgt": ["red"]}])
        assert main(["predict", "--run", str(run), "--input", path, "--output", "-"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == second and first["source"] == ["red", "fox"]


def test_sub_words_are_looked_up(home: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the same row as text; a sub-word of another vocabulary is refused."""
    for name, source in (("text", "red fox runs"), ("pieces", ["red", "fox", "runs"])):
        jsonl(tmp_path / f"{name}.jsonl", [{"src": source}])
        assert main(["predict", "--run", str(run), "--input", str(tmp_path / f"{name}.jsonl"), "--output", "-"]) == 0
    first, second = (json.loads(line)["prediction"] for line in capsys.readouterr().out.splitlines())
    assert first == second
    jsonl(tmp_path / "other.jsonl", [{"src": ["red", "##ly"]}])
    assert main(["predict", "--run", str(run), "--input", str(tmp_path / "other.jsonl"), "--output", "-"]) == 2
    assert "a sub-word that the vocabulary does not hold; got '##ly'" in capsys.readouterr().err


def test_an_account_of_what_was_made(home: Path, tmp_path: Path) -> None:
    """Witness: a BERT folder without its head for words: the head is newly made, the tied table taken, the pooler left."""
    from transformers import BertModel

    bare = tmp_path / "bare"
    BertModel.from_pretrained(home / "bert").save_pretrained(bare)
    (bare / "vocab.txt").write_bytes((home / "bert" / "vocab.txt").read_bytes())
    files = ["--train", str(home / "dev.jsonl"), "--dev", str(home / "dev.jsonl"), "--metric", "loss"]
    words = ["finetune", "--start", str(bare), "--task", "seq2seq", *files, "--length", "1 steps", *SHORT]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    weights = json.loads((tmp_path / "out" / "account.json").read_text())["weights"]
    assert {name.split(".")[1] for name in weights["initialised"]} == {"lm_transform"} and len(
        weights["initialised"]
    ) == 5
    assert weights["unused"] == ["backbone.pooler.weight", "backbone.pooler.bias"]
    assert "backbone.tokens.weight" in weights["loaded"]
    written = read_tensors(tmp_path / "out" / "model.safetensors")
    assert "cls.predictions.transform.dense.weight" in written  # transformers reads it as BertForMaskedLM


def without_a_mask(home: Path, folder: Path) -> Path:
    """The same model with a vocabulary that has no mask token."""
    shutil.copytree(home / "bert", folder)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text(vocabulary.read_text().replace("[MASK]", "[unused]"))
    return folder


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lattices_are_ranked_again(home: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: what the search itself chose, by the same metric of worth; and by another, the lengths that it asks for."""
    kept, told = tmp_path / "kept.jsonl", tmp_path / "told.jsonl"
    words = ["predict", "--run", str(run), "--input", str(home / "dev.jsonl"), "--output", str(told), "--beam", "4"]
    assert main([*words, "--length-penalty", "0.7", "--compat", "s2s-ft", "--lattices", str(kept)]) == 0
    again = ["rerank", "--run", str(run), "--lattices", str(kept)]
    assert main([*again, "--output", str(tmp_path / "same.jsonl"), "--length-penalty", "0.7"]) == 0
    found = [(row["prediction"], pytest.approx(row["score"], abs=1e-4)) for row in lines_of(told)]
    assert [(row["prediction"], row["score"]) for row in lines_of(tmp_path / "same.jsonl")] == found
    capsys.readouterr()
    assert main([*again, "--output", "-", "--per-token", "100", "--expected", "2"]) == 0
    short = [json.loads(line)["prediction"] for line in capsys.readouterr().out.splitlines()]
    assert len(short) == 24 and all(len(text.split()) <= 2 for text in short)
    first = lines_of(kept)[0]
    *_, (tokens, parents, scores) = head = first["frames"][:2]
    for damage in (
        {"end": "x"}, {"end": -1}, {"frames": [head[0], [[-1, *tokens[1:]], parents, scores]]},
        {"frames": [head[0], [tokens, [-1, *parents[1:]], scores]]},
        {"frames": [head[0], [tokens, [99, *parents[1:]], scores]]}, {"frames": [[tokens, parents, ["x", *scores[1:]]]]},
    ):  # fmt: skip
        kept.write_text(json.dumps(first | damage) + "\n")
        assert main([*again, "--output", "-"]) == 2
        assert "kept.jsonl:1: not a lattice" in capsys.readouterr().err


def test_two_systems_are_compared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the true texts against the copied source: all right against a part, which chance does not make."""
    data = f"{home / 'dev.source'},{home / 'dev.target'}"
    words = ["score", "--data", data, "--predictions", str(home / "dev.target"), "--metrics", "rougeL,bleu4", "--json"]
    assert main([*words, "--against", "copy"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["metrics"]["rougeL"] == pytest.approx(100) and result["examples"] == 24
    assert result["difference"]["rougeL"]["gain"] == pytest.approx(100 - result["against"]["metrics"]["rougeL"])
    assert result["difference"]["rougeL"]["p_value"] < 0.001
    words[4] = "lead3"  # a source of one sentence is its own beginning
    assert main([*words, "--against", "copy"]) == 0
    assert json.loads(capsys.readouterr().out)["difference"]["bleu4"] == {"gain": 0.0, "p_value": 1.0}


def test_positions_grow_with_the_limits(home: Path) -> None:
    """Witness: s2s-ft: the rows beyond the 32 of the start are its rows again, and the account says so."""
    flags = {"--start": str(home / "bert"), "--task": "seq2seq", "--train": str(home / "train.jsonl")}
    asked = flags | {"--source-limit": "60", "--target-limit": "20"}
    model, account = build_finetuning(compose(FinetuneRecipe, flags=asked)).fresh(compose(FinetuneRecipe, flags=asked))
    theirs = read_tensors(home / "bert" / "model.safetensors")["bert.embeddings.position_embeddings.weight"]
    assert model.settings.backbone.context == 80 and account is not None
    assert torch.equal(model.state_dict()["backbone.positions.weight"], theirs[torch.arange(80) % 32])
    assert not any("positions" in name for name in account.initialised)
    kept = build_finetuning(compose(FinetuneRecipe, flags=flags | {"--source-limit": "20", "--target-limit": "12"}))
    assert kept.settings.backbone.context == 32


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("finetune --train {bad}", "missing key 'target' for a seq2seq task"),
        ("finetune --train {null}", "null.jsonl:1, key 'target': the label is empty"),
        (
            "finetune --train {dev} --start {maskless} --algorithm masked",
            "the vocabulary has no mask token; got 'masked'",
        ),
        ("finetune --train {dev} --prefix zebra", "--prefix: the vocabulary cannot spell this; got 'zebra'"),
        ("finetune --train {dev} --beam 2 --best 3", "at most as many texts as its beam is wide; got 3"),
        (
            "finetune --train {dev} --beam 5 --groups 2",
            "the beam width is not a multiple of the number of groups; got 2; allowed: a divisor of the beam width 5",
        ),
        ("finetune --train {dev} --context 64", "longer than the model's context; got 64"),
        (
            "finetune --train {long} --dev {dev} --long-target refuse",
            "more tokens than its limit; got 9; allowed: at most 7",
        ),
        (
            "finetune --train {dev} --dev {long} --long-target refuse",
            "long.jsonl:1: the target has more tokens than its limit; got 9; allowed: at most 7",
        ),
        (
            "finetune --train {dev} --dev {dev} --test {long} --long-target refuse",
            "long.jsonl:1: the target has more tokens than its limit; got 9; allowed: at most 7",
        ),
        ("finetune --train {spans} --dev {dev}", "span ids need a target of sub-words; got [1, 2]"),
        (
            "finetune --train {blocks} --dev {dev} --algorithm causal",
            "here each is learned after the other; got [1, 1, 2]",
        ),
        (
            "finetune --train {dev} --min-new 9",
            "--min-new: the minimum length is above the maximum; got 9; allowed: 0 to 8",
        ),
        ("finetune --train {dev} --metric rouge", "unknown metric for this task; got 'rouge'"),
        ("finetune --train {a},{b}", "different numbers of lines; got '24 and 23'; allowed: the same number"),
        ("finetune --train {dev} --target-limit 40 --set model.context=32", "do not fit into the model's context"),
        ("finetune --train {dev} --beam 0", "--beam: out of range; got '0'"),
        ("finetune --train {dev} --no-repeat 0", "--no-repeat: out of range; got '0'"),
        ("predict --beam 0 --input {dev}", "out of range; got '0'"),
        ("predict --prefix zebra --input {dev}", "--prefix: the vocabulary cannot spell this; got 'zebra'"),
        ("predict --beam 2 --temperature 2 --input {dev}", "--temperature: a beam search samples nothing; got 2.0"),
        (
            "predict --beam 1 --length-penalty 1 --input {dev}",
            "--length-penalty: only a beam search weighs lengths; got 1",
        ),
        ("finetune --train {dev} --ignored the", "--ignored: no n-gram is kept from coming twice; got ('the',)"),
        ("predict --beam 7 --input {dev}", "--beam: the beam is too wide for this vocabulary; got 7"),
        ("predict --max-new 2 --input {dev} --prefix red,fox,runs", "--prefix: the prefix has more tokens"),
        ("predict --input {dev} --lattices {out}", "two outputs in one place"),
        ("predict --beam 2 --best 3 --input {dev}", "at most as many texts as its beam is wide; got 3"),
        ("evaluate --metrics rouge,bleu --data {dev}", "unknown metric for this task; got 'rouge'"),
        ("evaluate --label-map a=b --data {dev}", "--label-map: a task of this kind has no labels with names"),
        ("score --data {dev} --predictions {b}", "the number of texts is not the number of rows; got '23 and 24'"),
        ("score --data {dev} --predictions copy --against {bad}", "no column prediction; got ['source']"),
        (
            "score --data {dev} --predictions copy --metrics rouge",
            "--metrics: unknown metric for this task; got 'rouge'",
        ),
        (
            "score --data {dev} --predictions copy --metrics loss",
            "--metrics: unknown metric for this task; got 'loss'",
        ),
        ("score --data {bad} --predictions copy", "missing key 'target' for a seq2seq task"),
        ("rerank --lattices {dev}", "dev.jsonl:1: not a lattice; got ['source', 'target']"),
        ("rerank --lattices {other}", "other.jsonl:1: a lattice of another vocabulary; got 'sha256:other'"),
        (
            "rerank --lattices {other} --expected 4",
            "--expected: without a cost per token",
        ),
        ("rerank --lattices {other} --per-token 4 --length-penalty 1", "--per-token: scores are ranked by one rule"),
        ("rerank --lattices {other} --min-new -1", "--min-new: out of range; got '-1'"),
    ],
)
def test_bad_input(
    home: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, sentence: str
) -> None:
    """Witness: exit code 2, the sentence, and nothing written."""
    given = {
        "bad": jsonl(tmp_path / "bad.jsonl", [{"source": "red fox"}]),
        "long": jsonl(tmp_path / "long.jsonl", [{"source": "red fox", "target": "red fox runs " * 3}] * 2),
        "dev": str(home / "dev.jsonl"),
        "null": jsonl(tmp_path / "null.jsonl", [{"source": "red fox", "target": None}]),
        "other": jsonl(
            tmp_path / "other.jsonl", [{"vocabulary": "sha256:other", "end": 3, "frames": [[[9], [0], [-1]]]}]
        ),
        "spans": jsonl(tmp_path / "spans.jsonl", [{"src": "red fox", "tgt": "red fox", "spans": [1, 2]}]),
        "blocks": jsonl(tmp_path / "blocks.jsonl", [{"src": "red", "tgt": ["red", "fox", "hen"], "spans": [1, 1, 2]}]),
        "maskless": str(without_a_mask(home, tmp_path / "maskless")),
        "a": str(home / "dev.source"),
        "b": str(tmp_path / "shorter"),
    }
    Path(given["b"]).write_text("".join((home / "dev.target").read_text().splitlines(keepends=True)[:-1]))
    out = str(tmp_path / "out")
    verb, *rest = words.format(**given, out=out).split()
    rest = [word.replace(",fox,", " fox ") for word in rest]
    if verb == "finetune":
        start = [] if "--start" in rest else ["--start", str(home / "bert")]
        rest = [*start, "--task", "seq2seq", "--out", out, *SHORT, *rest]
    elif verb != "score":
        rest += ["--run", str(run)] + ["--output", out] * (verb in ("predict", "rerank"))
    capsys.readouterr()
    assert main([verb, *rest]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path(out).exists()
