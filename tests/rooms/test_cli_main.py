"""The command line as a whole: exit codes, help, start-up, and the road from text to predictions."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from warmstart.base.errors import BadInput, DivergenceError, InterruptError, TerminationError
from warmstart.base.run_folder import RunFolder
from warmstart.cli import main as cli
from warmstart.cli.command import Command
from warmstart.cli.main import main
from warmstart.cli.show import SHOWN
from warmstart.cli.verb import EXPLAIN, RunOptions
from warmstart.cli.verbs import VERBS
from warmstart.config.schema import FinetuneRecipe

HEAVY = ("torch", "numpy", "tokenizers", "sklearn", "scipy", "pyarrow", "matplotlib", "jinja2", "rich")


def loaded(argv: list[str], modules: tuple[str, ...]) -> tuple[int, str, list[str]]:
    """Runs a command in a fresh Python: its exit code, its standard error, and which of ``modules`` it imported."""
    code = f"""import sys
from warmstart.cli.main import main
code = main({argv!r})
print("|", code, *[name for name in {modules!r} if name in sys.modules])"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    number, *found = done.stdout.rpartition("|")[2].split()
    return int(number), done.stderr, found


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["--help"], 0),
        (["explain", "--help"], 0),
        (["finetnue"], 2),
    ],
)
def test_the_top_help_and_an_unknown_verb_import_nothing(argv: list[str], code: int) -> None:
    """Witness: ``sys.modules`` of a fresh Python."""
    found, words, modules = loaded(argv, (*HEAVY, "pydantic", "yaml"))
    assert (found, modules) == (code, [])
    assert words.count("\n") == (code == 2)


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["pretrain", "--help"], 0),
        (["finetune", "--help"], 0),
        (["evaluate", "--help"], 0),
        (["pretrain", "--corpus", "nowhere.txt", "--model", "gpt1-tiny", "--out", "new"], 2),
        (["finetune", "--start", "nowhere", "--task", "choice"], 2),
        (["evaluate", "--run", "nowhere", "--data", "x.jsonl"], 2),
        (["pretrain", "--lrr", "3"], 2),
        (["pretrain", "--corpus", os.devnull, "--model", "gpt1-tinny", "--out", "new"], 2),
        (["pretrain", "--corpus", os.devnull, "--lr", "fast", "--out", "new"], 2),
        (["generate", "--run", ".", "--prompt", "a", "--top-k", "-1"], 2),
    ],
)
def test_a_verbs_help_and_bad_words_import_no_library_of_numbers(argv: list[str], code: int) -> None:
    """Witness: ``sys.modules`` of a fresh Python."""
    assert loaded(argv, HEAVY)[::2] == (code, [])


@pytest.mark.parametrize("verb", [*VERBS, "explain", "explain finetune"])
def test_each_verb_has_a_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the name of the verb in its usage and in its example."""
    assert main([*verb.split(), "--help"]) == 0
    out, err = capsys.readouterr()
    assert not err and "example:" in out and out.count(f"warmstart {verb}") >= 2
    assert max(map(len, out.splitlines())) <= 120


def test_help_names_every_verb_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the table of verbs, and the installed distribution."""
    from importlib.metadata import version

    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in [*VERBS, "explain"])
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"warmstart {version('warmstart')}\n"


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (BadInput("wrong", where="here"), 2, "warmstart: here: wrong."),
        (DivergenceError("the loss is not finite"), 1, "warmstart: the loss is not finite"),
        (TerminationError("saved"), 75, "warmstart: saved"),
        (InterruptError("saved"), 130, "warmstart: saved"),
        (KeyboardInterrupt(), 130, "warmstart: interrupted."),
        (BrokenPipeError(), 0, ""),
        (ZeroDivisionError("a\nb"), 1, "warmstart: ZeroDivisionError: a b; WARMSTART_LOG=debug shows where."),
    ],
)
def test_exit_codes(
    failure: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Witness: the exit codes of docs/cli.md, one kind of failure each, thrown where a verb would."""

    def fail(argv: object) -> int:
        raise failure

    monkeypatch.setattr(cli, "_main", fail)
    monkeypatch.setattr(cli, "_drop_output", lambda: None)
    monkeypatch.delenv("WARMSTART_LOG", raising=False)
    assert main([]) == code
    assert capfd.readouterr().err.strip() == words
    monkeypatch.setenv("WARMSTART_LOG", "debug")
    main([])
    assert ("Traceback" in capfd.readouterr().err) == isinstance(failure, ZeroDivisionError)


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    """Witness: a pipe whose other end is closed before the help is written."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "warmstart", "--help"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_road_from_text_to_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Witness: the shapes of ``--json`` that scripts rely on, and the rows that went in."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("\n\n".join(f"The fox number {n} runs over the hill." for n in range(60)))
    rows = [
        {"id": n, "text": f"a {('dull', 'fine')[n % 2]} film {n}", "label": ("neg", "pos")[n % 2]} for n in range(16)
    ]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    short = "--length 2steps --batch-size 4 --precision fp32"

    def run_json(words: str) -> Any:
        assert main([*words.split(), "--json"]) == 0
        return json.loads(capfd.readouterr().out)  # fails if there is anything beside the object

    assert run_json("prepare text.txt --vocab-size 270 --out corpus")["documents"] == 1
    run = run_json(f"pretrain --corpus corpus --model gpt1-tiny --out lm {short}")
    assert (run["run"], run["steps"]) == ("lm", 2) and run["tokens"] > 0 and run["seconds"] >= 0 and run["metrics"]
    tune = f"finetune --start lm --task classification --train rows.jsonl --dev rows.jsonl {short}"
    assert run_json(f"explain {tune}")["words"] and not Path("tuned").exists()
    run = run_json(f"{tune} --seeds 2 --control --out tuned")
    assert len(run["pretrained"]["values"]) == len(run["scratch"]["values"]) == 2
    evaluated = run_json("evaluate --run tuned --data rows.jsonl")
    assert evaluated["examples"] == 16 and evaluated["metrics"].keys() == evaluated["intervals"].keys()
    assert run_json("predict --run tuned --input rows.jsonl --output out.jsonl")["examples"] == 16
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in found] == list(range(16)) and {row["label"] for row in found} <= {"neg", "pos"}
    assert main(["predict", "--run", "tuned", "--input", "rows.jsonl", "--output", "-"]) == 0
    assert capfd.readouterr().out == Path("out.jsonl").read_text()
    generations = run_json("generate --run lm --prompt The A --max-new 3 --samples 2")["generations"]
    assert [one["prompt"] for one in generations] == ["The", "The", "A", "A"]
    assert run_json("report lm tuned --out page.html")["out"] == "page.html" and Path("page.html").is_file()
    for words in (
        "evaluate --run tuned --data rows.jsonl",
        "generate --run lm --prompt The --max-new 2",
        f"explain {tune}",
        f"explain {tune} --all",
    ):
        assert main([*words.split(), "--quiet"]) == 0
        out, err = capfd.readouterr()
        assert out.strip() and not err


