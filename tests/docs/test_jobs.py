"""The pages of ``docs/jobs/`` and the README's first example, run from top to bottom as they stand, on tiny data.

Only lengths and sizes are made small, by ``--set``, which wins over flags. The rows that a page shows are its files; folders
of text and models of the hub are made here. Witness: exit codes, and the form of the output that the page shows.
"""

import contextlib
import io
import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from pages import ROOT, Block, blocks, commands, name

from warmstart.cli.main import main
from warmstart.text.tokenizer import Tokenizer

JOBS = sorted((ROOT / "docs" / "jobs").glob("*.md"))
AFTER = {"compare": "pretrain-on-my-language", "deploy": "classify-texts"}
"""Page → the page whose files and runs it goes on with."""
SHORT = (
    "train.length=2 steps",
    "train.batch_size=4",
    "train.precision=fp32",
    "train.evaluate_every=1 run",
    "train.schedule.warmup=1 steps",
)
SMALL = ("model.layers=1", "model.width=16", "model.heads=2", "model.hidden=32", "model.context=32")
ROWS = [{"text": "a fine film", "label": "positive"}, {"text": "a dull one", "label": "negative"}] * 8
TEXT = "The fox number {} runs over the hill and back to the old house, where it was."

pytestmark = pytest.mark.filterwarnings("default")  # transformers, onnx and their kin, about their own code


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_job_is_done_as_its_page_says(path: Path) -> None:
    """Witness: every command ends well, and what is shown as output has the keys of the real one."""
    done(path)


def test_the_readmes_first_example_runs(tmp_path: Path) -> None:
    """Witness: the same."""
    run(ROOT / "README.md", tmp_path)


@cache
def done(path: Path) -> Path:
    """The folder in which a page has been run, with all that it made."""
    home = Path(mkdtemp(prefix=path.stem, dir=scratch()))
    if path.stem in AFTER:
        shutil.copytree(done(path.with_stem(AFTER[path.stem])), home, dirs_exist_ok=True)
        if (home / "runs" / "reviews").is_dir():
            shutil.copytree(home / "runs" / "reviews", home / "runs" / "reviews-2")
    run(path, home)
    return home


@cache
def scratch() -> Path:
    raise AssertionError("set by the fixture")


@pytest.fixture(scope="module", autouse=True)
def folder_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where the pages are run; forgotten with the module."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("jobs")
        patch.setattr(sys.modules[__name__], "scratch", lambda: folder)
        yield
    done.cache_clear()


def run(path: Path, home: Path) -> None:
    """Runs the blocks of a page in order."""
    make_files(path, home)
    found = list(blocks(path))
    shown = ""
    with contextlib.chdir(home):
        for block in found:
            if block.language == "bash":
                for command in commands(block.text):
                    shown = done_by(command, f"{name(path)}:{block.line}")
            elif block.language == "python":
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(block.text, f"{name(path)}:{block.line}", "exec"), {})
            elif block.language == "json":
                check_form(block, shown, f"{name(path)}:{block.line}")


def done_by(command: str, where: str) -> str:
    """What a command writes to standard output; beside warmstart pages use ``mkdir``, ``python -c``, ``cat FILE |``."""
    first, pipe, rest = command.partition(" | ")
    words = shlex.split(rest if pipe else first)
    given = Path(first.removeprefix("cat ")).read_bytes() if pipe else b""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        if words[0] == "mkdir":
            Path(words[1]).mkdir(exist_ok=True)
        elif words[:2] == ["python", "-c"]:
            exec(compile(words[2], where, "exec"), {})
        else:
            assert words[0] == "warmstart", (where, command)
            assert main([*words[1:], *smaller(words[1:])]) == 0, (where, command)
    out.flush()
    return out.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]


def smaller(words: list[str]) -> Iterator[str]:
    """What makes a command short: fewer steps, one small layer, two seeds, one process."""
    verb = next(word for word in words if word != "explain")
    changes: list[str] = []
    if verb in ("pretrain", "finetune", "study"):
        start = words[words.index("--start") + 1] if "--start" in words else "none"
        changes += [*SHORT, *(SMALL if start == "none" else ())]
        changes += ["seeds=2"] * ("--seeds" in words)
        changes += ["task.seq2seq.source_limit=12", "task.seq2seq.target_limit=8"] * ("seq2seq" in words)
        changes += ["seeds=2", "trainings=2"] * (verb == "study")
    elif verb == "prepare":
        changes += ["workers=1"]
    return (word for change in changes for word in ("--set", change))


def check_form(block: Block, shown: str, where: str) -> None:
    """The rows that a page shows as output have the keys of the rows that came, and so do objects inside them."""
    told, real = ([json.loads(line) for line in text.splitlines() if line] for text in (block.text, shown))
    assert len(told) == len(real), where
    for ours, theirs in zip(told, real, strict=True):
        assert form(ours) == form(theirs), where


def form(value: Any) -> Any:
    """An object's keys with the types of their values; a list is one whatever it holds."""
    return {key: form(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value).__name__


def make_files(path: Path, home: Path) -> None:
    """The page's own rows, and whatever else its commands read."""
    for folder in ("texts", "more"):
        (home / folder).mkdir(exist_ok=True)
        for number in range(40):
            (home / folder / f"{number}.txt").write_text(TEXT.format(number))
    shown = {block.file: block for block in blocks(path) if block.file}
    for file, block in shown.items():
        rows = block.text.rstrip("\n") + ("\n\n" if block.language == "text" else "\n")
        (home / file).write_text(rows * (1 if file.startswith("new") else 8))
    for part in ("train", "dev", "test"):
        if not (home / f"{part}.jsonl").exists() and not (home / f"{part}.conll").exists():
            known = home / "train.jsonl"
            text = known.read_text() if known.exists() else "".join(json.dumps(row) + "\n" for row in ROWS)
            (home / f"{part}.jsonl").write_text(text)
    text = path.read_text(encoding="utf-8")
    if "--start sentence-transformers/all-MiniLM-L6-v2" in text:
        tiny_bert(home / "sentence-transformers" / "all-MiniLM-L6-v2")
    if "--start openai-community/gpt2" in text:
        tiny_gpt2(home / "openai-community" / "gpt2")


def tiny_bert(folder: Path) -> None:
    """A folder in the form of the hub's: random weights, single letters as its vocabulary."""
    from transformers import BertConfig, BertModel

    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    BertModel(
        BertConfig(
            vocab_size=len(words), hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=64,
        )
    ).save_pretrained(folder)  # fmt: skip
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")


def tiny_gpt2(folder: Path) -> None:
    """The same for a left-to-right model."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = Tokenizer.train([TEXT], 270)
    sizes = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32}
    config = GPT2Config(vocab_size=tokenizer.vocab_size, bos_token_id=0, eos_token_id=0, **sizes)
    torch.manual_seed(0)
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save(folder)
