"""Bad usage and bad input through the command line: exit code 2, one line on standard error, nothing written."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from warmstart.cli.main import main

Rows = list[dict[str, object]]
GOOD: Rows = [{"text": f"a fine film {n}", "label": "pos"} for n in range(8)]
BAD: Rows = [{"text": f"a dull film {n}", "label": "neg"} for n in range(8)]
TUNE = ["finetune", "--task", "classification", "--out", "new", "--length", "1 steps", "--precision", "fp32"]


def jsonl(rows: Rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with text, a corpus, three language models, one of them an LSTM, and a classifier, all tiny."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        (home / "text.txt").write_text("\n\n".join(f"The fox number {n} runs over the hill." for n in range(60)))
        (home / "train.jsonl").write_text(jsonl(GOOD + BAD))
        (home / "empty.txt").write_text("")
        short = ["--length", "1 steps", "--batch-size", "4", "--precision", "fp32", "--quiet"]
        assert main(["prepare", "text.txt", "--vocab-size", "270", "--out", "corpus", "--quiet"]) == 0
        (home / "vectors.vec").write_text("the 1 2 3\nfox 1 2\n")
        (home / "pairs.jsonl").write_text(jsonl([{"source": f"a {n}", "target": "b"} for n in range(8)]))
        for name, size, model in (("lm", "270", "gpt1"), ("other", "300", "gpt1"), ("lstm", "270", "lstm")):
            words = ["--corpus", "text.txt", "--vocab-size", size, "--model", f"{model}-tiny", "--out", name, *short]
            assert main(["pretrain", *words]) == 0
        assert main([*TUNE[:3], "--start", "lm", "--train", "train.jsonl", "--out", "run", *short]) == 0
    return home


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


Refused = Callable[..., str]


@pytest.fixture
def refused(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Refused]:
    """Runs a command in a folder that holds a link to each thing there, and gives the sentence that it ends with."""
    for thing in workspace.iterdir():
        (tmp_path / thing.name).symlink_to(thing)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def run(*argv: str) -> str:
        before = files(tmp_path), files(workspace)
        code = main(argv)
        out, err = capsys.readouterr()
        assert code == 2, err
        assert out == "" and err.count("\n") == 1 and err.startswith("warmstart: ") and "Traceback" not in err
        assert (files(tmp_path), files(workspace)) == before
        return err.removeprefix("warmstart: ").strip()

    yield run


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        ("", ["no verb", "finetune", "--help"]),
        ("finetnue", ["unknown verb", "'finetnue'", "did you mean 'finetune'?"]),
        ("--json", ["unknown option", "'--json'", "the verb comes first"]),
        ("explain", ["no verb to explain", "pretrain, finetune"]),
        ("explain --start x", ["unknown option", "'--start'", "the verb comes first: warmstart explain pretrain …"]),
        ("finetune --dry-run", ["there is no such option here", "warmstart explain finetune"]),
        ("explain predict", ["unknown verb", "'predict'", "finetune, pretrain"]),
        ("pretrain --lrr 3", ["pretrain: unknown option", "'--lrr'", "did you mean '--lr'?"]),
        ("pretrain --lrr=3", ["unknown option", "'--lrr'"]),
        ("pretrain --lr", ["--lr: expected one argument", "--help"]),
        ("pretrain --corpus --out x", ["--corpus: expected at least one argument"]),
        ("pretrain words", ["belongs to no option", "'words'"]),
        ("finetune --control=yes", ["--control: takes no value"]),
        ("pretrain --corpus text.txt", ["--out: missing", "give --out RUN"]),
        ("pretrain --out new", ["--corpus: missing", "give --corpus"]),
        ("evaluate --run run", ["--data: missing", "give --data FILE"]),
        ("prepare --out new", ["TEXT: missing"]),
        ("report --out new.html", ["RUN: missing"]),
        ("pretrain --corpus txt.text --out new", ["--corpus", "'txt.text'", "did you mean 'text.txt'?"]),
        ("pretrain --corpus no/where.txt --out new", ["--corpus", "'no/where.txt'", "'no' does not exist"]),
        ("finetune --start lmm --out new", ["--start", "'lmm'", "a folder", "did you mean 'lm'?"]),
        ("finetune --start text.txt --out new", ["--start: a file, where a folder is needed"]),
        ("evaluate --run run --data corpus", ["corpus: a folder, where a file is needed", "name a file in it"]),
        ("evaluate --run run --data trian.jsonl", ["--data", "did you mean 'train.jsonl'?"]),
        ("predict --run run --input x.csv --output new", ["--input: no such path", "'x.csv'"]),
        ("report rum --out new.html", ["RUN: no such path", "did you mean 'run'?"]),
        ("pretrain --recipe x.yaml", ["--recipe: no such path", "'x.yaml'"]),
        ("pretrain --corpus text.txt --out new --lr fast", ["--lr: not a number", "'fast'", "a number > 0"]),
        ("pretrain --corpus text.txt --out new --model gpt1-min", ["unknown model preset", "did you mean 'gpt1-mini'?"]),
        ("pretrain --corpus text.txt --out new --clean ftfi", ["unknown cleaning rule", "did you mean 'ftfy'?"]),
        ("pretrain --corpus text.txt --out new --objective causl", ["objective", "'causl'", "causal"]),
        ("pretrain --corpus text.txt --out new --heads 5 --model gpt1-tiny", ["width 32", "5 heads", "a divisor of 32"]),
        ("pretrain --corpus text.txt --out new --length 3", ["not a length", "'3'", "3 epochs"]),
        ("pretrain --corpus text.txt --out new --set train.lr=1", ["unknown key", "'train.lr'", "'train.optimizer.lr'"]),
        ("pretrain --corpus text.txt --out new --set lr", ["--set: not an assignment", "a.b=value"]),
        ("pretrain --corpus text.txt --out new --set corpus.tokenizer=nowhere", ["--tokenizer: no such path"]),
        ("finetune --start lm --task clasification --out new", ["unknown task", "did you mean 'classification'?"]),
        ("finetune --start lm --task token_classification --out new", ["unknown task", "here it is 'tagging'"]),
        ("finetune --start lm --task Summarization --out new", ["a kind of task (classification, ", "here it is 'seq2seq'"]),
        ("finetune --start lm --task snly --out new", ["unknown task", "did you mean 'snli'?"]),
        ("finetune --start lm --task classification --out new", ["--train", "no training file"]),
        ("finetune --start lm --task cola --out new", ["--data", "'cola'"]),
        ("predict --run run --input train.jsonl --output - --json", ["--output", "--json"]),
        ("predict --run lm --input train.jsonl --output new", ["language model without a task", "lm", "finetune"]),
        ("generate --run lm", ["--prompt"]),
        ("generate --run lm --prompt a --top-p 2", ["--top-p: out of range", "'2'", "> 0 and <= 1"]),
        ("generate --run lm --prompt a --greedy --top-p 0.9", ["--top-p: greedy decoding samples nothing", "leave one"]),
        ("generate --run lm --prompt a --stop=", ["--stop: an empty text ends nothing"]),
        ("generate --run lm --input empty.txt", ["empty.txt: no prompt"]),
        ("evaluate --run lm --data text.txt --label-map a=b", ["language model without a task"]),
        ("predict --run run --task mnli --input train.jsonl --output new", ["--task: this run has no such task"]),
        ("predict --run run --input train.jsonl --output x --lattices ./x", ["two outputs in one place"]),
        ("predict --run run --input train.jsonl --output x --lattices - --json", ["--lattices", "--json"]),
        ("convert run --out new --task mnli", ["--task: this run has no such task; got 'mnli'", "classification"]),
        ("convert run --out new --data train.jsonl", ["--data: examples to measure 8 bits by", "--quantize int8"]),
        ("convert run --out new --base lm", ["--base: only an adapter has a base", "leave it out"]),
        ("pretrain --corpus text.txt --out new --length 1e999steps", ["not a length", "'1e999steps'"]),
        ("pretrain --corpus text.txt --out lm", ["lm: the output folder holds another run", "choose another --out"]),
        ("pretrain --corpus text.txt --out corpus", ["the output folder holds other files"]),
        ("pretrain --corpus text.txt --out text.txt", ["a file, not a folder"]),
        ("pretrain --corpus text.txt --out new --model lstm-tiny --objective masked", ["what came before", "bert-mini"]),
        ("pretrain --corpus text.txt --out new --start lstm --objective mixture", ["only what came before", "bert-mini"]),
        ("pretrain --corpus text.txt --out new --start lstm --model gpt1-tiny", ["another kind of backbone", "lstm"]),
        ("pretrain --corpus text.txt --out new --start lm --objective backward", ["not read from this end", "'backward'"]),
        ("pretrain --corpus text.txt --out new --heads 2 --model lstm-tiny", ["an LSTM has no such size", "cells"]),
        ("pretrain --corpus text.txt --out new --model lstm-tiny --set model.cells=8", ["model.cells", "8", "32 or more"]),
        ("pretrain --corpus text.txt --out new --model lstm-tiny --set model.tied=true", ["as wide as the states", "24"]),
        ("pretrain --corpus text.txt --out new --softmax some", ["--softmax", "'some'", "full, sampled"]),
        ("finetune --start lstm --model gpt1-tiny --task classification --train train.jsonl --out new",
         ["another kind of backbone", "transformer", "lstm"]),
        ("finetune --start lm --model lstm-tiny --task classification --train train.jsonl --out new",
         ["another kind of backbone", "lstm"]),
        ("finetune --start lstm --task seq2seq --algorithm masked --train pairs.jsonl --dev pairs.jsonl --out new",
         ["left-to-right model", "'masked'", "causal", "BERT"]),
        ("finetune --start lstm --task seq2seq --algorithm causal --softmax sampled --train pairs.jsonl --dev pairs.jsonl "
         "--out new", ["--softmax", "full", "--smoothing 0"]),
        ("finetune --start none --vectors vectors.vec --model lstm-tiny --vocabulary words --task classification --train "
         "train.jsonl --dev train.jsonl --out new", ["vectors.vec:2", "3 numbers"]),
        ("finetune --start lm --new-vocabulary --task classification --train train.jsonl --out new",
         ["--new-vocabulary: no other vocabulary", "add --tokenizer DIR"]),
        ("finetune --start none --new-vocabulary --task classification --train train.jsonl --out new",
         ["--new-vocabulary: no start", "leave it out"]),
        ("pretrain --start lm --new-vocabulary --corpus text.txt --out new", ["no other vocabulary", "prepared corpus"]),
        ("pretrain --new-vocabulary --corpus corpus --out new", ["--new-vocabulary: no start", "leave it out"]),
        ("evaluate --run run --run lm --data train.jsonl", ["without a task", "lm"]),
        ("predict --run run run2 --input train.jsonl --output new", ["no such path", "'run2'", "did you mean 'run'?"]),
        ("prepare train.jsonl --out corpus", ["the output folder holds", "--out"]),
        ("pretrain --corpus corpus --tokenizer other --out new", ["tokenizer"]),
        ("finetune --start lm --tokenizer other --task classification --train train.jsonl --out new", ["tokenizer"]),
    ],
)  # fmt: skip
def test_bad_words(refused: Refused, argv: str, parts: list[str]) -> None:
    """Witness: the words that were typed and the ones that were meant."""
    sentence = refused(*argv.split())
    assert [part for part in parts if part not in sentence] == [], sentence


@pytest.mark.parametrize("name", ["x" * 300, "loop", "nowhere"])
def test_a_place_where_nothing_can_be_made(name: str, refused: Refused, tmp_path: Path) -> None:
    """Witness: the limit of names, 255 bytes, and links to themselves and to nothing: what the kernel refuses."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("gone")
    tune = "finetune --start none --model gpt1-tiny --task classification --train train.jsonl --length 1step --out"
    for words in ("predict --run run --input train.jsonl --output", "convert run --out", "report run --out", tune):
        assert "cannot write here (" in refused(*words.split(), name)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["bad.jsonl", "no rows"]),
        ("\n\n", ["bad.jsonl"]),
        (jsonl(GOOD) + '{"text": "cut in ha', ["bad.jsonl:9", "JSON"]),
        (jsonl(GOOD) + '{"text": "no label"}\n', ["bad.jsonl:9", "label"]),
        (jsonl(GOOD) + '{"label": "pos"}\n', ["bad.jsonl:9", "text"]),
        (jsonl(GOOD), ["all labels are the same", "bad.jsonl", "'pos'"]),
        (jsonl(GOOD + BAD).replace("fine", "f\xeene").encode("latin-1"), ["bad.jsonl:1", "utf-8", "--encoding"]),
    ],
)
def test_bad_training_files(refused: Refused, tmp_path: Path, text: str | bytes, parts: list[str]) -> None:
    """Witness: the line that is broken."""
    (tmp_path / "bad.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    sentence = refused(*TUNE, "--start", "lm", "--train", "bad.jsonl")
    assert [part for part in parts if part not in sentence] == [], sentence


@pytest.mark.parametrize("verb", ["finetune", "evaluate"])
def test_a_label_unseen_in_training(refused: Refused, tmp_path: Path, verb: str) -> None:
    """Witness: the third label, in the third row."""
    (tmp_path / "bad.jsonl").write_text(jsonl([GOOD[0], BAD[0], {"text": "so so", "label": "poss"}]))
    words = [*TUNE, "--start", "lm", "--train", "train.jsonl", "--dev", "bad.jsonl"]
    sentence = refused(*(words if verb == "finetune" else ["evaluate", "--run", "run", "--data", "bad.jsonl"]))
    for part in ("label unseen in training", "bad.jsonl:3", "'poss'", "neg, pos", "did you mean 'pos'?"):
        assert part in sentence


def test_a_choice_index_out_of_range(refused: Refused, tmp_path: Path) -> None:
    """Witness: the index 2 of two choices."""
    rows = [{"context": "c", "question": "q", "choices": ["a", "b"], "label": label} for label in (0, 1, 2)]
    (tmp_path / "bad.jsonl").write_text(jsonl(rows))
    sentence = refused("finetune", "--task", "choice", "--out", "new", "--start", "lm", "--train", "bad.jsonl")
    assert "bad.jsonl:3" in sentence and "2" in sentence


def test_a_text_longer_than_the_context_is_refused_where_asked(refused: Refused, tmp_path: Path) -> None:
    """Witness: the row that is far longer than 64 tokens."""
    (tmp_path / "long.jsonl").write_text(jsonl([*GOOD, *BAD, {"text": "word " * 200, "label": "pos"}]))
    sentence = refused(*TUNE, "--start", "lm", "--train", "long.jsonl", "--long-text", "refuse", "--dev", "train.jsonl")
    assert "long.jsonl:17" in sentence and "64" in sentence


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_truncated_run(refused: Refused, workspace: Path, tmp_path: Path, name: str) -> None:
    """Witness: the file cut in half."""
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in (workspace / "run").iterdir():
        if path.is_file():
            data = path.read_bytes()
            (broken / path.name).write_bytes(data[: len(data) // 2] if path.name == name else data)
    sentence = refused("predict", "--run", "broken", "--input", "train.jsonl", "--output", "new.jsonl")
    assert f"broken/{name}" in sentence


def test_a_truncated_shard(refused: Refused, workspace: Path, tmp_path: Path) -> None:
    """Witness: each file of the corpus cut in half, one at a time."""
    for cut in (path.name for path in (workspace / "corpus").iterdir()):
        broken = tmp_path / f"without-{cut}"
        broken.mkdir()
        for path in (workspace / "corpus").iterdir():
            data = path.read_bytes()
            (broken / path.name).write_bytes(data[: len(data) // 2] if path.name == cut else data)
        assert broken.name in refused("pretrain", "--corpus", broken.name, "--model", "gpt1-tiny", "--out", "new")


def test_predictions_never_overwrite(refused: Refused) -> None:
    """Witness: the file that is there."""
    sentence = refused("predict", "--run", "run", "--input", "train.jsonl", "--output", "text.txt")
    assert "text.txt" in sentence and "exists" in sentence