def test_explain_describes_both_arms_and_what_differs_from_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the options typed: examples, both arms, and no setting that was not typed unless all are asked for."""
    monkeypatch.chdir(tmp_path)
    rows = [{"text": f"a {word} film {n}", "label": word} for n in range(8) for word in ("dull", "fine")]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("text.txt").write_text("a dull film. a fine film. " * 40)
    size = "--model gpt1-tiny --vocab-size 270 --length 1steps --batch-size 4 --precision fp32"
    assert main(f"pretrain --corpus text.txt {size} --out lm --quiet".split()) == 0
    capsys.readouterr()
    tune = (
        "explain finetune --start lm --task classification --train rows.jsonl --scheme head --control --precision fp32"
    )
    assert main(tune.split()) == 0
    short = capsys.readouterr().out
    places = [short.index(part) for part in ("example 1", "\nmodel", "\ncontrol", "\n  model", "\nsettings")]
    assert places == sorted(places) and short.startswith("example 1")
    assert "\nvocabulary unknown tokens: 0.0% of train" in short  # byte-level, so none is unknown
    assert "of which" in short[places[1] : places[2]] and "of which" not in short[places[3] :]
    shown = yaml.safe_load(short[places[-1] :].partition(")\n")[2])
    assert shown == {
        "start": "lm", "task": {"name": "classification", "train": "rows.jsonl"}, "scheme": {"kind": "head"},
        "control": True, "train": {"precision": "fp32"},
    }  # fmt: skip
    assert main([*tune.split(), "--all"]) == 0
    assert "\n    beta2: 0.999\n" in capsys.readouterr().out and "beta2" not in short


def test_every_verb_can_show_its_result() -> None:
    """Witness: the table of verbs."""
    assert set(SHOWN) == {*VERBS, EXPLAIN}


@pytest.mark.parametrize("log", ["", "debug"])
def test_libraries_keep_their_warnings_to_themselves(log: str) -> None:
    """Witness: standard error of a Python that warns, and forks after tokenizers has used its threads."""
    code = """
import os, warnings
from warmstart.cli.main import silence_libraries
silence_libraries()
warnings.warn("from a library")
import tokenizers
tokenizers.Tokenizer(tokenizers.models.BPE()).encode_batch(["a", "b"])
if (child := os.fork()) == 0:
    os._exit(0)
os.waitpid(child, 0)
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONWARNINGS", "TOKENIZERS_PARALLELISM")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=environment | {"WARMSTART_LOG": log})  # fmt: skip
    assert ("from a library" in done.stderr) == (log == "debug")
    assert "huggingface/tokenizers" not in done.stderr


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_sigterm_while_the_words_are_read_is_answered(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the table of exit codes: a run that is stopped before it begins is to be started again."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("warmstart.cli.command.read_command", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert main([verb, "--out", "run"]) == 75
    assert "stopped by SIGTERM before it began" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.usefixtures("answers_ctrl_c")
def test_ctrl_c_outside_of_the_training_says_what_to_do_next(tmp_path: Path) -> None:
    """Witness: the signal itself, before a run begins and while its files are written; SIGTERM's two sentences."""
    verb = replace(VERBS["finetune"], run=lambda *_: signal.raise_signal(signal.SIGINT))
    command = Command(verb, FinetuneRecipe.model_construct(), RunOptions(out=str(tmp_path / "run")))
    with pytest.raises(
        InterruptError, match="interrupted before the training; nothing is saved: run the same command again"
    ):
        command.run()
    RunFolder(tmp_path / "run").create("a: 1\n", {})
    with pytest.raises(
        InterruptError, match="run: interrupted; run the same command with --resume to continue"
    ) as caught:
        command.run()
    assert caught.value.exit_code == 130


@pytest.fixture
def answers_ctrl_c() -> Iterator[None]:
    """A process that was begun in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
